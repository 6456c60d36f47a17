"""Methods that users expect on models but whose work is done on floors above: one literal table."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

FORWARDS: dict[str, tuple[str, str]] = {
    "export": ("graphflow.formats.onnx_write", "export"),
    "load_model": ("graphflow.formats", "load_model"),
    "load_weights": ("graphflow.formats.load_weights", "load_weights"),
    "model_from_json": ("graphflow.formats.from_json", "model_from_json"),
    "plot_model": ("graphflow.inspect.plot", "plot_model"),
    "repr_html": ("graphflow.inspect.notebook", "repr_html"),
    "repr_svg": ("graphflow.inspect.notebook", "repr_svg"),
    "save": ("graphflow.formats.write", "save_model"),
    "save_weights": ("graphflow.formats.write", "save_weights"),
    "summary": ("graphflow.inspect.summary", "print_summary"),
    "to_json": ("graphflow.formats.write", "to_json"),
}
"""Name to the module and function that do the work."""


def forward(name: str) -> Callable[..., Any]:
    """The function that does the work of a method."""
    module, function = FORWARDS[name]
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
