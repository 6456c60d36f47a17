"""The closed registry of layer classes, by class name and former names; models register into it from above."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from graphflow.layers.layer import Layer
from graphflow.registry import Registry, register_own

T = TypeVar("T", bound=type[Layer])

LAYERS: Registry[Layer] = Registry("layer", Layer)


def layer(*names: str) -> Callable[[T], T]:
    """Register a class under its own name and others."""

    def register(cls: T) -> T:
        for name in (cls.__name__, *names):
            LAYERS.classes[name] = cls
        register_own(cls.__name__, cls)
        return cls

    return register
