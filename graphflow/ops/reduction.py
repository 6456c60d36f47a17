"""Reductions over axes, and what is composed of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphflow.errors import ShapeError
from graphflow.ops.activation import absolute, exp, log, sqrt, square
from graphflow.ops.array import squeeze
from graphflow.ops.dispatch import apply
from graphflow.ops.elementwise import add, cast, divide, less, maximum, multiply, subtract, where
from graphflow.ops.operands import as_axes, as_axis, as_operand, dtype_of, floating, shape_of
from graphflow.ops.registry import OPS, Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape, is_extended


def _reduced(spec: TensorSpec, axes: tuple[int, ...], keepdims: bool) -> tuple[int | None, ...]:
    kept = [1 if axis in axes else size for axis, size in enumerate(spec.shape) if keepdims or axis not in axes]
    return tuple(kept)


def _infer_reduce(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (specs[0].with_shape(_reduced(specs[0], attrs["axes"], attrs["keepdims"])),)


def _infer_extreme(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    axes = attrs["axes"] if "axes" in attrs else (attrs["axis"],)
    if 0 in [specs[0].shape[axis] for axis in axes]:
        raise ShapeError(
            f"There is no largest or smallest of no elements: {format_shape(specs[0].shape)} over axes {axes}."
        )
    return _infer_reduce(attrs, specs, values) if "axes" in attrs else _infer_arg(attrs, specs, values)


def _infer_logical(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (_infer_reduce(attrs, specs, values)[0].with_dtype("bool"),)


def _reference(function: Callable[..., Any]) -> Callable[..., Array]:
    def reference(attrs: Attrs, x: Array) -> Array:
        result = function(np.ascontiguousarray(x), axis=attrs["axes"], keepdims=attrs["keepdims"])
        return np.asarray(result)

    return reference


def _same_dtype(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis, keepdims: function(x, axis=axis, keepdims=keepdims, dtype=x.dtype)


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "sum": _same_dtype(np.sum),
    "mean": _same_dtype(np.mean),
    "prod": _same_dtype(np.prod),
    "max": np.max,
    "min": np.min,
}
for _name, _function in _ARITHMETIC.items():
    _infer = _infer_extreme if _name in ("max", "min") else _infer_reduce
    define(_name, _infer, _reference(_function), tolerance=1e-5)
for _name, _function in {"any": np.any, "all": np.all}.items():
    define(_name, _infer_logical, _reference(_function))


def _reduce(name: str, x: Any, axis: Any, keepdims: bool) -> Any:
    x = floating(x) if name == "mean" else cast(x, "bool") if name in ("any", "all") else as_operand(x)
    if name in ("sum", "prod") and dtype_of(x) == "bool":
        x = cast(x, "int32")
    axes = as_axes(axis, len(shape_of(x)))
    return apply(OPS[name], (x,), {"axes": axes, "keepdims": bool(keepdims)}) if axes else x


def _reduction(name: str, doc: str) -> Callable[..., Any]:
    def function(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return _reduce(name, x, axis, keepdims)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + " `axis`: an integer, several, or None for all; `keepdims` keeps them with one element."
    return function


sum = _reduction("sum", "The sum over axes.")
mean = _reduction("mean", "The mean over axes; integers become float32.")
prod = _reduction("prod", "The product over axes.")
max = _reduction("max", "The largest element over axes; NaN where there is one.")
min = _reduction("min", "The smallest element over axes; NaN where there is one.")
any = _reduction("any", "Whether any element is true, as bool.")
all = _reduction("all", "Whether every element is true, as bool.")


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The population variance over axes."""
    x = floating(x)
    return mean(square(subtract(x, mean(x, axis, True))), axis, keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The population standard deviation over axes."""
    return sqrt(var(x, axis, keepdims))


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12) -> Any:
    """x / sqrt(max(sum(x squared), epsilon)) over axes, as `K.l2_normalize`."""
    x = floating(x)
    return divide(x, sqrt(maximum(sum(multiply(x, x), axis, True), epsilon)))


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over axes, computed without overflow; -inf where all elements are."""
    x = floating(x)
    largest = max(x, axis, True)
    largest = where(less(absolute(largest), np.inf), largest, 0.0)
    total = add(log(sum(exp(subtract(x, largest)), axis, True)), largest)
    return total if keepdims else squeeze(total, as_axes(axis, len(shape_of(x))))


def _infer_same(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (specs[0],)


CUMSUM = define("cumsum", _infer_same, lambda attrs, x: np.cumsum(x, attrs["axis"], dtype=x.dtype), tolerance=1e-5)
CUMPROD = define("cumprod", _infer_same, lambda attrs, x: np.cumprod(x, attrs["axis"], dtype=x.dtype), tolerance=1e-5)


def cumsum(x: Any, axis: int = 0) -> Any:
    """The sum of each element and those before it along an axis."""
    x = as_operand(x)
    return apply(CUMSUM, (x,), {"axis": as_axis(axis, len(shape_of(x)))})


def cumprod(x: Any, axis: int = 0) -> Any:
    """The product of each element and those before it along an axis."""
    x = as_operand(x)
    return apply(CUMPROD, (x,), {"axis": as_axis(axis, len(shape_of(x)))})


def _infer_arg(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (TensorSpec(_reduced(specs[0], (attrs["axis"],), False), "int64"),)


ARGMAX = define("argmax", _infer_extreme, lambda attrs, x: np.argmax(x, attrs["axis"]).astype(np.int64))
ARGMIN = define("argmin", _infer_extreme, lambda attrs, x: np.argmin(x, attrs["axis"]).astype(np.int64))


def argmax(x: Any, axis: int = -1) -> Any:
    """The position of the largest element along an axis (the first of equals), as int64."""
    x = as_operand(x)
    return apply(ARGMAX, (x,), {"axis": as_axis(axis, len(shape_of(x)))})


def argmin(x: Any, axis: int = -1) -> Any:
    """The position of the smallest element along an axis (the first of equals), as int64."""
    x = as_operand(x)
    return apply(ARGMIN, (x,), {"axis": as_axis(axis, len(shape_of(x)))})


def _infer_softmax(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (specs[0],)


def _softmax_reference(attrs: Attrs, x: Array) -> Array:
    if is_extended(x.dtype):
        return _softmax_reference(attrs, x.astype(np.float32)).astype(x.dtype)
    with np.errstate(all="ignore"):
        shifted = x - x.max(axis=attrs["axes"], keepdims=True) if x.size else x
        if attrs["log"]:
            return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=attrs["axes"], keepdims=True)))
        powers = np.exp(shifted)
        return np.asarray(powers / powers.sum(axis=attrs["axes"], keepdims=True))


SOFTMAX = define("softmax", _infer_softmax, _softmax_reference, tolerance=4e-6, widens=False)


def softmax(x: Any, axis: Any = -1) -> Any:
    """exp(x) / sum(exp(x)) over an axis or several, computed without overflow."""
    x = floating(x)
    return apply(SOFTMAX, (x,), {"axes": as_axes(axis, len(shape_of(x))), "log": False})


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """The logarithm of `softmax`, computed without cancellation."""
    x = floating(x)
    return apply(SOFTMAX, (x,), {"axes": as_axes(axis, len(shape_of(x))), "log": True})
