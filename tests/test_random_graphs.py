"""Random graphs: passes alone, in pairs and together, batch splits and threads, against references and themselves."""

from __future__ import annotations

import os
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from formats.random_models import Made, models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphflow
from graphflow.ir.record import Journal
from graphflow.passes import EXACT, PIPELINE
from graphflow.runtime import Session

FAST, LONG = 30, int(os.environ.get("GRAPHFLOW_EXAMPLES", "5000"))
PASSES = sorted({one.__name__ for one in PIPELINE})
SETTINGS = ["", "all", *PASSES, *(",".join(pair) for pair in combinations(PASSES, 2))]
CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
TOLERANCE = 5e-5
"""Of the largest element of an output; every op of a path may add the tolerance of its kernel."""


def outputs(made: Made, inputs: dict[str, Any], **knobs: Any) -> list[Any]:
    with graphflow.knobs(**knobs):
        return Session(made.model.graph()).run(inputs)


def check_passes(made: Made, off: str) -> None:
    expected = outputs(made, made.inputs, reference=True, passes_off="all")
    found = outputs(made, made.inputs, passes_off=off, debug=3)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE * np.abs(other).max(initial=0.0))


def check_exact(made: Made) -> set[str]:
    """Where a pass that is declared exact stands in the pipeline it leaves every bit; the passes that did something."""

    def upto(count: int) -> tuple[list[Any], bool]:
        graph, changed = made.model.graph(), False
        for one in PIPELINE[:count]:
            changed = one(graph, Journal())
        with graphflow.knobs(passes_off="all"):
            return Session(graph).run(made.inputs), changed

    found = set()
    for index, one in enumerate(PIPELINE):
        if one in EXACT and (after := upto(index + 1))[1]:
            for new, old in zip(after[0], upto(index)[0], strict=True):
                assert new.tobytes() == old.tobytes(), one.__name__
            found.add(one.__name__)
    return found


def check_rows(made: Made, threads: int, split: int) -> None:
    """Eleven rows, as one batch and in parts, in sessions of one and of several threads."""
    many = {name: np.concatenate([x, x[::-1], x, x])[:11] for name, x in made.inputs.items()}
    whole = outputs(made, many)
    with graphflow.knobs(threads=threads):
        session = Session(made.model.graph())
        parts = [
            session.run({name: x[start : start + split] for name, x in many.items()}) for start in range(0, 11, split)
        ]
    for index, one in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[index] for part in parts]), one)


@settings(max_examples=FAST, deadline=None, suppress_health_check=CHECKS)
@given(models(), st.sampled_from(SETTINGS))
def test_passes_leave_the_answer_where_it_is(made: Made, off: str) -> None:
    check_passes(made, off)


@settings(max_examples=FAST, deadline=None, suppress_health_check=CHECKS)
@given(models())
def test_exact_passes_leave_every_bit(made: Made) -> None:
    check_exact(made)


@settings(max_examples=FAST, deadline=None, suppress_health_check=CHECKS)
@given(models(), st.sampled_from((1, 2)), st.sampled_from((1, 2, 3, 7)))
def test_a_row_has_the_same_bits_however_it_is_computed(made: Made, threads: int, split: int) -> None:
    check_rows(made, threads, split)


@pytest.mark.fuzz
@settings(max_examples=LONG, deadline=None, suppress_health_check=CHECKS)
@given(models(steps=12), st.sampled_from(SETTINGS))
def test_passes_leave_the_answer_of_thousands_of_graphs(made: Made, off: str) -> None:
    check_passes(made, off)


@pytest.mark.fuzz
def test_exact_passes_leave_every_bit_of_a_thousand_graphs() -> None:
    seen: set[str] = set()

    @settings(max_examples=max(LONG // 5, 300), deadline=None, suppress_health_check=CHECKS)
    @given(models(steps=12))
    def check(made: Made) -> None:
        seen.update(check_exact(made))

    check()
    assert seen == {one.__name__ for one in EXACT}, "a pass that did nothing was not tested"


@pytest.mark.fuzz
@settings(max_examples=LONG, deadline=None, suppress_health_check=CHECKS)
@given(models(steps=12), st.sampled_from((1, 2, 4)), st.sampled_from((1, 2, 3, 5, 7, 8)))
def test_rows_of_thousands_of_graphs_have_the_same_bits(made: Made, threads: int, split: int) -> None:
    check_rows(made, threads, split)
