"""Operators that make tensors of numbers that the model file or a shape gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ModelFormatError, ShapeError
from graphflow.formats.onnx_read.operators.elementwise import target_dtype
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.known import integers, is_open, static_shape, value_of
from graphflow.ops.operands import as_axis, dtype_of, shape_of
from graphflow.ops.sized import fill, range_of


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
