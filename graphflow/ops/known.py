"""What an operation must know before it can be written down: numbers that other systems pass as tensors.

An axis, a size or a number of steps may be a literal, or follow from shapes; then it is known while a graph is built.
When it depends on data, no graph can be built, and `UnknownValueError` says what was missing; whoever builds may then
compute with arrays instead, where everything is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.errors import UnsupportedError
from graphflow.ops.operands import shape_of
from graphflow.ops.registry import Array
from graphflow.spec import format_shape
from graphflow.variable import Variable


class UnknownValueError(UnsupportedError):
    """Something that must be known to build a graph is only known when it runs."""


def is_known(x: Any) -> bool:
    """Whether `value_of` gives the elements of x."""
    if isinstance(x, (np.ndarray, np.generic, Variable)):
        return True
    known = getattr(x, "known", None)
    return known is not None and known.dtype.kind != "f"


def is_open(x: Any) -> bool:
    """Whether the elements of x may follow from shapes when a plan is made, though they are not known yet."""
    return hasattr(x, "builder") and not is_known(x)


def value_of(x: Any, what: str = "A value") -> Array:
    """The elements of an operand.

    Args:
        x: an array, a variable, a tensor whose elements follow from shapes, or one that computes them when it is asked.
        what: how a message names it.

    Raises:
        UnknownValueError: they depend on data.
    """
    if isinstance(x, Variable):
        return x.value
    if isinstance(x, (np.ndarray, np.generic)):
        return np.asarray(x)
    ask = getattr(x, "__gf_value__", None)
    if ask is not None:
        given: Array = ask()
        return given
    if not is_known(x):
        raise UnknownValueError(f"{what} depends on data, so that it is not known before the model runs.")
    found: Array = x.known
    return found


def integers(x: Any, what: str = "A list of sizes") -> tuple[int, ...]:
    """The elements of a small integer operand as Python integers."""
    return tuple(int(one) for one in value_of(x, what).reshape(-1))


def static_shape(x: Any, what: str = "The shape of an operand") -> tuple[int, ...]:
    """The shape of an operand, all of it known.

    Raises:
        UnknownValueError: a size is not known yet.
    """
    shape = shape_of(x)
    if None in shape:
        raise UnknownValueError(f"{what}, {format_shape(shape)}, is not known before the model runs.")
    return shape  # type: ignore[return-value]


def dimension(x: Any, axis: int) -> int:
    """One size of an operand.

    Raises:
        UnknownValueError: it is not known yet.
    """
    size = shape_of(x)[axis]
    if size is None:
        raise UnknownValueError(f"The size of axis {axis} of {format_shape(shape_of(x))} is not known before the run.")
    return size
