"""Lambda layers of files: their Python code is never run; the user passes the function by name."""

from __future__ import annotations

from typing import Any

from graphflow.formats.keras_config import without_ignored
from graphflow.formats.keras_description import Reading
from graphflow.formats.keras_values import argument, plain
from graphflow.registry import custom_objects

_KEPT = ("name", "trainable", "dtype", "batch_input_shape")


def lambda_config(config: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """A Lambda layer's arguments, its function taken from custom_objects.

    The function is looked up by the name it was saved by, then by the layer's name; one saved as bytecode has only the
    latter. What the file says of the output's shape is kept when it is numbers; the function itself tells else.
    """
    reading.quirk("lambda")
    name = str(config.get("name"))
    made = {key: argument(key, config[key], reading) for key in _KEPT if key in config}
    made = without_ignored("Lambda", made, reading)
    made["function"] = _function(config.get("function"), name, "a Lambda layer's function", reading)
    if config.get("mask") is not None:
        made["mask"] = _function(config["mask"], f"{name}/mask", "a Lambda layer's mask function", reading)
    arguments = plain(config.get("arguments") or {}, reading)
    made["arguments"] = arguments if isinstance(arguments, dict) else {}
    shape = plain(config.get("output_shape"), reading) if _is_numbers(config.get("output_shape")) else None
    made["output_shape"] = None if shape is None else tuple(shape)
    return made


def _function(saved: Any, fallback: str, kind: str, reading: Reading) -> Any:
    known = custom_objects()
    names = [fallback]
    if isinstance(saved, str):
        names.insert(0, saved)
    elif isinstance(saved, dict) and saved.get("class_name") == "function":
        names = [str(saved[key]) for key in ("registered_name", "config") if saved.get(key)] + names
    found = next((known[name] for name in names if name in known), None)
    if found is None:
        code = "" if len(names) > 1 else " (bytecode)"
        reading.need(kind + code, names[0])
    return found


def _is_numbers(shape: Any) -> bool:
    if isinstance(shape, dict) and shape.get("class_name") in ("__tuple__", "TensorShape"):
        shape = shape.get("items")
    return isinstance(shape, list) and all(
        size is None or isinstance(size, int) or (isinstance(size, list) and _is_numbers(size)) for size in shape
    )
