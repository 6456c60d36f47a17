"""`TensorSpec`: the shape and dtype of a tensor, the only shape metadata anywhere.

A dimension is an int or None (not known until run time).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np

from graphflow.errors import DTypeError, ShapeError

Shape = tuple[int | None, ...]

DTYPES: tuple[str, ...] = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
)
EXTENDED: tuple[str, ...] = (
    "bfloat16",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "float4_e2m1fn",
    "int4",
    "uint4",
    "int2",
    "uint2",
)
"""Data types of the package ml_dtypes, which files may hold: no layer makes them, and references alone compute them."""

_KNOWN = frozenset(DTYPES + EXTENDED)
_set = object.__setattr__


def is_extended(dtype: Any) -> bool:
    """Whether a NumPy data type is none of NumPy's own."""
    return bool(dtype.num >= 256)


class TensorSpec:
    """Shape and dtype of a tensor, which stay as they are; two specs are equal where both are.

    Args:
        shape: dimensions, None where a size is not known.
        dtype: the name of a NumPy data type, one of `DTYPES`.
    """

    __slots__ = ("dtype", "shape")
    __match_args__ = ("shape", "dtype")
    shape: Shape
    dtype: str

    def __init__(self, shape: Shape, dtype: str = "float32") -> None:
        _set(self, "shape", shape)
        _set(self, "dtype", dtype)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"A TensorSpec can not be changed: {name}")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TensorSpec):
            return NotImplemented
        return self.shape == other.shape and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorSpec, (self.shape, self.dtype)

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self.shape!r}, dtype={self.dtype!r})"

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_static(self) -> bool:
        """Whether every dimension is known."""
        return None not in self.shape

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith(("float", "bfloat"))

    def with_shape(self, shape: Iterable[int | None]) -> TensorSpec:
        return TensorSpec(tuple(shape), self.dtype)

    def with_dtype(self, dtype: str) -> TensorSpec:
        return TensorSpec(self.shape, dtype)

    def __str__(self) -> str:
        return f"{self.dtype}{format_shape(self.shape)}"


@lru_cache(maxsize=256)
def _name_of(dtype: np.dtype[Any]) -> str:
    """The name of a NumPy data type, which NumPy puts together anew each time."""
    return str(dtype.name)


def dtype_name(dtype: Any) -> str:
    """The canonical name of a data type.

    Args:
        dtype: a name, a NumPy dtype or scalar type, or Python's bool, int or float.

    Raises:
        DTypeError: not one of `DTYPES`.
    """
    if isinstance(dtype, str) and dtype in _KNOWN:
        return dtype
    if dtype is float:
        return "float32"
    if dtype is int:
        return "int32"
    try:
        name = _name_of(np.dtype(dtype))
    except TypeError:
        name = str(dtype)
    if name not in _KNOWN:
        raise DTypeError(f"Data type {name!r} is not supported. Supported: {', '.join(DTYPES)}.")
    return name


def as_shape(shape: Any, what: str = "shape") -> Shape:
    """A tuple of non-negative ints and None.

    Raises:
        ShapeError: not a sequence, or a dimension that is neither None nor a non-negative integer.
    """
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    if not isinstance(shape, Sequence) or isinstance(shape, str):
        raise ShapeError(f"{what} must be a tuple of integers or None, received {shape!r}.")
    sizes: list[int | None] = []
    for size in shape:
        if size is None:
            sizes.append(None)
        elif isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= 0:
            sizes.append(int(size))
        else:
            raise ShapeError(f"{what} must hold non-negative integers or None, received {size!r} in {tuple(shape)!r}.")
    return tuple(sizes)


def format_shape(shape: Sequence[int | None]) -> str:
    """A shape as Keras prints it: `(None, 28, 28, 1)`."""
    return "(" + ", ".join(str(size) for size in shape) + (",)" if len(shape) == 1 else ")")


def spec_of(value: Any) -> TensorSpec:
    """The spec of anything with `shape` and `dtype`, or of a Python number or nested list of them."""
    spec = getattr(value, "spec", None)
    if isinstance(spec, TensorSpec):
        return spec
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    return TensorSpec(array.shape, dtype_name(array.dtype))


def element_count(shape: Sequence[int | None]) -> int | None:
    """The product of the dimensions; None when one is not known, unless another is zero."""
    total: int | None = 1
    for size in shape:
        if size == 0:
            return 0
        total = None if size is None or total is None else total * size
    return total


def merge_dimension(first: int | None, second: int | None, what: str) -> int | None:
    """One dimension that must be equal in two tensors.

    Raises:
        ShapeError: both are known and differ.
    """
    if first is None:
        return second
    if second is None or first == second:
        return first
    raise ShapeError(f"{what} must be equal, received {first} and {second}.")


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that NumPy's broadcasting gives, with None for what is not known.

    Raises:
        ShapeError: the shapes can not be broadcast together.
    """
    if len(shapes) == 2 and (not shapes[1] or shapes[0] == shapes[1]):
        return shapes[0]
    rank = max((len(shape) for shape in shapes), default=0)
    result: list[int | None] = []
    for axis in range(rank):
        sizes = [shape[axis - rank + len(shape)] for shape in shapes if axis - rank + len(shape) >= 0]
        known = {size for size in sizes if size is not None and size != 1}
        if len(known) > 1:
            listed = " and ".join(format_shape(shape) for shape in shapes)
            raise ShapeError(f"Shapes {listed} can not be broadcast together.")
        if known:
            result.append(known.pop())
        else:
            result.append(None if None in sizes else 1)
    return tuple(result)
