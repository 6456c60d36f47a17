"""Layers inside the configuration of other layers."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from graphflow.errors import ArgumentError, ArgumentTypeError, nearest
from graphflow.layers.era import era
from graphflow.layers.layer import Layer
from graphflow.layers.registry import LAYERS
from graphflow.registry import custom_objects


def describe(one: Any) -> dict[str, Any]:
    """A layer as {"module", "class_name", "config", "class", "era"}; `restore` makes an equal one of it."""
    name = type(one).__name__
    return {
        "module": "keras.layers",
        "class_name": "Functional" if name == "Model" else name,
        "config": one.get_config(),
        "class": type(one),
        "era": one.era,
    }


def restore(item: Any) -> Any:
    """A layer from its description; anything else as it is.

    Raises:
        ArgumentError: a class that is not known.
    """
    if not isinstance(item, dict) or "class_name" not in item:
        return item
    custom = custom_objects()
    names = [str(item[key]) for key in ("registered_name", "class_name") if item.get(key)]
    found: Any = item.get("class") or next((custom[name] for name in names if name in custom), None)
    found = found or LAYERS.classes.get(str(item["class_name"]))
    if found is None:
        raise ArgumentError(f"Unknown layer {item['class_name']!r}.{nearest(str(item['class_name']), LAYERS.classes)}")
    with era(item["era"]) if item.get("era") else nullcontext():
        return found.from_config(dict(item.get("config") or {}))


def inner_layer(item: Any, owner: str, what: str = "layer") -> Layer:
    """The layer that another one wraps, given as itself or as its description.

    Raises:
        ArgumentTypeError: no layer.
    """
    made = restore(item)
    if not isinstance(made, Layer):
        raise ArgumentTypeError(f"{owner} takes a layer as its {what}, received {made!r}.")
    return made


def build_inner(inner: Any, input_shape: Any) -> None:
    """Make the weights of a layer or cell inside another, once."""
    if not isinstance(inner, Layer):
        if hasattr(inner, "build") and not getattr(inner, "built", False):
            inner.build(input_shape)
            inner.built = True
        return
    if inner.built:
        return
    inner.build(input_shape)
    inner.built = True
    if inner._initial_weights is not None:
        inner.set_weights(inner._initial_weights)
        inner._initial_weights = None
