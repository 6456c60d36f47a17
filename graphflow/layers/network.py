"""`Network`: the calls between a model's inputs and outputs, walked back from the outputs and put in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphflow.errors import ArgumentTypeError, GraphError
from graphflow.layers.layer import Layer
from graphflow.layers.nest import leaves, transform
from graphflow.layers.node import Node
from graphflow.layers.tensor import KerasTensor
from graphflow.spec import format_shape


class Network:
    """The calls that lead from inputs to outputs.

    Args:
        inputs: symbolic tensors, where the walk stops.
        outputs: a symbolic tensor, or a nest of them.

    Attributes:
        nodes: the calls, each after those it depends on.
        layers: what was called, in Keras' order: by depth from the outputs, then as the walk met them.

    Raises:
        GraphError: an output that does not follow from the inputs (the message names the tensor and the layers that
            were reached), two layers of one name, or a cycle.
    """

    def __init__(self, inputs: Sequence[KerasTensor], outputs: Any) -> None:
        self.inputs = list(inputs)
        self.outputs = outputs
        for what, tensors in (("input", self.inputs), ("output", list(leaves(outputs)))):
            for tensor in tensors:
                if not isinstance(tensor, KerasTensor) or tensor._keras_history is None:
                    raise ArgumentTypeError(
                        f"A model's {what}s must be tensors that come from Input, received {tensor!r}."
                    )
        if len({id(tensor) for tensor in self.inputs}) != len(self.inputs):
            raise GraphError("A tensor is listed twice among a model's inputs.")
        self._met: dict[Layer, int] = {}
        self.nodes = self._walk()
        self.layers = self._by_depth()
        self._check_names()

    def _walk(self) -> list[Node]:
        given = {id(tensor) for tensor in self.inputs}
        done: set[Node] = set()
        entered: set[Node] = set()
        order: list[Node] = []

        def needed(node: Node) -> Iterator[Node]:
            for tensor in node.input_tensors:
                if id(tensor) not in given:
                    yield _producer(tensor)
                else:
                    self._meet_input(tensor)

        for output in leaves(self.outputs):
            if id(output) in given:
                self._meet_input(output)
                continue
            root = _producer(output)
            if root in done:
                continue
            self._enter(root, output, order)
            entered.add(root)
            stack = [(root, needed(root))]
            while stack:
                node, rest = stack[-1]
                for before in rest:
                    if before in done:
                        continue
                    if before in entered:
                        raise GraphError(f"The calls form a cycle through layer {before.operation.name!r}.")
                    self._enter(before, before.output_tensors[0], order)
                    entered.add(before)
                    stack.append((before, needed(before)))
                    break
                else:
                    stack.pop()
                    done.add(node)
                    order.append(node)
        return order

    def _meet_input(self, tensor: KerasTensor) -> None:
        source = _producer(tensor)
        if source.is_input:
            self._met.setdefault(source.operation, len(self._met))

    def _enter(self, node: Node, tensor: KerasTensor, order: list[Node]) -> None:
        from graphflow.layers.input import InputLayer

        if isinstance(node.operation, InputLayer):
            reached = ", ".join(repr(one.operation.name) for one in order[-5:]) or "none"
            raise GraphError(
                f"The graph is not connected: tensor {tensor.name!r} of shape {format_shape(tensor.shape)}, from layer "
                f"{node.operation.name!r}, is needed but is not among the model's inputs. "
                f"Layers reached before it: {reached}."
            )
        self._met.setdefault(node.operation, len(self._met))

    def _by_depth(self) -> list[Layer]:
        depth: dict[Layer, int] = {}
        node_depth: dict[Node, int] = {}
        for node in reversed(self.nodes):
            deepest = max(node_depth.get(node, 0), depth.get(node.operation, 0))
            depth[node.operation] = node_depth[node] = deepest
            for before in node.parent_nodes:
                node_depth[before] = max(deepest + 1, node_depth.get(before, 0))
        for tensor in self.inputs:
            source = _producer(tensor)
            depth[source.operation] = max(depth.get(source.operation, 0), node_depth.get(source, 0))
            self._met.setdefault(source.operation, -1)
        return sorted(depth, key=lambda layer: (-depth[layer], self._met[layer]))

    def _check_names(self) -> None:
        seen: dict[str, Layer] = {}
        for layer in self.layers:
            other = seen.setdefault(layer.name, layer)
            if other is not layer:
                raise GraphError(
                    f"Layer names must be unique in a model; {layer.name!r} is the name of {other!r} and of {layer!r}."
                )

    def run(self, values: Sequence[Any]) -> Any:
        """Call the layers again on other tensors or arrays; returns the outputs, nested as they are."""
        known: dict[int, Any] = {id(tensor): value for tensor, value in zip(self.inputs, values, strict=True)}

        def replaced(leaf: Any) -> Any:
            return known[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

        for node in self.nodes:
            args = [transform(replaced, one) for one in node.args]
            outputs = node.operation(*args, **transform(replaced, node.kwargs) if node.kwargs else {})
            for tensor, value in zip(node.output_tensors, leaves(outputs), strict=True):
                known[id(tensor)] = value
        return transform(replaced, self.outputs)


def _producer(tensor: KerasTensor) -> Node:
    history = tensor._keras_history
    if history is None:
        raise ArgumentTypeError(f"{tensor!r} comes from inside a layer's call and can not be used outside it.")
    return history.layer._inbound_nodes[history.node_index]
