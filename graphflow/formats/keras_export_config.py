"""graphflow's configurations as Keras', in tables: the inverse of `keras_config`.

Two dialects are written: Keras 3's, in `.keras` files and JSON, and that of tf.keras 2, in HDF5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphflow import activations, constraints, initializers, regularizers
from graphflow.errors import UnsupportedError
from graphflow.layers.applications import MODULES as APPLICATIONS
from graphflow.layers.registry import LAYERS
from graphflow.registry import OWN, Registry, registered_objects
from graphflow.saving import get_registered_name

KERAS3, KERAS2 = "keras3", "keras2"
RENAMED: dict[str, dict[tuple[str, str], str]] = {
    KERAS3: {("LeakyReLU", "alpha"): "negative_slope", ("LeakyReLU", "negative_slope"): "negative_slope"},
    KERAS2: {("LeakyReLU", "alpha"): "alpha", ("LeakyReLU", "negative_slope"): "alpha"},
}
"""Arguments that a dialect has under another name."""

LEFT_OUT: dict[str, frozenset[str]] = {
    KERAS3: frozenset(("batch_input_shape", "input_length")),
    KERAS2: frozenset(),
}
"""Arguments that carry no numbers and that the dialect does not have."""

LEFT_OUT_OF: dict[str, frozenset[tuple[str, str]]] = {
    KERAS3: frozenset((f"SpatialDropout{rank}D", "trainable") for rank in (1, 2, 3)),
    KERAS2: frozenset(
        (
            *((name, "seed") for name in ("SimpleRNN", "MultiHeadAttention")),
            *((f"ConvLSTM{rank}D", "seed") for rank in (1, 2, 3)),
            *((f"Random{name}", "data_format") for name in ("Brightness", "Contrast", "Flip")),
            *((f"Random{name}", "data_format") for name in ("Rotation", "Translation", "Zoom")),
            ("RandomContrast", "value_range"),
            *(("Resizing", name) for name in ("fill_mode", "fill_value")),
        )
    ),
}
"""Arguments that single layers of the dialect do not take, and that carry no numbers outside training."""

NEUTRAL: dict[str, dict[str, Any]] = {
    KERAS3: {
        "moving_mean_regularizer": None,
        "moving_variance_regularizer": None,
        "moving_mean_constraint": None,
        "moving_variance_constraint": None,
        "rms_scaling": False,
        "use_gate": False,
        "sliding_window": None,
    },
    KERAS2: {
        "moving_mean_regularizer": None,
        "moving_variance_regularizer": None,
        "moving_mean_constraint": None,
        "moving_variance_constraint": None,
        "rms_scaling": False,
        "use_gate": False,
        "sliding_window": None,
        "seed": None,
        "zero_output_for_mask": False,
        "activity_regularizer": None,
    },
}
"""Arguments that are left out at this value, since not every version of the dialect takes them."""

REFUSED: dict[str, frozenset[str]] = {
    KERAS3: frozenset(
        (
            "moving_mean_regularizer",
            "moving_variance_regularizer",
            "moving_mean_constraint",
            "moving_variance_constraint",
        )
    ),
    KERAS2: frozenset(
        (
            "moving_mean_regularizer",
            "moving_variance_regularizer",
            "moving_mean_constraint",
            "moving_variance_constraint",
            "rms_scaling",
            "use_gate",
            "sliding_window",
        )
    ),
}
"""Arguments that the dialect does not have: at another value than the neutral one the layer can not be said."""

ONLY_AT: dict[str, dict[tuple[str, str], Any]] = {
    KERAS3: {},
    KERAS2: {
        **{
            (name, "data_format"): "channels_last" for name in ("ZeroPadding1D", "CenterCrop", "RandomCrop", "Resizing")
        },
        ("Resizing", "pad_to_aspect_ratio"): False,
        ("Resizing", "antialias"): False,
    },
}
"""Arguments of single layers that are left out at this value and refused at others."""

ABSENT: dict[str, frozenset[str]] = {
    KERAS3: frozenset(("LocallyConnected1D", "LocallyConnected2D", "RandomHeight", "RandomWidth", "ThresholdedReLU")),
    KERAS2: frozenset(("RMSNormalization", *(cls.__name__ for cls in APPLICATIONS))),
}
"""Layers that the dialect does not have."""

ACTIVATIONS: dict[str, dict[str, str]] = {
    KERAS3: {"hard_sigmoid": f"{OWN}hard_sigmoid", "keras3_hard_sigmoid": "hard_sigmoid"},
    KERAS2: {},
}
"""Activations whose name means another function in the dialect, or nothing."""

REFUSED_ACTIVATIONS: dict[str, frozenset[str]] = {
    KERAS3: frozenset(),
    KERAS2: frozenset(
        (
            "keras3_hard_sigmoid",
            *("celu", "hard_shrink", "hard_silu", "hard_tanh", "log_sigmoid", "soft_shrink", "sparse_sigmoid"),
            *("squareplus", "tanh_shrink"),
        )
    ),
}
"""Activations that the dialect does not have."""

KINDS: dict[str, Registry[Any]] = {
    "initializers": initializers.REGISTRY,
    "regularizers": regularizers.REGISTRY,
    "constraints": constraints.REGISTRY,
}
SPECIAL = ("__keras_tensor__", "__tensor__", "__numpy__", "__slice__", "__ellipsis__", "__bytes__")


def registered(item: Any) -> str | None:
    """The registered name of a user's class or function; None when it is one of ours."""
    if item in APPLICATIONS or (isinstance(item, type) and LAYERS.classes.get(item.__name__) is item):
        return None
    return get_registered_name(item)


