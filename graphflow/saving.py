"""What Keras calls `saving`: objects as configurations and back, and the user's own classes by name.

A facade: the registries know the classes, `graphflow.formats` the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from graphflow import activations, constraints, initializers, regularizers
from graphflow.errors import ArgumentError, ArgumentTypeError, nearest
from graphflow.layers.layer import Layer
from graphflow.layers.registry import LAYERS
from graphflow.models.config import layer_to_config, make_layer
from graphflow.models.forwards import forward
from graphflow.registry import Registry, custom_objects, register_custom, registered_objects
from graphflow.registry import custom_object_scope as _scope

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "register_keras_serializable",
    "save_model",
    "serialize_keras_object",
]

T = TypeVar("T", bound=Callable[..., Any])

_REGISTRIES: dict[str, Registry[Any]] = {
    "initializers": initializers.REGISTRY,
    "regularizers": regularizers.REGISTRY,
    "constraints": constraints.REGISTRY,
}


@contextmanager
def custom_object_scope(*objects: Mapping[str, Any]) -> Iterator[None]:
    """Let names in configurations and files mean these classes and functions, inside a `with` block.

    Args:
        objects: from names to classes and functions; later ones win.
    """
    with ExitStack() as stack:
        for one in objects:
            stack.enter_context(_scope(one))
        yield


CustomObjectScope = custom_object_scope


def get_custom_objects() -> dict[str, Any]:
    """The user's classes and functions by name, outside any scope; what is put in counts from then on."""
    return registered_objects()


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """A decorator that lets files refer to a class or function as "package>name".

    Raises:
        ArgumentError: a class without `get_config`, which could be written but not read.

    Source: https://keras.io/api/models/model_saving_apis/serialization_utils/
    """

    def register(item: T) -> T:
        if isinstance(item, type) and not hasattr(item, "get_config"):
            raise ArgumentError(f"A class needs a `get_config` method to be registered, {item.__name__} has none.")
        register_custom(f"{package}>{name or item.__name__}", item)
        return item

    return register


def get_registered_name(obj: Any) -> str:
    """The name a class or function was registered by, else its own."""
    for name, item in registered_objects().items():
        if item is obj:
            return name
    return str(getattr(obj, "__name__", obj))


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """The class or function of a name: the user's, then those given; None when there is none."""
    for known in (_all_custom(), custom_objects or {}, module_objects or {}):
        if name in known:
            return known[name]
    return None


_all_custom = custom_objects


def serialize_keras_object(obj: Any) -> Any:
    """An object as plain data: {"module", "class_name", "config", "registered_name"}; numbers and strings as they are.

    Raises:
        ArgumentTypeError: an object without `get_config`.
    """
    if obj is None or isinstance(obj, (str, int, float)):
        return obj
    if isinstance(obj, (list, tuple)):
        return type(obj)(serialize_keras_object(item) for item in obj)
    if isinstance(obj, dict):
        return {key: serialize_keras_object(item) for key, item in obj.items()}
    name = get_registered_name(type(obj))
    registered = name if name != type(obj).__name__ else None
    if isinstance(obj, Layer):
        described = layer_to_config(obj)
        return {key: described[key] for key in ("module", "class_name", "config")} | {"registered_name": registered}
    if hasattr(obj, "get_config"):
        kind = next((kind for kind, registry in _REGISTRIES.items() if isinstance(obj, registry.base)), None)
        module = f"keras.{kind}" if kind and registered is None else None
        made = {"module": module, "class_name": type(obj).__name__, "config": obj.get_config()}
        return {**made, "registered_name": registered}
    if callable(obj) and not isinstance(obj, type):
        known = activations.serialize(obj)
        name = known if isinstance(known, str) else get_registered_name(obj)
        return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}
    raise ArgumentTypeError(f"Expected an object with `get_config`, a function or plain data, received {obj!r}.")


def deserialize_keras_object(config: Any, custom_objects: Mapping[str, Any] | None = None, **_: Any) -> Any:
    """The object of `serialize_keras_object`'s result; other data as it is.

    Args:
        custom_objects: the user's classes and functions by name, beside the registered ones.

    Raises:
        ArgumentError: a class or function that is not known; nothing is imported by name.
    """
    with custom_object_scope(custom_objects or {}):
        return _deserialize(config)


def _deserialize(config: Any) -> Any:
    if isinstance(config, (list, tuple)):
        return type(config)(_deserialize(item) for item in config)
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: _deserialize(item) for key, item in config.items()}
    class_name, inner = str(config["class_name"]), config["config"]
    if class_name == "function":
        return activations.get(inner)
    custom = _all_custom()
    found = custom.get(str(config.get("registered_name"))) or custom.get(class_name)
    if found is not None:
        return found.from_config(inner) if hasattr(found, "from_config") else found(**inner)
    kind = str(config.get("module")).rpartition(".")[2]
    if kind in _REGISTRIES:
        return _REGISTRIES[kind].get(config)
    if class_name in LAYERS.classes:
        return make_layer(config)
    for registry in _REGISTRIES.values():
        if class_name in registry.classes:
            return registry.get(config)
    raise ArgumentError(
        f"Unknown class {class_name!r}. Pass it as custom_objects={{{class_name!r}: ...}}."
        f"{nearest(class_name, LAYERS.classes)}"
    )


def load_model(filepath: Any, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, **kw: Any) -> Any:
    """Open a model file; see `graphflow.load_model`."""
    return forward("load_model")(filepath, custom_objects=custom_objects, compile=compile, **kw)


def save_model(model: Any, filepath: Any, *args: Any, **kwargs: Any) -> None:
    """Write a model to a file; see `graphflow.formats.write.save_model`."""
    forward("save")(model, filepath, *args, **kwargs)
