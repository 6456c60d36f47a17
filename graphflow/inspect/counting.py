"""The cost of one node, computed from the formula of its op."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from graphflow.inspect.costs import COSTS, UNCOUNTED, Cost, Counted
from graphflow.inspect.quantities import QUANTITIES, Look, UnknownCostError, size_of
from graphflow.ir.graph import Node, Value
from graphflow.spec import TensorSpec

Specs = Mapping[Value, TensorSpec]

_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def names_in(formula: str) -> Iterator[str]:
    """The quantities a formula speaks of."""
    for part in ast.walk(ast.parse(formula, mode="eval")):
        if isinstance(part, ast.Name):
            yield part.id


def _compute(formula: str, values: Mapping[str, int]) -> int:
    def of(part: ast.expr) -> int:
        if isinstance(part, ast.BinOp):
            return _OPERATORS[type(part.op)](of(part.left), of(part.right))
        return values[part.id] if isinstance(part, ast.Name) else int(part.value)  # type: ignore[attr-defined]

    return of(ast.parse(formula, mode="eval").body)


def formula_of(cost: Cost) -> str:
    """The formula of an op's FLOPs as it is shown: `2 * (y * depth) + y * bias`."""
    parts = [f"2 * ({cost.macs})"] if cost.macs != "0" else []
    return " + ".join([*parts, *([cost.others] if cost.others != "0" or not parts else [])])


def count(node: Node, specs: Specs) -> Counted:
    """The cost of one node.

    Args:
        specs: concrete specs of the values that a run computes; others are as the graph says.
    """
    inputs = tuple(None if value is None else specs.get(value, value.spec) for value in node.inputs)
    look = Look(node, inputs, tuple(specs.get(value, value.spec) for value in node.outputs), count)
    cost = COSTS.get(node.op.name)
    moved = _bytes(look, cost)
    if cost is None:
        why = UNCOUNTED.get(node.op.name, "no formula for this op")
        return Counted(None, None, f"unknown: {why}", {}, *moved)
    floats = any(spec is not None and spec.is_float for spec in (*look.inputs, *look.outputs))
    if not floats:
        return Counted(0, 0, "0: no floating-point numbers", {}, *moved)
    try:
        values = {name: QUANTITIES[name][1](look) for name in names_in(f"{cost.macs} + {cost.others}")}
    except UnknownCostError as error:
        return Counted(None, None, f"unknown: {error}", {}, *moved)
    macs = _compute(cost.macs, values)
    return Counted(macs, 2 * macs + _compute(cost.others, values), formula_of(cost), values, *moved)


def _bytes(look: Look, cost: Cost | None) -> tuple[int, int, int]:
    """Bytes read of what a run makes or is given, of constants and variables, and bytes written."""
    if cost is not None and not cost.moves:
        return 0, 0, 0
    read = weights = 0
    for index, value in enumerate(dict.fromkeys(value for value in look.node.inputs if value is not None)):
        position = look.node.inputs.index(value)
        spec = look.inputs[position]
        assert spec is not None
        elements = size_of(spec)
        if index == 0 and cost is not None and cost.reads != "x":
            elements = min(elements, _compute(cost.reads, {"y": size_of(look.outputs[0])}))
        if look.node.op.name == "embedding" and position == 1:
            elements = min(elements, size_of(look.outputs[0]))
        size = elements * np.dtype(spec.dtype).itemsize
        if value.stage != "run":
            weights += size
        else:
            read += size
    return read, weights, sum(size_of(spec) * np.dtype(spec.dtype).itemsize for spec in look.outputs)
