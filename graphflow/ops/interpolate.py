"""Tensors made larger or smaller along their axes, with every freedom that files take.

Along each axis, output o lies at a place p of the input, between elements. `taps` says which elements it is made of and
with which weights: one ("nearest"), two ("linear") or four ("cubic") around p, more where a smaller output is smoothed
("antialias"). Whole factors have kernels: see `graphflow.ops.resize`.

Source: https://onnx.ai/onnx/operators/onnx__Resize.html
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_operand
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec

MODES = ("nearest", "linear", "cubic")
PLACES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
)
ROUNDING = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def places(size: int, out: int, scale: float, mode: str, start: float = 0.0, end: float = 1.0) -> Array:
    """Where each of `out` elements lies along an axis of `size`; `start` and `end` of the part that is cropped."""
    at = np.arange(out, dtype=np.float64)
    if mode == "asymmetric":
        return at / scale
    if mode == "align_corners":
        length = scale * size  # as it was asked for, before it was rounded down
        return at * (size - 1) / (length - 1) if length != 1 else at * 0
    if mode == "tf_crop_and_resize":
        if out > 1:
            return np.asarray(start * (size - 1) + at * (end - start) * (size - 1) / (out - 1))
        return at + 0.5 * (start + end) * (size - 1)
    middle = (at + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return middle if out > 1 else at * 0
    if mode == "half_pixel_symmetric":
        return np.asarray(size / 2 * (1 - out / (scale * size)) + middle)
    return middle


def _cubic(x: Array, a: float) -> Array:
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def taps(attrs: Attrs, size: int, row: Any) -> tuple[Array, Array]:
    """For each output along an axis: the elements that make it, and their weights."""
    _, out, scale, start, end = row
    at = places(size, out, scale, attrs["places"], start, end)
    left = np.ceil(at) - 1
    ratio = at - left  # in (0, 1]: an element that is hit is the one on the right
    if attrs["mode"] == "nearest":
        right = {
            "round_prefer_floor": ratio > 0.5,
            "round_prefer_ceil": ratio >= 0.5,
            "floor": ratio >= 1,
            "ceil": ratio > 0,
        }[attrs["rounding"]]
        index = (left + right)[:, None]
        weight = np.ones((out, 1))
    else:
        reach, shrink = (1 if attrs["mode"] == "linear" else 2), min(scale, 1.0) if attrs["antialias"] else 1.0
        first = math.floor(-reach / shrink) + 1
        steps = np.arange(first, 2 - first)
        distance = (steps - ratio[:, None]) * shrink
        near = np.clip(1 - np.abs(distance), 0, 1)
        weight = near if attrs["mode"] == "linear" else _cubic(distance, attrs["cubic"])
        index = left[:, None] + steps
    if attrs["exclude"]:
        weight = np.where((index < 0) | (index > size - 1), 0, weight)
    if attrs["exclude"] or attrs["antialias"]:
        weight = weight / weight.sum(1, keepdims=True)
    return np.clip(index, 0, size - 1).astype(np.int64), weight


def _infer(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    outs = {row[0]: row[1] for row in attrs["rows"]}
    return (specs[0].with_shape(outs.get(axis, size) for axis, size in enumerate(specs[0].shape)),)


def _reference(attrs: Attrs, x: Array) -> Array:
    dtype, outside = x.dtype, []
    shape = x.shape
    y = x if attrs["mode"] == "nearest" else x.astype(np.float64)
    for row in attrs["rows"]:
        axis = row[0]
        index, weight = taps(attrs, shape[axis], row)
        if attrs["mode"] == "nearest":
            y = y.take(index[:, 0], axis)
        else:
            form = (-1,) + (1,) * (y.ndim - axis - 1)
            parts = [y.take(index[:, tap], axis) * weight[:, tap].reshape(form) for tap in range(index.shape[1])]
            y = np.sum(parts, axis=0)
        if attrs["places"] == "tf_crop_and_resize":
            at = places(shape[axis], row[1], row[2], attrs["places"], *row[3:])
            outside.append((axis, (at < 0) | (at > shape[axis] - 1)))
    if dtype.kind in "iu" and attrs["mode"] != "nearest":
        limits = np.iinfo(dtype)
        y = np.clip(np.rint(y), limits.min, limits.max)
    y = np.array(y).astype(dtype)
    for axis, hit in outside:
        y[(slice(None),) * axis + (hit,)] = attrs["beyond"]
    return y


INTERPOLATE = define("interpolate", _infer, _reference, tolerance=4e-6)


def interpolate(
    x: Any,
    rows: Any,
    mode: str = "linear",
    coordinates: str = "half_pixel",
    rounding: str = "round_prefer_floor",
    cubic: float = -0.75,
    exclude: bool = False,
    antialias: bool = False,
    beyond: float = 0.0,
) -> Any:
    """`x` with other sizes along some axes.

    Args:
        rows: (axis, new size, scale, start, end) for each of them; start and end crop, as parts of the axis.
        mode: one of `MODES`; coordinates: one of `PLACES`; rounding: one of `ROUNDING`, for "nearest".
        cubic: the coefficient of cubic interpolation.
        exclude: whether weights of elements outside are left out; else the outermost elements stand for them.
        antialias: whether a smaller output is smoothed.
        beyond: what stands where "tf_crop_and_resize" reaches outside.
    """
    for value, known in ((mode, MODES), (coordinates, PLACES), (rounding, ROUNDING)):
        if value not in known:
            raise ArgumentError(f"Expected one of {', '.join(known)}, received {value!r}.")
    attrs = {
        "rows": tuple((int(a), int(n), float(s), float(b), float(e)) for a, n, s, b, e in rows),
        "mode": mode,
        "places": coordinates,
        "rounding": rounding,
        "cubic": float(cubic),
        "exclude": bool(exclude),
        "antialias": bool(antialias),
        "beyond": float(beyond),
    }
    return apply(INTERPOLATE, (as_operand(x),), attrs)
