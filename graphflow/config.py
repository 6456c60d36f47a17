"""Settings that Keras users know: floatx, epsilon, image_data_format; and two of our own, of sessions.

Until Keras' three are set they come from `$KERAS_HOME/keras.json`, else `~/.keras/keras.json`, else float32, 1e-7 and
channels_last. Of such a file nothing else is read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from graphflow.errors import ArgumentError

_DEFAULTS: dict[str, Any] = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
_RULES: dict[str, Any] = {
    "floatx": lambda value: value in ("float16", "float32", "float64"),
    "epsilon": lambda value: isinstance(value, (int, float)) and value > 0,
    "image_data_format": lambda value: value in ("channels_last", "channels_first"),
}
_settings: dict[str, Any] = {}
_precision = ["default"]
_winograd_memory: list[int | None] = [None]


def _load() -> dict[str, Any]:
    if not _settings:
        _settings.update(_DEFAULTS)
        home = os.environ.get("KERAS_HOME")
        path = Path(home) / "keras.json" if home else Path("~/.keras/keras.json").expanduser()
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError):
            found = {}
        for name, rule in _RULES.items():
            if isinstance(found, dict) and name in found and rule(found[name]):
                _settings[name] = found[name]
    return _settings


def _set(name: str, value: Any) -> None:
    if not _RULES[name](value):
        raise ArgumentError(f"{value!r} is not a value that {name} can take.")
    _load()[name] = value


def floatx() -> str:
    """The dtype of layers that are not given one."""
    return str(_load()["floatx"])


def set_floatx(value: str) -> None:
    """Set `floatx`: "float16", "float32" or "float64"."""
    _set("floatx", value)


def epsilon() -> float:
    """The small number that keeps divisions away from zero."""
    return float(_load()["epsilon"])


def set_epsilon(value: float) -> None:
    """Set `epsilon`, a positive number."""
    _set("epsilon", value)


def image_data_format() -> str:
    """Where images have their channels unless a layer says otherwise."""
    return str(_load()["image_data_format"])


def set_image_data_format(value: str) -> None:
    """Set `image_data_format`: "channels_last" or "channels_first"."""
    _set("image_data_format", value)


def precision() -> str:
    """Which kernels sessions that are made from now on may use: "default" or "strict"."""
    return _precision[0]


def set_precision(value: str) -> None:
    """Set `precision`; sessions keep the one they were made with, and so do models that have run.

    Args:
        value: "default": whatever is fast; 3x3 convolutions may be computed by Winograd's method, whose error is up
            to 1e-5 of the largest output (in a layer of 256 channels 3e-6, where the direct sum has 1e-6). "strict":
            every output is one sum of products.

    Raises:
        ArgumentError: another value.
    """
    _precision[0] = as_precision(value)


def as_precision(value: str) -> str:
    """A precision, checked."""
    if value not in ("default", "strict"):
        raise ArgumentError(f"{value!r} is not a value that precision can take.")
    return value


def winograd_memory() -> int | None:
    """The most bytes that Winograd's weights may take beyond direct ones in a session; None: as many as they like."""
    return _winograd_memory[0]


def set_winograd_memory(value: int | None) -> None:
    """Set `winograd_memory`; sessions keep the one they were made with, and so do models that have run.

    Winograd's method needs weights that were transformed, 16 or 36 numbers for nine, and where a normalisation was
    folded into a layer its weights as they came besides. With a bound the layers that gain most for each byte have
    them, by a rule that knows layers and sizes of one sample alone; the others are computed directly. What is used is
    `graphflow.inspect.memory(model).winograd`. `precision` "strict" uses none.

    Args:
        value: bytes for each session; 0: every convolution is direct; None: no bound.

    Raises:
        ArgumentError: neither None nor a whole number from 0 on.

    Example:
        >>> import graphflow
        >>> graphflow.config.set_winograd_memory(32_000_000)
        >>> graphflow.config.winograd_memory()
        32000000
        >>> graphflow.config.set_winograd_memory(None)
    """
    _winograd_memory[0] = as_winograd_memory(value)


def as_winograd_memory(value: int | None) -> int | None:
    """A bound of bytes, checked."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ArgumentError(f"winograd_memory must be None or a number of bytes from 0 on, received {value!r}.")
    return value


def as_data_format(value: str | None) -> str:
    """A layer's data format; None: the configured one.

    Raises:
        ArgumentError: neither "channels_last" nor "channels_first".
    """
    if value is None:
        return image_data_format()
    name = value.lower() if isinstance(value, str) else value
    if name not in ("channels_last", "channels_first"):
        raise ArgumentError(f"data_format must be 'channels_last' or 'channels_first', received {value!r}.")
    return name
