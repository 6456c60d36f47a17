"""Closed registries: from a name or a configuration to an object, and back.

A registry knows the classes that were registered and nothing else; no name from a file is ever imported.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from graphflow.errors import ArgumentError, ArgumentTypeError, nearest

T = TypeVar("T")

OWN = "graphflow>"
"""What registered names of graphflow's own classes and functions begin with, where Keras' of the name means another."""

_own: dict[str, Any] = {}
_OWN = MappingProxyType(_own)
_custom: dict[str, Any] = {}
_scoped: ContextVar[Mapping[str, Any]] = ContextVar("graphflow_custom_objects", default={})  # noqa: B039


def custom_objects() -> Mapping[str, Any]:
    """Classes and functions by registered name: our own ("graphflow>Name"), the user's, those of scopes around here."""
    scoped = _scoped.get()
    return {**_own, **_custom, **scoped} if _custom or scoped else _OWN


def registered_objects() -> dict[str, Any]:
    """The registered ones alone; what is put in is registered."""
    return _custom


def register_own(name: str, item: Any) -> None:
    """Let files refer to one of our classes or functions as "graphflow>name"."""
    _own[OWN + name] = item


def register_custom(name: str, item: Any) -> None:
    """Let files refer to a user's class or function by a name, from now on."""
    _custom[name] = item


@contextmanager
def custom_object_scope(objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Let files refer to the user's classes and functions by these names, inside a `with` block."""
    token = _scoped.set({**_scoped.get(), **(objects or {})})
    try:
        yield
    finally:
        _scoped.reset(token)


@lru_cache(maxsize=1024)
def snake_case(name: str) -> str:
    """`GlobalMaxPooling1D` to `global_max_pooling1d`, as Keras names layers and groups in its files."""
    if not name:
        return name
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


class Registry(Generic[T]):
    """Names to classes of one kind, with lookup by name, class, object or configuration.

    Args:
        kind: what messages call its members, such as "initializer".
        base: the class they have in common.
    """

    def __init__(self, kind: str, base: type[T]) -> None:
        self.kind = kind
        self.base = base
        self.classes: dict[str, Callable[..., T]] = {}

    def add(self, *names: str) -> Callable[[type[T]], type[T]]:
        """Register a class under its own name, in snake case too, and further names."""

        def register(cls: type[T]) -> type[T]:
            for name in (cls.__name__, snake_case(cls.__name__), *names):
                self.classes[name] = cls
            return cls

        return register

    def find(self, name: str) -> Callable[..., T]:
        """The class of a name; the user's come first.

        Raises:
            ArgumentError: an unknown name.
        """
        found = custom_objects().get(name) or self.classes.get(name)
        if found is None:
            raise ArgumentError(f"Unknown {self.kind} {name!r}.{nearest(name, self.classes)}")
        return found  # type: ignore[no-any-return]

    def get(self, identifier: Any) -> T | None:
        """An object for a name, a class, a configuration, an object, a user's function, or None (None).

        Raises:
            ArgumentError: an unknown name.
            ArgumentTypeError: something that is none of these.
        """
        if identifier is None or isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, str):
            found = self.find(identifier)
            return found() if isinstance(found, type) else found  # type: ignore[return-value]
        if isinstance(identifier, dict) and "class_name" in identifier:
            config = identifier.get("config") or {}
            name = identifier.get("registered_name") or identifier["class_name"]
            found = custom_objects().get(name) or self.find(identifier["class_name"])
            make: Any = getattr(found, "from_config", None)
            return make(config) if make is not None else found(**config)
        if isinstance(identifier, type):
            return identifier()  # type: ignore[no-any-return]
        if callable(identifier):
            return identifier  # type: ignore[return-value,no-any-return]
        raise ArgumentTypeError(f"Expected a name, a configuration or a {self.kind}, received {identifier!r}.")


@lru_cache(maxsize=64)
def _arguments_of(cls: Any) -> frozenset[str]:
    """The names of a constructor's arguments."""
    return frozenset(inspect.signature(cls).parameters)


class Configured:
    """An object whose constructor arguments are its configuration."""

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An object of a configuration; arguments of newer versions are left out where they are None."""
        if not config:
            return cls()
        known = _arguments_of(cls)  # type: ignore[arg-type]
        return cls(**{name: value for name, value in config.items() if name in known or value is not None})


def serialize(item: Any) -> Any:
    """What a registry makes the object from again: its configuration, or a user's function itself."""
    if hasattr(item, "get_config"):
        return {"class_name": type(item).__name__, "config": item.get_config()}
    return item
