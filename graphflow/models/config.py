"""Models as configurations and back: Keras 3's form of a functional model, with Python objects left as they are.

    {"name", "trainable", "layers": [{"module", "class_name", "config", "name", "inbound_nodes": [{"args", "kwargs"}]}],
     "input_layers": nest of [layer, node, tensor], "output_layers": the same}

A symbolic tensor among the arguments is {"class_name": "__keras_tensor__", "config": {"shape", "dtype",
"keras_history": [layer, node, tensor]}}.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from graphflow.errors import ArgumentError, GraphError, ModelFormatError, nearest
from graphflow.layers.era import OTHER, current_era, era
from graphflow.layers.layer import Layer
from graphflow.layers.nest import leaves, transform
from graphflow.layers.op_call import OpCall
from graphflow.layers.registry import LAYERS
from graphflow.layers.tensor import KerasTensor
from graphflow.ops.registry import OPS
from graphflow.registry import OWN, custom_objects

OP_MODULE = "graphflow.ops"
NO_LAYERS = ("_initializer", "_regularizer", "_constraint")
"""Arguments whose configurations are no layers', though a name such as Identity may be that of one."""
OpReader = Callable[[str, str], Callable[..., Any] | None]
_shared: ContextVar[dict[int, Layer] | None] = ContextVar("graphflow_shared_layers", default=None)


def layer_to_config(one: Layer) -> dict[str, Any]:
    """A layer as {"module", "class_name", "config", "name"}."""
    if isinstance(one, OpCall):
        config = {"name": one.name, "op": one.op.name, "attrs": one.attrs, "held": one.held}
        return {"module": OP_MODULE, "class_name": one.op.name, "config": config, "name": one.name}
    return {
        "module": "keras.layers",
        "class_name": _class_name(one),
        "config": one.get_config(),
        "name": one.name,
        "class": type(one),
        "era": one.era,
    }


def _class_name(one: Layer) -> str:
    return "Functional" if type(one).__name__ == "Model" else type(one).__name__


def model_to_config(model: Any) -> dict[str, Any]:
    """The configuration of a functional model."""
    network = model._network
    kept = dict.fromkeys(network.nodes, 0)
    counts: dict[Layer, int] = {}
    for one in network.layers:
        for node in one._inbound_nodes:
            if node in kept or (node.is_input and not isinstance(one, OpCall)):
                kept[node] = counts.get(one, 0)
                counts[one] = kept[node] + 1

    def place(tensor: KerasTensor) -> list[Any]:
        history = tensor._keras_history
        assert history is not None
        node = history.layer._inbound_nodes[history.node_index]
        return [history.layer.name, kept.get(node, 0), history.tensor_index]

    def replaced(leaf: Any) -> Any:
        if not isinstance(leaf, KerasTensor):
            return leaf
        config = {"shape": leaf.shape, "dtype": leaf.dtype, "keras_history": place(leaf)}
        return {"class_name": "__keras_tensor__", "config": config}

    layers = []
    for one in network.layers:
        described = layer_to_config(one)
        nodes = [node for node in one._inbound_nodes if node in kept and node in set(network.nodes)]
        described["inbound_nodes"] = [
            {"args": transform(replaced, list(node.args)), "kwargs": transform(replaced, node.kwargs)} for node in nodes
        ]
        layers.append(described)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": transform(place, model._nested_inputs),
        "output_layers": transform(place, model._nested_outputs),
    }


def model_from_config(config: dict[str, Any], cls: Any = None, read_op: OpReader | None = None) -> Any:
    """Build a model from its configuration.

    Args:
        cls: Model, Sequential, or None: told by the configuration.
        read_op: from module and class name to the function of an operation that is no layer.

    Raises:
        ModelFormatError: a tensor that no layer makes, a cycle, or a class that is not known (every one is listed).
    """
    if "input_layers" not in config:
        return _sequential(config, read_op)
    _check_classes(config["layers"], read_op)
    from graphflow.models.functional import Model

    built = _Builder(config["layers"], read_op)
    built.run()
    inputs, outputs = built.tensors(config["input_layers"]), built.tensors(config["output_layers"])
    model: Any = (cls or Model)(inputs=inputs, outputs=outputs, name=config.get("name"))
    model.trainable = bool(config.get("trainable", True))
    return model


