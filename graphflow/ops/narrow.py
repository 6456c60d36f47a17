"""Casts to data types of eight bits and fewer, which saturate, round and wrap in ways of their own.

Source: https://onnx.ai/onnx/operators/onnx__Cast.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.errors import ArgumentError
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_operand, dtype_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, dtype_name, is_extended

ROUND_MODES = ("up", "down", "nearest")
_E8M0 = "float8_e8m0fnu"


def _infer(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (specs[0].with_dtype(attrs["dtype"]),)


def _power_of_two(x: Array, saturate: bool, mode: str) -> Array:
    """The bytes of powers of two, whose number is their exponent plus 127; 255 is NaN."""
    wide = np.abs(x.astype(np.float64))
    with np.errstate(all="ignore"):
        mantissa, exponent = np.frexp(wide)
        exponent = exponent - 1
        fraction = mantissa * 2 - 1
    step = {"up": fraction > 0, "down": np.zeros(x.shape, bool), "nearest": fraction >= 0.5}[mode]
    number = np.where(wide == 0, -127 if saturate else 128, exponent + step) + 127
    infinite = np.isinf(wide)
    bad = np.isnan(wide)
    if saturate:
        number = np.where(infinite, 254, np.clip(number, 0, 254))
    else:
        bad = bad | infinite | (number > 254) | (number < 0)
    return np.where(bad, 255, number).astype(np.uint8).view(_E8M0)


def _reference(attrs: Attrs, x: Array) -> Array:
    import ml_dtypes

    dtype = attrs["dtype"]
    if x.dtype.name == dtype:
        return x
    if is_extended(x.dtype):
        x = x.astype(np.int32 if "int" in x.dtype.name else np.float32)
    with np.errstate(all="ignore"):
        if dtype == _E8M0:
            return _power_of_two(x, attrs["saturate"], attrs["round_mode"])
        if "int" in dtype:
            return x.astype(dtype)
        if attrs["saturate"] or dtype == "float4_e2m1fn":
            most = float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]
            x = np.clip(x.astype(np.float32) if x.dtype.kind in "biu" else x, -most, most)
        return x.astype(dtype)


CAST_NARROW = define("cast_narrow", _infer, _reference, widens=False)


def cast_narrow(x: Any, dtype: str, saturate: bool = True, round_mode: str = "up") -> Any:
    """`x` in a data type of at most eight bits that NumPy does not have.

    Args:
        saturate: whether what is too large becomes the largest finite number, or else infinity or NaN.
        round_mode: "up", "down" or "nearest", for powers of two alone; everything else is rounded to nearest even.
    """
    if round_mode not in ROUND_MODES:
        raise ArgumentError(f"round_mode must be one of {', '.join(ROUND_MODES)}, received {round_mode!r}.")
    x = as_operand(x)
    name = dtype_name(dtype)
    if dtype_of(x) == name:
        return x
    return apply(CAST_NARROW, (x,), {"dtype": name, "saturate": bool(saturate), "round_mode": round_mode})
