"""A model as Keras' configuration, before it is put into a file: what both dialects have in common."""

from __future__ import annotations

import inspect
from typing import Any

from graphflow.errors import GraphflowError, UnsupportedError
from graphflow.formats.keras_export_config import ABSENT, KERAS3, Values, function_name, module_of, registered
from graphflow.formats.write_eras import layers_that_differ
from graphflow.layers.input import Input, InputLayer
from graphflow.layers.lambda_layer import Lambda
from graphflow.layers.layer import Layer
from graphflow.layers.nest import leaves, transform
from graphflow.layers.node import Node
from graphflow.layers.op_call import OpCall
from graphflow.layers.tensor import KerasTensor
from graphflow.models import Model, Sequential
from graphflow.registry import OWN

Config = dict[str, Any]


class Exporter:
    """Writes configurations of one dialect; made for one model.

    Args:
        model: what shall be written; see `standalone`.
        dialect: "keras3" or "keras2".
    """

    def __init__(self, model: Any, dialect: str) -> None:
        self.dialect = dialect
        self.values = Values(dialect, self.inner)
        self._owners: list[Layer] = []
        self._shared = shared_layers(model)
        self.differ = layers_that_differ(model, dialect) if _is_runnable(model) else set()

    # -- layers

    def class_name(self, one: Layer) -> tuple[str, str | None]:
        """The class a layer is written as, and the name it is registered by, if it is not the dialect's own."""
        if isinstance(one, Model):
            return ("Sequential" if isinstance(one, Sequential) else "Functional"), None
        name = type(one).__name__
        return name, OWN + name if id(one) in self.differ else self._registered(type(one))

    def _registered(self, cls: type[Layer]) -> str | None:
        """The registered name of a user's class, or of one of ours that the dialect does not have."""
        users = registered(cls)
        return OWN + cls.__name__ if users is None and cls.__name__ in ABSENT[self.dialect] else users

    def arguments(self, one: Layer) -> Config:
        """A layer's arguments in the dialect.

        Raises:
            UnsupportedError: one that the dialect can not say; the message names the layer.
        """
        where = f"layer {one.name!r} ({type(one).__name__})"
        if type(one).get_config is Layer.get_config and _takes_more(type(one)):
            raise UnsupportedError(
                f"{where}: the class takes arguments but does not define `get_config`, so that a file could not make "
                "an equal layer."
            )
        try:
            config = self._lambda(one, where) if isinstance(one, Lambda) else one.get_config()
            return self.values.arguments(type(one).__name__, config, where)
        except UnsupportedError as error:
            raise error if where in str(error) else UnsupportedError(f"{where}: {error}") from None

    def inner(self, described: Config, where: str) -> Config:
        """The description of a layer inside the configuration of another, in the dialect."""
        found = self._held(described)
        if found is not None:
            return self.layer(found)
        cls, name = described["class"], described["class_name"]
        config = self.values.arguments(name, described["config"], f"{where}, layer {name}")
        return self.described(name, self._registered(cls), config)

    def _held(self, described: Config) -> Layer | None:
        """The layer that a description inside another layer's arguments was made of, where it can be told."""
        held = self._owners[-1]._sublayers() if self._owners else []
        wanted = described["config"].get("name")
        found = [one for one in held if type(one) is described["class"] and one.name == wanted]
        return found[0] if len(found) == 1 else None

    def layer(self, one: Layer) -> Config:
        """A layer or a model, without its calls."""
        if isinstance(one, Model):
            return self.model(one)
        self._owners.append(one)
        try:
            return self._marked(one, self.described(*self.class_name(one), self.arguments(one)))
        finally:
            self._owners.pop()

    def model(self, model: Any) -> Config:
        """A functional or Sequential model; one of a class of the user's is written as the one that it is.

        Raises:
            UnsupportedError: an inner model between tensors that are not inputs.
        """
        if not isinstance(model, Sequential) and not all(_is_from_input(tensor) for tensor in model.inputs):
            raise UnsupportedError(
                f"model {model.name!r}: inner models whose inputs are tensors of other layers are not written; give it "
                "inputs of its own with Input."
            )
        config = self.sequential(model) if isinstance(model, Sequential) else self.functional(model)
        return self._marked(model, self.described(*self.class_name(model), config))

    def _marked(self, one: Layer, described: Config) -> Config:
        """A description with the number that says which ones are one layer."""
        return described if id(one) not in self._shared else {**described, "shared_object_id": self._shared[id(one)]}

    def sequential(self, model: Any) -> Config:
        """The configuration of a Sequential."""
        histories = [tensor._keras_history for tensor in model._tensors[:1]]
        layers = [history.layer for history in histories if history is not None] + model.layers
        config = {"name": model.name, "trainable": model.trainable, "dtype": self.values.dtype(model.dtype)}
        return {**config, "layers": [self.layer(one) for one in layers]}

    def functional(self, model: Any) -> Config:
        """The configuration of a functional model."""
        raise NotImplementedError

    def described(self, name: str, registered_name: str | None, config: Config) -> Config:
        """A class with its configuration."""
        if self.dialect == KERAS3:
            module = None if registered_name else module_of(name)
            return {"module": module, "class_name": name, "config": config, "registered_name": registered_name}
        return {"class_name": registered_name or name, "config": config}

    def _lambda(self, one: Lambda, where: str) -> Config:
        """A Lambda layer: its function by name, or by the layer's name where it has none."""
        config = one.get_config()
        named = getattr(one.function, "__name__", "<lambda>") != "<lambda>"
        name = function_name(one.function, where) if named else one.name
        if one.mask is not None:
            raise UnsupportedError(f"{where}: a Lambda layer's mask is not written.")
        shapes = [tensor.shape for node in one._inbound_nodes[:1] for tensor in node.output_tensors]
        shape = list(shapes[0][1:]) if len(shapes) == 1 and shapes[0] else None
        config |= {"function": None, "mask": None, "output_shape": shape}
        made = {**config, "function": self.values.function(name)}
        if self.dialect == KERAS3:
            return made
        extra = {"function_type": "function", "module": None, "output_shape_type": "raw", "output_shape_module": None}
        return {name: value for name, value in made.items() if name != "mask"} | extra

    # -- calls

    def operands(self, node: Node, place: Any) -> list[Any]:
        """An op's operands in its order: places of tensors, and constants."""
        call = node.operation
        assert isinstance(call, OpCall)
        if not node.input_tensors:
            raise UnsupportedError(f"op {call.name!r}: an input that wraps an array has no form in this file format.")
        rest = iter(place(tensor) for tensor in node.args)
        return [next(rest) if held is None else held[0] for held in call.held]


