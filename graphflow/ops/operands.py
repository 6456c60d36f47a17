"""What op functions do to their arguments before `apply`: Python numbers, dtypes, axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ArgumentTypeError
from graphflow.operand import Operand
from graphflow.spec import TensorSpec, dtype_name, spec_of

_FLOATS = ("float16", "bfloat16", "float32", "float64")


def as_operand(value: Any, like: str | None = None) -> Any:
    """A tensor, variable or array as it is; a number or nested list as an array (`like`: the dtype to prefer)."""
    if isinstance(value, Operand):
        return value
    if value is None or callable(value) or isinstance(value, (str, bytes, dict)):
        raise ArgumentTypeError(f"Expected a tensor, an array or a number, received {value!r}.")
    if isinstance(value, np.ndarray) and like is None:
        return value
    array = np.asarray(value)
    if array.dtype == object:
        raise ArgumentTypeError(f"Expected a tensor, an array or a number, received {value!r}.")
    if like is not None:
        if array.dtype.name == like:
            return array
        fits = like in _FLOATS or (array.dtype.kind in "iub" and like != "bool")
        return array.astype(like if fits and array.dtype.kind in "fiub" else dtype_name(_plain(array)))
    return array if isinstance(value, (np.ndarray, np.generic)) else array.astype(_plain(array))


def _plain(array: np.ndarray[Any, Any]) -> str:
    return str({"f": "float32", "i": "int32"}.get(array.dtype.kind, array.dtype.name))


def promote(first: str, second: str) -> str:
    """The dtype of a result of two: the wider float if there is one, else NumPy's."""
    floats = [name for name in (first, second) if name in _FLOATS]
    return max(floats, key=_FLOATS.index) if floats else np.result_type(first, second).name


def dtype_of(value: Any) -> str:
    return spec_of(value).dtype


def shape_of(value: Any) -> tuple[int | None, ...]:
    return spec_of(value).shape


def cast_to(value: Any, dtype: str) -> Any:
    """`value` in `dtype`; nothing is applied when it has it already."""
    if dtype_of(value) == dtype:
        return value
    from graphflow.ops.elementwise import cast

    return cast(value, dtype)


def pair(first: Any, second: Any) -> tuple[Any, Any]:
    """Two operands in one dtype; numbers and plain arrays follow a tensor's dtype."""
    if isinstance(first, Operand) or not isinstance(second, Operand):
        first = as_operand(first)
        weak = isinstance(first, Operand) or not isinstance(second, np.ndarray)
        second = as_operand(second, dtype_of(first) if weak else None)
    else:
        second = as_operand(second)
        first = as_operand(first, dtype_of(second))
    dtype = promote(dtype_of(first), dtype_of(second))
    return cast_to(first, dtype), cast_to(second, dtype)


def floating(value: Any) -> Any:
    """`value` as a float tensor; integers become float32."""
    value = as_operand(value)
    return value if dtype_of(value) in _FLOATS else cast_to(value, "float32")


def as_axis(axis: Any, rank: int, what: str = "axis") -> int:
    """An axis in [0, rank).

    Raises:
        ArgumentError: not an integer in [-rank, rank).
    """
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)) or not -rank <= axis < rank:
        raise ArgumentError(f"{what} must be an integer in [{-rank}, {rank}), received {axis!r}.")
    return int(axis) % rank


def as_axes(axis: Any, rank: int) -> tuple[int, ...]:
    """None (all), an integer or a sequence as a sorted tuple of distinct axes."""
    if axis is None:
        return tuple(range(rank))
    axes = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    found = sorted(as_axis(one, rank) for one in axes)
    if len(set(found)) != len(found):
        raise ArgumentError(f"axis must not name one axis twice, received {axis!r}.")
    return tuple(found)


def same_dtype(specs: Sequence[TensorSpec]) -> str:
    """The dtype that all operands share.

    Raises:
        ArgumentTypeError: they differ.
    """
    names = {spec.dtype for spec in specs}
    if len(names) > 1:
        raise ArgumentTypeError(f"All operands must have one dtype, received {', '.join(sorted(names))}.")
    return names.pop()
