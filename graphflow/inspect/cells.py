"""The cells of a summary's table: what Keras 3 says of a layer, and how numbers of parameters are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from graphflow.inspect.text import escaped
from graphflow.layers.layer import Layer
from graphflow.layers.node import Node
from graphflow.layers.op_call import OpCall
from graphflow.spec import format_shape
from graphflow.variable import Variable

OP_TYPES = {"exponential": "Exp", "gelu_tanh": "Gelu", "getitem": "GetItem", "relu_general": "Relu"}
"""Ops whose name in Keras is not their name here in another case."""

UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, how it is aligned ("<", ">", "^"), and from a layer to its cell."""

    title: str
    align: str
    cell: Callable[[Layer], str]


def table_columns(nodes: set[Node], chain: bool) -> list[Column]:
    """The columns for a model with these calls; a chain needs no connections."""
    columns = [
        Column("Layer (type)", "<", lambda one: f"{escaped(one.name)} ({escaped(_type(one))})"),
        Column("Output Shape", "<", lambda one: _output_shape(one, nodes)),
        Column("Param #", ">", _params),
    ]
    return columns if chain else [*columns, Column("Connected to", "<", lambda one: _connections(one, nodes))]


def _type(one: Layer) -> str:
    if isinstance(one, OpCall):
        return OP_TYPES.get(one.op.name) or "".join(part.capitalize() for part in one.op.name.split("_"))
    name = type(one).__name__
    return "Functional" if name == "Model" else name


def _output_shape(one: Layer, nodes: set[Node]) -> str:
    """The shape of the last call in the model, in a list if there are several outputs."""
    calls = [node for node in one._inbound_nodes if node in nodes] or one._inbound_nodes
    if not calls:
        return "?"
    shapes = [format_shape(tensor.shape) for tensor in calls[-1].output_tensors]
    return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"


def _params(one: Layer) -> str:
    return f"{count(one.weights):,}" if one.built else "0 (unbuilt)"


def _connections(one: Layer, nodes: set[Node]) -> str:
    histories = [
        tensor._keras_history
        for node in one._inbound_nodes
        if node in nodes
        for tensor in node.input_tensors
        if tensor._keras_history is not None
    ]
    shown = [f"{escaped(made.layer.name)}[{made.node_index}][{made.tensor_index}]" for made in histories]
    return ", ".join(shown) or "-"


def _trainable(one: Layer) -> str:
    return ("Y" if one.trainable else "N") if one.weights else "-"


def count(weights: Sequence[Variable]) -> int:
    """How many numbers variables hold."""
    return sum(variable.value.size for variable in weights)


def size(weights: Sequence[Variable]) -> str:
    """How much memory variables take, as Keras writes it: `70.60 KB`."""
    taken = float(sum(variable.value.size * np.dtype(variable.dtype).itemsize for variable in weights))
    for unit in UNITS[:-1]:
        if taken < 1024:
            return f"{taken:.2f} {unit}"
        taken /= 1024
    return f"{taken:.2f} {UNITS[-1]}"


TRAINABLE = Column("Trainable", "^", _trainable)
