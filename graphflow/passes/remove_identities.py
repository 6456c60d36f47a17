"""Take out nodes that change nothing, and pairs that undo each other."""

from __future__ import annotations

from graphflow.ir.graph import Graph, Value
from graphflow.ir.record import Journal
from graphflow.ir.rewrite import Rewriter, drop_unused
from graphflow.ops import reshape, transpose


def remove_identities(graph: Graph, journal: Journal) -> bool:
    """Take out nodes that change nothing, and pairs that undo each other.

    1. `linear`, a cast to the dtype the input has, a reshape to the very shape the input has: the input.
    2. A transpose of a transpose: one transpose of the first's input, or that input itself where they are inverse.
    3. A transpose that moves only axes of one element: a reshape.
    """
    changed = False
    for node in graph.ordered():
        source = node.inputs[0] if node.inputs else None
        if source is None or not (node.outputs[0].uses or graph.is_output(node.outputs[0])):
            continue
        if _is_identity(node.op.name, source, node.outputs[0]) and not _is_bare_output(graph, node.outputs[0], source):
            graph.replace_uses(node.outputs[0], source)
            drop_unused(graph, node)
            journal.note("remove_identities", node.origin, f"removed {node.op.name}")
            changed = True
        elif node.op.name == "transpose" and source.node is not None and source.node.op.name == "transpose":
            first = source.node
            axes = tuple(first.attrs["axes"][axis] for axis in node.attrs["axes"])
            rewriter = Rewriter(graph, node)
            new = transpose(rewriter.tensor(first.inputs[0]), axes)
            rewriter.replace(node.outputs[0], new)
            drop_unused(graph, node)
            journal.note("remove_identities", node.origin, "joined two transposes")
            changed = True
        elif node.op.name == "transpose" and _only_ones_move(source, node.attrs["axes"]):
            rewriter = Rewriter(graph, node)
            sizes = [-1 if size is None else size for size in node.outputs[0].spec.shape]
            rewriter.replace(node.outputs[0], reshape(rewriter.tensor(source), sizes))
            drop_unused(graph, node)
            journal.note("remove_identities", node.origin, "a transpose that moves nothing is a reshape")
            changed = True
    return changed


def _only_ones_move(source: Value, axes: tuple[int, ...]) -> bool:
    moving = [axis for axis in axes if source.spec.shape[axis] != 1]
    return moving == sorted(moving) and source.spec.shape.count(None) < 2 and 0 not in source.spec.shape


def _is_identity(name: str, source: Value, result: Value) -> bool:
    if name in ("linear", "cast"):
        return source.spec == result.spec
    return (
        name in ("reshape", "squeeze", "expand_dims", "flatten")
        and source.spec.is_static
        and source.spec == result.spec
    )


def _is_bare_output(graph: Graph, result: Value, source: Value) -> bool:
    """Whether an output would become an input, a constant or a variable: the plan copies those at the end anyway."""
    return graph.is_output(result) and source.kind != "node"
