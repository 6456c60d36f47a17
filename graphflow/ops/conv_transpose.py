"""Transposed convolution in one to three dimensions, channels last: what a convolution's gradient does to its output.

x   (i)              i = 0        i = 1        i = 2
y   (i * stride)   |<-- kernel -->|
                         |<-- kernel -->|            each element of x adds a kernel to y
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.linear import check_epilogue, finish
from graphflow.ops.operands import cast_to, dtype_of, pair, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape
from graphflow.window import as_padding, as_sizes, transposed_cut, transposed_size


def transposed_windows(attrs: Attrs, spatial: Sequence[Any], kernel: Sequence[Any]) -> list[tuple[Any, ...]]:
    """For each dimension what the functions of `graphflow.window` take: size, kernel, stride, padding, dilation, ..."""
    extra = attrs["output_padding"] or (None,) * len(kernel)
    return [
        (n, k, s, attrs["padding"], d, p)
        for n, k, s, d, p in zip(spatial, kernel, attrs["strides"], attrs["dilation"], extra, strict=True)
    ]


def _infer_conv_transpose(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, kernel, bias, residual = specs
    rank = kernel.rank - 2
    if x.rank != rank + 2:
        raise ShapeError(
            f"A {rank}D transposed convolution needs an input of rank {rank + 2}, received {format_shape(x.shape)}."
        )
    if x.shape[-1] not in (None, kernel.shape[-1]):
        raise ShapeError(
            f"The input has {x.shape[-1]} channels, "
            f"but the kernel of shape {format_shape(kernel.shape)} takes {kernel.shape[-1]}."
        )
    windows = transposed_windows(attrs, x.shape[1:-1], kernel.shape[:-2])
    output = x.with_shape((x.shape[0], *(transposed_size(*window) for window in windows), kernel.shape[-2]))
    check_epilogue(output, bias, residual)
    return (output,)


def _conv_transpose_reference(
    attrs: Attrs, x: Array, kernel: Array, bias: Array | None, residual: Array | None
) -> Array:
    windows = transposed_windows(attrs, x.shape[1:-1], kernel.shape[:-2])
    sizes = [transposed_size(*window) or 0 for window in windows]
    cuts = [transposed_cut(*window) for window in windows]
    ends = [max(cut + size, n * s + k * d) for cut, size, (n, k, s, _, d, _) in zip(cuts, sizes, windows, strict=True)]
    whole = np.zeros((x.shape[0], *ends, kernel.shape[-2]), x.dtype)
    for tap in product(*(range(k) for k in kernel.shape[:-2])):
        places = (slice(t * d, t * d + n * s, s) for t, (n, _, s, _, d, _) in zip(tap, windows, strict=True))
        whole[(slice(None), *places)] += np.einsum("...c,nc->...n", x, kernel[tap])
    kept = (slice(cut, cut + size) for cut, size in zip(cuts, sizes, strict=True))
    return finish(attrs, np.ascontiguousarray(whole[(slice(None), *kept)]), bias, residual)


CONV_TRANSPOSE = define(
    "conv_transpose",
    _infer_conv_transpose,
    _conv_transpose_reference,
    tolerance=2e-5,
)


def conv_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
) -> Any:
    """Transposed convolution of x (batch, ..., channels) with kernel (..., filters, channels).

    Args:
        x: one to three spatial dimensions between batch and channels.
        kernel: as many spatial dimensions.
        bias: (filters,), or None.
        strides, dilation_rate: an integer, or one for each dimension.
        padding: "valid" or "same".
        output_padding: elements to add at the end of the output, below the stride; None: as many as make the output
            `stride` times as long with "same", and cover all of the input with "valid".

    Returns:
        (batch, ..., filters).

    Raises:
        ShapeError: sizes that do not fit.
        ArgumentError: strides and dilation both above 1, an output padding of at least the stride, or an unknown
            padding.
    """
    x, kernel = pair(x, kernel)
    rank = len(shape_of(kernel)) - 2
    attrs: Attrs = {
        "strides": as_sizes(strides, rank, "strides"),
        "padding": as_padding(padding),
        "output_padding": as_output_padding(output_padding, as_sizes(strides, rank, "strides")),
        "dilation": as_sizes(dilation_rate, rank, "dilation_rate"),
    }
    if max(attrs["strides"]) > 1 and max(attrs["dilation"]) > 1:
        raise ArgumentError(
            f"strides above 1 can not go with dilation_rate above 1, received {strides} and {dilation_rate}."
        )
    return apply(CONV_TRANSPOSE, (x, kernel, None if bias is None else cast_to(bias, dtype_of(x)), None), attrs)


def as_output_padding(value: Any, strides: tuple[int, ...]) -> tuple[int, ...] | None:
    """None, or an integer for each dimension.

    Raises:
        ArgumentError: one that is negative, or not below the stride.
    """
    if value is None:
        return None
    sizes = as_sizes(value, len(strides), "output_padding", minimum=0)
    if any(size >= stride for size, stride in zip(sizes, strides, strict=True)):
        raise ArgumentError(f"output_padding must be below strides, received {sizes} and {strides}.")
    return sizes
