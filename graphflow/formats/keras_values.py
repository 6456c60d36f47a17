"""Values of arguments in Keras' configurations: its special objects made into Python's, its names into graphflow's.

A function or object that is the user's is looked up in custom_objects; what is missing is noted in the reading, and
the place is left empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import constraints, initializers, regularizers
from graphflow.activations import ACTIVATIONS
from graphflow.errors import GraphflowError
from graphflow.formats.keras_description import Reading
from graphflow.formats.limits import shown
from graphflow.layers.registry import LAYERS
from graphflow.registry import custom_objects
from graphflow.spec import dtype_name

REGISTRIES: dict[str, Any] = {
    "initializer": initializers.REGISTRY,
    "regularizer": regularizers.REGISTRY,
    "constraint": constraints.REGISTRY,
}
"""By the end of an argument's name, such as "kernel_initializer", and of Keras' module, "keras.initializers"."""

HOLDS_LAYER = ("layer", "cell", "backward_layer")
"""Arguments that are a layer; of `cells` each item is one."""

RENAMED_FUNCTIONS = {
    "softmax_v2": "softmax",
    "leaky_relu_v2": "leaky_relu",
    "keras>gelu": "gelu",
    "tanh_v2": "tanh",
}
"""Names that TensorFlow's functions are saved by."""


def argument(name: str, value: Any, reading: Reading) -> Any:
    """The value of an argument.

    Args:
        name: of the argument; names of activations, initializers, regularizers and constraints say what a string is.
        value: from JSON.

    Returns:
        Plain values and Python objects; descriptions of layers, made by `describe_layer`.

    Raises:
        ModelFormatError: a special object that is not well formed.
    """
    if name == "dtype" or name.endswith("_dtype"):
        return _dtype(value, reading)
    if name == "activation" or name.endswith("_activation"):
        return _activation(value, reading)
    kind = name.rpartition("_")[2]
    if kind in REGISTRIES:
        return _registered(kind, value, reading)
    if name in HOLDS_LAYER and _is_object(value):
        return _layer(value, reading)
    if name == "cells" and isinstance(value, list):
        return [_layer(item, reading) if _is_object(item) else plain(item, reading) for item in value]
    return plain(value, reading)


def plain(value: Any, reading: Reading) -> Any:
    """A value whose kind only itself tells."""
    if isinstance(value, list):
        return [plain(item, reading) for item in value]
    if not isinstance(value, dict):
        return value
    name = value.get("class_name")
    if name in _SPECIAL:
        return _SPECIAL[name](value, reading)
    if set(value) == {"type", "value"}:  # NumPy values, as Keras 2 wrote them
        return plain(value["value"], reading)
    if not isinstance(name, str) or "config" not in value:
        return {key: plain(item, reading) for key, item in value.items()}
    kind = str(value.get("module") or "").rpartition(".")[2].removesuffix("s")
    if kind in REGISTRIES:
        return _registered(kind, value, reading)
    known = custom_objects()
    own = next((known[key] for key in (value.get("registered_name"), name) if isinstance(key, str) and key in known), 0)
    if name in LAYERS.classes or name in ("Functional", "Sequential", "Model") or own:
        return _layer(value, reading)
    if any(name in registry.classes for registry in REGISTRIES.values()):
        return {"class_name": name, "config": plain(value["config"], reading)}
    if value.get("registered_name") or isinstance(value.get("config"), dict):
        reading.need("class", name)
        return None
    return {key: plain(item, reading) for key, item in value.items()}


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("class_name"), str) and "config" in value


def _layer(value: Any, reading: Reading) -> Any:
    from graphflow.formats.keras_describe import describe_layer

    return describe_layer(value, reading)


def function(value: Any, kind: str, reading: Reading) -> Any:
    """A function of a name: the user's own, or the name itself of one of Keras'; noted when it is missing."""
    names = [value] if isinstance(value, str) else [value.get("registered_name"), value.get("config")]
    known = custom_objects()
    for name in names:
        if isinstance(name, str) and name in known:
            reading.quirk("custom")
            return known[name]
    name = next((one for one in reversed(names) if isinstance(one, str)), "")
    name = RENAMED_FUNCTIONS.get(name, name)
    if name == "hard_sigmoid":
        if reading.is_modern:
            return "keras3_hard_sigmoid"
        reading.quirk("hard_sigmoid")
    if name not in ACTIVATIONS or name == "keras3_hard_sigmoid":
        reading.need(kind, name)
        return "linear"
    return name


