"""The weight arguments that layers share: initializer, regularizer and constraint of each weight, read in one place."""

from __future__ import annotations

from typing import Any

from graphflow import constraints, initializers, regularizers
from graphflow.layers.layer import Layer
from graphflow.registry import serialize
from graphflow.variable import Variable


class WeightSettings:
    """How the weights of one layer begin, are penalised and are kept in bounds.

    Args:
        settings: a layer's `kernel_initializer`, `bias_regularizer`, ... by name; they are taken out.
        **defaults: the initializer of each weight, such as `kernel="glorot_uniform"`.
    """

    def __init__(self, settings: dict[str, Any], **defaults: Any) -> None:
        self.initializers: dict[str, Any] = {}
        self.regularizers: dict[str, Any] = {}
        self.constraints: dict[str, Any] = {}
        for name, default in defaults.items():
            self.initializers[name] = initializers.get(settings.pop(f"{name}_initializer", default))
            self.regularizers[name] = regularizers.get(settings.pop(f"{name}_regularizer", None))
            self.constraints[name] = constraints.get(settings.pop(f"{name}_constraint", None))

    def add(self, layer: Layer, name: str, shape: Any, key: str | None = None, **options: Any) -> Variable:
        """The weight `name` of a layer; `key`: whose settings it takes, if not its own."""
        key = key or name
        options.setdefault("initializer", self.initializers[key])
        return layer.add_weight(
            shape, name=name, regularizer=self.regularizers[key], constraint=self.constraints[key], **options
        )

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {}
        for kind in ("initializers", "regularizers", "constraints"):
            for name, item in getattr(self, kind).items():
                config[f"{name}_{kind[:-1]}"] = serialize(item)
        return config
