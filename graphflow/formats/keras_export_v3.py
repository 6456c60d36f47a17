"""A model as Keras 3's configuration: the content of `config.json`, and of `to_json`."""

from __future__ import annotations

from typing import Any

from graphflow.errors import UnsupportedError
from graphflow.formats.keras_export import Config, Exporter, calls_of, has_tensors, place_of, standalone
from graphflow.formats.keras_export_config import KERAS3
from graphflow.formats.write_ops import constant, keras3_operation
from graphflow.formats.write_order import order_is_unsure
from graphflow.layers.input import InputLayer
from graphflow.layers.layer import Layer
from graphflow.layers.nest import transform
from graphflow.layers.node import Node
from graphflow.layers.op_call import OpCall
from graphflow.layers.tensor import KerasTensor
from graphflow.models import Model, Sequential
from graphflow.registry import OWN

COMPILE_ARGUMENTS = (
    *("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"),
    *("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"),
)
"""What Keras 3 takes from `compile_config`."""


def keras3_config(model: Any, with_compile: bool = True) -> Config:
    """A model as {"module", "class_name", "config", "registered_name", "build_config", "compile_config"}.

    Args:
        model: functional or Sequential.
        with_compile: whether the compile arguments are written, as far as they are plain data.

    Raises:
        UnsupportedError: something that Keras 3's form can not say; the message names the layer.

    Example:
        >>> from graphflow import Sequential
        >>> from graphflow.formats.keras_export_v3 import keras3_config
        >>> from graphflow.layers import Dense
        >>> config = keras3_config(Sequential([Dense(2, input_shape=(3,))]))
        >>> config["class_name"], [layer["class_name"] for layer in config["config"]["layers"]]
        ('Sequential', ['InputLayer', 'Dense'])
    """
    written = standalone(model)
    described = _Keras3(written, KERAS3).model(written)
    compiled = plain_compile(model.compiled_with) if with_compile else None
    if compiled:
        described["compile_config"] = compiled
    return described


class _Keras3(Exporter):
    def model(self, model: Any) -> Config:
        described = super().model(model)
        if not isinstance(model, Sequential):
            known = {"module": "keras.src.models.functional", "registered_name": "Functional"}
            unknown = {"module": None, "class_name": "Model", "registered_name": f"{OWN}Model"}
            described |= unknown if order_is_unsure(model) else known
        elif model._tensors:
            described["module"] = "keras"
            described["build_config"] = {"input_shape": list(model._tensors[0].shape)}
        return described

    def sequential(self, model: Any) -> Config:
        config = super().sequential(model)
        if model._tensors:
            config["build_input_shape"] = list(model._tensors[0].shape)
        return config

    def functional(self, model: Any) -> Config:
        place = place_of(model)

        def outer(tensor: KerasTensor) -> list[Any]:
            name, node, index = place(tensor)
            history = tensor._keras_history
            assert history is not None
            return [name, node + _has_own_call(history.layer), index]

        return {
            "name": model.name,
            "trainable": model.trainable,
            "layers": [self._called(one, nodes, place) for one, nodes in calls_of(model).items()],
            "input_layers": transform(outer, model._nested_inputs),
            "output_layers": transform(outer, model._nested_outputs),
        }

    def layer(self, one: Layer) -> Config:
        if isinstance(one, InputLayer):
            config = {"batch_shape": list(one.batch_shape), "dtype": one.dtype, "sparse": one.sparse, "name": one.name}
            return self.described("InputLayer", None, config)
        described = super().layer(one)
        shape = _input_shape(one)
        if shape is not None and not isinstance(one, Model):
            described["build_config"] = {"input_shape": shape}
        return described

    def _called(self, one: Layer, nodes: list[Node], place: Any) -> Config:
        if isinstance(one, OpCall):
            return self._operation(one, nodes, place)
        calls = [] if isinstance(one, InputLayer) else [self._call(node, place) for node in nodes]
        return {**self.layer(one), "name": one.name, "inbound_nodes": calls}

    def _call(self, node: Node, place: Any) -> Config:
        where = f"layer {node.operation.name!r}, argument of a call"
        if node.kwargs.get("training"):
            raise UnsupportedError(f"{where}: Keras 3 does not look at training=True, so it has no form in this file.")
        marked = transform(lambda leaf: _tensor(leaf, place), (list(node.args), node.kwargs))
        args, kwargs = (self.values.value(part, where) for part in marked)
        return {"args": args, "kwargs": kwargs}

    def _operation(self, one: OpCall, nodes: list[Node], place: Any) -> Config:
        try:
            said = keras3_operation(one)
        except UnsupportedError as error:
            raise UnsupportedError(f"op {one.name!r}: {error}. Keras has no form for it in a file.") from None
        calls = []
        for node in nodes:
            operands = self.operands(node, lambda tensor: _tensor(tensor, place))
            plain = [item if isinstance(item, dict) else constant(item) for item in operands]
            args, kwargs = [plain] if said.as_list else plain, dict(said.kwargs)
            if said.class_name == "GetItem":
                args.append(kwargs.pop("key"))
            where = f"op {one.name!r}"
            calls.append({"args": self.values.value(args, where), "kwargs": self.values.value(kwargs, where)})
        return {
            "module": said.module,
            "class_name": said.class_name,
            "config": {"name": one.name, **said.config},
            "registered_name": said.class_name,
            "name": one.name,
            "inbound_nodes": calls,
        }


def _tensor(leaf: Any, place: Any) -> Any:
    if not isinstance(leaf, KerasTensor):
        return leaf
    config = {"shape": list(leaf.shape), "dtype": leaf.dtype, "keras_history": place(leaf)}
    return {"class_name": "__keras_tensor__", "config": config}


def _has_own_call(one: Layer) -> int:
    """Keras 3 counts a call more for functional models, in the places of a model's inputs and outputs only."""
    return int(isinstance(one, Model) and not isinstance(one, Sequential))


def _input_shape(one: Layer) -> list[int | None] | None:
    """The shape a layer was built for, when it takes one tensor."""
    if not one._inbound_nodes or not one.weights:
        return None
    node = one._inbound_nodes[0]
    if has_tensors((node.args[1:], node.kwargs)) or not node.args or not isinstance(node.args[0], KerasTensor):
        return None
    return list(node.args[0].shape)


def plain_compile(compiled_with: Any) -> Config:
    """The compile arguments that are plain data."""
    given = compiled_with if isinstance(compiled_with, dict) else {}
    return {name: given[name] for name in COMPILE_ARGUMENTS if name in given and _is_plain(given[name])}


def _is_plain(item: Any) -> bool:
    if isinstance(item, dict):
        return all(isinstance(key, str) and _is_plain(value) for key, value in item.items())
    if isinstance(item, (list, tuple)):
        return all(_is_plain(one) for one in item)
    return item is None or isinstance(item, (str, bool, int, float))
