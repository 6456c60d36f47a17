"""Operators that add and crop borders, and exchange blocks of pixels with channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ShapeError, UnsupportedError
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops import indexing
from graphflow.ops.known import dimension, integers, value_of
from graphflow.ops.operands import as_axis, shape_of


def _padded(x: Any, amounts: list[tuple[int, int]], mode: str, value: Any) -> Any:
    cut = [(min(a, 0), min(b, 0)) for a, b in amounts]
    grown = [(max(a, 0), max(b, 0)) for a, b in amounts]
    if any(a or b for a, b in cut):
        x = ops.getitem(x, tuple(slice(-a or None, b or None) for a, b in cut))
    if not any(a or b for a, b in grown):
        return x
    if mode == "constant":
        number = 0 if value is None else value_of(value, "The value to pad with").reshape(-1)[0].item()
        return ops.pad(x, grown, number)
    if mode not in ("reflect", "edge", "wrap"):
        raise UnsupportedError(f"Padding mode {mode!r} is not supported.")
    return indexing.pad_from_inside(x, grown, mode)


@operator("Pad", since=11)
def pad(node: Call, x: Any, pads: Any, value: Any = None, axes: Any = None, *, mode: str = "constant") -> Any:
    given, rank = integers(pads, "The amounts of padding"), len(shape_of(x))
    named = range(rank) if axes is None else [as_axis(one, rank) for one in integers(axes, "The axes to pad")]
    if len(given) != 2 * len(named):
        raise ShapeError(f"Padding of {len(named)} axes takes {2 * len(named)} amounts, received {len(given)}.")
    amounts = [(0, 0)] * rank
    for index, axis in enumerate(named):
        amounts[axis] = (given[index], given[index + len(named)])
    return _padded(x, amounts, mode, value)


@operator("Pad", since=2)
def pad_by_attributes(node: Call, x: Any, *, pads: tuple[int, ...], mode: str = "constant", value: float = 0.0) -> Any:
    return pad(node, x, np.asarray(pads, np.int64), np.asarray(value, np.float32), mode=mode)


@operator("Pad")
def pad_old(node: Call, x: Any, *, paddings: tuple[int, ...], mode: str = "constant", value: float = 0.0) -> Any:
    return pad(node, x, np.asarray(paddings, np.int64), np.asarray(value, np.float32), mode=mode)


@operator("CenterCropPad", since=18)
def center_crop_pad(node: Call, x: Any, target: Any, *, axes: Any = None) -> Any:
    rank = len(shape_of(x))
    named = range(rank) if axes is None else [as_axis(one, rank) for one in axes]
    amounts = [(0, 0)] * rank
    for axis, wanted in zip(named, integers(target, "The sizes to crop or pad to"), strict=True):
        more = wanted - dimension(x, axis)
        before = more // 2 if more >= 0 else -(-more // 2)
        amounts[axis] = (before, more - before)
    return _padded(x, amounts, "constant", None)


@operator("DepthToSpace")
def depth_to_space(node: Call, x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    batch = shape_of(x)[0]
    b, depth = int(blocksize), dimension(x, 1) // blocksize**2
    height, width = dimension(x, 2), dimension(x, 3)
    lead = -1 if batch is None else batch
    if mode == "DCR":
        parts = ops.transpose(ops.reshape(x, (lead, b, b, depth, height, width)), (0, 3, 4, 1, 5, 2))
    elif mode == "CRD":
        parts = ops.transpose(ops.reshape(x, (lead, depth, b, b, height, width)), (0, 1, 4, 2, 5, 3))
    else:
        raise UnsupportedError(f"mode {mode!r} is not supported; there are 'DCR' and 'CRD'.")
    return ops.reshape(parts, (lead, depth, height * b, width * b))


@operator("SpaceToDepth")
def space_to_depth(node: Call, x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    b, channels, height, width = int(blocksize), dimension(x, 1), dimension(x, 2), dimension(x, 3)
    lead = -1 if shape_of(x)[0] is None else shape_of(x)[0]
    parts = ops.reshape(x, (lead, channels, height // b, b, width // b, b))
    if mode == "DCR":
        parts = ops.transpose(parts, (0, 3, 5, 1, 2, 4))
    elif mode == "CRD":
        parts = ops.transpose(parts, (0, 1, 3, 5, 2, 4))
    else:
        raise UnsupportedError(f"mode {mode!r} is not supported; there are 'DCR' and 'CRD'.")
    return ops.reshape(parts, (lead, channels * b * b, height // b, width // b))
