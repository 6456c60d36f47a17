"""Ops whose result has a shape that other tensors hold: known when a plan is made, if it follows from shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.errors import DTypeError, ShapeError
from graphflow.ops.array import getitem
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_operand
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, broadcast_shapes, dtype_name


def _sizes(spec: TensorSpec, value: Array | None) -> tuple[int | None, ...]:
    """The shape that a vector of integers holds, as far as it is known."""
    if spec.dtype not in ("int32", "int64") or spec.rank != 1 or spec.shape[0] is None:
        raise DTypeError(f"A shape must be a vector of int32 or int64 of known length, received {spec}.")
    if value is None:
        return (None,) * spec.shape[0]
    sizes = tuple(None if np.isnan(one) else int(one) for one in value)
    if any(size is not None and size < 0 for size in sizes):
        raise ShapeError(f"{sizes} is no shape.")
    return sizes


def _count(start: Any, limit: Any, step: Any) -> int:
    if not step:
        raise ShapeError("A range must not have a step of 0.")
    return int(max(math.ceil((limit - start) / step), 0))


def _infer_range(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    if any(value is None or np.isnan(value).any() for value in values):
        return (TensorSpec((None,), specs[0].dtype),)
    return (TensorSpec((_count(*(int(value) for value in values)),), specs[0].dtype),)


def _range_reference(attrs: Attrs, start: Array, limit: Array, step: Array) -> Array:
    return np.asarray(start + np.arange(_count(int(start), int(limit), int(step)), dtype=start.dtype) * step)


RANGE = define("range", _infer_range, _range_reference)


def range_of(start: Any, limit: Any, step: Any) -> Any:
    """start, start + step, ... below limit, of scalar integers of one dtype."""
    return apply(RANGE, (as_operand(start), as_operand(limit), as_operand(step)), {})


def _infer_fill(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (TensorSpec(_sizes(specs[0], values[0]), attrs["dtype"]),)


FILL = define("fill", _infer_fill, lambda attrs, sizes: np.full(tuple(sizes.tolist()), attrs["value"], attrs["dtype"]))


def fill(sizes: Any, value: float, dtype: str) -> Any:
    """A tensor of the shape that a vector of integers holds, filled with one value."""
    return apply(FILL, (as_operand(sizes),), {"value": value, "dtype": dtype_name(dtype)})


def _infer_expand(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (specs[0].with_shape(broadcast_shapes(specs[0].shape, _sizes(specs[1], values[1]))),)


def _expand_reference(attrs: Attrs, x: Array, sizes: Array) -> Array:
    shape = np.broadcast_shapes(x.shape, tuple(sizes.tolist()))
    return np.asarray(np.broadcast_to(x, shape), order="C")


EXPAND = define("expand_to", _infer_expand, _expand_reference)


def expand_to(x: Any, sizes: Any) -> Any:
    """`x` broadcast with the shape that a vector of integers holds."""
    return apply(EXPAND, (as_operand(x), as_operand(sizes)), {})


def _cut(attrs: Attrs, starts: Any, ends: Any, rank: int) -> tuple[slice, ...]:
    keys = [slice(None)] * rank
    for axis, step, start, end in zip(attrs["axes"], attrs["steps"], starts, ends, strict=True):
        stop = None if step < 0 and end < -(2**31) + 1 else int(end)
        keys[axis] = slice(int(start), stop, step)
    return tuple(keys)


def _infer_slice(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x = specs[0]
    shape: list[int | None] = list(x.shape)
    known = not any(value is None or np.isnan(value).any() for value in values[1:])
    keys = _cut(attrs, values[1].reshape(-1), values[2].reshape(-1), x.rank) if known else ()
    for axis in attrs["axes"]:
        size = shape[axis]
        shape[axis] = len(range(*keys[axis].indices(size))) if known and size is not None else None
    return (x.with_shape(shape),)


def _slice_reference(attrs: Attrs, x: Array, starts: Array, ends: Array) -> Array:
    return np.asarray(x[_cut(attrs, starts.reshape(-1), ends.reshape(-1), x.ndim)], order="C")


SLICE = define("slice_at", _infer_slice, _slice_reference)


def slice_at(x: Any, starts: Any, ends: Any, axes: Any, steps: Any) -> Any:
    """`x` between bounds that tensors hold, along `axes` and by `steps`, as NumPy's slices."""
    known = all(isinstance(one, np.ndarray) for one in (starts, ends))
    attrs = {"axes": tuple(int(one) for one in axes), "steps": tuple(int(one) for one in steps)}
    if known:
        return getitem(x, _cut(attrs, starts.reshape(-1), ends.reshape(-1), len(x.shape)))
    return apply(SLICE, (as_operand(x), as_operand(starts), as_operand(ends)), attrs)
