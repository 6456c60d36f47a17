"""The graph of a model's layers: a node for each call, so that it has no cycles where layers are shared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphflow.errors import UnsupportedError
from graphflow.inspect.flops import OpCost
from graphflow.inspect.graphs.data import Edge, GraphData, GraphNode, Names, Place, Result, Slot
from graphflow.inspect.graphs.op_level import op_costs
from graphflow.layers.input import InputLayer
from graphflow.layers.layer import Layer
from graphflow.layers.nest import transform
from graphflow.layers.node import Node
from graphflow.layers.op_call import OpCall
from graphflow.layers.tensor import KerasTensor
from graphflow.models import Model


def layer_graph(model: Any, expand_nested: bool = False, input_shapes: Any = None) -> GraphData:
    """The calls of a model's layers.

    Args:
        expand_nested: whether models inside the model are shown by their own layers.
        input_shapes: what FLOPs are counted for; see `graphflow.inspect.flops`. The specs stay as described.

    Raises:
        UnsupportedError: something that has no layers, such as a graph of operations.
    """
    if not isinstance(model, Model):
        raise UnsupportedError(f"A {type(model).__name__} has no graph of layers; take level='op' or level='plan'.")
    walk = _Walk(GraphData(model.name, "layer"), expand_nested)
    data = walk.whole(model)
    _add_costs(data, model, input_shapes)
    return data


def class_name(one: Layer) -> str:
    """What a layer is: its class, as configurations have it; for an op that was called, the op."""
    if isinstance(one, OpCall):
        return one.op.name
    name = type(one).__name__
    return "Functional" if name == "Model" else name


class _Walk:
    def __init__(self, data: GraphData, expand: bool) -> None:
        self.data = data
        self.expand = expand
        self.names = Names()
        self.places: dict[int, Place] = {}
        self.waiting: dict[int, tuple[KerasTensor, str]] = {}

    def whole(self, model: Any) -> GraphData:
        """Walk the model from its inputs to its outputs."""
        given = dict(zip(map(id, model.inputs), model.input_names, strict=True))
        for tensor in model.inputs:
            self.waiting[id(tensor)] = tensor, given[id(tensor)]
        self._nodes(model._network.nodes, (), ())
        for tensor in model.inputs:
            self._place(tensor)
        self.data.inputs = [self.places[id(tensor)].node for tensor in model.inputs]
        for tensor, name in zip(model.outputs, model.output_names, strict=True):
            place = self.places[id(tensor)]
            self.data.results.append(Result(place.node, place.output, name))

        def placed(tensor: Any) -> Place:
            return self.places[id(tensor)]

        self.data.nested = transform(placed, model._nested_inputs), transform(placed, model._nested_outputs)
        return self.data

    def _place(self, tensor: KerasTensor) -> Place:
        """Where a tensor comes from; an input gets its node when it is first asked for."""
        if id(tensor) in self.waiting:
            source, name = self.waiting.pop(id(tensor))
            made = self._input(source, name, (), ())
            self.places[id(tensor)] = Place(made.id, 0)
        return self.places[id(tensor)]

    def _input(self, tensor: KerasTensor, name: str, path: tuple[str, ...], origin: tuple[str, ...]) -> GraphNode:
        layer = tensor._keras_history.layer if tensor._keras_history is not None else None
        config = {"name": name, "batch_shape": tensor.shape, "dtype": tensor.dtype}
        node = GraphNode(self.names.new(path, name), name, "InputLayer", path, (*origin, name), config=config)
        node.outputs = [tensor.spec]
        node.layer = "/".join(node.origin)
        node.source = layer if isinstance(layer, InputLayer) else None
        self.data.nodes.append(node)
        return node

    def _nodes(self, calls: Iterable[Node], path: tuple[str, ...], origin: tuple[str, ...]) -> None:
        for call in calls:
            one = call.operation
            if self.expand and isinstance(one, Model):
                self._inside(call, one, path, (*origin, one.name))
            else:
                self._call(call, one, path, (*origin, one.name))

    def _inside(self, call: Node, model: Any, path: tuple[str, ...], origin: tuple[str, ...]) -> None:
        """The layers of a model inside the model; its tensors have other places in every call of it."""
        group = self.names.new(path, model.name)
        self.data.groups[group] = class_name(model)
        taken = model._flat(call.args[0] if call.args else next(iter(call.kwargs.values())))
        given = [self._place(tensor) for tensor in taken]
        outer, self.places = self.places, {}
        inner = (*path, group)
        for place, tensor, name in zip(given, model.inputs, model.input_names, strict=True):
            node = self._input(tensor, name, inner, origin)
            node.inputs = [tensor.spec]
            self.data.edges.append(Edge(place.node, place.output, node.id, 0, tensor.spec))
            self.places[id(tensor)] = Place(node.id, 0)
        self._nodes(model._network.nodes, inner, origin)
        made = [self.places[id(tensor)] for tensor in model.outputs]
        self.places = outer
        for tensor, place in zip(call.output_tensors, made, strict=True):
            self.places[id(tensor)] = place

    def _call(self, call: Node, one: Layer, path: tuple[str, ...], origin: tuple[str, ...]) -> None:
        given = [self._place(tensor) for tensor in call.input_tensors]
        node = GraphNode(self.names.new(path, one.name), one.name, class_name(one), path, origin)
        node.inputs = [tensor.spec for tensor in call.input_tensors]
        node.outputs = [tensor.spec for tensor in call.output_tensors]
        node.weights = list(one.weights)
        node.config = dict(one.attrs) if isinstance(one, OpCall) else one.get_config()
        node.layer = "/".join(origin)
        node.details = {} if one.trainable else {"trainable": False}
        slots = iter(range(len(call.input_tensors)))
        node.arguments = tuple(
            transform(lambda leaf: Slot(next(slots)) if isinstance(leaf, KerasTensor) else leaf, structure)
            for structure in (call.args, call.kwargs)
        )
        node.source = one
        self.data.nodes.append(node)
        for position, (place, tensor) in enumerate(zip(given, call.input_tensors, strict=True)):
            self.data.edges.append(Edge(place.node, place.output, node.id, position, tensor.spec))
        for index, tensor in enumerate(call.output_tensors):
            self.places[id(tensor)] = Place(node.id, index)


def _add_costs(data: GraphData, model: Any, input_shapes: Any) -> None:
    """Give each call the FLOPs of its operations, where every size is known."""
    graph = model.graph()
    costs: dict[tuple[str, ...], list[OpCost]] = {}
    counted = op_costs(graph, graph, input_shapes)
    if not counted:
        return
    for one, cost in counted.items():
        for depth in range(1, len(one.origin) + 1):
            costs.setdefault(one.origin[:depth], []).append(cost)
    calls: dict[tuple[str, ...], list[GraphNode]] = {}
    for node in data.nodes:
        calls.setdefault(node.origin, []).append(node)
    for origin, made in calls.items():
        found = costs.get(origin, [])
        each, rest = divmod(len(found), len(made))
        for index, node in enumerate(made):
            if not rest:
                own = found[index * each : (index + 1) * each]
                node.flops, node.macs = _sum(one.flops for one in own), _sum(one.macs for one in own)


def _sum(counts: Iterable[int | None]) -> int | None:
    total = 0
    for one in counts:
        if one is None:
            return None
        total += one
    return total


def call_counts(data: GraphData) -> dict[str, int]:
    """How often each layer is called."""
    counts: dict[str, int] = {}
    for node in data.nodes:
        counts[node.layer] = counts.get(node.layer, 0) + 1
    return counts
