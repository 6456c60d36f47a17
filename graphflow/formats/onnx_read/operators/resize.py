"""Resize and Upsample: by the kernel for whole factors where that means the same, else by the general reference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.interpolate import interpolate, taps
from graphflow.ops.known import static_shape, value_of
from graphflow.ops.operands import as_axis, dtype_of, shape_of
from graphflow.ops.resize import neighbours

Row = tuple[int, int, float, float, float]


def _given(x: Any) -> bool:
    """Whether an optional input is there: some files give an empty tensor instead of none."""
    return x is not None and value_of(x, "The size or scale to resize to").size > 0


def _sizes(shape: tuple[int, ...], sizes: list[int], policy: str) -> list[tuple[int, float]]:
    """(new size, scale) of each axis, for the sizes that are asked for."""
    if policy == "stretch":
        return [(out, out / n) for out, n in zip(sizes, shape, strict=True)]
    if policy not in ("not_larger", "not_smaller"):
        raise UnsupportedError(f"keep_aspect_ratio_policy={policy!r} is not supported.")
    scale = (min if policy == "not_larger" else max)(out / n for out, n in zip(sizes, shape, strict=True))
    return [(math.floor(n * scale + 0.5), scale) for n in shape]


def _whole_factors(x: Any, rows: list[Row], shape: tuple[int, ...], attrs: dict[str, Any]) -> Any:
    """The kernel's result, where every output is made of the very elements and weights that it takes; else None."""
    mode = {"nearest": "nearest", "linear": "bilinear"}.get(attrs["mode"])
    if mode is None or dtype_of(x) != "float32" or attrs["antialias"] or attrs["exclude"]:
        return None
    for row in rows:
        n, factor = shape[row[0]], row[1] // max(shape[row[0]], 1)
        if not factor or row[1] != n * factor:
            return None
        index, weight = taps(attrs, n, row)
        if mode == "nearest":
            fits = np.array_equal(index[:, 0], np.repeat(np.arange(n), factor))
        else:
            found, wanted = np.zeros((row[1], n)), np.zeros((row[1], n))
            below, above, share = neighbours(n, factor)
            at = np.arange(row[1])
            for tap in range(index.shape[1]):
                np.add.at(found, (at, index[:, tap]), weight[:, tap])
            np.add.at(wanted, (at, below), 1 - share)
            np.add.at(wanted, (at, above), share)
            fits = row[1] * n <= 1 << 22 and np.abs(found - wanted).max(initial=0) < 1e-6
        if not fits:
            return None
    return ops.resize(x, [row[1] // shape[row[0]] for row in rows], [row[0] for row in rows], mode)


def _resized(x: Any, rows: list[Row], shape: tuple[int, ...], **options: Any) -> Any:
    crop = options["coordinates"] == "tf_crop_and_resize"
    rows = [row for row in rows if crop or row[1] != shape[row[0]] or row[2] != 1]
    if not rows:
        return x
    plain = {"exclude": False, "antialias": False, **options}
    if not crop and 0 not in shape:
        attrs = {**plain, "places": options["coordinates"], "cubic": options.get("cubic", -0.75)}
        made = _whole_factors(x, rows, shape, {"rounding": "floor", **attrs})
        if made is not None:
            return made
    return interpolate(x, rows, **plain)


_ANY = 5
"""Stands for a size that is not known: whole factors make the same pattern of every size."""


def _open_sizes(x: Any, scales: Any, axes: Any, coordinates: str, mode: str, rounding: str, antialias: int) -> Any:
    """The kernel's result for whole factors, where sizes are not known yet; else None."""
    given = shape_of(x)
    named = [as_axis(one, len(given)) for one in axes] if axes else list(range(len(given)))
    factors = dict(zip(named, (float(one) for one in value_of(scales).reshape(-1)), strict=True))
    if coordinates in ("align_corners", "tf_crop_and_resize", "half_pixel_symmetric"):
        return None
    if any(factor != int(factor) or factor < 1 for factor in factors.values()):
        return None
    shape = tuple(_ANY if size is None else size for size in given)
    rows = [(axis, int(shape[axis] * f), f, 0.0, 1.0) for axis, f in factors.items() if f != 1]
    attrs = {"mode": mode, "places": coordinates, "rounding": rounding, "cubic": 0.0}
    return _whole_factors(x, rows, shape, {**attrs, "exclude": False, "antialias": bool(antialias)})


@operator("Resize", since=11)
def resize(
    node: Call,
    x: Any,
    roi: Any = None,
    scales: Any = None,
    sizes: Any = None,
    *,
    antialias: int = 0,
    axes: Any = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Any:
    if not _given(sizes) and _given(scales) and None in shape_of(x):
        made = _open_sizes(x, scales, axes, coordinate_transformation_mode, mode, nearest_mode, antialias)
        if made is not None:
            return made
    shape = static_shape(x, "The shape of what is resized")
    named = [as_axis(one, len(shape)) for one in axes] if axes else list(range(len(shape)))
    coordinates = coordinate_transformation_mode
    crop = coordinates == "tf_crop_and_resize"
    parts = [float(one) for one in value_of(roi, "The part to crop").reshape(-1)] if crop and _given(roi) else []
    bounds = list(zip(parts[: len(named)], parts[len(named) :], strict=True)) or [(0.0, 1.0)] * len(named)
    inner = tuple(shape[axis] for axis in named)
    if _given(sizes):
        wanted = [int(one) for one in value_of(sizes).reshape(-1)]
        found = _sizes(inner, wanted, keep_aspect_ratio_policy)
    elif _given(scales):
        factors = [float(one) for one in value_of(scales).reshape(-1)]
        lengths = [n * (end - start) if crop else n for n, (start, end) in zip(inner, bounds, strict=True)]
        found = [(math.floor(n * factor), factor) for n, factor in zip(lengths, factors, strict=True)]
    else:
        raise ModelFormatError("Resize needs scales or sizes.")
    rows = [(axis, out, scale, *part) for axis, (out, scale), part in zip(named, found, bounds, strict=True)]
    return _resized(
        x,
        rows,
        shape,
        mode=mode,
        coordinates=coordinates,
        rounding=nearest_mode,
        cubic=cubic_coeff_a,
        exclude=bool(exclude_outside) and mode == "cubic",
        antialias=bool(antialias) and mode != "nearest",
        beyond=extrapolation_value,
    )


@operator("Resize", "Upsample", since=9)
def upsample(node: Call, x: Any, scales: Any, *, mode: str = "nearest") -> Any:
    """Before version 11 elements lay where they would without half pixels, and were rounded down."""
    shape = static_shape(x, "The shape of what is resized")
    factors = [float(one) for one in value_of(scales, "The scales").reshape(-1)]
    return _upsampled(x, shape, factors, mode)


def _upsampled(x: Any, shape: tuple[int, ...], factors: list[float], mode: str) -> Any:
    plain = {"nearest": "nearest", "linear": "linear", "bilinear": "linear"}.get(mode)
    if plain is None or len(factors) != len(shape):
        raise UnsupportedError(f"Upsample with mode {mode!r} and {len(factors)} scales is not supported.")
    rows = [(axis, math.floor(n * f), f, 0.0, 1.0) for axis, (n, f) in enumerate(zip(shape, factors, strict=True))]
    return _resized(x, rows, shape, mode=plain, coordinates="asymmetric", rounding="floor")


@operator("Upsample", since=7)
def upsample_by_attribute(node: Call, x: Any, *, scales: tuple[float, ...], mode: str = "nearest") -> Any:
    return _upsampled(x, static_shape(x, "The shape of what is resized"), list(scales), mode)


@operator("Upsample")
def upsample_images(node: Call, x: Any, *, height_scale: float, width_scale: float, mode: str = "nearest") -> Any:
    return _upsampled(x, static_shape(x, "The shape of what is resized"), [1.0, 1.0, height_scale, width_scale], mode)
