"""What is computed from weights once: in parts as at once, and how much memory that takes on the way."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from graphflow import Input, Model
from graphflow.layers import BatchNormalization, Conv2D, Conv2DTranspose, Dense, DepthwiseConv2D, Flatten
from graphflow.runtime import bindings
from graphflow.runtime.bindings import evaluate
from graphflow.runtime.session import Session

Array = np.ndarray[Any, Any]


def folded(model: Model) -> list[Any]:
    """The values of a tuned graph that are computed from weights."""
    rng = np.random.default_rng(0)
    model.set_weights([rng.random(one.shape, "float32") + 0.5 for one in model.get_weights()])
    run = [node for node in Session(model.graph()).graph.ordered() if node.stage == "run"]
    values = [value for node in run for value in node.inputs if value is not None and value.node is not None]
    return [value for value in dict.fromkeys(values) if value.stage != "run"]


def network() -> Model:
    x = y = Input((9, 9, 4))
    y = BatchNormalization()(Conv2D(6, 3)(BatchNormalization()(y)))
    y = BatchNormalization()(DepthwiseConv2D(3)(y))
    y = BatchNormalization()(Conv2DTranspose(5, 3)(y))
    return Model(x, BatchNormalization()(Dense(7)(Flatten()(y))))


@pytest.mark.parametrize("least", [1, 20, 100])
def test_parts_have_the_bits_of_the_whole(least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = folded(network())
    assert max(len(value.spec.shape) for value in values) == 4
    monkeypatch.setattr(bindings, "IN_PARTS_FROM", 1 << 60)
    whole = [evaluate(value) for value in values]
    monkeypatch.setattr(bindings, "IN_PARTS_FROM", least)
    split = [bindings._in_parts(value) is not None for value in values]
    assert sum(split) >= 3
    for value, expected in zip(values, whole, strict=True):
        found = evaluate(value)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_what_lies_between_is_never_there_as_a_whole() -> None:
    x = Input((1024,))
    (kernel,) = (one for one in folded(Model(x, BatchNormalization()(Dense(1024)(x)))) if len(one.spec.shape) == 2)
    tracemalloc.start()
    evaluate(kernel)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 4 * 1024**2 <= peak < 2.5 * 4 * 1024**2
