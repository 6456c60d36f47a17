"""A graph as plain data, and back: what pickles carry. It names ops, and holds numbers, strings and arrays.

    {"name", "inputs": [[spec, name]], "variables": [...], "constants": [array],
     "nodes": [[op, [operand], attrs, origin]], "outputs": [[operand, name]], "updates": [[variable, operand]]}

An operand is None or a pair: ("input" | "variable" | "constant", position), or (node, output). The body of a control
operation is {"body": the same again}.
"""

from __future__ import annotations

from typing import Any

from graphflow.ir.body import Body
from graphflow.ir.build import small_integers
from graphflow.ir.graph import Graph, Value
from graphflow.ops.dispatch import infer
from graphflow.ops.registry import OPS
from graphflow.spec import TensorSpec
from graphflow.variable import Variable


def to_data(graph: Graph) -> dict[str, Any]:
    """The graph as plain data. Variables are carried as they are; opaque functions stay in their attributes."""
    places: dict[Value, tuple[Any, int]] = {value: ("input", i) for i, value in enumerate(graph.inputs)}
    constants: list[Any] = []
    variables: list[Variable] = []

    def operand(value: Value | None) -> tuple[Any, int] | None:
        if value is None:
            return None
        if value not in places:
            kept = constants if value.kind == "constant" else variables
            places[value] = (value.kind, len(kept))
            kept.append(value.payload)
        return places[value]

    nodes = []
    for number, node in enumerate(graph.ordered()):
        nodes.append([node.op.name, [operand(value) for value in node.inputs], _plain(node.attrs), node.origin])
        for value in node.outputs:
            places[value] = (number, value.index)
    return {
        "name": graph.name,
        "inputs": [[value.spec.shape, value.spec.dtype, value.name] for value in graph.inputs],
        "nodes": nodes,
        "outputs": [[operand(value), name] for value, name in zip(graph.outputs, graph.output_names, strict=True)],
        "updates": [[variable, operand(value)] for variable, value in graph.updates],
        "constants": constants,
        "variables": variables,
    }


def _plain(attrs: dict[str, Any]) -> dict[str, Any]:
    return {key: {"body": to_data(value.graph)} if isinstance(value, Body) else value for key, value in attrs.items()}


def _whole(value: Any) -> Any:
    return Body(from_data(value["body"])) if isinstance(value, dict) and value.keys() == {"body"} else value


def from_data(data: dict[str, Any]) -> Graph:
    """The graph of `to_data`'s result; every spec is inferred anew."""
    graph = Graph(data["name"])
    for shape, dtype, name in data["inputs"]:
        graph.add_input(TensorSpec(tuple(shape), dtype), name)
    leaves: dict[Any, list[Value]] = {
        "input": graph.inputs,
        "constant": [
            graph.add_constant(array, TensorSpec(array.shape, array.dtype.name)) for array in data["constants"]
        ],
        "variable": [graph.variable(variable) for variable in data["variables"]],
    }

    def value(operand: Any) -> Value | None:
        return None if operand is None else leaves[operand[0]][operand[1]]

    for number, (name, operands, plain, origin) in enumerate(data["nodes"]):
        attrs = {key: _whole(given) for key, given in plain.items()}
        inputs = [value(operand) for operand in operands]
        specs = [None if one is None else one.spec for one in inputs]
        outputs = infer(OPS[name], specs, attrs, [small_integers(one) for one in inputs])
        leaves[number] = list(graph.add(OPS[name], inputs, attrs, outputs, tuple(origin)).outputs)
    for operand, name in data["outputs"]:
        graph.add_output(leaves[operand[0]][operand[1]], name)
    for variable, operand in data["updates"]:
        graph.add_update(variable, leaves[operand[0]][operand[1]])
    return graph
