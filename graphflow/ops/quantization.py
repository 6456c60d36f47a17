"""Numbers as small integers with a scale and a zero point, for a whole tensor, an axis, or blocks of an axis.

Source: https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.errors import DTypeError, ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.narrow import CAST_NARROW
from graphflow.ops.operands import as_operand, dtype_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, dtype_name, element_count, format_shape, is_extended

RANGES: dict[str, tuple[int, int]] = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "uint16": (0, 65535),
    "int32": (-(2**31), 2**31 - 1),
    "int4": (-8, 7),
    "uint4": (0, 15),
    "int2": (-2, 1),
    "uint2": (0, 3),
}
"""The smallest and the largest number of each integer type."""


def _infer(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, scale, zero = specs
    if attrs["block"]:
        if scale.rank != x.rank:
            raise ShapeError(f"Scales of blocks must have the rank of {format_shape(x.shape)}.")
    elif scale.rank > 1:
        raise ShapeError(f"A scale must be one number or a vector, received {format_shape(scale.shape)}.")
    if zero is not None and zero.rank != scale.rank and element_count(zero.shape) != 1:
        raise ShapeError(f"Zero point and scale must have one shape, received {zero} and {scale}.")
    return (x.with_dtype(attrs["dtype"]),)


def _along(attrs: Attrs, one: Array, shape: tuple[int, ...]) -> Array:
    """A scale or zero point so that it broadcasts against the data."""
    if one.size == 1:
        return one.reshape(())
    if attrs["block"]:
        axis = attrs["axis"] % len(shape)
        whole: Array = np.repeat(one, attrs["block"], axis)
        return np.asarray(whole[(slice(None),) * axis + (slice(0, shape[axis]),)])
    axis = attrs["axis"] % len(shape)
    return one.reshape((-1,) + (1,) * (len(shape) - axis - 1))


def _plain(array: Array) -> Array:
    if is_extended(array.dtype):
        return array.astype(np.int32 if "int" in array.dtype.name else np.float32)
    return array


def _quantize_reference(attrs: Attrs, x: Array, scale: Array, zero: Array | None) -> Array:
    precision = attrs["precision"] or scale.dtype.name
    wide = np.float64 if precision == "float64" else np.float32
    scales = _along(attrs, _plain(scale), x.shape).astype(wide)
    with np.errstate(all="ignore"):
        found: Array = np.divide(_plain(x).astype(wide), scales)
        if precision in ("float16", "bfloat16"):
            found = found.astype(precision).astype(wide)
    zeros = None if zero is None else _along(attrs, _plain(zero), x.shape)
    dtype = attrs["dtype"]
    if dtype not in RANGES:
        whole = found if zeros is None else found + zeros
        options = {"dtype": dtype, "saturate": attrs["saturate"], "round_mode": "up"}
        return np.asarray(CAST_NARROW.reference(options, whole))
    low, high = RANGES[dtype]
    rounded = np.rint(found)
    whole = np.clip(rounded if zeros is None else rounded + zeros, low, high)
    return np.where(np.isnan(whole), low, whole).astype(np.int64).astype(dtype)


QUANTIZE = define("quantize", _infer, _quantize_reference, widens=False)


def quantize(
    x: Any,
    scale: Any,
    zero_point: Any = None,
    dtype: str = "uint8",
    axis: int = 1,
    block: int = 0,
    saturate: bool = True,
    precision: str = "",
) -> Any:
    """x / scale, rounded to nearest even, plus the zero point, as the nearest number of a small type.

    Args:
        scale, zero_point: of one element, a vector along `axis`, or of x's rank with one for each `block` along it.
        dtype: one of `RANGES`, or a float of eight bits and fewer.
        saturate: for floats: whether what is too large becomes the largest number.
        precision: the dtype of the division; that of the scale where it is "".
    """
    name = dtype_name(dtype)
    if name not in RANGES and not name.startswith("float"):
        raise DTypeError(f"Numbers are quantised to {', '.join(RANGES)} and narrow floats, received {name}.")
    attrs = {"dtype": name, "axis": axis, "block": block, "saturate": bool(saturate), "precision": precision}
    return apply(QUANTIZE, (as_operand(x), scale, zero_point), attrs)


def _dequantize_reference(attrs: Attrs, x: Array, scale: Array, zero: Array | None) -> Array:
    wide = np.float64 if attrs["dtype"] == "float64" else np.float32
    whole = _plain(x)
    if zero is not None:
        zeros = _along(attrs, _plain(zero), x.shape)
        whole = whole - zeros if whole.dtype.kind == "f" else whole.astype(np.int64) - zeros.astype(np.int64)
    return np.asarray(whole.astype(wide) * _along(attrs, _plain(scale), x.shape).astype(wide)).astype(attrs["dtype"])


DEQUANTIZE = define("dequantize", _infer, _dequantize_reference, widens=False)


def dequantize(x: Any, scale: Any, zero_point: Any = None, axis: int = 1, block: int = 0, dtype: str = "") -> Any:
    """(x - zero_point) * scale, in the scale's dtype or another; arguments as `quantize`."""
    attrs = {"dtype": dtype or dtype_of(scale), "axis": axis, "block": block}
    return apply(DEQUANTIZE, (as_operand(x), scale, zero_point), attrs)