def module_of(name: str) -> str:
    """The module of Keras 3 that a layer class of ours is from."""
    return next((module for cls, module in APPLICATIONS.items() if cls.__name__ == name), "keras.layers")


def function_name(function: Any, where: str) -> str:
    """The name that a user's function is saved by.

    Raises:
        UnsupportedError: it has none, as a lambda.
    """
    name = get_registered_name(function)
    if not hasattr(function, "__name__") or name == "<lambda>":
        raise UnsupportedError(
            f"{where}: functions are saved by name only, and {function!r} has none. Define it with `def`, or register "
            "it with graphflow.saving.register_keras_serializable."
        )
    return name


class Values:
    """Values of configurations in one dialect.

    Args:
        dialect: "keras3" or "keras2".
        layer: from a description of a layer inside a configuration to the dialect's.
    """

    def __init__(self, dialect: str, layer: Callable[[dict[str, Any], str], dict[str, Any]]) -> None:
        self.dialect = dialect
        self._layer = layer

    def arguments(self, class_name: str, config: dict[str, Any], where: str) -> dict[str, Any]:
        """A layer's configuration as the dialect's class takes it.

        Raises:
            UnsupportedError: an argument, or a value of it, that the dialect does not have.
        """
        kept: dict[str, Any] = {}
        for name, value in config.items():
            if name in LEFT_OUT[self.dialect] or (class_name, name) in LEFT_OUT_OF[self.dialect]:
                continue
            single = ONLY_AT[self.dialect].get((class_name, name), ...)
            neutral = NEUTRAL[self.dialect].get(name, ...) if single is ... else single
            if neutral is not ... and _equal(value, neutral):
                continue
            if name in REFUSED[self.dialect] or single is not ...:
                raise UnsupportedError(f"{where}: {class_name} with {name}={value!r} has no form in this file format.")
            place = f"{where}, argument {name!r}"
            kept[RENAMED[self.dialect].get((class_name, name), name)] = self._argument(name, value, place)
        return kept

    def _argument(self, name: str, value: Any, where: str) -> Any:
        if name == "dtype":
            return self.dtype(value)
        if name.endswith("activation") and isinstance(value, str):
            return self.activation(value, where)
        return self.value(value, where)

    def activation(self, name: str, where: str) -> Any:
        """An activation of ours, by its name in the dialect."""
        if name in REFUSED_ACTIVATIONS[self.dialect]:
            raise UnsupportedError(f"{where}: the activation {name!r} has no form in this file format.")
        said = ACTIVATIONS[self.dialect].get(name, name)
        return self.function(said) if said.startswith(OWN) else said

    def dtype(self, name: Any) -> Any:
        if self.dialect == KERAS2 or not isinstance(name, str):
            return name
        return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": name}, "registered_name": None}

    def function(self, name: str) -> Any:
        """A function that is not Keras' own, by name."""
        if self.dialect == KERAS2:
            return name
        return {"module": None, "class_name": "function", "config": name, "registered_name": name}

    def value(self, item: Any, where: str) -> Any:
        """Any value as JSON can hold it, in the dialect's forms.

        Raises:
            UnsupportedError: something that is neither plain data nor saved by name or configuration.
        """
        if item is None or isinstance(item, (str, bool, int, float)):
            return item
        if isinstance(item, np.generic):
            return item.item()
        if isinstance(item, np.ndarray):
            return self._array(item)
        if isinstance(item, (list, tuple)):
            return [self.value(one, where) for one in item]
        if isinstance(item, slice):
            parts = {"start": item.start, "stop": item.stop, "step": item.step}
            return {"class_name": "__slice__", "config": parts} if self.dialect == KERAS3 else parts
        if item is Ellipsis:
            return {"class_name": "__ellipsis__", "config": {}}
        if isinstance(item, dict):
            return self._mapping(item, where)
        if hasattr(item, "get_config") and not isinstance(item, type):
            return self._object(type(item), item.get_config(), where)
        if callable(item):
            return self._callable(item, where)
        raise UnsupportedError(f"{where}: {type(item).__name__} {item!r} has no form in this file format.")

    def _array(self, array: np.ndarray[Any, Any]) -> Any:
        if array.ndim == 0 or self.dialect == KERAS2:
            return array.tolist()
        return {"class_name": "__numpy__", "config": {"value": array.tolist(), "dtype": str(array.dtype)}}

    def _callable(self, item: Any, where: str) -> Any:
        known = activations.serialize(item)
        if isinstance(known, str):
            return self.activation(known, where)
        return self.function(function_name(item, where))

    def _mapping(self, item: dict[str, Any], where: str) -> Any:
        if isinstance(item.get("class"), type):
            return self._layer(item, where)
        if item.get("class_name") in SPECIAL:
            return {
                "class_name": item["class_name"],
                "config": {key: self.value(one, where) for key, one in item["config"].items()},
            }
        if set(item) == {"class_name", "config"} and isinstance(item["config"], dict):
            name = str(item["class_name"])
            found = next((one.classes[name] for one in KINDS.values() if name in one.classes), None)
            return self._object(found or name, item["config"], where)
        for key in item:
            if not isinstance(key, str):
                raise UnsupportedError(f"{where}: keys of a dict must be strings, received {key!r}.")
        return {key: self.value(one, where) for key, one in item.items()}

    def _object(self, cls: Any, config: dict[str, Any], where: str) -> dict[str, Any]:
        """An initializer, regularizer, constraint or other configured object."""
        name = cls if isinstance(cls, str) else cls.__name__
        kind = next((kind for kind, registry in KINDS.items() if registry.classes.get(name) is cls), None)
        inner = {key: self.value(one, where) for key, one in config.items()}
        if self.dialect == KERAS2:
            said = name if kind or isinstance(cls, str) else get_registered_name(cls)
            return {"class_name": said, "config": inner}
        return {
            "module": f"keras.{kind}" if kind else None,
            "class_name": name,
            "config": inner,
            "registered_name": None if kind else _registered_class(cls),
        }


def _registered_class(cls: Any) -> str:
    if not isinstance(cls, str):
        return get_registered_name(cls)
    for name, item in registered_objects().items():
        if getattr(item, "__name__", None) == cls:
            return name
    return cls


def _equal(value: Any, neutral: Any) -> bool:
    return value is neutral or (type(value) is type(neutral) and bool(value == neutral))
