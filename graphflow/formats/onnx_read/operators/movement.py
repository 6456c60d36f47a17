"""Operators that take, join, place and order elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops import indexing
from graphflow.ops.known import dimension, integers, is_known, is_open, static_shape, value_of
from graphflow.ops.operands import as_axis, dtype_of, shape_of
from graphflow.ops.sized import slice_at


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


@operator("TopK", since=11)
def top_k(node: Call, x: Any, k: Any, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    return indexing.top_k(x, int(value_of(k, "How many to take").reshape(-1)[0]), axis, bool(largest))


@operator("TopK", since=10)
def top_k_largest(node: Call, x: Any, k: Any, *, axis: int = -1) -> Any:
    return top_k(node, x, k, axis=axis)


@operator("TopK")
def top_k_by_attribute(node: Call, x: Any, *, k: int, axis: int = -1) -> Any:
    return top_k(node, x, np.asarray(k), axis=axis)
