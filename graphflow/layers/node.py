"""`Node`: the record of one call of a layer: its arguments, and the tensors it made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphflow.layers.nest import leaves, single
from graphflow.layers.tensor import KerasHistory, KerasTensor

if TYPE_CHECKING:
    from graphflow.layers.layer import Layer


class Node:
    """One call of a layer on symbolic tensors.

    Attributes:
        operation, layer: what was called.
        args, kwargs: its arguments as given, with the tensors in them.
        outputs: what it returned, nested as it was.
        input_tensors, output_tensors: the tensors in them, flat.
    """

    __slots__ = ("args", "input_tensors", "kwargs", "operation", "output_tensors", "outputs")

    def __init__(self, operation: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        self.input_tensors = [leaf for leaf in leaves((args, kwargs)) if isinstance(leaf, KerasTensor)]
        self.output_tensors = [leaf for leaf in leaves(outputs) if isinstance(leaf, KerasTensor)]
        index = len(operation._inbound_nodes)
        operation._inbound_nodes.append(self)
        for position, tensor in enumerate(self.output_tensors):
            tensor._keras_history = KerasHistory(operation, index, position)
        for parent in self.parent_nodes:
            parent.operation._outbound_nodes.append(self)

    @property
    def layer(self) -> Layer:
        return self.operation

    outbound_layer = layer

    @property
    def is_input(self) -> bool:
        return not self.input_tensors

    @property
    def _histories(self) -> list[KerasHistory]:
        return [tensor._keras_history for tensor in self.input_tensors if tensor._keras_history is not None]

    @property
    def parent_nodes(self) -> list[Node]:
        """The calls that made the inputs, each once."""
        found = [history.layer._inbound_nodes[history.node_index] for history in self._histories]
        return list(dict.fromkeys(found))

    @property
    def inbound_layers(self) -> Any:
        """The layers that made the inputs, one for each; bare when there is one."""
        return single([history.layer for history in self._histories])

    @property
    def node_indices(self) -> Any:
        return single([history.node_index for history in self._histories])

    @property
    def tensor_indices(self) -> Any:
        return single([history.tensor_index for history in self._histories])

    @property
    def input_shapes(self) -> Any:
        return single([tensor.shape for tensor in self.input_tensors])

    @property
    def output_shapes(self) -> Any:
        return single([tensor.shape for tensor in self.output_tensors])

    def __repr__(self) -> str:
        return f"<Node of {self.operation.name!r}>"
