"""When a value can be computed: `const` (literals only), `bind` (constants and variables) or `run` (the rest).

States and seeds change from run to run, so what depends on them is `run`.
"""

from __future__ import annotations

from graphflow.ir.graph import Graph, Value

STAGES = ("const", "bind", "run")


def leaf_stage(value: Value) -> str:
    """The stage of a value that no node computes."""
    if value.kind == "constant":
        return "const"
    if value.kind == "variable" and not value.payload.changes_in_runs:
        return "bind"
    return "run"


def stages(graph: Graph) -> dict[Value, str]:
    """The stage of every value of the graph."""
    found: dict[Value, str] = {}
    for node in graph.ordered():
        stage = "const"
        for value in node.inputs:
            if value is not None:
                one = found.get(value)
                if one is None:
                    one = found[value] = leaf_stage(value)
                if one == "run" or (one == "bind" and stage == "const"):
                    stage = one
        if node.op.effect != "pure" or not node.inputs:
            stage = "run"
        for value in node.outputs:
            found[value] = stage
    for value in graph.results():
        if value not in found:
            found[value] = leaf_stage(value)
    return found
