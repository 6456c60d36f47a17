"""Move transposes behind what works element by element, so that they meet their inverses."""

from __future__ import annotations

from graphflow.ir.graph import Graph, Node, Value
from graphflow.ir.record import Journal
from graphflow.ir.rewrite import Rewriter, drop_unused, only_user
from graphflow.ops import transpose
from graphflow.ops.activation import NAMES
from graphflow.ops.elementwise import BINARY


def sink_transposes(graph: Graph, journal: Journal) -> bool:
    """Move transposes behind what works element by element.

    1. f(transpose(x)) with f a row of `ops.activation`, the transpose used nowhere else: transpose(f(x)).
    2. The same for a binary operation of two such transposes by the same axes, or of one and a single number.
    """
    changed = False
    for node in graph.ordered():
        if node.op.name not in NAMES and node.op.name not in BINARY:
            continue
        if not all(_lets_pass(graph, node, value) for value in node.inputs):
            continue
        orders = {_axes(value) for value in node.inputs} - {None}
        if len(orders) != 1:
            continue
        rewriter = Rewriter(graph, node)
        sources = [value if _axes(value) is None else _source(value) for value in node.inputs]
        moved = rewriter.apply(node.op, [rewriter.tensor(source) for source in sources], node.attrs)
        rewriter.replace(node.outputs[0], transpose(moved, orders.pop()))
        drop_unused(graph, node)
        journal.note("sink_transposes", node.origin, f"moved a transpose behind {node.op.name}")
        changed = True
    return changed


def _axes(value: Value | None) -> tuple[int, ...] | None:
    """By what a value was transposed; None when it was not."""
    made = None if value is None else value.node
    return made.attrs["axes"] if made is not None and made.op.name == "transpose" else None


def _source(value: Value | None) -> Value | None:
    return None if value is None or value.node is None else value.node.inputs[0]


def _lets_pass(graph: Graph, node: Node, value: Value | None) -> bool:
    """A single number, or a transpose that nothing else uses."""
    if value is None:
        return False
    if _axes(value) is None:
        return value.kind == "constant" and value.spec.shape == ()
    return only_user(graph, value) is node
