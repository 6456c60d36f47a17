"""Locally connected: convolution whose kernel is another one at every place, channels last.

Its padding is not that of convolutions: "same" centres window i at i * stride, so kernel // 2 elements stand before
the first, whatever the stride.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.errors import ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.linear import finish
from graphflow.ops.operands import cast_to, dtype_of, pair
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape
from graphflow.window import as_padding, as_sizes, output_size


def local_padding(attrs: Attrs) -> tuple[int, ...]:
    """How many elements stand before the first, in each dimension."""
    return tuple(size // 2 if attrs["padding"] == "same" else 0 for size in attrs["size"])


def local_sizes(attrs: Attrs, spatial: Sequence[int | None]) -> list[int | None]:
    """How many windows there are in each dimension."""
    return [
        output_size(n, k, s, attrs["padding"]) for n, k, s in zip(spatial, attrs["size"], attrs["strides"], strict=True)
    ]


def _infer_local(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, kernel, bias, residual = specs
    rank = len(attrs["size"])
    if x.rank != rank + 2:
        raise ShapeError(
            f"A {rank}D locally connected layer needs an input of rank {rank + 2}, received {format_shape(x.shape)}."
        )
    sizes = local_sizes(attrs, x.shape[1:-1])
    if None in sizes or x.shape[-1] is None:
        raise ShapeError(
            f"A locally connected layer has weights for every place, so all sizes must be known, "
            f"received {format_shape(x.shape)}."
        )
    places = math.prod(size or 0 for size in sizes)
    expected = (places, math.prod(attrs["size"]) * x.shape[-1])
    if kernel.rank != 3 or kernel.shape[:2] != expected:
        raise ShapeError(
            f"The kernel must have shape ({places}, {expected[1]}, filters), received {format_shape(kernel.shape)}."
        )
    output = x.with_shape((x.shape[0], *sizes, kernel.shape[2]))
    for name, spec, shape in (("bias", bias, output.shape[1:]), ("residual", residual, output.shape)):
        if spec is not None and spec.shape != shape:
            raise ShapeError(f"The {name} must have shape {format_shape(shape)}, received {format_shape(spec.shape)}.")
    return (output,)


def _local_reference(attrs: Attrs, x: Array, kernel: Array, bias: Array | None, residual: Array | None) -> Array:
    rank = len(attrs["size"])
    sizes = [size or 0 for size in local_sizes(attrs, x.shape[1:-1])]
    before = local_padding(attrs)
    amounts = [
        (b, max((out - 1) * s + k - b - n, 0))
        for b, out, s, k, n in zip(before, sizes, attrs["strides"], attrs["size"], x.shape[1:-1], strict=True)
    ]
    padded = np.pad(x, ((0, 0), *amounts, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, attrs["size"], axis=tuple(range(1, rank + 1)))
    windows = windows[(slice(None), *(slice(None, None, s) for s in attrs["strides"]))]
    windows = windows[(slice(None), *(slice(size) for size in sizes))]
    flat = np.moveaxis(windows, rank + 1, -1).reshape(x.shape[0], math.prod(sizes), kernel.shape[1])
    y = np.einsum("bpk,pkn->bpn", flat, kernel).reshape(x.shape[0], *sizes, kernel.shape[2])
    return finish(attrs, y.astype(x.dtype, copy=False), bias, residual)


LOCALLY_CONNECTED = define("locally_connected", _infer_local, _local_reference, tolerance=2e-5)


def locally_connected(
    x: Any, kernel: Any, bias: Any = None, kernel_size: Any = 1, strides: Any = 1, padding: str = "valid"
) -> Any:
    """Windows of x (batch, ..., channels), each times a matrix of its own.

    Args:
        x: one to three spatial dimensions, all sizes known.
        kernel: (places, window elements * channels, filters); places and window elements in row-major order.
        bias: (new sizes ..., filters), or None.
        kernel_size, strides: an integer, or one for each dimension.
        padding: "valid" or "same".

    Returns:
        (batch, new sizes ..., filters).

    Raises:
        ShapeError: sizes that do not fit, or are not known.
    """
    x, kernel = pair(x, kernel)
    rank = len(x.shape) - 2
    attrs: Attrs = {
        "size": as_sizes(kernel_size, rank, "kernel_size"),
        "strides": as_sizes(strides, rank, "strides"),
        "padding": as_padding(padding),
    }
    return apply(LOCALLY_CONNECTED, (x, kernel, None if bias is None else cast_to(bias, dtype_of(x)), None), attrs)
