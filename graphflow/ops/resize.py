"""Images made larger by whole factors, along any axes.

nearest     every element is repeated
bilinear    output o lies at (o + 1/2) / factor - 1/2 of the input, between two elements that are weighted by nearness;
            beyond the outermost ones stands their value

Source: https://keras.io/api/layers/reshaping_layers/up_sampling2d/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, UnsupportedError
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_axis, as_operand, floating, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec
from graphflow.window import as_sizes

MODES = ("nearest", "bilinear")
OTHER_MODES = ("area", "bicubic", "gaussian", "lanczos3", "lanczos5", "mitchellcubic")


def _infer_resize(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    factors = dict(zip(attrs["axes"], attrs["factors"], strict=True))
    sizes = (None if n is None else n * factors.get(axis, 1) for axis, n in enumerate(specs[0].shape))
    return (specs[0].with_shape(sizes),)


def neighbours(size: int, factor: int) -> tuple[Array, Array, Array]:
    """For each output along an axis: the two inputs it lies between, and how far it is from the first to the second."""
    place = (np.arange(size * factor) + 0.5) / factor - 0.5
    lower = np.floor(place)
    below = np.maximum(lower, 0).astype(np.int64)
    above = np.minimum(lower + 1, size - 1).astype(np.int64)
    return below, above, (place - lower).astype(np.float32)


def _resize_reference(attrs: Attrs, x: Array) -> Array:
    for axis, factor in zip(attrs["axes"], attrs["factors"], strict=True):
        if attrs["mode"] == "nearest":
            x = np.repeat(x, factor, axis)
        elif x.size:
            below, above, weight = neighbours(x.shape[axis], factor)
            weight = weight.astype(x.dtype).reshape((-1,) + (1,) * (x.ndim - axis - 1))
            first, apart = x.take(below, axis), (below != above).reshape(weight.shape)
            x = first + np.subtract(x.take(above, axis), first, out=np.zeros_like(first), where=apart) * weight
        else:
            x = np.repeat(x, factor, axis)
    return x


RESIZE = define("resize", _infer_resize, _resize_reference, tolerance=2e-6)


def resize(x: Any, factors: Sequence[int], axes: Sequence[int], mode: str = "nearest") -> Any:
    """`x` with `factors` times as many elements along `axes`.

    Args:
        factors: whole numbers of at least 1, one for each of `axes`.
        mode: "nearest" or "bilinear" (floats; along the given axes, however many).

    Raises:
        ArgumentError: an unknown mode.
        UnsupportedError: another mode of Keras.
    """
    if mode in OTHER_MODES:
        raise UnsupportedError(f"The interpolation {mode!r} is not supported; there are 'nearest' and 'bilinear'.")
    if mode not in MODES:
        raise ArgumentError(f"interpolation must be 'nearest' or 'bilinear', received {mode!r}.")
    x = floating(x) if mode == "bilinear" else as_operand(x)
    rank = len(shape_of(x))
    order = sorted(zip((as_axis(axis, rank) for axis in axes), as_sizes(factors, len(axes), "factors"), strict=True))
    return apply(
        RESIZE, (x,), {"axes": tuple(a for a, _ in order), "factors": tuple(f for _, f in order), "mode": mode}
    )