def _sequential(config: dict[str, Any], read_op: OpReader | None) -> Any:
    from graphflow.models.sequential import Sequential

    _check_classes(config["layers"], read_op)
    layers = [make_layer(one, read_op) for one in config["layers"]]
    model = Sequential(layers, name=config.get("name"))
    if not model.built and config.get("build_input_shape"):
        model.build(config["build_input_shape"])
    return model


def find_class(described: dict[str, Any]) -> Any:
    """The class of a layer's description: the user's, then the registry's; None when it is not known."""
    held = described.get("class")
    if held is not None:
        return held
    custom = custom_objects()
    for name in (described.get("registered_name"), described.get("class_name")):
        if name and name in custom:
            return custom[name]
    return LAYERS.classes.get(str(described.get("class_name")))


def _check_classes(layers: list[dict[str, Any]], read_op: OpReader | None) -> None:
    missing = []
    for one in layers:
        name, module = str(one.get("class_name")), str(one.get("module"))
        is_op = module == OP_MODULE or (read_op is not None and read_op(module, name) is not None)
        if not is_op and find_class(one) is None:
            missing.append((name, str(one.get("name") or one.get("config", {}).get("name"))))
    if missing:
        listed = "; ".join(f"{name!r} of layer {layer!r}" for name, layer in missing)
        hint = nearest(missing[0][0], LAYERS.classes)
        raise ModelFormatError(
            f"Unknown layer classes: {listed}. Pass them as custom_objects={{{missing[0][0]!r}: ...}}.{hint}"
        )


