"""Every step against its reference: what the knob `debug=4` runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphflow.errors import GraphflowError
from graphflow.ir.graph import Graph, Node, Value
from graphflow.spec import TensorSpec

Array = np.ndarray[Any, Any]


def check_steps(graph: Graph, arrays: list[Array], run: Callable[[Graph, list[Array]], list[Array]]) -> None:
    """Run each node of a graph twice on the same values: by its reference, and as it is planned.

    Args:
        run: plans and runs a graph of one node.

    Raises:
        GraphflowError: the first node whose outputs differ by more than its op's tolerance.
    """
    known: dict[Value, Array] = dict(zip(graph.inputs, arrays, strict=True))
    for node in graph.ordered():
        inputs = [None if value is None else _value(value, known) for value in node.inputs]
        expected = node.op.run_reference(node.attrs, inputs)
        if node.op.effect == "pure":
            _compare(node, inputs, expected, run)
        known.update(zip(node.outputs, expected, strict=True))


def _value(value: Value, known: dict[Value, Array]) -> Array:
    if value.kind == "constant":
        array: Array = value.payload
        return array
    found = known.get(value)
    return value.payload.value if found is None else found


def _compare(
    node: Node,
    inputs: list[Array | None],
    expected: tuple[Array, ...],
    run: Callable[[Graph, list[Array]], list[Array]],
) -> None:
    alone = Graph(node.op.name)
    values: list[Value | None] = []
    fed: list[Array] = []
    for value, array in zip(node.inputs, inputs, strict=True):
        if value is None or array is None:
            values.append(None)
            continue
        spec = TensorSpec(array.shape, array.dtype.name)
        if value.kind == "node" or value.kind == "input":
            values.append(alone.add_input(spec, value.name))
            fed.append(array)
        else:
            values.append(alone.add_constant(np.ascontiguousarray(array), spec))
    specs = [TensorSpec(array.shape, array.dtype.name) for array in expected]
    for value in alone.add(node.op, values, node.attrs, specs, node.origin).outputs:
        alone.add_output(value, "")
    for index, (one, other) in enumerate(zip(run(alone, fed), expected, strict=True)):
        largest = float(np.abs(other[np.isfinite(other)]).max(initial=0)) if other.dtype.kind == "f" else 0.0
        limit = node.op.tolerance * largest
        same = np.isclose(one, other, rtol=0, atol=limit, equal_nan=True)
        if not same.all():
            at = tuple(int(i) for i in np.argwhere(~same)[0])
            raise GraphflowError(
                f"{node.place}: output {index} at {at} is {one[at]!r}, its reference gives {other[at]!r}; "
                f"they may differ by {limit:.3g}."
            )
