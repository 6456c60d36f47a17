"""`from_networkx`: a graph, as it is or edited, as a model that runs."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphflow.errors import ArgumentTypeError, GraphError, UnsupportedError
from graphflow.inspect.graphs.data import Slot
from graphflow.ir.body import Body
from graphflow.ir.build import GraphTensor
from graphflow.ir.data import from_data, to_data
from graphflow.ir.graph import Node
from graphflow.layers.input import Input
from graphflow.layers.layer import Layer
from graphflow.layers.nest import leaves, transform
from graphflow.layers.op_call import OpCall
from graphflow.layers.tensor import KerasTensor
from graphflow.models import Model
from graphflow.models.config import layer_to_config, make_layer
from graphflow.models.graph_model import GraphModel, ValueSpec
from graphflow.ops.dispatch import apply
from graphflow.ops.registry import OPS
from graphflow.variable import Variable


def from_networkx(graph: Any) -> Any:
    """Build a model from a graph of `to_networkx`, also after nodes or edges were taken out, added or changed.

    Args:
        graph: a DiGraph of level "layer" or "op". A node of level "layer" is made from its `config`, its class and the
            values of its weights from its `source`; nodes of one `layer` share one layer. Edges say where the tensors
            of its `arguments` come from.

    Returns:
        Level "layer": a Model with layers and weights of its own. Level "op": a GraphModel, whose variables
        are those of the model it came from.

    Raises:
        GraphError: a cycle, or a position of a node's arguments that no edge or more than one leads to.
        UnsupportedError: a graph of level "plan": it has been specialised, and no longer says what it came from.

    Example:
        >>> import numpy as np
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import from_networkx, to_networkx
        >>> from graphflow.layers import Dense
        >>> x = Input((4,), name="x")
        >>> graph = to_networkx(Model(x, Dense(2, name="y")(x)))
        >>> graph.nodes["y"]["config"]["activation"] = "softmax"
        >>> from_networkx(graph).predict(np.zeros((1, 4)))
        array([[0.5, 0.5]], dtype=float32)
    """
    from networkx import DiGraph

    if not isinstance(graph, DiGraph) or "level" not in graph.graph:
        raise ArgumentTypeError(f"from_networkx takes a graph of to_networkx, received {type(graph).__name__}.")
    level = graph.graph["level"]
    if level == "plan":
        raise UnsupportedError("A graph of level 'plan' can not be built back; take level='layer' or level='op'.")
    return _model(graph) if level == "layer" else _graph(graph)


def _ordered(graph: Any) -> list[Any]:
    """The nodes so that each comes after its inputs, otherwise in the graph's order."""
    from networkx import NetworkXUnfeasible, lexicographical_topological_sort

    place = {node: index for index, node in enumerate(graph)}
    try:
        return list(lexicographical_topological_sort(graph, key=place.__getitem__))
    except NetworkXUnfeasible:
        raise GraphError(f"The graph {graph.graph.get('name')!r} has a cycle.") from None


def _given(graph: Any, node: Any, made: dict[Any, list[Any]]) -> list[Any]:
    """What the edges bring to a node, by position.

    Raises:
        GraphError: a position that no edge or more than one leads to, or an output that its source does not have.
    """
    found: dict[int, Any] = {}
    for source, _, held in graph.in_edges(node, data=True):
        for output, position in held["tensors"]:
            if position in found:
                raise GraphError(f"Two edges lead to input {position} of node {node!r}.")
            if not 0 <= output < len(made[source]):
                raise GraphError(f"Node {source!r} has {len(made[source])} outputs, there is no output {output}.")
            found[position] = made[source][output]
    taken = sum(isinstance(leaf, Slot) for leaf in leaves(graph.nodes[node].get("arguments") or ()))
    count = max(taken, len(found))
    missing = [position for position in range(count) if position not in found]
    if missing or len(found) > max(taken, 1):
        raise GraphError(f"Node {node!r} takes {taken} tensors; edges lead to its inputs {sorted(found)}.")
    return [found[position] for position in range(count)]


def _model(graph: Any) -> Model:
    made: dict[Any, list[KerasTensor]] = {}
    layers: dict[Any, Layer] = {}
    sources: dict[Any, Any] = {}
    for node in _ordered(graph):
        held = graph.nodes[node]
        given = _given(graph, node, made)
        if held["kind"] == "InputLayer":
            config = held["config"]
            made[node] = given or [Input(batch_shape=config["batch_shape"], dtype=config["dtype"], name=held["name"])]
            continue
        if isinstance(held.get("source"), OpCall) and not given:
            made[node] = [Input(tensor=held["source"].held[0][0], name=held["name"])]
            continue
        key = held.get("layer") or node
        if key not in layers:
            layers[key], sources[key] = _layer(held, key), held.get("source")
        args, kwargs = transform(partial(_filled, given), held["arguments"])
        outputs = layers[key](*args, **kwargs)
        made[node] = [leaf for leaf in leaves(outputs) if isinstance(leaf, KerasTensor)]
    for key, layer in layers.items():
        if sources[key] is not None:
            _take_values(layer, sources[key], key)

    def tensor(place: Any) -> KerasTensor:
        return made[place.node][place.output]

    inputs, outputs = graph.graph["inputs"], graph.graph["outputs"]
    return Model(transform(tensor, inputs), transform(tensor, outputs), name=graph.graph["name"])


