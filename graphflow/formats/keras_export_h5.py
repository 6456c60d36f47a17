"""A model as the configuration that HDF5 files hold: that of tf.keras 2.

    Functional: {"name", "layers": [{"class_name", "config", "name", "inbound_nodes"}], "input_layers", "output_layers"}

A call is a list of [layer, node, tensor, keyword arguments], and calls of an inner model are counted from 1.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from graphflow.errors import UnsupportedError
from graphflow.formats.keras_export import Config, Exporter, calls_of, has_tensors, place_of, standalone
from graphflow.formats.keras_export_config import KERAS2
from graphflow.formats.write_ops import constant
from graphflow.formats.write_tf_ops import tensorflow_call
from graphflow.layers.input import InputLayer
from graphflow.layers.layer import Layer
from graphflow.layers.multi_head_attention import MultiHeadAttention
from graphflow.layers.nest import transform
from graphflow.layers.node import Node
from graphflow.layers.op_call import OpCall
from graphflow.layers.tensor import KerasTensor
from graphflow.models import Model

CONSTANT = "_CONSTANT_VALUE"
Place = Callable[[KerasTensor], list[Any]]


def keras2_config(model: Any) -> Config:
    """A model as {"class_name", "config"}.

    Raises:
        UnsupportedError: something that tf.keras' form can not say; the message names the layer.

    Example:
        >>> from graphflow import Sequential
        >>> from graphflow.formats.keras_export_h5 import keras2_config
        >>> from graphflow.layers import Dense
        >>> config = keras2_config(Sequential([Dense(2, input_shape=(3,))]))
        >>> config["config"]["layers"][0]["config"]["batch_input_shape"]
        [None, 3]
    """
    model = standalone(model)
    return _Keras2(model, KERAS2).model(model)


class _Keras2(Exporter):
    def functional(self, model: Any) -> Config:
        inner = place_of(model)

        def place(tensor: KerasTensor) -> list[Any]:
            name, node, index = inner(tensor)
            history = tensor._keras_history
            assert history is not None
            return [name, node + int(isinstance(history.layer, Model)), index]

        return {
            "name": model.name,
            "trainable": model.trainable,
            "layers": [self._called(one, nodes, place) for one, nodes in calls_of(model).items()],
            "input_layers": _listed(transform(place, model._nested_inputs)),
            "output_layers": _listed(transform(place, model._nested_outputs)),
        }

    def layer(self, one: Layer) -> Config:
        if isinstance(one, InputLayer):
            shape = {"batch_input_shape": list(one.batch_shape), "dtype": one.dtype}
            return self.described(
                "InputLayer", None, {**shape, "sparse": one.sparse, "ragged": False, "name": one.name}
            )
        described = super().layer(one)
        if isinstance(one, MultiHeadAttention) and one._inbound_nodes:
            described["config"] |= _attention_shapes(one)
        return described

    def _called(self, one: Layer, nodes: list[Node], place: Place) -> Config:
        if isinstance(one, OpCall):
            return self._operation(one, nodes, place)
        calls = [] if isinstance(one, InputLayer) else [self._call(node, place) for node in nodes]
        return {**self.layer(one), "name": one.name, "inbound_nodes": calls}

    def _call(self, node: Node, place: Place) -> Any:
        where = f"layer {node.operation.name!r}"
        if not node.args or not has_tensors(node.args[0]):
            raise UnsupportedError(f"{where}: a call whose first argument is no tensor has no form in HDF5 files.")
        names = _argument_names(node.operation)
        if len(node.args) - 1 > len(names):
            raise UnsupportedError(
                f"{where}: arguments of a call by place beyond those of `call` have no form in HDF5."
            )
        rest = {**dict(zip(names, node.args[1:], strict=False)), **node.kwargs}
        kwargs = {name: self._argument(value, place, where) for name, value in rest.items() if value is not None}

        def entry(leaf: Any) -> list[Any]:
            if isinstance(leaf, KerasTensor):
                return [*place(leaf), kwargs]
            return [CONSTANT, -1, self.values.value(constant(leaf), where), kwargs]

        first = node.args[0]
        return [entry(first)] if isinstance(first, KerasTensor) else transform(entry, _as_lists(first))

    def _argument(self, value: Any, place: Place, where: str) -> Any:
        if has_tensors(value):
            return transform(lambda leaf: place(leaf) if isinstance(leaf, KerasTensor) else leaf, _as_lists(value))
        return self.values.value(value, where)

    def _operation(self, one: OpCall, nodes: list[Node], place: Place) -> Config:
        calls: list[Any] = []
        said = None
        for node in nodes:
            operands = self.operands(node, lambda tensor: tensor)
            try:
                said = tensorflow_call(one, operands)
            except UnsupportedError as error:
                raise UnsupportedError(
                    f"op {one.name!r}: {error}. HDF5 files can not hold it; save the model as .keras."
                ) from None
            where = f"op {one.name!r}"
            kwargs = {
                name: place(value) if isinstance(value, KerasTensor) else self.values.value(_plain(value), where)
                for name, value in said.kwargs.items()
            }

            def entry(leaf: Any, kwargs: Config = kwargs, where: str = where) -> list[Any]:
                if isinstance(leaf, KerasTensor):
                    return [*place(leaf), kwargs]
                return [CONSTANT, -1, self.values.value(constant(leaf), where), kwargs]

            first = said.first
            calls.append([entry(leaf) for leaf in first] if isinstance(first, list) else entry(first))
        assert said is not None
        config = {"name": one.name, "trainable": True, "dtype": "float32", "function": said.function}
        return {"class_name": said.class_name, "config": config, "name": one.name, "inbound_nodes": calls}


def _attention_shapes(one: MultiHeadAttention) -> Config:
    """The shapes that tf.keras builds attention for before it is called."""
    node = one._inbound_nodes[0]
    given = dict(zip(("query", "value", "key"), node.args, strict=False)) | node.kwargs
    query, value = given["query"], given["value"]
    key: Any = given.get("key") if given.get("key") is not None else value
    named = (("query_shape", query), ("key_shape", key), ("value_shape", value))
    return {name: list(tensor.shape) for name, tensor in named}


def _plain(value: Any) -> Any:
    """A keyword argument of an op: held operands as numbers or lists."""
    return constant(value) if hasattr(value, "dtype") else value


def _argument_names(one: Layer) -> list[str]:
    """The names of what `call` takes after the first argument."""
    if isinstance(one, Model):
        return ["training", "mask"]
    parameters = list(inspect.signature(type(one).call).parameters.values())[2:]
    return [each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.POSITIONAL_ONLY)]


def _as_lists(structure: Any) -> Any:
    if isinstance(structure, (list, tuple)):
        return [_as_lists(item) for item in structure]
    if isinstance(structure, dict):
        return {key: _as_lists(item) for key, item in structure.items()}
    return structure


def _listed(places: Any) -> Any:
    """Places as Keras 2 has them: a list, also of one; nests and dicts stay as they are."""
    is_one = isinstance(places, list) and len(places) == 3 and isinstance(places[0], str)
    return [places] if is_one else _as_lists(places)
