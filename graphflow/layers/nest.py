"""Lists, tuples and dicts of tensors, walked in one order: lists as written, dicts by sorted keys, as Keras does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

NESTS = (list, tuple, dict)


def leaves(structure: Any) -> list[Any]:
    """Everything in a structure that is not a list, tuple or dict."""
    if not isinstance(structure, NESTS):
        return [structure]
    items = [structure[key] for key in sorted(structure, key=str)] if isinstance(structure, dict) else structure
    found: list[Any] = []
    for item in items:
        if isinstance(item, NESTS):
            found += leaves(item)
        else:
            found.append(item)
    return found


def transform(function: Callable[[Any], Any], structure: Any) -> Any:
    """The structure with `function` applied to each leaf."""
    if not isinstance(structure, NESTS):
        return function(structure)
    if isinstance(structure, dict):
        made = {key: transform(function, structure[key]) for key in sorted(structure, key=str)}
        return {key: made[key] for key in structure}
    if isinstance(structure, list):
        return [transform(function, item) for item in structure]
    items = [transform(function, item) for item in structure]
    return type(structure)(*items) if hasattr(structure, "_fields") else tuple(items)


def single(items: list[Any]) -> Any:
    """The one item of a list of one, else the list."""
    return items[0] if len(items) == 1 else items
