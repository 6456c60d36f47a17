"""Images read at places of their own for every region or every tap of a kernel, between four pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.errors import DataError, ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_operand, cast_to, dtype_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape


def corners(y: Array, x: Array, height: int, width: int) -> list[tuple[Array, Array, Array]]:
    """The four pixels around each place, and their weights; those outside have none."""
    top, left = np.floor(y), np.floor(x)
    found = []
    for row, share in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, part in ((left, 1 - (x - left)), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            place = (np.clip(row, 0, height - 1).astype(np.int64), np.clip(column, 0, width - 1).astype(np.int64))
            found.append((*place, np.where(inside, share * part, 0.0)))
    return found


def _infer_align(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, rois, batch = specs
    if x.rank != 4 or rois.rank != 2 or batch.rank != 1:
        raise ShapeError(f"Regions of an image need (n, 4) and (n,), received {rois} and {batch}.")
    return (x.with_shape((rois.shape[0], x.shape[1], *attrs["size"])),)


def _align_reference(attrs: Attrs, x: Array, rois: Array, batch: Array) -> Array:
    (rows, columns), ratio, shift = attrs["size"], attrs["ratio"], attrs["shift"]
    height, width = x.shape[2:]
    y = np.zeros((len(rois), x.shape[1], rows, columns), x.dtype)
    for index, (left, top, right, bottom) in enumerate(rois.astype(np.float64) * attrs["scale"] - shift):
        if not 0 <= batch[index] < len(x):
            raise DataError(f"Region {index} is of image {batch[index]}, of which there are {len(x)}.")
        least = 0.0 if shift else 1.0
        step_y, step_x = max(bottom - top, least) / rows, max(right - left, least) / columns
        many_y, many_x = (ratio or math.ceil(step_y)), (ratio or math.ceil(step_x))
        at_y = top + step_y * (np.arange(rows)[:, None] + (np.arange(many_y) + 0.5) / max(many_y, 1))
        at_x = left + step_x * (np.arange(columns)[:, None] + (np.arange(many_x) + 0.5) / max(many_x, 1))
        grid_y, grid_x = np.broadcast_arrays(at_y[:, None, :, None], at_x[None, :, None, :])
        valid = (grid_y >= -1) & (grid_y <= height) & (grid_x >= -1) & (grid_x <= width)
        found = corners(np.clip(grid_y, 0, height - 1), np.clip(grid_x, 0, width - 1), height, width)
        parts = [x[int(batch[index])][:, row, column] * (weight * valid) for row, column, weight in found]
        if attrs["mode"] == "max":
            y[index] = np.max(parts, axis=0).max((-2, -1), initial=-np.inf) if many_y and many_x else 0
        else:
            y[index] = np.sum(parts, axis=0).sum((-2, -1)) / max(many_y * many_x, 1)
    return y


ROI_ALIGN = define("roi_align", _infer_align, _align_reference, tolerance=4e-6)


def roi_align(
    x: Any, rois: Any, batch: Any, size: Any, scale: float, ratio: int, half_pixel: bool, mode: str = "avg"
) -> Any:
    """Regions (left, top, right, bottom) of images (batch, channels, rows, columns) as images of one size.

    Args:
        rois, batch: (n, 4) and (n,): where they lie, and in which image.
        size: rows and columns of the result.
        scale: of the regions' coordinates.
        ratio: samples along each side of a pixel of the result; 0: as many as it covers.
        half_pixel: whether coordinates are moved by half a pixel.
        mode: "avg" or "max" of the samples.

    Source: He et al., 2017; https://onnx.ai/onnx/operators/onnx__RoiAlign.html
    """
    attrs = {"size": (int(size[0]), int(size[1])), "scale": float(scale), "ratio": int(ratio), "mode": mode}
    attrs["shift"] = 0.5 if half_pixel else 0.0
    x = as_operand(x)
    return apply(ROI_ALIGN, (x, cast_to(as_operand(rois), dtype_of(x)), as_operand(batch)), attrs)


def _infer_deform(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, w, offset = specs[:3]
    if x.rank != 4 or w.rank != 4 or offset.rank != 4:
        raise ShapeError(f"A deformable convolution is one of images, received {format_shape(x.shape)}.")
    return (x.with_shape((x.shape[0], w.shape[0], *offset.shape[2:])),)


def _deform_reference(attrs: Attrs, x: Array, w: Array, offset: Array, b: Array | None, mask: Array | None) -> Array:
    (count, channels, height, width), (filters, per_group, rows, columns) = x.shape, w.shape
    groups, own = attrs["groups"], attrs["offset_groups"]
    (out_y, out_x), taps = offset.shape[2:], rows * columns
    moves = offset.reshape(count, own, taps, 2, out_y, out_x).astype(np.float64)
    shares = np.ones((count, own, taps, out_y, out_x)) if mask is None else mask.reshape(count, own, taps, out_y, out_x)
    base_y = np.arange(out_y)[:, None] * attrs["strides"][0] - attrs["padding"][0][0]
    base_x = np.arange(out_x)[None, :] * attrs["strides"][1] - attrs["padding"][1][0]
    images = x.reshape(count, own, channels // own, height, width)
    read = np.zeros((count, own, channels // own, taps, out_y, out_x))
    batch, group = np.arange(count)[:, None, None, None], np.arange(own)[None, :, None, None]
    for tap in range(taps):
        y = base_y + tap // columns * attrs["dilation"][0] + moves[:, :, tap, 0]
        z = base_x + tap % columns * attrs["dilation"][1] + moves[:, :, tap, 1]
        for row, column, weight in corners(y, z, height, width):
            part = np.moveaxis(images[batch, group, :, row, column], -1, 2)
            read[:, :, :, tap] += part * (weight * shares[:, :, tap])[:, :, None]
    read = read.reshape(count, groups, per_group * taps, out_y, out_x)
    kernel = w.reshape(groups, filters // groups, per_group * taps)
    made = np.einsum("bgkyx,gfk->bgfyx", read, kernel).reshape(count, filters, out_y, out_x)
    return np.asarray(made if b is None else made + b[:, None, None]).astype(x.dtype)


DEFORM = define("deform_conv", _infer_deform, _deform_reference, tolerance=2e-5)


def deform_conv(
    x: Any, w: Any, offset: Any, b: Any, mask: Any, strides: Any, padding: Any, dilation: Any, groups: int, own: int
) -> Any:
    """Convolution of x (batch, channels, rows, columns) whose taps are moved by offsets and weighted by a mask.

    Args:
        offset: (batch, own * taps * 2, rows, columns): down and to the right, for each place of the output.
        mask: (batch, own * taps, rows, columns), or None for ones.
        own: into how many groups of channels, each with offsets of its own.

    Source: Zhu et al., 2019; https://onnx.ai/onnx/operators/onnx__DeformConv.html
    """
    attrs = {"strides": tuple(strides), "padding": tuple(padding), "dilation": tuple(dilation)}
    return apply(
        DEFORM, (as_operand(x), w, offset, b, mask), {**attrs, "groups": int(groups), "offset_groups": int(own)}
    )
