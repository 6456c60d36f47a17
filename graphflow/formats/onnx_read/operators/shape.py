"""Operators that give shapes and change them."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ShapeError
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.known import integers, is_known, is_open, static_shape, value_of
from graphflow.ops.operands import as_axes, shape_of
from graphflow.ops.shape import reshape_to
from graphflow.ops.sized import expand_to
from graphflow.spec import broadcast_shapes, element_count


@operator("Identity")
def identity(node: Call, x: Any) -> Any:
    return x


def _sizes_as_int64(sizes: Any) -> Any:
    return ops.cast(sizes, "int64")


@operator("Shape")
def shape(node: Call, x: Any, *, start: int = 0, end: int | None = None) -> Any:
    rank = len(shape_of(x))
    begin, stop, _ = slice(start, end).indices(rank)
    sizes = shape_of(x)[begin : max(begin, stop)]
    if None not in sizes:
        return np.asarray(sizes, np.int64)
    return _sizes_as_int64(ops.getitem(ops.shape(x), slice(begin, stop)))


@operator("Size")
def size(node: Call, x: Any) -> Any:
    count = element_count(shape_of(x))
    return np.asarray(count, np.int64) if count is not None else ops.prod(_sizes_as_int64(ops.shape(x)))


def _reshaped(x: Any, target: Any, allowzero: bool) -> Any:
    if not is_known(target):
        partly = getattr(target, "known", None)
        if partly is not None and not (partly == 0).any():
            return reshape_to(x, target)
        target = value_of(target, "The shape to reshape to")
    sizes: list[Any] = list(integers(target))
    given = shape_of(x)
    if not allowzero:
        for axis, one in enumerate(sizes):
            if one == 0:
                if axis >= len(given):
                    raise ShapeError(f"A size of 0 is copied from the input, which has no axis {axis}.")
                sizes[axis] = given[axis]
    if None not in sizes:
        return ops.reshape(x, sizes)
    if sizes.count(None) == 1 and -1 not in sizes:
        return ops.reshape(x, sizes)
    return ops.reshape(x, [ops.shape(x)[axis] if one is None else one for axis, one in enumerate(sizes)])


@operator("Reshape", since=5)
def reshape(node: Call, x: Any, target: Any, *, allowzero: int = 0) -> Any:
    return _reshaped(x, target, bool(allowzero))


@operator("Reshape")
def reshape_by_attribute(node: Call, x: Any, *, shape: tuple[int, ...]) -> Any:
    return _reshaped(x, np.asarray(shape, np.int64), False)


@operator("Flatten")
def flatten(node: Call, x: Any, *, axis: int = 1) -> Any:
    shape = shape_of(x)
    first = axis + len(shape) if axis < 0 else axis
    if not 0 <= first <= len(shape):
        raise ShapeError(f"There is no axis {axis} to flatten at in {len(shape)} axes.")
    before, after = element_count(shape[:first]), element_count(shape[first:])
    if first == 1:
        return ops.flatten(x)
    if before is not None:
        return ops.reshape(x, (before, -1 if after is None else after))
    if after is not None:
        return ops.reshape(x, (-1, after))
    static_shape(x)
    raise AssertionError


@operator("Squeeze", since=13)
def squeeze(node: Call, x: Any, axes: Any = None) -> Any:
    if axes is None:
        static_shape(x)
        return ops.squeeze(x)
    return ops.squeeze(x, integers(axes, "The axes to squeeze"))


@operator("Squeeze")
def squeeze_by_attribute(node: Call, x: Any, *, axes: Any = None) -> Any:
    return squeeze(node, x, None if axes is None else np.asarray(axes, np.int64))


@operator("Unsqueeze", since=13)
def unsqueeze(node: Call, x: Any, axes: Any) -> Any:
    given = integers(axes, "The axes to add")
    rank = len(shape_of(x)) + len(given)
    for axis in as_axes(given, rank):
        x = ops.expand_dims(x, axis)
    return x


@operator("Unsqueeze")
def unsqueeze_by_attribute(node: Call, x: Any, *, axes: tuple[int, ...]) -> Any:
    return unsqueeze(node, x, np.asarray(axes, np.int64))


@operator("Transpose")
def transpose(node: Call, x: Any, *, perm: Any = None) -> Any:
    return ops.transpose(x, perm)


@operator("Expand", since=8)
def expand(node: Call, x: Any, target: Any) -> Any:
    if is_open(target) or None in shape_of(x):
        return expand_to(x, target)
    merged = broadcast_shapes(static_shape(x), integers(target, "The shape to expand to"))
    return x if merged == shape_of(x) else ops.broadcast_to(x, merged)  # type: ignore[arg-type]


@operator("Tile", since=6)
def tile(node: Call, x: Any, repeats: Any) -> Any:
    return ops.tile(x, integers(repeats, "How often to repeat"))
