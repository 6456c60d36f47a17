"""Pooling: by the kernels of channels-last pooling where that means the same, else by the general reference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_read.operators.convolution import padded
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.formats.onnx_read.windows import Amounts, amounts, is_same, per_axis
from graphflow.ops.array import channels_first, channels_last
from graphflow.ops.known import integers, static_shape
from graphflow.ops.operands import dtype_of, shape_of
from graphflow.ops.windows import max_pool_places, pool_channels_first, unpool, window_count
from graphflow.window import span


class _Window:
    """The window of a pooling node, in full."""

    def __init__(
        self, x: Any, kernel_shape: Any, strides: Any, dilations: Any, auto_pad: str, pads: Any, ceil_mode: int
    ) -> None:
        rank = len(shape_of(x)) - 2
        self.rank = rank
        self.spatial = shape_of(x)[2:]
        self.size = per_axis(kernel_shape, rank, 1, "kernel_shape")
        self.strides = per_axis(strides, rank, 1, "strides")
        self.dilation = per_axis(dilations, rank, 1, "dilations")
        self.ceil = bool(ceil_mode) and auto_pad == "NOTSET"
        found = amounts(self.spatial, self.size, self.strides, self.dilation, auto_pad, pads)
        self.is_same_upper = found is None and auto_pad == "SAME_UPPER"
        if found is None and not self.is_same_upper:
            static_shape(x, "The shape of what is pooled")
        self.padding: Amounts = found or ()

    def general(self, x: Any, kind: str, **options: Any) -> Any:
        return pool_channels_first(
            x, kind, self.size, self.strides, self.dilation, self.padding, ceil=self.ceil, **options
        )

    def written_out(self, x: Any) -> bool:
        """Make rounding up part of the padding; whether windows are then those of channels-last pooling."""
        if dtype_of(x) != "float32" or not 1 <= self.rank <= 3 or max(self.dilation) > 1:
            return False
        if self.ceil and None in self.spatial:
            return False
        if self.ceil:
            rows: list[Any] = list(zip(self.spatial, self.size, self.strides, self.padding, strict=True))
            counts = [window_count(n, k, s, a, b, True) for n, k, s, (a, b) in rows]
            self.padding = tuple(
                (a, max((count - 1) * s + k - n - a, b)) for count, (n, k, s, (a, b)) in zip(counts, rows, strict=True)
            )
            self.ceil = False
        return True

    @property
    def padding_name(self) -> str | None:
        """ "valid" or "same", where these are the amounts."""
        if self.is_same_upper:
            return "same"
        if not any(a or b for a, b in self.padding):
            return "valid"
        return "same" if is_same(self.spatial, self.size, self.strides, self.dilation, self.padding) else None


@operator("MaxPool")
def max_pool(
    node: Call,
    x: Any,
    *,
    kernel_shape: Any,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Any = None,
    pads: Any = None,
    storage_order: int = 0,
    strides: Any = None,
) -> Any:
    window = _Window(x, kernel_shape, strides, dilations, auto_pad, pads, ceil_mode)
    places = None
    if node.wants(1):
        static_shape(x, "The shape of what is pooled")
        places = max_pool_places(
            x, window.size, window.strides, window.dilation, window.padding, window.ceil, bool(storage_order)
        )
    if not window.written_out(x):
        static_shape(x, "The shape of what is pooled")
        return window.general(x, "max"), places
    last, name = channels_last(x), window.padding_name
    if name is None:
        last, name = padded(last, window.padding, -math.inf), "valid"
    return channels_first(ops.max_pool(last, window.size, window.strides, name)), places


@operator("AveragePool")
def average_pool(
    node: Call,
    x: Any,
    *,
    kernel_shape: Any,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Any:
    window = _Window(x, kernel_shape, strides, dilations, auto_pad, pads, ceil_mode)
    name = window.padding_name
    if not window.ceil and (name == "valid" or (name == "same" and not count_include_pad)) and window.written_out(x):
        return channels_first(ops.average_pool(channels_last(x), window.size, window.strides, name or "valid"))
    given = window.padding
    if None in window.spatial or not window.written_out(x):
        static_shape(x, "The shape of what is pooled")
        return window.general(x, "average", include=bool(count_include_pad))
    counted = np.ones((1, *static_shape(x)[2:], 1), np.float32)
    if count_include_pad:
        counted = np.pad(counted, ((0, 0), *given, (0, 0)), constant_values=1)
        edges = [(0, whole - one) for (_, one), (_, whole) in zip(given, window.padding, strict=True)]
    else:
        edges = list(window.padding)
    share = ops.average_pool(np.pad(counted, ((0, 0), *edges, (0, 0))), window.size, window.strides)
    last = ops.average_pool(padded(channels_last(x), window.padding), window.size, window.strides)
    return channels_first(ops.divide(last, share) if (share != 1).any() else last)


@operator("LpPool")
def lp_pool(
    node: Call,
    x: Any,
    *,
    kernel_shape: Any,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Any = None,
    p: int = 2,
    pads: Any = None,
    strides: Any = None,
) -> Any:
    window = _Window(x, kernel_shape, strides, dilations, auto_pad, pads, ceil_mode)
    return window.general(x, "lp", p=int(p))


def _global(x: Any, function: Any) -> Any:
    last = channels_last(x)
    return channels_first(function(last, tuple(range(1, len(shape_of(x)) - 1)), True))


@operator("GlobalAveragePool")
def global_average_pool(node: Call, x: Any) -> Any:
    return _global(x, ops.mean)


@operator("GlobalMaxPool")
def global_max_pool(node: Call, x: Any) -> Any:
    return _global(x, ops.max)


@operator("GlobalLpPool", since=2)
def global_lp_pool(node: Call, x: Any, *, p: int = 2) -> Any:
    def norm(y: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        total = ops.sum(ops.power(ops.absolute(y), np.asarray(p, dtype_of(y))), axes, keepdims)
        return ops.power(total, np.asarray(1 / p, dtype_of(y)))

    return _global(x, norm)


@operator("MaxUnpool", since=9)
def max_unpool(
    node: Call, x: Any, places: Any, sizes: Any = None, *, kernel_shape: Any, pads: Any = None, strides: Any = None
) -> Any:
    shape = static_shape(x, "The shape of what is put back")
    rank = len(shape) - 2
    size, steps = per_axis(kernel_shape, rank, 1, "kernel_shape"), per_axis(strides, rank, 1, "strides")
    given = per_axis(pads, 2 * rank, 0, "pads")
    own = [
        (n - 1) * s + span(k, 1) - a - b
        for n, s, k, a, b in zip(shape[2:], steps, size, given[:rank], given[rank:], strict=True)
    ]
    whole = (*shape[:2], *own)
    if sizes is None:
        return unpool(x, places, whole)
    wanted = integers(sizes, "The output shape")
    if len(wanted) != len(shape) or any(a < b for a, b in zip(wanted, whole, strict=True)):
        raise UnsupportedError(f"An output shape of {wanted} for {whole} elements is not supported.")
    more = [(0, a - b) for a, b in zip(wanted, whole, strict=True)]
    return ops.pad(unpool(x, places, whole), more)
