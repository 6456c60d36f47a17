"""Take out nodes that change nothing, and pairs that undo each other."""

from __future__ import annotations

from graphflow.ir.graph import Graph, Value
from graphflow.ir.record import Journal
from graphflow.ir.rewrite import Rewriter, drop_unused
from graphflow.ops import transpose


def remove_identities(graph: Graph, journal: Journal) -> bool:
    """Take out nodes that change nothing, and pairs that undo each other.

    1. `linear`, a cast to the dtype the input has, a reshape to the very shape the input has: the input.
    2. A transpose of a transpose: one transpose of the first's input, or that input itself where they are inverse.
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
    return changed


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
