"""Convolutions: channels first outside, channels last inside."""

from __future__ import annotations

from typing import Any

from graphflow import ops
from graphflow.errors import ShapeError, UnsupportedError
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.formats.onnx_read.windows import Amounts, amounts, is_same, per_axis
from graphflow.ops.array import channels_first, channels_last
from graphflow.ops.conv import CONV, conv_attrs
from graphflow.ops.conv_transpose import CONV_TRANSPOSE
from graphflow.ops.dispatch import apply
from graphflow.ops.known import UnknownValueError, static_shape
from graphflow.ops.operands import shape_of
from graphflow.spec import format_shape
from graphflow.window import span


def _rank(x: Any) -> int:
    rank = len(shape_of(x)) - 2
    if not 1 <= rank <= 3:
        raise UnsupportedError(f"Windows over {rank} axes are not supported, of {format_shape(shape_of(x))}.")
    return rank


def padded(x: Any, padding: Amounts, value: float = 0.0) -> Any:
    """A channels-last tensor with elements around its spatial axes."""
    return ops.pad(x, ((0, 0), *padding, (0, 0)), value) if any(a or b for a, b in padding) else x


def convolve(
    x: Any, w: Any, b: Any, auto_pad: str, dilations: Any, group: int, kernel_shape: Any, pads: Any, strides: Any
) -> Any:
    """The convolution of x (batch, channels, ...) with w (filters, channels / group, ...), channels last."""
    rank = _rank(x)
    size = static_shape(w, "The shape of a kernel")[2:]
    if len(size) != rank or (kernel_shape and tuple(kernel_shape) != size):
        raise ShapeError(f"kernel_shape {kernel_shape} and a kernel {format_shape(shape_of(w))} do not fit together.")
    strides, dilation = per_axis(strides, rank, 1, "strides"), per_axis(dilations, rank, 1, "dilations")
    spatial = shape_of(x)[2:]
    padding = amounts(spatial, size, strides, dilation, auto_pad, pads)
    last = channels_last(x)
    kernel = ops.transpose(w, (*range(2, rank + 2), 1, 0))
    if padding is None and auto_pad == "SAME_LOWER":
        raise UnknownValueError("auto_pad='SAME_LOWER' with strides needs sizes that are known.")
    same = padding is None or is_same(spatial, size, strides, dilation, padding)
    if same and padding is not None and not any(a or b for a, b in padding):
        same = False
    if not same:
        last = padded(last, padding or ())
    attrs = conv_attrs(rank, strides, "same" if same else "valid", dilation, int(group))
    return apply(CONV, (last, kernel, b, None), attrs)


@operator("Conv")
def conv(
    node: Call,
    x: Any,
    w: Any,
    b: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Any = None,
    group: int = 1,
    kernel_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Any:
    return channels_first(convolve(x, w, b, auto_pad, dilations, group, kernel_shape, pads, strides))


def _kept(y: Any, begin: tuple[int, ...], end: tuple[int, ...]) -> Any:
    """A channels-last tensor without so many elements at its edges, or with zeros where there are none."""
    keys = [slice(None)]
    grown = []
    for first, last in zip(begin, end, strict=True):
        keys.append(slice(max(first, 0), -last if last > 0 else None))
        grown.append((max(-first, 0), max(-last, 0)))
    y = ops.getitem(y, tuple(keys))
    return padded(y, tuple(grown))


def _spread(kernel: Any, dilation: tuple[int, ...]) -> Any:
    """A kernel with its zeros between the taps written out."""
    for axis, step in enumerate(dilation):
        shape = static_shape(kernel)
        between = [(0, 0)] * (len(shape) + 1)
        between[axis + 1] = (0, step - 1)
        whole = ops.pad(ops.expand_dims(kernel, axis + 1), between)
        flat = ops.reshape(whole, (*shape[:axis], shape[axis] * step, *shape[axis + 1 :]))
        kernel = ops.getitem(flat, (*(slice(None),) * axis, slice(0, span(shape[axis], step))))
    return kernel


@operator("ConvTranspose")
def conv_transpose(
    node: Call,
    x: Any,
    w: Any,
    b: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Any = None,
    group: int = 1,
    kernel_shape: Any = None,
    output_padding: Any = None,
    output_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Any:
    rank = _rank(x)
    size = static_shape(w, "The shape of a kernel")[2:]
    strides, dilation = per_axis(strides, rank, 1, "strides"), per_axis(dilations, rank, 1, "dilations")
    extra = per_axis(output_padding, rank, 0, "output_padding")
    given = per_axis(pads if auto_pad == "NOTSET" else None, 2 * rank, 0, "pads")
    begin, end = given[:rank], given[rank:]
    if output_shape or auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        spatial = static_shape(x, "The shape of the input")[2:]
        wanted = tuple(output_shape)[-rank:] if output_shape else [n * s for n, s in zip(spatial, strides, strict=True)]
        reach = [
            (n - 1) * s + span(k, d) + p for n, s, k, d, p in zip(spatial, strides, size, dilation, extra, strict=True)
        ]
        total = [a - b for a, b in zip(reach, wanted, strict=True)]
        half = tuple(one // 2 if one > 0 else 0 for one in total)
        rest = tuple(one - h for one, h in zip(total, half, strict=True))
        begin, end = (rest, half) if auto_pad == "SAME_LOWER" else (half, rest)
    last = channels_last(x)
    kernel = ops.transpose(w, (*range(2, rank + 2), 1, 0))
    if max(strides) > 1 and max(dilation) > 1:
        kernel, dilation = _spread(kernel, dilation), (1,) * rank
    attrs = {"strides": strides, "padding": "valid", "output_padding": extra, "dilation": dilation}
    if group == 1:
        y = apply(CONV_TRANSPOSE, (last, kernel, b, None), attrs)
        return channels_first(_kept(y, begin, end))
    parts = [
        apply(CONV_TRANSPOSE, (one, taps, None, None), attrs)
        for one, taps in zip(ops.split(last, group, -1), ops.split(kernel, group, -1), strict=True)
    ]
    y = ops.concatenate(parts, -1)
    y = y if b is None else ops.add(y, b)
    return channels_first(_kept(y, begin, end))
