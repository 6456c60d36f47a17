"""Regions of images, and convolutions whose taps move."""

from __future__ import annotations

from typing import Any

from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.formats.onnx_read.windows import per_axis
from graphflow.ops.regions import deform_conv, roi_align


def _aligned(x: Any, rois: Any, batch: Any, size: Any, scale: float, ratio: int, half_pixel: bool, mode: str) -> Any:
    if mode not in ("avg", "max"):
        raise UnsupportedError(f"mode={mode!r} is not supported; there are 'avg' and 'max'.")
    return roi_align(x, rois, batch, size, scale, ratio, half_pixel, mode)


@operator("RoiAlign", since=16)
def align(
    node: Call,
    x: Any,
    rois: Any,
    batch: Any,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Any:
    half = {"half_pixel": True, "output_half_pixel": False}.get(coordinate_transformation_mode)
    if half is None:
        raise UnsupportedError(f"coordinate_transformation_mode={coordinate_transformation_mode!r} is not supported.")
    return _aligned(x, rois, batch, (output_height, output_width), spatial_scale, sampling_ratio, half, mode)


@operator("RoiAlign", since=10)
def align_old(
    node: Call,
    x: Any,
    rois: Any,
    batch: Any,
    *,
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Any:
    """Before version 16 coordinates were not moved by half a pixel."""
    return _aligned(x, rois, batch, (output_height, output_width), spatial_scale, sampling_ratio, False, mode)


@operator("DeformConv", since=19)
def deform(
    node: Call,
    x: Any,
    w: Any,
    offset: Any,
    b: Any = None,
    mask: Any = None,
    *,
    dilations: Any = None,
    group: int = 1,
    kernel_shape: Any = None,
    offset_group: int = 1,
    pads: Any = None,
    strides: Any = None,
) -> Any:
    edges = per_axis(pads, 4, 0, "pads")
    padding = tuple(zip(edges[:2], edges[2:], strict=True))
    steps = per_axis(strides, 2, 1, "strides")
    return deform_conv(
        x, w, offset, b, mask, steps, padding, per_axis(dilations, 2, 1, "dilations"), group, offset_group
    )
