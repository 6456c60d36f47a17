"""Lists, tuples and dicts of tensors, walked in one order: as written, dicts by insertion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def leaves(structure: Any) -> Iterator[Any]:
    """Everything in a structure that is not a list, tuple or dict."""
    if isinstance(structure, dict):
        for item in structure.values():
            yield from leaves(item)
    elif isinstance(structure, (list, tuple)):
        for item in structure:
            yield from leaves(item)
    else:
        yield structure


def transform(function: Callable[[Any], Any], structure: Any) -> Any:
    """The structure with `function` applied to each leaf."""
    if isinstance(structure, dict):
        return {key: transform(function, item) for key, item in structure.items()}
    if isinstance(structure, list):
        return [transform(function, item) for item in structure]
    if isinstance(structure, tuple):
        items = [transform(function, item) for item in structure]
        return type(structure)(*items) if hasattr(structure, "_fields") else tuple(items)
    return function(structure)


def single(items: list[Any]) -> Any:
    """The one item of a list of one, else the list."""
    return items[0] if len(items) == 1 else items
