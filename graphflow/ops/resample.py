"""Images at another size, as TensorFlow and Keras compute them: `tf.image.resize` and the layer Resizing.

Each axis is resampled by itself: `taps` says which elements an output is made of and with which weights. Places are
computed in float32, as TensorFlow does, so that the same elements are picked; of sizes that are not known when a model
is described, all of this waits until they are.

    nearest                     the element that (o + 1/2) n / m lies in
    bilinear                    the two elements around it
    bicubic                     four, with Keys' weights from a table of 1024 places
    area                        all that an output covers, by how much of them it covers
    lanczos3, lanczos5,         all within the kernel's radius; with `antialias` (bilinear and bicubic, too) the
    gaussian, mitchellcubic     kernel is as much wider as the output is smaller

Sources: https://www.tensorflow.org/api_docs/python/tf/image/resize; Keys, 1981; Mitchell and Netravali, 1988
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError
from graphflow.ops.array import getitem, pad
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_axis, as_operand, floating, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.ops.resize import resize
from graphflow.spec import TensorSpec

METHODS = ("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
FITS = ("stretch", "crop", "pad", "center")

SMOOTHING = ("gaussian", "mitchellcubic")
"""Methods that change an image also where its size stays."""

_ONE = np.float32(1)
_HALF = np.float32(0.5)


def _lanczos(radius: float) -> Callable[[Array], Array]:
    def kernel(x: Array) -> Array:
        safe = np.maximum(x, 1e-3)
        inside = radius * np.sin(np.pi * safe) * np.sin(np.pi * safe / radius) / (np.pi * safe) ** 2
        return np.where(x > radius, 0, np.where(x <= 1e-3, 1, inside))

    return kernel


def _cubic(near: Sequence[float], far: Sequence[float]) -> Callable[[Array], Array]:
    return lambda x: np.where(x >= 2, 0, np.where(x >= 1, np.polyval(far, x), np.polyval(near, x)))


KERNELS: dict[str, tuple[float, Callable[[Array], Array]]] = {
    "bilinear": (1.0, lambda x: np.maximum(1 - x, 0)),
    "bicubic": (2.0, _cubic((1.5, -2.5, 0, 1), (-0.5, 2.5, -4, 2))),
    "lanczos3": (3.0, _lanczos(3.0)),
    "lanczos5": (5.0, _lanczos(5.0)),
    "gaussian": (1.5, lambda x: np.where(x >= 1.5, 0, np.exp(-2 * x * x))),
    "mitchellcubic": (2.0, _cubic((7 / 6, -2, 0, 8 / 9), (-7 / 18, 2, -10 / 3, 16 / 9))),
}
"""Radius and weight by distance; the Gaussian has the standard deviation 1/2."""


def _between(size: int, out: int) -> Array:
    """Where each output lies among the elements of an axis, whose centres are whole numbers; in float32."""
    scale = np.float32(size) / np.float32(out)
    return (np.arange(out, dtype=np.float32) + _HALF) * scale - _HALF


def _nearest(size: int, out: int) -> tuple[Array, Array]:
    scale = np.float32(size) / np.float32(out)
    index = np.floor((np.arange(out, dtype=np.float32) + _HALF) * scale)
    return np.minimum(index, size - 1)[:, None], np.ones((out, 1))


def _bilinear(size: int, out: int) -> tuple[Array, Array]:
    at = _between(size, out)
    lower = np.floor(at)
    share = at - lower
    return np.stack([np.maximum(lower, 0), np.minimum(lower + 1, size - 1)], 1), np.stack([_ONE - share, share], 1)


def _bicubic(size: int, out: int) -> tuple[Array, Array]:
    at = _between(size, out)
    lower = np.floor(at)
    share = np.rint((at - lower) * np.float32(1024)) / 1024
    index = lower[:, None] + np.arange(-1, 3)
    weight = KERNELS["bicubic"][1](np.stack([1 + share, share, 1 - share, 2 - share], 1))
    return _normalised(index, np.where((index < 0) | (index > size - 1), 0, weight), size)


def _area(size: int, out: int) -> tuple[Array, Array]:
    scale = np.float32(size) / np.float32(out)
    start = np.arange(out, dtype=np.float32) * scale
    end = np.arange(1, out + 1, dtype=np.float32) * scale
    most = int((np.ceil(end) - np.floor(start)).max(initial=1))
    index = np.floor(start)[:, None] + np.arange(most)
    covered = np.minimum(index + 1, end[:, None]) - np.maximum(index, start[:, None])
    return index, np.maximum(covered, 0) / scale


def _by_kernel(method: str, antialias: bool, size: int, out: int) -> tuple[Array, Array]:
    radius, kernel = KERNELS[method]
    inverse = _ONE / (np.float32(out) / np.float32(size))
    wide = max(inverse, _ONE) if antialias else _ONE
    at = (np.arange(out, dtype=np.float32) + _HALF) * inverse
    reach = np.float32(radius) * wide
    start, end = np.ceil(at - reach - _HALF), np.floor(at + reach - _HALF)
    index = start[:, None] + np.arange(int((end - start).max(initial=0)) + 1, dtype=np.float32)
    weight = kernel(np.abs((index + _HALF - at[:, None]) * (_ONE / wide)))
    return _normalised(index, np.where((index < 0) | (index > size - 1) | (index > end[:, None]), 0, weight), size)


def _normalised(index: Array, weight: Array, size: int) -> tuple[Array, Array]:
    return np.clip(index, 0, size - 1), weight / weight.sum(1, keepdims=True)


_PLAIN = {"nearest": _nearest, "bilinear": _bilinear, "bicubic": _bicubic, "area": _area}


def taps(method: str, antialias: bool, size: int, out: int) -> tuple[Array, Array]:
    """For each of `out` elements along an axis of `size`: the elements that make it, and their weights.

    Returns:
        Indices (out, taps), integers, and weights (out, taps).
    """
    if method in _PLAIN and not (antialias and method in KERNELS):
        index, weight = _PLAIN[method](size, out)
    else:
        index, weight = _by_kernel(method, antialias, size, out)
    return np.clip(index, 0, size - 1).astype(np.int64), np.asarray(weight, np.float64)


def room(fit: str, given: Sequence[int], target: Sequence[int]) -> list[tuple[int, int]]:
    """What is added (cut off, where negative) before and after each of two axes, so that the rest can be resized.

    Args:
        fit: "stretch" leaves images as they are; "crop" cuts to the target's ratio, "pad" fills up to it; "center"
            cuts out the middle of the target's size, of images that are smaller than that as "crop" does.
    """
    (height, width), (rows, columns) = given, target
    if fit == "stretch":
        return [(0, 0), (0, 0)]
    if fit == "center" and height >= rows and width >= columns:
        return [_cut(height, rows), _cut(width, columns)]
    ratio = (
        int(np.float32(width * rows) / np.float32(columns)),
        int(np.float32(height * columns) / np.float32(rows)),
    )
    if fit == "pad":
        return [((max(n, m) - n) // 2,) * 2 for n, m in zip(given, ratio, strict=True)]
    return [_cut(n, max(min(n, m), 1)) for n, m in zip(given, ratio, strict=True)]


def _cut(size: int, kept: int) -> tuple[int, int]:
    start = (size - kept) // 2
    return -start, -(size - kept - start)


def _infer(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    sizes = list(specs[0].shape)
    for axis, size in zip(attrs["axes"], attrs["size"], strict=True):
        sizes[axis] = size
    return (specs[0].with_shape(sizes),)


def _fitted(x: Any, axes: Sequence[int], amounts: Sequence[tuple[int, int]], fill: float) -> Any:
    """x with its axes cut or filled up, in ops."""
    key, added = [slice(None)] * len(shape_of(x)), [(0, 0)] * len(shape_of(x))
    for axis, (before, after) in zip(axes, amounts, strict=True):
        key[axis] = slice(-min(before, 0) or None, min(after, 0) or None)
        added[axis] = (max(before, 0), max(after, 0))
    x = getitem(x, tuple(key)) if any(part != slice(None) for part in key) else x
    return pad(x, added, fill) if any(part != (0, 0) for part in added) else x


def _reference(attrs: Attrs, x: Array) -> Array:
    axes, size = attrs["axes"], attrs["size"]
    given = [x.shape[axis] for axis in axes]
    x = _fitted(x, axes, room(attrs["fit"], given, size), attrs["fill"])
    if tuple(x.shape[axis] for axis in axes) == tuple(size) and attrs["method"] not in SMOOTHING:
        return np.array(x)
    y = x if attrs["method"] == "nearest" else x.astype(np.float64)
    for axis, out in zip(axes, size, strict=True):
        index, weight = taps(attrs["method"], attrs["antialias"], x.shape[axis], out)
        if attrs["method"] == "nearest":
            y = y.take(index[:, 0], axis)
            continue
        form = (-1,) + (1,) * (y.ndim - axis - 1)
        total = y.take(index[:, 0], axis) * weight[:, 0].reshape(form)
        for tap in range(1, index.shape[1]):
            total += y.take(index[:, tap], axis) * weight[:, tap].reshape(form)
        y = total
    return np.ascontiguousarray(y.astype(x.dtype))


RESAMPLE = define("resample", _infer, _reference, tolerance=4e-6)


def resample(
    x: Any,
    size: Sequence[int],
    axes: Sequence[int],
    method: str = "bilinear",
    antialias: bool = False,
    fit: str = "stretch",
    fill: float = 0.0,
) -> Any:
    """Images with `size` elements along two axes.

    Args:
        x: integers become float32, unless the method is "nearest".
        size: height and width; axes: those of x that they are.
        method: one of `METHODS`.
        antialias: whether kernels are widened where the output is smaller; "nearest" and "area" do not look at it.
        fit: one of `FITS`, see `room`; fill: what "pad" fills with.

    Raises:
        ArgumentError: an unknown method or fit, or a size below 1.

    Example:
        >>> import numpy as np
        >>> from graphflow.ops.resample import resample
        >>> resample(np.arange(4.0).reshape(1, 4), (1, 2), (0, 1)).tolist()
        [[0.5, 2.5]]
    """
    for value, known in ((method, METHODS), (fit, FITS)):
        if value not in known:
            raise ArgumentError(f"Expected one of {', '.join(known)}, received {value!r}.")
    if min(size) < 1:
        raise ArgumentError(f"Images are resized to at least one element, received {tuple(size)}.")
    x = as_operand(x)
    shape = shape_of(x)
    axes = tuple(as_axis(axis, len(shape)) for axis in axes)
    size = tuple(int(one) for one in size)
    given = [one for one in (shape[axis] for axis in axes) if one is not None]
    if len(given) == 2:
        x = _fitted(x, axes, room(fit, given, size), fill)
        fit, fill = "stretch", 0.0
        given = [shape_of(x)[axis] or 0 for axis in axes]
    x = x if method == "nearest" else floating(x)
    if tuple(given) == size and method not in SMOOTHING:
        return x
    whole = len(given) == 2 and all(n and m % n == 0 for n, m in zip(given, size, strict=True))
    if whole and method in ("nearest", "bilinear") and not antialias:
        return resize(x, [m // n for n, m in zip(given, size, strict=True)], axes, method)
    attrs = {"axes": axes, "size": size, "method": method, "antialias": bool(antialias), "fit": fit, "fill": fill}
    return apply(RESAMPLE, (x,), attrs)
