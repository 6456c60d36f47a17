"""Maximum and average over windows, channels last, in one to three dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.errors import ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import floating, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape
from graphflow.window import as_padding, as_sizes, output_size, pad_amounts, paddings


def _infer_pool(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, rank = specs[0], len(attrs["size"])
    if x.rank != rank + 2:
        raise ShapeError(f"{rank}D pooling needs an input of rank {rank + 2}, received {format_shape(x.shape)}.")
    around = paddings(attrs["padding"], rank)
    sizes = [
        output_size(size, k, s, padding)
        for size, k, s, padding in zip(x.shape[1:-1], attrs["size"], attrs["strides"], around, strict=True)
    ]
    return (x.with_shape((x.shape[0], *sizes, x.shape[-1])),)


def pool_padding(attrs: Attrs, shape: Any) -> tuple[tuple[int, int], ...]:
    """(before, after) for each spatial dimension of a concrete input shape (batch, ..., channels)."""
    return tuple(
        pad_amounts(size, k, s, padding)
        for size, k, s, padding in zip(
            shape[1:-1], attrs["size"], attrs["strides"], paddings(attrs["padding"], len(attrs["size"])), strict=True
        )
    )


def _windows(x: Array, attrs: Attrs, fill: float) -> Array:
    rank = len(attrs["size"])
    padded = np.pad(x, ((0, 0), *pool_padding(attrs, x.shape), (0, 0)), constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, attrs["size"], axis=tuple(range(1, rank + 1)))
    return windows[(slice(None), *(slice(None, None, stride) for stride in attrs["strides"]))]


def _max_reference(attrs: Attrs, x: Array) -> Array:
    axes = tuple(range(x.ndim, x.ndim + len(attrs["size"])))
    return np.ascontiguousarray(_windows(x, attrs, -np.inf).max(axis=axes))


def _average_reference(attrs: Attrs, x: Array) -> Array:
    axes = tuple(range(x.ndim, x.ndim + len(attrs["size"])))
    counts = _windows(np.ones((1, *x.shape[1:-1], 1), x.dtype), attrs, 0).sum(axis=axes)
    return np.ascontiguousarray(_windows(x, attrs, 0).sum(axis=axes) / counts).astype(x.dtype, copy=False)


MAX_POOL = define("max_pool", _infer_pool, _max_reference)
AVERAGE_POOL = define("average_pool", _infer_pool, _average_reference, tolerance=2e-6)


def _attrs(x: Any, size: Any, strides: Any, padding: str) -> Attrs:
    rank = len(shape_of(x)) - 2
    if not 1 <= rank <= 3:
        raise ShapeError(f"Pooling needs an input of rank 3 to 5, received {format_shape(shape_of(x))}.")
    size = as_sizes(size, rank, "pool_size")
    strides = size if strides is None else as_sizes(strides, rank, "strides")
    return {"size": size, "strides": strides, "padding": as_padding(padding)}


def max_pool(x: Any, pool_size: Any, strides: Any = None, padding: str = "valid") -> Any:
    """The largest element of each window of x (batch, ..., channels); padding counts as minus infinity.

    Args:
        pool_size: an integer, or one for each dimension.
        strides: the same; None: the pool size.
        padding: "valid" or "same".

    Raises:
        ShapeError: a window larger than the input, or an input of another rank.
    """
    x = floating(x)
    return apply(MAX_POOL, (x,), _attrs(x, pool_size, strides, padding))


def average_pool(x: Any, pool_size: Any, strides: Any = None, padding: str = "valid") -> Any:
    """The mean of the real elements of each window of x (batch, ..., channels). Arguments as `max_pool`."""
    x = floating(x)
    return apply(AVERAGE_POOL, (x,), _attrs(x, pool_size, strides, padding))
