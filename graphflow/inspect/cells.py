"""The cells of a summary's table: what Keras 3 says of a layer, and how numbers of parameters are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from graphflow.inspect.flops import Flops, LayerCost
from graphflow.inspect.text import escaped
from graphflow.layers.layer import Layer
from graphflow.layers.node import Node
from graphflow.layers.op_call import OpCall
from graphflow.spec import element_count, format_shape
from graphflow.variable import Variable

OP_TYPES = {"exponential": "Exp", "gelu_tanh": "Gelu", "getitem": "GetItem", "relu_general": "Relu"}
"""Ops whose name in Keras is not their name here in another case."""

UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, how it is aligned ("<", ">", "^"), and from a row to its cell."""

    title: str
    align: str
    cell: Callable[[Row], str]


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its layer, the path of the layer, and how deep it is nested."""

    one: Layer
    path: str
    level: int = 0


def table_columns(nodes: set[Node], chain: bool) -> list[Column]:
    """The columns for a model with these calls; a chain needs no connections."""
    columns = [
        Column("Layer (type)", "<", lambda row: f"{escaped(row.one.name)} ({escaped(type_of(row.one))})"),
        Column("Output Shape", "<", lambda row: _output_shape(row.one, nodes)),
        Column("Param #", ">", lambda row: _params(row.one)),
    ]
    return columns if chain else [*columns, Column("Connected to", "<", lambda row: _connections(row.one, nodes))]


def cost_columns(nodes: set[Node], costs: Flops) -> list[Column]:
    """What a layer costs, and the bytes of its outputs, for the shapes that `costs` was counted for."""
    batch = next((shape[0] for shape in costs.input_shapes.values() if shape), 1)
    by_path = costs.by_path()
    nothing = costs.layer("")
    return [
        Column("Output bytes", ">", lambda row: _output_bytes(row.one, nodes, batch)),
        Column("MACs", ">", lambda row: counted(by_path.get(row.path, nothing), "macs")),
        Column("FLOPs", ">", lambda row: counted(by_path.get(row.path, nothing), "flops")),
    ]


def _output_bytes(one: Layer, nodes: set[Node], batch: int) -> str:
    total = 0
    for tensor in _calls(one, nodes)[-1].output_tensors if _calls(one, nodes) else ():
        first, *rest = (*tensor.shape, 1) if tensor.shape else (1, 1)
        elements = element_count((batch if first is None else first, *rest))
        if elements is None:
            return "?"
        total += elements * np.dtype(tensor.dtype).itemsize
    return f"{total:,}"


def counted(cost: LayerCost, what: str) -> str:
    """A number; with a mark where a part of it is not known."""
    number = getattr(cost, what)
    return f"{number:,}" if not cost.unknown else f"{number:,} + opaque" if number else "opaque"


def type_of(one: Layer) -> str:
    if isinstance(one, OpCall):
        return OP_TYPES.get(one.op.name) or "".join(part.capitalize() for part in one.op.name.split("_"))
    name = type(one).__name__
    return "Functional" if name == "Model" else name


def _output_shape(one: Layer, nodes: set[Node]) -> str:
    """The shape of the last call in the model, in a list if there are several outputs."""
    calls = _calls(one, nodes)
    if not calls:
        return "?"
    shapes = [format_shape(tensor.shape) for tensor in calls[-1].output_tensors]
    return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"


def _calls(one: Layer, nodes: set[Node]) -> list[Node]:
    return [node for node in one._inbound_nodes if node in nodes] or one._inbound_nodes


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


TRAINABLE = Column("Trainable", "^", lambda row: _trainable(row.one))