def standalone(model: Any) -> Any:
    """The model itself, or one with inputs of its own where inputs of the model are inside another.

    Raises:
        UnsupportedError: a Sequential that was never built and has no layers to say.
    """
    if isinstance(model, Sequential) or all(_is_from_input(tensor) for tensor in model.inputs):
        return model
    made: dict[int, KerasTensor] = {}
    for tensor in model.inputs:
        name = tensor.name if _is_from_input(tensor) else f"{tensor.name}_input"
        made[id(tensor)] = (
            tensor if _is_from_input(tensor) else Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)
        )
    outputs = model._network.run([made[id(tensor)] for tensor in model.inputs])
    return Model(transform(lambda one: made[id(one)], model._nested_inputs), outputs, name=model.name)


def shared_layers(model: Any) -> dict[int, int]:
    """The ids of layers that lie in several models or layers, numbered in their order."""
    held: dict[int, int] = {}
    stack, seen = [model], {id(model)}
    while stack:
        for one in stack.pop()._sublayers():
            held[id(one)] = held.get(id(one), 0) + 1
            if id(one) not in seen:
                seen.add(id(one))
                stack.append(one)
    return {one: number for number, one in enumerate((one for one, count in held.items() if count > 1), 1)}


def place_of(model: Any) -> Any:
    """From a tensor to [layer name, index of the call among those of the model, index of the tensor]."""
    nodes = set(model._network.nodes)
    index: dict[Node, int] = {}
    for one in model._network.layers:
        kept = [node for node in one._inbound_nodes if node in nodes]
        index |= {node: number for number, node in enumerate(kept)}

    def place(tensor: KerasTensor) -> list[Any]:
        history = tensor._keras_history
        assert history is not None
        node = history.layer._inbound_nodes[history.node_index]
        return [history.layer.name, index.get(node, 0), history.tensor_index]

    return place


def calls_of(model: Any) -> dict[Layer, list[Node]]:
    """Every layer and op of a model with the calls of it that the model holds, in the model's order."""
    nodes = set(model._network.nodes)
    return {one: [node for node in one._inbound_nodes if node in nodes] for one in model._network.layers}


def _is_from_input(tensor: KerasTensor) -> bool:
    return tensor._keras_history is not None and isinstance(tensor._keras_history.layer, InputLayer)


def _is_runnable(model: Any) -> bool:
    try:
        return bool(model.inputs)
    except GraphflowError:
        return False


def _takes_more(cls: type[Layer]) -> bool:
    if cls.__init__ is Layer.__init__:
        return False
    parameters = inspect.signature(cls.__init__).parameters.values()
    names = {one.name for one in parameters if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}
    return bool(names - {"self", "name", "dtype", "trainable", "weights", "activity_regularizer"})


def has_tensors(structure: Any) -> bool:
    """Whether there is a symbolic tensor in a structure."""
    return any(isinstance(leaf, KerasTensor) for leaf in leaves(structure))
