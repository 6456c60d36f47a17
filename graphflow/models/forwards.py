"""Methods that users expect on models but whose work is done on floors above: one literal table."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

FORWARDS: dict[str, tuple[str, str]] = {
    "load_model": ("graphflow.formats", "load_model"),
    "summary": ("graphflow.inspect.summary", "print_summary"),
}
"""Name to the module and function that do the work."""


def forward(name: str) -> Callable[..., Any]:
    """The function that does the work of a method."""
    module, function = FORWARDS[name]
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
