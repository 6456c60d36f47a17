"""Depthwise and separable convolution: compositions of `conv`, which has as many groups as there are channels."""

from __future__ import annotations

from typing import Any

from graphflow.errors import ShapeError
from graphflow.ops.array import reshape
from graphflow.ops.conv import CONV, conv, conv_attrs
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import cast_to, dtype_of, pair, shape_of
from graphflow.spec import format_shape


def depthwise_conv(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: str = "valid",
    dilation_rate: Any = 1,
) -> Any:
    """Convolution of each channel of x (batch, ..., channels) with kernels of its own (..., channels, multiplier).

    Args:
        x: one to three spatial dimensions between batch and channels.
        kernel: as many spatial dimensions; output channel c * multiplier + m is made from channel c.
        bias: (channels * multiplier,), or None.
        strides, padding, dilation_rate: as for `conv`; strides and dilation may both be above 1.

    Returns:
        (batch, ..., channels * multiplier).

    Raises:
        ShapeError: sizes that do not fit.
    """
    x, kernel = pair(x, kernel)
    shape = shape_of(kernel)
    channels, multiplier = shape[-2], shape[-1]
    if channels is None or multiplier is None:
        raise ShapeError(f"A depthwise kernel must have a known shape, received {format_shape(shape)}.")
    if shape_of(x)[-1] not in (None, channels):
        raise ShapeError(
            f"The input has {shape_of(x)[-1]} channels, "
            f"but the depthwise kernel of shape {format_shape(shape)} takes {channels}."
        )
    grouped = reshape(kernel, (*shape[:-2], 1, channels * multiplier))
    attrs = conv_attrs(len(shape) - 2, strides, padding, dilation_rate, channels)
    return apply(CONV, (x, grouped, None if bias is None else cast_to(bias, dtype_of(x)), None), attrs)


def separable_conv(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: str = "valid",
    dilation_rate: Any = 1,
) -> Any:
    """A depthwise convolution, then one of a single pixel that mixes the channels.

    Args:
        x: (batch, ..., channels).
        depthwise_kernel: (..., channels, multiplier).
        pointwise_kernel: (1, ..., channels * multiplier, filters).
        bias: (filters,), or None.
        strides, padding, dilation_rate: of the depthwise convolution.

    Returns:
        (batch, ..., filters).

    Raises:
        ShapeError: sizes that do not fit.
    """
    return conv(depthwise_conv(x, depthwise_kernel, None, strides, padding, dilation_rate), pointwise_kernel, bias)
