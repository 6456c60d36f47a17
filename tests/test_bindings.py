"""What is computed from weights once: to which bits, and how much memory that takes on the way."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np

from graphflow import Input, Model
from graphflow.ir.graph import Value
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


def plainly(value: Value) -> Array:
    """A value by the references of its ops alone."""
    if value.node is None:
        return np.asarray(value.payload.value if value.kind == "variable" else value.payload)
    arrays = [None if one is None else plainly(one) for one in value.node.inputs]
    return dict(zip(value.node.outputs, value.node.op.run_reference(value.node.attrs, arrays), strict=True))[value]


def test_converting_on_the_way_has_the_bits_of_each_op_by_itself() -> None:
    values = folded(network())
    assert max(len(value.spec.shape) for value in values) == 4
    between = [value.node is not None and bindings._between_casts(value.node) is not None for value in values]
    assert sum(between) == 8  # kernels and biases
    shared: dict[Value, Array] = {}
    for value in values:
        expected = plainly(value)
        for found in (evaluate(value), evaluate(value, shared)):
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
    assert shared


def test_what_lies_between_is_never_there_as_a_whole() -> None:
    x = Input((1024,))
    (kernel,) = (one for one in folded(Model(x, BatchNormalization()(Dense(1024)(x)))) if len(one.spec.shape) == 2)
    tracemalloc.start()
    evaluate(kernel)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 4 * 1024**2 <= peak < 2.5 * 4 * 1024**2
