"""The calls that were recorded of a layer: inputs, outputs, shapes."""

from __future__ import annotations

from typing import Any

from graphflow.errors import ArgumentError
from graphflow.layers.nest import single
from graphflow.layers.node import Node


class Recorded:
    """An object whose calls on symbolic tensors are kept in `_inbound_nodes`."""

    name: str
    _inbound_nodes: list[Node]

    def _only_node(self, what: str) -> Node:
        if not self._inbound_nodes:
            raise ArgumentError(f"Layer {self.name!r} has not been called, it has no {what}.")
        return self._inbound_nodes[0]

    def _node_at(self, index: int) -> Node:
        if not 0 <= index < len(self._inbound_nodes):
            raise ArgumentError(
                f"Layer {self.name!r} was called {len(self._inbound_nodes)} times, there is no call {index}."
            )
        return self._inbound_nodes[index]

    @property
    def input(self) -> Any:
        return single(self._only_node("input").input_tensors)

    @property
    def output(self) -> Any:
        return single(self._only_node("output").output_tensors)

    @property
    def input_shape(self) -> Any:
        return self._only_node("input").input_shapes

    @property
    def output_shape(self) -> Any:
        return self._only_node("output").output_shapes

    def get_input_at(self, node_index: int) -> Any:
        return single(self._node_at(node_index).input_tensors)

    def get_output_at(self, node_index: int) -> Any:
        return single(self._node_at(node_index).output_tensors)

    def get_input_shape_at(self, node_index: int) -> Any:
        return self._node_at(node_index).input_shapes

    def get_output_shape_at(self, node_index: int) -> Any:
        return self._node_at(node_index).output_shapes
