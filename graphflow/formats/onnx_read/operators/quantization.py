"""Quantised operators: integers inside, as the standard says; they run on references."""

from __future__ import annotations

from typing import Any

from graphflow import ops
from graphflow.formats.onnx_read.operators.convolution import convolve
from graphflow.formats.onnx_read.operators.elementwise import target_dtype
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.array import channels_first
from graphflow.ops.operands import cast_to, dtype_of, shape_of
from graphflow.ops.quantization import dequantize, quantize


@operator("QuantizeLinear", since=10)
def quantize_linear(
    node: Call,
    x: Any,
    scale: Any,
    zero: Any = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> Any:
    dtype = dtype_of(zero) if zero is not None else target_dtype(output_dtype) if output_dtype else "uint8"
    exact = target_dtype(precision) if precision else ""
    return quantize(x, scale, zero, dtype, axis, block_size, bool(saturate), exact)


@operator("DequantizeLinear", since=10)
def dequantize_linear(
    node: Call,
    x: Any,
    scale: Any,
    zero: Any = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Any:
    return dequantize(x, scale, zero, axis, block_size, target_dtype(output_dtype) if output_dtype else "")


def _shifted(x: Any, zero: Any, axis: int | None = None) -> Any:
    """x - zero as int32; a vector of zero points lies along an axis from the end."""
    x = cast_to(x, "int32")
    if zero is None:
        return x
    return ops.subtract(x, _placed(cast_to(zero, "int32"), axis))


def _placed(one: Any, axis: int | None) -> Any:
    """A vector along an axis that is counted from the end."""
    if len(shape_of(one)) != 1 or axis is None:
        return one
    if shape_of(one) == (1,):
        return ops.reshape(one, ())
    for _ in range(-axis - 1):
        one = ops.expand_dims(one, -1)
    return one


def _product(a: Any, b: Any) -> Any:
    return ops.sum(ops.multiply(a, b), 0) if len(shape_of(a)) == len(shape_of(b)) == 1 else ops.matmul(a, b)


@operator("MatMulInteger", since=10)
def matmul_integer(node: Call, a: Any, b: Any, a_zero: Any = None, b_zero: Any = None) -> Any:
    return _product(_shifted(a, a_zero, -2), _shifted(b, b_zero, -1))


@operator("QLinearMatMul", since=10)
def qlinear_matmul(
    node: Call, a: Any, a_scale: Any, a_zero: Any, b: Any, b_scale: Any, b_zero: Any, y_scale: Any, y_zero: Any
) -> Any:
    whole = _product(_shifted(a, a_zero, -2), _shifted(b, b_zero, -1))
    scale = ops.multiply(_placed(cast_to(a_scale, "float32"), -2), _placed(cast_to(b_scale, "float32"), -1))
    real = ops.multiply(cast_to(whole, "float32"), scale)
    return quantize(real, cast_to(y_scale, "float32"), y_zero, dtype_of(y_zero))


def _integer_conv(x: Any, w: Any, x_zero: Any, w_zero: Any, window: dict[str, Any]) -> Any:
    """The convolution in int32, channels last."""
    if w_zero is not None and len(shape_of(w_zero)) == 1 and shape_of(w_zero) != (1,):
        w_zero = ops.reshape(w_zero, (-1,) + (1,) * (len(shape_of(w)) - 1))
    taps = _shifted(w, w_zero, -1)
    return convolve(_shifted(x, x_zero, -1), taps, None, **window)


@operator("ConvInteger", since=10)
def conv_integer(
    node: Call,
    x: Any,
    w: Any,
    x_zero: Any = None,
    w_zero: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Any = None,
    group: int = 1,
    kernel_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Any:
    window = {"auto_pad": auto_pad, "dilations": dilations, "group": group, "pads": pads, "strides": strides}
    return channels_first(_integer_conv(x, w, x_zero, w_zero, {**window, "kernel_shape": kernel_shape}))


@operator("QLinearConv", since=10)
def qlinear_conv(
    node: Call,
    x: Any,
    x_scale: Any,
    x_zero: Any,
    w: Any,
    w_scale: Any,
    w_zero: Any,
    y_scale: Any,
    y_zero: Any,
    b: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Any = None,
    group: int = 1,
    kernel_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Any:
    window = {"auto_pad": auto_pad, "dilations": dilations, "group": group, "pads": pads, "strides": strides}
    whole = _integer_conv(x, w, x_zero, w_zero, {**window, "kernel_shape": kernel_shape})
    whole = whole if b is None else ops.add(whole, b)
    scale = ops.multiply(_placed(x_scale, -1), _placed(w_scale, -1))
    real = ops.multiply(cast_to(whole, "float32"), scale)
    return channels_first(quantize(real, y_scale, y_zero, dtype_of(y_zero)))