def _activation(value: Any, reading: Reading) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        return function(value, "activation", reading)
    if isinstance(value, dict) and value.get("class_name") == "function":
        return function(value, "activation", reading)
    return plain(value, reading)


def _registered(kind: str, value: Any, reading: Reading) -> Any:
    """An initializer, regularizer or constraint: a name, a configuration, or None."""
    registry, known = REGISTRIES[kind], custom_objects()
    if isinstance(value, list):
        return [_registered(kind, item, reading) for item in value]
    if isinstance(value, str):
        if value not in known and value not in registry.classes:
            reading.need(kind, value)
            return None
        return value
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "function":
        names = [str(value.get(key)) for key in ("registered_name", "config")]
        name = next((one for one in names if one in known), None)
        if name is None:
            reading.need(kind, names[1])
            return None
        return known[name]
    if value.get("class_name") == "__lambda__":
        return _bytecode(value, reading)
    class_name = str(value.get("class_name"))
    if not {class_name, value.get("registered_name")} & known.keys() and class_name not in registry.classes:
        reading.need(kind, class_name)
        return None
    config = value.get("config")
    return {**value, "config": {} if config is None else plain(config, reading)}


def _dtype(value: Any, reading: Reading) -> Any:
    """A data type or the name of a policy that computes and stores in one type.

    A mixed policy, which computes in another type than it stores, is taken as what custom_objects say of its name.
    """
    policy = "DTypePolicy"
    if isinstance(value, dict):
        policy = str(value.get("class_name"))
        config = value.get("config")
        value = config.get("name") if isinstance(config, dict) else None
    if value is None:
        return None
    known = custom_objects()
    if isinstance(value, str) and value.startswith("mixed_"):
        if value not in known:
            reading.refuse(
                f"the dtype policy {shown(value)} is not supported; "
                f"custom_objects={{{shown(value)}: 'float32'}} computes in float32."
            )
            return None
        value = known[value]
        reading.quirk("custom")
    if policy not in ("DTypePolicy", "Policy", "PolicyV1") or not isinstance(value, str):
        reading.refuse(f"the dtype policy {policy} {value!r:.80} is not supported.")
        return None
    if value == "_infer":
        return None
    try:
        return dtype_name(value)
    except GraphflowError:
        reading.refuse(f"the data type {shown(value)} is not supported.")
        return None


def _slice(value: dict[str, Any], reading: Reading) -> slice:
    config = value.get("config") or {}
    return slice(*(plain(config.get(key), reading) for key in ("start", "stop", "step")))


def _array(value: dict[str, Any], reading: Reading) -> Any:
    config = value.get("config") or {}
    try:
        return np.asarray(config["value"], dtype_name(config["dtype"]) if config.get("dtype") else None)
    except (KeyError, TypeError, ValueError, GraphflowError):
        raise reading.bad("a constant is not an array of numbers.") from None


def _items(value: dict[str, Any], reading: Reading) -> tuple[Any, ...]:
    return tuple(plain(item, reading) for item in value.get("items") or ())


def _bytecode(value: dict[str, Any], reading: Reading) -> Any:
    reading.need("function (bytecode)", reading.path.rpartition("/")[2])


def _bytes(value: dict[str, Any], reading: Reading) -> bytes:
    return str((value.get("config") or {}).get("value", "")).encode()


_SPECIAL: dict[Any, Any] = {
    "__tuple__": _items,
    "TensorShape": _items,
    "__slice__": _slice,
    "__ellipsis__": lambda value, reading: Ellipsis,
    "__numpy__": _array,
    "__tensor__": _array,
    "__bytes__": _bytes,
    "__lambda__": _bytecode,
    "__keras_tensor__": lambda value, reading: value,
    "function": lambda value, reading: function(value, "function", reading),
    "DTypePolicy": lambda value, reading: _dtype(value, reading),
    "Policy": lambda value, reading: _dtype(value, reading),
}
"""Keras' objects that are no layers, by class name."""
