"""Take out what nothing needs."""

from __future__ import annotations

from graphflow.ir.graph import Graph
from graphflow.ir.record import Journal


def eliminate_dead_nodes(graph: Graph, journal: Journal) -> bool:
    """Take out what nothing needs.

    1. A pure node none of whose outputs is used, or leaves the graph, is removed; then what only it used.
    """
    results = set(graph.results())
    changed = False
    for node in reversed(graph.ordered()):
        dead = not any(value.uses or value in results for value in node.outputs)
        if dead and node.op.effect in ("pure", "random"):
            graph.remove(node)
            journal.note("eliminate_dead_nodes", node.origin, f"removed {node.op.name}")
            changed = True
    return changed
