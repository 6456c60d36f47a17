"""Move transposes behind what works in any order of axes, so that they meet their inverses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphflow.ir.graph import Graph, Node, Value
from graphflow.ir.record import Journal
from graphflow.ir.rewrite import Rewriter, drop_unused
from graphflow.ops import reshape, transpose
from graphflow.ops.activation import NAMES
from graphflow.ops.elementwise import BINARY, COMPARISONS, LOGICAL, SIGNS, UNARY
from graphflow.spec import Shape

Axes = tuple[int, ...]

ELEMENTWISE = frozenset((*NAMES, *BINARY, *COMPARISONS, *LOGICAL, *UNARY, *SIGNS, "logical_not", "cast", "where"))
REDUCTIONS = frozenset(("sum", "mean", "max", "min", "prod", "any", "all"))
OTHERS = frozenset(("concatenate", "pad", "softmax", "getitem", "transpose", "resize"))


def sink_transposes(graph: Graph, journal: Journal) -> bool:
    """Move transposes behind what works in any order of axes, where everything that uses them lets them pass.

    1. f(transpose(x), transpose(y), ...), f element by element, all by the same axes: transpose(f(x, y, ...)). Other
       operands of f that are known before the run, or whose transpose moves no element, are transposed the other way.
    2. concatenate, pad, softmax, resize and slices of transposes: the same, along the axes that they had before.
    3. A reduction of a transpose: the reduction, then a transpose of the axes that are left.
    4. A transpose of a transpose that was moved: one transpose, or none.
    """
    changed = False
    for node in graph.ordered():
        if node.op.name == "transpose":
            changed = _join(graph, node, journal) or changed
            continue
        orders = {_axes(value) for value in node.inputs if value is not None} - {None}
        if len(orders) != 1 or not _works_in_any_order(node):
            continue
        if not all(_is_free(graph, value) for value in node.inputs if value is not None and _axes(value) is not None):
            continue
        order = orders.pop()
        assert order is not None
        rewriter = Rewriter(graph, node)
        operands = _operands(rewriter, node, order)
        if operands is None:
            continue
        attrs, after = _before(node, order)
        moved = rewriter.apply(node.op, operands, attrs)
        rewriter.replace(node.outputs[0], transpose(moved, after))
        drop_unused(graph, node)
        journal.note("sink_transposes", node.origin, f"moved a transpose behind {node.op.name}")
        changed = True
    return changed


def _axes(value: Value | None) -> Axes | None:
    """By what a value was transposed; None when it was not."""
    made = None if value is None else value.node
    return made.attrs["axes"] if made is not None and made.op.name == "transpose" else None


def _join(graph: Graph, node: Node, journal: Journal) -> bool:
    first = _axes(node.inputs[0])
    if first is None or not node.outputs[0].uses:
        return False
    rewriter, before = Rewriter(graph, node), node.inputs[0]
    assert before is not None and before.node is not None
    source = rewriter.tensor(before.node.inputs[0])
    rewriter.replace(node.outputs[0], transpose(source, [first[axis] for axis in node.attrs["axes"]]))
    drop_unused(graph, node)
    journal.note("sink_transposes", node.origin, "joined two transposes")
    return True


def _works_in_any_order(node: Node) -> bool:
    name = node.op.name
    if name == "getitem":
        return not any(isinstance(key, int) for key in node.attrs["key"])
    return name in ELEMENTWISE or name in REDUCTIONS or name in OTHERS


def _is_free(graph: Graph, value: Value) -> bool:
    """Whether every use of a transpose lets it pass, so that it is not needed where it stands."""
    return not graph.is_output(value) and all(_works_in_any_order(user) for user in value.uses)


def _operands(rewriter: Rewriter, node: Node, order: Axes) -> list[Any] | None:
    """The operands before the transpose; None when one can not be had."""
    operands: list[Any] = []
    for value in node.inputs:
        if value is None:
            operands.append(None)
        elif _axes(value) == order:
            assert value.node is not None
            operands.append(rewriter.tensor(value.node.inputs[0]))
        else:
            shape = value.spec.shape
            if len(shape) > len(order) or node.op.name not in ELEMENTWISE:
                return None
            padded = (1,) * (len(order) - len(shape)) + shape
            back = tuple(order.index(axis) for axis in range(len(order)))
            if shape and value.stage == "run" and not moves_nothing(padded, back):
                return None
            operands.append(_turned(rewriter.tensor(value), padded, back) if shape else rewriter.tensor(value))
    return operands


def _turned(tensor: Any, padded: Shape, back: Axes) -> Any:
    """An operand for the other order of axes, without leading axes of one."""
    if padded.count(None) > 1:
        return transpose(tensor, back)
    if len(padded) > len(tensor.shape):
        tensor = reshape(tensor, padded)
    turned = tuple(padded[axis] for axis in back)
    first = next((axis for axis, size in enumerate(turned) if size != 1), len(turned) - 1)
    return reshape(transpose(tensor, back), turned[first:]) if first else transpose(tensor, back)


def moves_nothing(shape: Sequence[int | None], axes: Axes) -> bool:
    """Whether a transpose leaves every element where it is, because only axes of one element move."""
    moving = [axis for axis in axes if shape[axis] != 1]
    return moving == sorted(moving)


def _before(node: Node, order: Axes) -> tuple[dict[str, Any], Axes]:
    """The attributes of a node in front of the transpose, and the transpose behind it."""
    attrs, name = dict(node.attrs), node.op.name
    if name in REDUCTIONS or name == "softmax":
        axes = attrs["axes"]
        attrs["axes"] = tuple(sorted(order[axis] for axis in axes))
        if name in REDUCTIONS and not attrs["keepdims"]:
            left = [order[axis] for axis in range(len(order)) if axis not in axes]
            return attrs, tuple(sorted(left).index(axis) for axis in left)
    elif name == "concatenate":
        attrs["axis"] = order[attrs["axis"]]
    elif name == "pad":
        attrs["amounts"] = tuple(attrs["amounts"][order.index(axis)] for axis in range(len(order)))
    elif name == "getitem":
        attrs["key"] = tuple(attrs["key"][order.index(axis)] for axis in range(len(order)))
    elif name == "resize":
        rows = sorted(zip((order[axis] for axis in attrs["axes"]), attrs["factors"], strict=True))
        attrs["axes"], attrs["factors"] = tuple(a for a, _ in rows), tuple(f for _, f in rows)
    return attrs, order
