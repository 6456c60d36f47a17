"""Images: reading at computed places, boxes, blocks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.formats.onnx_read.windows import per_axis
from graphflow.ops.known import integers, value_of
from graphflow.ops.sampling import fold_blocks, grid_sample

GRID_MODES = {"bilinear": "linear", "linear": "linear", "nearest": "nearest", "bicubic": "cubic", "cubic": "cubic"}


@operator("GridSample", since=16)
def sample(
    node: Call, x: Any, grid: Any, *, align_corners: int = 0, mode: str = "linear", padding_mode: str = "zeros"
) -> Any:
    if mode not in GRID_MODES:
        raise UnsupportedError(f"mode={mode!r} is not supported; there are {', '.join(GRID_MODES)}.")
    return grid_sample(x, grid, GRID_MODES[mode], padding_mode, bool(align_corners))


@operator("Col2Im", since=18)
def col2im(
    node: Call, x: Any, image: Any, block: Any, *, dilations: Any = None, pads: Any = None, strides: Any = None
) -> Any:
    sizes, taps = integers(image, "The shape of the image"), integers(block, "The shape of a block")
    rank = len(sizes)
    edges = per_axis(pads, 2 * rank, 0, "pads")
    return fold_blocks(
        x,
        sizes,
        taps,
        per_axis(strides, rank, 1, "strides"),
        per_axis(dilations, rank, 1, "dilations"),
        list(zip(edges[:rank], edges[rank:], strict=True)),
    )


def _corners(boxes: Any, centred: int) -> Any:
    """Boxes as (low, low, high, high)."""
    if centred:
        x, y, w, h = np.moveaxis(boxes, -1, 0)
        return np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1)
    first, second = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], -1)


def _kept(boxes: Any, scores: Any, most: int, overlap: float, least: float | None) -> list[int]:
    """The boxes of one class that are kept, best first."""
    order = np.argsort(-scores, kind="stable")
    if least is not None:
        order = order[scores[order] > least]
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept: list[int] = []
    while order.size and len(kept) < most:
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        shared = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(boxes[best, :2], boxes[rest, :2])
        common = np.prod(np.maximum(shared, 0), axis=1)
        union = area[best] + area[rest] - common
        with np.errstate(all="ignore"):
            order = rest[~(common / union > overlap)]
    return kept


def _number(x: Any, default: float) -> float:
    return default if x is None else float(value_of(x, "A threshold").reshape(-1)[0])


@operator("NonMaxSuppression", since=10)
def non_max_suppression(
    node: Call,
    boxes: Any,
    scores: Any,
    most: Any = None,
    overlap: Any = None,
    least: Any = None,
    *,
    center_point_box: int = 0,
) -> Any:
    count = int(_number(most, 0))
    corners = _corners(value_of(boxes, "Which boxes are kept").astype(np.float64), center_point_box)
    points = value_of(scores, "Which boxes are kept")
    rows: list[tuple[int, int, int]] = []
    for batch in range(len(corners)) if count else ():
        for label in range(points.shape[1]):
            found = _kept(
                corners[batch],
                points[batch, label],
                count,
                _number(overlap, 0.0),
                None if least is None else _number(least, -math.inf),
            )
            rows += [(batch, label, index) for index in found]
    return np.asarray(rows, np.int64).reshape(-1, 3)
