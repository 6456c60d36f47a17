"""Lists, tuples and dicts of tensors, walked in one order: lists as written, dicts by sorted keys, as Keras does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def leaves(structure: Any) -> Iterator[Any]:
    """Everything in a structure that is not a list, tuple or dict."""
    if isinstance(structure, dict):
        for key in sorted(structure, key=str):
            yield from leaves(structure[key])
    elif isinstance(structure, (list, tuple)):
        for item in structure:
            yield from leaves(item)
    else:
        yield structure


def transform(function: Callable[[Any], Any], structure: Any) -> Any:
    """The structure with `function` applied to each leaf."""
    if isinstance(structure, dict):
        made = {key: transform(function, structure[key]) for key in sorted(structure, key=str)}
        return {key: made[key] for key in structure}
    if isinstance(structure, list):
        return [transform(function, item) for item in structure]
    if isinstance(structure, tuple):
        items = [transform(function, item) for item in structure]
        return type(structure)(*items) if hasattr(structure, "_fields") else tuple(items)
    return function(structure)


def single(items: list[Any]) -> Any:
    """The one item of a list of one, else the list."""
    return items[0] if len(items) == 1 else items
