"""Rarer functions of one element, and of two with broadcasting, that run on NumPy: angles, bits, whole division."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphflow.errors import DTypeError, ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_operand, dtype_of, floating, pair
from graphflow.ops.registry import OPS, Array, Attrs, define
from graphflow.spec import TensorSpec, broadcast_shapes, dtype_name


def _infer_same(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (specs[0],)


def _infer_bool(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (specs[0].with_dtype("bool"),)


def _infer_two(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    if specs[0].dtype != specs[1].dtype:
        raise DTypeError(f"Both operands must have one dtype, received {specs[0].dtype} and {specs[1].dtype}.")
    return (TensorSpec(broadcast_shapes(specs[0].shape, specs[1].shape), specs[0].dtype),)


def _quiet(function: Callable[..., Any]) -> Callable[..., Array]:
    def reference(attrs: Attrs, *arrays: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(*arrays)).astype(arrays[0].dtype, copy=False)

    return reference


ANGLES: dict[str, Callable[..., Any]] = {
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "arcsinh": np.arcsinh,
    "arccosh": np.arccosh,
    "arctanh": np.arctanh,
}


def _shift(function: Callable[..., Any]) -> Callable[..., Any]:
    def shifted(x: Array, count: Array) -> Any:
        width = x.dtype.itemsize * 8
        beyond = np.where(x < 0, -1, 0) if function is np.right_shift else 0
        return np.where(count < width, function(x, np.minimum(count, width - 1)), beyond)

    return shifted


def _truncated(a: Array, b: Array) -> Any:
    """Whole division towards zero, as C's."""
    if a.dtype.kind == "u":
        return np.floor_divide(a, b)
    quotient = np.floor_divide(a, b)
    return quotient + ((np.remainder(a, b) != 0) & ((a < 0) != (b < 0)))


PAIRS: dict[str, Callable[..., Any]] = {
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "left_shift": _shift(np.left_shift),
    "right_shift": _shift(np.right_shift),
    "truncated_divide": _truncated,
    "fmod": np.fmod,
}

for _name, _function in ANGLES.items():
    define(_name, _infer_same, _quiet(_function), tolerance=2e-6)
for _name, _function in PAIRS.items():
    define(_name, _infer_two, _quiet(_function))
define("bitwise_not", _infer_same, _quiet(np.invert))
define("isnan", _infer_bool, lambda attrs, x: np.isnan(x))


def _isinf_reference(attrs: Attrs, x: Array) -> Array:
    return np.asarray((np.isposinf(x) & attrs["positive"]) | (np.isneginf(x) & attrs["negative"]))


ISINF = define("isinf", _infer_bool, _isinf_reference)


def _angle(name: str, doc: str) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        return apply(OPS[name], (floating(x),), {})

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


tan = _angle("tan", "Tangent of radians, element by element.")
arcsin = _angle("arcsin", "Inverse sine, in radians; NaN outside [-1, 1].")
arccos = _angle("arccos", "Inverse cosine, in radians; NaN outside [-1, 1].")
arctan = _angle("arctan", "Inverse tangent, in radians.")
sinh = _angle("sinh", "Hyperbolic sine, element by element.")
cosh = _angle("cosh", "Hyperbolic cosine, element by element.")
arcsinh = _angle("arcsinh", "Inverse hyperbolic sine, element by element.")
arccosh = _angle("arccosh", "Inverse hyperbolic cosine; NaN below 1.")
arctanh = _angle("arctanh", "Inverse hyperbolic tangent; NaN outside [-1, 1].")


def _two(name: str, doc: str) -> Callable[[Any, Any], Any]:
    def function(x1: Any, x2: Any) -> Any:
        return apply(OPS[name], pair(x1, x2), {})

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + " Shapes are broadcast as NumPy does."
    return function


bitwise_and = _two("bitwise_and", "The bits that are set in both integers.")
bitwise_or = _two("bitwise_or", "The bits that are set in either integer.")
bitwise_xor = _two("bitwise_xor", "The bits that are set in one of two integers.")
left_shift = _two("left_shift", "The bits of x1 moved up by x2; zero for a shift of the width or more.")
right_shift = _two("right_shift", "The bits of x1 moved down by x2, its sign moving in.")
truncated_divide = _two("truncated_divide", "x1 / x2 of integers, towards zero.")
fmod = _two("fmod", "The remainder of x1 / x2 with the sign of x1.")


def bitwise_not(x: Any) -> Any:
    """The bits of integers turned over."""
    return apply(OPS["bitwise_not"], (as_operand(x),), {})


def isnan(x: Any) -> Any:
    """Whether an element is NaN, as bool."""
    return apply(OPS["isnan"], (floating(x),), {})


def isinf(x: Any, positive: bool = True, negative: bool = True) -> Any:
    """Whether an element is infinite, of the signs asked for, as bool."""
    return apply(ISINF, (floating(x),), {"positive": bool(positive), "negative": bool(negative)})


def _infer_bitcast(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    before, after = (np.dtype(one).itemsize for one in (specs[0].dtype, attrs["dtype"]))
    if before != after:
        raise ShapeError(f"Only data types of one size can be seen as each other: {specs[0].dtype}, {attrs['dtype']}.")
    return (specs[0].with_dtype(attrs["dtype"]),)


def _bitcast_reference(attrs: Attrs, x: Array) -> Array:
    return np.ascontiguousarray(x).view(attrs["dtype"]).reshape(x.shape)


BITCAST = define("bitcast", _infer_bitcast, _bitcast_reference, widens=False)


def bitcast(x: Any, dtype: Any) -> Any:
    """The bytes of `x` seen as another data type of the same size."""
    x = as_operand(x)
    name = dtype_name(dtype)
    return x if dtype_of(x) == name else apply(BITCAST, (x,), {"dtype": name})
