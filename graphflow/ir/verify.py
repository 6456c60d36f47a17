"""What is legal in a graph, checked from scratch: used by tests, and after every pass when debugging."""

from __future__ import annotations

from graphflow.errors import GraphError
from graphflow.ir.build import small_integers
from graphflow.ir.graph import Graph, Value
from graphflow.ops.dispatch import infer


def verify(graph: Graph) -> None:
    """Check that specs, uses, order and outputs agree.

    Raises:
        GraphError: something does not; the message names the node.
    """
    reachable: set[Value] = set(graph.inputs)
    uses: dict[Value, dict[object, int]] = {}
    for node in graph.ordered():
        for value in node.inputs:
            if value is None:
                continue
            if value.kind in ("input", "node") and value not in reachable:
                raise GraphError(f"{node.place} takes a value that this graph does not compute before it.")
            uses.setdefault(value, {})
            uses[value][node] = uses[value].get(node, 0) + 1
        specs = infer(node.op, node.input_specs, node.attrs, [small_integers(value) for value in node.inputs])
        given = tuple(value.spec for value in node.outputs)
        if specs != given:
            raise GraphError(f"{node.place} is said to give {given}, inference says {specs}.")
        for index, value in enumerate(node.outputs):
            if value.stage != node.stage:
                raise GraphError(f"Output {index} of {node.place} is said to be {value.stage!r}, it is {node.stage!r}.")
            if value.node is not node or value.index != index or value.kind != "node":
                raise GraphError(f"Output {index} of {node.place} does not know its producer.")
            reachable.add(value)
    for value in graph.results():
        if value.kind in ("input", "node") and value not in reachable:
            raise GraphError(f"The output {value!r} is not computed by this graph.")
    results = set(graph.results())
    for value in (*results, *reachable):
        if graph.is_output(value) != (value in results):
            raise GraphError(f"The graph is wrong about whether {value!r} leaves it.")
    for value, expected in uses.items():
        if value.uses != expected:
            raise GraphError(f"The uses of {value!r} are {value.uses}, the nodes say {expected}.")
    for variable, value in graph.updates:
        if value.spec.dtype != variable.spec.dtype or value.spec.rank != variable.spec.rank:
            raise GraphError(f"The update of {variable!r} is {value.spec}.")