def _filled(given: list[Any], leaf: Any) -> Any:
    return given[leaf.position] if isinstance(leaf, Slot) else leaf


def _layer(held: dict[str, Any], key: Any) -> Layer:
    """A new layer of a node."""
    source = held.get("source")
    if isinstance(source, OpCall):
        return OpCall.restore(source.op, source.held, held["config"], held["name"])
    described: dict[str, Any] = {"class_name": held["kind"], "name": held["name"]}
    if source is not None:
        described = layer_to_config(source)
    name = held["name"] if len(held.get("path") or ()) == 0 else str(key)
    return make_layer({**described, "config": {**held["config"], "name": name}})


def _take_values(layer: Layer, source: Layer, key: Any) -> None:
    """Give a layer the values that another one's weights have.

    Raises:
        GraphError: the weights do not fit, because the configuration was changed.
    """
    shapes = [[variable.value.shape for variable in one.variables] for one in (source, layer)]
    if shapes[0] != shapes[1]:
        raise GraphError(
            f"Layer {key!r} has weights of shapes {shapes[1]} with this configuration; its source has {shapes[0]}. "
            "Take the source out of the node to begin with new weights."
        )
    for new, old in zip(layer.variables, source.variables, strict=True):
        new.assign(old.value)


def _graph(graph: Any) -> GraphModel:
    kept: dict[str, list[Any]] = {"constant": [], "variable": []}
    numbers: dict[int, tuple[str, int]] = {}
    places: dict[Any, list[tuple[Any, int]]] = {}
    inputs: list[Any] = []
    nodes: list[Any] = []

    def held_operand(payload: Any) -> tuple[str, int]:
        if id(payload) not in numbers:
            kind = "variable" if isinstance(payload, Variable) else "constant"
            numbers[id(payload)] = kind, len(kept[kind])
            kept[kind].append(payload)
        return numbers[id(payload)]

    for name in graph.graph["inputs"]:
        held = graph.nodes[name]
        places[name] = [("input", len(inputs))]
        inputs.append([held["shapes"][0], held["dtypes"][0], held["name"]])
    for name in _ordered(graph):
        held = graph.nodes[name]
        if name in places:
            continue
        if held["kind"] in ("constant", "variable"):
            places[name] = [held_operand(held["arguments"])]
            continue
        given = _given(graph, name, places)
        operands, attrs = held["arguments"]
        filled = [
            given[one.position] if isinstance(one, Slot) else None if one is None else held_operand(one)
            for one in operands
        ]
        places[name] = [(len(nodes), index) for index in range(len(held["shapes"]))]
        source = held.get("source")
        op = source.op.name if isinstance(source, Node) else held["kind"]
        nodes.append([op, filled, _plain(attrs), held["origin"]])
    data = {
        "name": graph.graph["name"],
        "inputs": inputs,
        "nodes": nodes,
        "outputs": [[places[node][output], name] for node, output, name in graph.graph["outputs"]],
        "updates": [[variable, places[node][output]] for variable, node, output in graph.graph.get("updates", ())],
        "constants": kept["constant"],
        "variables": kept["variable"],
    }
    made = from_data(data)
    inputs = [ValueSpec(value.name, value.spec.shape, value.spec.dtype) for value in made.inputs]
    outputs = [
        ValueSpec(name, value.spec.shape, value.spec.dtype)
        for value, name in zip(made.outputs, made.output_names, strict=True)
    ]
    return GraphModel(Replay(data), inputs, outputs, made.name)


class Replay:
    """A program that applies the ops of a graph, given as the plain data of `graphflow.ir.data`, once more."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    @property
    def variables(self) -> list[Variable]:
        """The weights that it uses."""
        held: list[Variable] = self.data["variables"]
        return held

    def __call__(self, operands: Any, scope: Any) -> list[Any]:
        """The outputs for these operands; the successors of states go where the operands come from."""
        made: dict[Any, Any] = {
            "input": list(operands),
            "constant": self.data["constants"],
            "variable": self.variables,
        }
        for number, (name, places, plain, origin) in enumerate(self.data["nodes"]):
            attrs = {key: _whole(value) for key, value in plain.items()}
            given = [None if place is None else made[place[0]][place[1]] for place in places]
            with scope(tuple(origin)):
                outputs = apply(OPS[name], given, attrs)
            made[number] = [outputs] if OPS[name].single else list(outputs)
        for variable, (source, index) in self.data["updates"]:
            builder = next((one.builder for one in operands if isinstance(one, GraphTensor)), None)
            if builder is None:
                variable.adopt(made[source][index])
            else:
                builder.update(variable, made[source][index])
        return [made[source][index] for (source, index), _ in self.data["outputs"]]


def _plain(attrs: dict[str, Any]) -> dict[str, Any]:
    return {key: {"body": to_data(value.graph)} if isinstance(value, Body) else value for key, value in attrs.items()}


def _whole(value: Any) -> Any:
    return Body(from_data(value["body"])) if isinstance(value, dict) and value.keys() == {"body"} else value
