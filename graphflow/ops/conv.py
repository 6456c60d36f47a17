"""Convolution in one to three dimensions, channels last.

A layer with channels first transposes around it; a pass takes inverse pairs of transposes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.linear import check_epilogue, finish
from graphflow.ops.operands import cast_to, dtype_of, pair, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape, spec_of
from graphflow.window import PADDINGS, as_padding, as_sizes, output_size, pad_amounts, paddings, span


def conv_padding(attrs: Attrs, shape: Sequence[int], kernel: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """(before, after) for each spatial dimension of a concrete input shape (batch, ..., channels)."""
    return tuple(
        pad_amounts(size, k, s, padding, d)
        for size, k, s, padding, d in zip(
            shape[1:-1],
            kernel,
            attrs["strides"],
            paddings(attrs["padding"], len(kernel)),
            attrs["dilation"],
            strict=True,
        )
    )


def _infer_conv(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, kernel, bias, residual = specs
    rank = kernel.rank - 2
    if x.rank != rank + 2:
        raise ShapeError(f"A {rank}D convolution needs an input of rank {rank + 2}, received {format_shape(x.shape)}.")
    groups = attrs["groups"]
    channels, per_group, filters = x.shape[-1], kernel.shape[-2], kernel.shape[-1]
    if channels is not None and channels != per_group * groups:
        raise ShapeError(
            f"The input has {channels} channels, but the kernel of shape {format_shape(kernel.shape)} "
            f"with {groups} groups takes {per_group * groups}."
        )
    if filters % groups:
        raise ShapeError(f"The number of filters, {filters}, must be a multiple of groups, {groups}.")
    around = paddings(attrs["padding"], rank)
    sizes = [
        output_size(size, k, s, padding, d)
        for size, k, s, padding, d in zip(
            x.shape[1:-1], kernel.shape[:-2], attrs["strides"], around, attrs["dilation"], strict=True
        )
    ]
    output = x.with_shape((x.shape[0], *sizes, filters))
    check_epilogue(output, bias, residual)
    return (output,)


def _conv_reference(attrs: Attrs, x: Array, kernel: Array, bias: Array | None, residual: Array | None) -> Array:
    spatial = kernel.shape[:-2]
    rank, groups = len(spatial), attrs["groups"]
    padded = np.pad(x, ((0, 0), *conv_padding(attrs, x.shape, spatial), (0, 0)))
    reach = tuple(span(k, d) for k, d in zip(spatial, attrs["dilation"], strict=True))
    if any(size < r for size, r in zip(padded.shape[1:-1], reach, strict=True)):
        (made,) = _infer_conv(attrs, [None if one is None else spec_of(one) for one in (x, kernel, bias, residual)], ())
        return finish(attrs, np.zeros([size or 0 for size in made.shape], x.dtype), bias, residual)
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=tuple(range(1, rank + 1)))
    windows = windows[
        (
            slice(None),
            *(slice(None, None, s) for s in attrs["strides"]),
            slice(None),
            *(slice(None, None, d) for d in attrs["dilation"]),
        )
    ]
    per_group, filters = kernel.shape[-2], kernel.shape[-1] // groups
    out, taps = "uvw"[:rank], "pqr"[:rank]
    parts = [
        np.einsum(
            f"b{out}c{taps},{taps}cn->b{out}n",
            windows[(slice(None),) * (rank + 1) + (slice(g * per_group, (g + 1) * per_group),)],
            kernel[..., g * filters : (g + 1) * filters],
        )
        for g in range(groups)
    ]
    y = parts[0] if groups == 1 else np.concatenate(parts, -1)
    return finish(attrs, y.astype(x.dtype, copy=False), bias, residual)


CONV = define("conv", _infer_conv, _conv_reference, tolerance=2e-5)


def conv_attrs(rank: int, strides: Any, padding: str, dilation_rate: Any, groups: int) -> Attrs:
    """The attributes of `conv` in `rank` dimensions, in full.

    Raises:
        ArgumentError: a size below 1, or an unknown padding.
    """
    if groups < 1:
        raise ArgumentError(f"groups must be at least 1, received {groups!r}.")
    return {
        "strides": as_sizes(strides, rank, "strides"),
        "padding": as_padding(padding, PADDINGS if rank == 1 else PADDINGS[:2]),
        "dilation": as_sizes(dilation_rate, rank, "dilation_rate"),
        "groups": int(groups),
    }


def conv(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: str = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
) -> Any:
    """Convolution (cross-correlation) of x (batch, ..., channels) with kernel (..., channels / groups, filters).

    Args:
        x: one to three spatial dimensions between batch and channels.
        kernel: as many spatial dimensions.
        bias: (filters,), or None.
        strides: an integer, or one for each dimension.
        padding: "valid", "same" or "causal" (one dimension; nothing from later steps).
        dilation_rate: an integer, or one for each dimension.
        groups: how many groups channels and filters are divided into.

    Returns:
        (batch, ..., filters).

    Raises:
        ShapeError: sizes that do not fit.
        ArgumentError: strides and dilation both above 1, or an unknown padding.
    """
    x, kernel = pair(x, kernel)
    attrs = conv_attrs(len(shape_of(kernel)) - 2, strides, padding, dilation_rate, groups)
    if max(attrs["strides"]) > 1 and max(attrs["dilation"]) > 1:
        raise ArgumentError(
            f"strides above 1 can not go with dilation_rate above 1, received {strides} and {dilation_rate}."
        )
    return apply(CONV, (x, kernel, None if bias is None else cast_to(bias, dtype_of(x)), None), attrs)
