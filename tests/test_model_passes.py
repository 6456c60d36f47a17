"""Whole models with passes left out, alone and in pairs: the answers stay where the untuned graph's are.

The models are those that benchmarks time (`python -m benchmarks.export_onnx` makes them). Large ones share the pairs:
each pair is left out in at least one of them, and in every small one.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from test_model_bits import LARGE, MODELS, made, opened

import graphflow
from graphflow.ir.record import Journal
from graphflow.passes import EXACT, PIPELINE
from graphflow.runtime import Session

NAMES = sorted({one.__name__ for one in PIPELINE})
ALONE = ["", *NAMES]
PAIRS = [",".join(pair) for pair in combinations(NAMES, 2)]
TOLERANCE = 5e-5
"""Of the largest element of an output; Winograd's kernels and folded scales round otherwise."""


def settings(name: str) -> list[str]:
    return [*ALONE, *(PAIRS[LARGE.index(name) :: len(LARGE)] if name in LARGE else PAIRS)]


@pytest.mark.fuzz
@pytest.mark.parametrize("name", MODELS)
def test_passes_left_out_leave_the_answer_of_a_model(name: str) -> None:
    model, x = opened(name), made(name, 2)
    with graphflow.knobs(passes_off="all", precision="strict"):
        expected = Session(model.graph()).run(x)
    for off in settings(name):
        with graphflow.knobs(passes_off=off):
            for one, other in zip(Session(model.graph()).run(x), expected, strict=True):
                message = f"without {off or 'nothing'}"
                np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE * np.abs(other).max(), err_msg=message)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", MODELS)
def test_exact_passes_leave_every_bit_of_a_model(name: str) -> None:
    model, x = opened(name), made(name, 2)

    def upto(count: int) -> tuple[list[np.ndarray], bool]:
        graph, changed = model.graph(), False
        for one in PIPELINE[:count]:
            changed = one(graph, Journal())
        with graphflow.knobs(passes_off="all"):
            return Session(graph).run(x), changed

    for index, one in enumerate(PIPELINE):
        if one in EXACT and (after := upto(index + 1))[1]:
            for new, old in zip(after[0], upto(index)[0], strict=True):
                np.testing.assert_array_equal(new, old, err_msg=one.__name__)
