"""Operators that give shapes, change them, and move elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ModelFormatError, ShapeError, UnsupportedError
from graphflow.formats.onnx_read.operators.elementwise import target_dtype
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops import indexing
from graphflow.ops.known import dimension, integers, is_known, is_open, static_shape, value_of
from graphflow.ops.operands import as_axes, as_axis, dtype_of, shape_of
from graphflow.ops.shape import reshape_to
from graphflow.ops.sized import expand_to, fill, range_of, slice_at
from graphflow.spec import broadcast_shapes, element_count


@operator("Identity")
def identity(node: Call, x: Any) -> Any:
    return x


@operator("Constant")
def constant(
    node: Call,
    *,
    value: Any = None,
    value_float: Any = None,
    value_floats: Any = None,
    value_int: Any = None,
    value_ints: Any = None,
) -> Any:
    if value is not None:
        return value
    if value_float is not None or value_floats is not None:
        return np.asarray(value_float if value_floats is None else value_floats, np.float32)
    if value_int is not None or value_ints is not None:
        return np.asarray(value_int if value_ints is None else value_ints, np.int64)
    raise ModelFormatError("A Constant must hold a value.")


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


# -- other shapes


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


@operator("Concat", since=4)
def concat(node: Call, *xs: Any, axis: int) -> Any:
    return ops.concatenate(list(xs), axis)


@operator("Concat")
def concat_old(node: Call, *xs: Any, axis: int = 1) -> Any:
    return ops.concatenate(list(xs), axis)


def _split(node: Call, x: Any, sizes: Any, axis: int, count: int) -> tuple[Any, ...]:
    if sizes is None:
        whole = dimension(x, as_axis(axis, len(shape_of(x))))
        part = -(-whole // count)
        sizes = [min(part, max(whole - part * index, 0)) for index in range(count)]
    return tuple(ops.split(x, [int(one) for one in sizes], axis))


@operator("Split", since=13)
def split(node: Call, x: Any, sizes: Any = None, *, axis: int = 0, num_outputs: int | None = None) -> Any:
    given = None if sizes is None else integers(sizes, "The sizes to split into")
    return _split(node, x, given, axis, num_outputs or node.outputs)


@operator("Split", since=2)
def split_by_attribute(node: Call, x: Any, *, axis: int = 0, split: Any = None) -> Any:
    return _split(node, x, split, axis, node.outputs)


@operator("Split")
def split_old(node: Call, x: Any, sizes: Any = None, *, axis: int = 0, split: Any = None) -> Any:
    return _split(node, x, split if sizes is None else integers(sizes), axis, node.outputs)


# -- parts


def _sliced(x: Any, starts: Any, ends: Any, axes: Any, steps: Any) -> Any:
    rank = len(shape_of(x))
    keys: list[Any] = [slice(None)] * rank
    for index, axis in enumerate(range(len(starts)) if axes is None else axes):
        step = 1 if steps is None else steps[index]
        if not step:
            raise ModelFormatError("A slice must not have a step of 0.")
        start, end = starts[index], ends[index]
        if start == 0 and end >= 2**31 - 1 and step == 1:
            continue
        if step < 0 and end < -(2**31) + 1:
            end = None
        keys[as_axis(axis, rank)] = slice(start, end, step)
    return ops.getitem(x, tuple(keys)) if rank else x


@operator("Slice", since=10)
def slice_(node: Call, x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    if is_open(starts) or is_open(ends):
        count = dimension(starts, 0)
        named = range(count) if axes is None else integers(axes, "The axes to slice")
        strides = (1,) * count if steps is None else integers(steps, "The steps of slices")
        return slice_at(x, starts, ends, [as_axis(one, len(shape_of(x))) for one in named], strides)
    given = [None if one is None else integers(one, "Where to slice") for one in (starts, ends, axes, steps)]
    return _sliced(x, *given)


@operator("Slice")
def slice_by_attributes(node: Call, x: Any, *, starts: tuple[int, ...], ends: tuple[int, ...], axes: Any = None) -> Any:
    return _sliced(x, starts, ends, axes, None)


@operator("Gather")
def gather(node: Call, x: Any, indices: Any, *, axis: int = 0) -> Any:
    rank = len(shape_of(x))
    at = as_axis(axis, rank)
    size = shape_of(x)[at]
    if is_known(indices) and size is not None:
        places = value_of(indices)
        if places.ndim == 0:
            place = int(indexing.wrapped(places, size))
            return ops.getitem(x, (*(slice(None),) * at, place))
        if rank == 1 and places.ndim == 1 and 0 < places.size <= 8 and not isinstance(x, np.ndarray):
            parts = [int(one) for one in indexing.wrapped(places, size)]
            return ops.concatenate([ops.getitem(x, slice(one, one + 1)) for one in parts], 0)
    if not at and rank == 2 and size is not None and dtype_of(x) == "float32" and not is_known(indices):
        size_like = np.asarray(size, dtype_of(indices))
        inside = ops.where(ops.less(indices, np.zeros_like(size_like)), ops.add(indices, size_like), indices)
        return ops.embedding(inside, x)
    return indexing.gather_axis(x, indices, at)


@operator("GatherElements", since=11)
def gather_elements(node: Call, x: Any, indices: Any, *, axis: int = 0) -> Any:
    return indexing.gather_elements(x, indices, axis)


@operator("GatherND", since=11)
def gather_nd(node: Call, x: Any, indices: Any, *, batch_dims: int = 0) -> Any:
    return indexing.gather_nd(x, indices, batch_dims)


@operator("Scatter", "ScatterElements", since=9)
def scatter_elements(node: Call, x: Any, indices: Any, updates: Any, *, axis: int = 0, reduction: str = "none") -> Any:
    return indexing.scatter_elements(x, indices, updates, axis, reduction)


@operator("ScatterND", since=11)
def scatter_nd(node: Call, x: Any, indices: Any, updates: Any, *, reduction: str = "none") -> Any:
    return indexing.scatter_nd(x, indices, updates, reduction)


@operator("Compress", since=9)
def compress(node: Call, x: Any, condition: Any, *, axis: int | None = None) -> Any:
    kept = np.flatnonzero(value_of(condition, "What to keep"))
    if axis is None:
        return indexing.gather_axis(ops.reshape(x, (-1,)), kept, 0)
    return indexing.gather_axis(x, kept, axis)


@operator("NonZero", since=9)
def non_zero(node: Call, x: Any) -> Any:
    found = np.nonzero(np.atleast_1d(value_of(x, "Which elements are not zero")))
    return np.asarray(found, np.int64)


@operator("Unique", since=11)
def unique(node: Call, x: Any, *, axis: int | None = None, sorted: int = 1) -> Any:
    array = value_of(x, "Which elements are distinct")
    flat = array.reshape(-1) if axis is None else array
    at = 0 if axis is None else as_axis(axis, array.ndim)
    found, first, inverse, counts = np.unique(
        flat, return_index=True, return_inverse=True, return_counts=True, axis=None if axis is None else at
    )
    inverse = inverse.reshape(-1)
    if not sorted:
        order = np.argsort(first, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        found, first, inverse, counts = np.take(found, order, at), first[order], place[inverse], counts[order]
    return (found, *(one.astype(np.int64) for one in (first, inverse, counts)))


# -- more elements


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


@operator("ReverseSequence", since=10)
def reverse_sequence(node: Call, x: Any, lengths: Any, *, batch_axis: int = 1, time_axis: int = 0) -> Any:
    return indexing.reverse_sequence(x, lengths, batch_axis, time_axis)


@operator("Trilu", since=14)
def trilu(node: Call, x: Any, k: Any = None, *, upper: int = 1) -> Any:
    return indexing.triangle(x, bool(upper), 0 if k is None else int(value_of(k, "The diagonal").item()))


@operator("TensorScatter", since=24)
def tensor_scatter(
    node: Call, past: Any, update: Any, write: Any = None, *, axis: int = -2, mode: str = "linear"
) -> Any:
    if mode not in ("linear", "circular"):
        raise UnsupportedError(f"mode {mode!r} is not supported; there are 'linear' and 'circular'.")
    shape, at = static_shape(past), as_axis(axis, len(shape_of(past)))
    steps = np.arange(dimension(update, at)).reshape((-1,) + (1,) * (len(shape) - at - 1))
    starts = np.zeros(shape[0], np.int64) if write is None else write
    places = ops.add(ops.reshape(ops.cast(starts, "int64"), (-1,) + (1,) * (len(shape) - 1)), steps)
    if mode == "circular":
        places = ops.mod(places, np.asarray(shape[at], np.int64))
    return indexing.scatter_elements(past, ops.broadcast_to(places, static_shape(update)), update, at)


# -- made from sizes

MOST_ELEMENTS = 1 << 31
"""No operator fills a shape of more elements from a number alone."""


def _checked(shape: tuple[int, ...]) -> tuple[int, ...]:
    if math.prod(shape) > MOST_ELEMENTS or any(size < 0 for size in shape):
        raise ShapeError(f"{shape} is no shape to fill.")
    return shape


@operator("ConstantOfShape", since=9)
def constant_of_shape(node: Call, sizes: Any, *, value: Any = None) -> Any:
    filler = np.zeros(1, np.float32) if value is None else value
    if is_open(sizes) and filler.dtype.kind in "iufb":
        return fill(sizes, filler.reshape(-1)[0].item(), filler.dtype.name)
    return np.full(_checked(integers(sizes, "The shape to fill")), filler.reshape(-1)[0], filler.dtype)


@operator("Range", since=11)
def range_(node: Call, start: Any, limit: Any, delta: Any, *, stash_type: int = 1) -> Any:
    if any(is_open(one) for one in (start, limit, delta)) and dtype_of(start) in ("int32", "int64"):
        return range_of(*(ops.reshape(one, ()) for one in (start, limit, delta)))
    first, last, step = (value_of(one, "A range").reshape(()) for one in (start, limit, delta))
    if not step:
        raise ModelFormatError("A range must not have a step of 0.")
    wide = first.dtype.kind not in "iuf"
    a, b, c = (float(one) if wide or first.dtype.kind == "f" else int(one) for one in (first, last, step))
    count = max(math.ceil((b - a) / c), 0)
    _checked((count,))
    made = np.arange(count, dtype=np.float32 if wide else first.dtype)
    if wide:
        return (np.float32(a) + made * np.float32(c)).astype(first.dtype)
    if first.dtype == np.float16:
        return (np.float32(a) + np.arange(count, dtype=np.float32) * np.float32(c)).astype(np.float16)
    return first + made * step


@operator("EyeLike", since=9)
def eye_like(node: Call, x: Any, *, dtype: int | None = None, k: int = 0) -> Any:
    rows, columns = static_shape(x)
    _checked((rows, columns))
    return np.eye(rows, columns, k, dtype_of(x) if dtype is None else target_dtype(dtype))


@operator("OneHot", since=9)
def one_hot(node: Call, indices: Any, depth: Any, values: Any, *, axis: int = -1) -> Any:
    count = int(value_of(depth, "The depth").reshape(-1)[0])
    whole = ops.cast(indices, "int64")
    inside = ops.where(ops.less(whole, np.zeros((), np.int64)), ops.add(whole, np.asarray(count, np.int64)), whole)
    made = ops.one_hot(inside, count, "bool")
    rank = len(shape_of(indices)) + 1
    at = as_axis(axis, rank)
    order = [*range(rank - 1)]
    order.insert(at, rank - 1)
    off, on = (ops.getitem(values, index) for index in (0, 1))
    return ops.where(ops.transpose(made, order), on, off)


@operator("TopK", since=11)
def top_k(node: Call, x: Any, k: Any, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    return indexing.top_k(x, int(value_of(k, "How many to take").reshape(-1)[0]), axis, bool(largest))


@operator("TopK", since=10)
def top_k_largest(node: Call, x: Any, k: Any, *, axis: int = -1) -> Any:
    return top_k(node, x, k, axis=axis)


@operator("TopK")
def top_k_by_attribute(node: Call, x: Any, *, k: int, axis: int = -1) -> Any:
    return top_k(node, x, np.asarray(k), axis=axis)


@operator("Dropout", since=12)
def dropout(node: Call, x: Any, ratio: Any = None, training: Any = None, *, seed: int = 0) -> Any:
    if training is not None and bool(value_of(training, "Whether it is trained").item()):
        rate = 0.5 if ratio is None else float(value_of(ratio, "The ratio").item())
        if rate:
            raise UnsupportedError("Dropout in training is not supported.")
    return x, ops.ones_like(x, "bool") if node.wants(1) else None


@operator("Dropout", since=7)
def dropout_by_attribute(node: Call, x: Any, *, ratio: float = 0.5) -> Any:
    """The mask had the data's type up to version 9."""
    mask = None
    if node.wants(1):
        mask = ops.ones_like(x, "bool" if node.version >= 10 else dtype_of(x))
    return x, mask


@operator("Dropout")
def dropout_old(node: Call, x: Any, *, ratio: float = 0.5, is_test: int = 0) -> Any:
    if not is_test:
        raise UnsupportedError("Dropout in training (is_test=0) is not supported.")
    return dropout_by_attribute(node, x)
