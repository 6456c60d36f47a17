"""What constructors do to their arguments before they keep them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ArgumentTypeError


def name_positional(kwargs: dict[str, Any], values: Sequence[Any], names: Sequence[str]) -> None:
    """Give positional arguments beyond those a signature spells out their names.

    Raises:
        ArgumentTypeError: more of them than there are names, or one given twice.
    """
    if len(values) > len(names):
        raise ArgumentTypeError(f"Too many positional arguments: {values[len(names) :]!r}.")
    for name, value in zip(names, values, strict=False):
        if name in kwargs:
            raise ArgumentTypeError(f"The argument {name!r} was given twice.")
        kwargs[name] = value


def positive(value: Any, name: str) -> int:
    """A positive integer.

    Raises:
        ArgumentError: anything else.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ArgumentError(f"{name} must be a positive integer, received {value!r}.")
    return int(value)