@contextmanager
def shared_layers() -> Iterator[None]:
    """Descriptions with one "shared_object_id" become one layer, inside a `with` block."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def make_layer(described: dict[str, Any], read_op: OpReader | None = None) -> Layer:
    """A layer from its description.

    Raises:
        ModelFormatError: its class is not known, or does not take the configuration.
    """
    cls, known, identity = find_class(described), _shared.get(), described.get("shared_object_id")
    if cls is None:
        raise ModelFormatError(f"Unknown layer class {described.get('class_name')!r}.")
    if known is None or identity is None:
        return _make(cls, described, read_op)
    if identity not in known:
        known[identity] = _make(cls, described, read_op)
    return known[identity]


def _make(cls: Any, described: dict[str, Any], read_op: OpReader | None) -> Layer:
    config = dict(described.get("config") or {})
    if "layers" in config and _is_model_class(cls):
        own = None if cls in (LAYERS.classes["Functional"], LAYERS.classes["Sequential"]) else cls
        made: Layer = model_from_config(config, own, read_op)
        return made
    config = {key: value if key.endswith(NO_LAYERS) else _inner_layers(value, read_op) for key, value in config.items()}
    names = (str(described.get("registered_name")), str(described.get("class_name")))
    other = OTHER[current_era()] if any(name.startswith(OWN) for name in names) else None
    rules = described.get("era") or other
    try:
        with era(rules) if rules else nullcontext():
            made = cls.from_config(config)
    except ArgumentError as error:
        name = config.get("name")
        raise type(error)(f"layer {name!r} ({described.get('class_name')}): {error}") from None
    return made


def _is_model_class(cls: Any) -> bool:
    from graphflow.models.functional import Model

    return isinstance(cls, type) and issubclass(cls, Model)


def _inner_layers(value: Any, read_op: OpReader | None) -> Any:
    """A layer where an argument describes one, a list of them where it lists some; anything else as it is."""
    if isinstance(value, list) and value and all(_is_layer(item) for item in value):
        return [make_layer(item, read_op) for item in value]
    return make_layer(value, read_op) if _is_layer(value) else value


def _is_layer(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("config"), dict) and _is_layer_class(value)


def _is_layer_class(described: dict[str, Any]) -> bool:
    found = find_class(described)
    return isinstance(found, type) and issubclass(found, Layer)


class _Builder:
    """Calls the layers of a configuration again, each call when the tensors it takes are there."""

    def __init__(self, layers: list[dict[str, Any]], read_op: OpReader | None) -> None:
        self._read_op = read_op
        self._made: dict[tuple[str, int], list[KerasTensor]] = {}
        self._calls: dict[tuple[str, int], tuple[Any, dict[str, Any]]] = {}
        self._named: dict[int, OpCall] = {}
        for described in layers:
            name = described.get("name") or (described.get("config") or {}).get("name")
            target = self._target(described)
            nodes = described.get("inbound_nodes") or []
            if isinstance(target, Layer) and target._inbound_nodes and not nodes:
                self._made[str(name), 0] = target._inbound_nodes[0].output_tensors
            for index, node in enumerate(nodes):
                if (str(name), index) in self._calls:
                    raise ModelFormatError(f"Two layers have the name {name!r}.")
                self._calls[str(name), index] = (target, node)

    def _target(self, described: dict[str, Any]) -> Any:
        module, name = str(described.get("module")), str(described.get("class_name"))
        config = described.get("config") or {}
        if module == OP_MODULE:
            return OpCall.restore(OPS[config["op"]], config["held"], config["attrs"], config["name"])
        function = self._read_op(module, name) if self._read_op is not None else None
        if function is not None:
            return function
        return make_layer(described, self._read_op)

    def run(self) -> None:
        waiting: dict[tuple[str, int], list[tuple[str, int]]] = {}
        missing: dict[tuple[str, int], int] = {}
        ready: deque[tuple[str, int]] = deque()
        for key, (_, node) in self._calls.items():
            needs = {(str(place[0]), int(place[1])) for place in _histories(node)}
            if key[1] > 0:
                needs.add((key[0], key[1] - 1))
            needs = {need for need in needs if need not in self._made}
            for need in needs:
                if need not in self._calls:
                    raise ModelFormatError(
                        f"Layer {key[0]!r} takes call {need[1]} of {need[0]!r}, which is not in the model."
                    )
                waiting.setdefault(need, []).append(key)
            missing[key] = len(needs)
            if not needs:
                ready.append(key)
        while ready:
            key = ready.popleft()
            self._call(key)
            for later in waiting.get(key, ()):
                missing[later] -= 1
                if not missing[later]:
                    ready.append(later)
        stuck = [key[0] for key, count in missing.items() if count]
        if stuck:
            raise GraphError(f"The calls of these layers form a cycle: {', '.join(stuck[:10])}.")

    def _call(self, key: tuple[str, int]) -> None:
        target, node = self._calls[key]
        args, kwargs = self._tensors_in(node.get("args", [])), self._tensors_in(node.get("kwargs") or {})
        outputs = target(*args, **kwargs)
        self._made[key] = [leaf for leaf in leaves(outputs) if isinstance(leaf, KerasTensor)]
        if not isinstance(target, Layer):
            self._name_operations(self._made[key], key[0])

    def _name_operations(self, tensors: list[KerasTensor], name: str) -> None:
        """Let the op that made tensors have the name it has in the configuration, and those before it names of its."""
        waiting, count = list(tensors), 0
        while waiting:
            history = waiting.pop()._keras_history
            if history is None or not isinstance(history.layer, OpCall) or id(history.layer) in self._named:
                continue
            call = history.layer
            self._named[id(call)] = call
            call.name = name if not count else f"{name}.{call.op.name}_{count}"
            count += 1
            for node in call._inbound_nodes:
                for tensor in node.output_tensors:
                    tensor.name = call.name
                waiting.extend(node.input_tensors)

    def _tensors_in(self, structure: Any) -> Any:
        if isinstance(structure, dict):
            if structure.get("class_name") == "__keras_tensor__":
                return self._tensor(structure["config"]["keras_history"])
            return {key: self._tensors_in(item) for key, item in structure.items()}
        if isinstance(structure, (list, tuple)):
            return type(structure)(self._tensors_in(item) for item in structure)
        return structure

    def _tensor(self, place: Any) -> KerasTensor:
        found = self._made.get((str(place[0]), int(place[1])))
        if found is None or not 0 <= int(place[2]) < len(found):
            raise ModelFormatError(f"There is no tensor {list(place)} in the model.")
        return found[int(place[2])]

    def tensors(self, nested: Any) -> Any:
        """A nest of [layer, node, tensor] as tensors."""
        if _is_place(nested):
            return self._tensor(nested)
        if isinstance(nested, dict):
            return {key: self.tensors(item) for key, item in nested.items()}
        return [self.tensors(item) for item in nested]


def _is_place(item: Any) -> bool:
    return isinstance(item, (list, tuple)) and len(item) == 3 and isinstance(item[0], str) and isinstance(item[1], int)


def _histories(structure: Any) -> Any:
    if isinstance(structure, dict):
        if structure.get("class_name") == "__keras_tensor__":
            yield structure["config"]["keras_history"]
            return
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        for item in structure:
            yield from _histories(item)
