"""Functions of TensorFlow that take elements to other places, with TensorFlow's parameters; see `keras_tf_ops`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import UnsupportedError
from graphflow.operand import Operand
from graphflow.ops.indexing import gather_axis
from graphflow.ops.operands import shape_of
from graphflow.ops.shape import reshape_to


def axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def reshape(tensor: Any, shape: Any, name: Any = None) -> Any:
    if isinstance(shape, (list, tuple)) and not any(isinstance(size, Operand) for size in shape):
        return ops.reshape(tensor, tuple(shape)) if _is_plain(tensor, shape) else reshape_to(tensor, shape)
    return reshape_to(tensor, shape)


def _is_plain(tensor: Any, shape: Sequence[int]) -> bool:
    return None not in shape_of(tensor) and -1 not in shape


def expand_dims(input: Any, axis: int, name: Any = None) -> Any:
    return ops.expand_dims(input, axis)


def squeeze(input: Any, axis: Any = None, name: Any = None, squeeze_dims: Any = None) -> Any:
    axis = squeeze_dims if axis is None else axis
    return ops.squeeze(input, axes(axis) or None)


def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: Any = None) -> Any:
    return ops.transpose(a, perm)


def concat(values: Any, axis: int, name: Any = None) -> Any:
    return ops.concatenate(values, axis) if isinstance(values, (list, tuple)) else values


def stack(values: Any, axis: int = 0, name: Any = None) -> Any:
    return ops.stack(values, axis)


def unstack(value: Any, num: int | None = None, axis: int = 0, name: Any = None) -> Any:
    count = shape_of(value)[axis]
    if count is None:
        raise UnsupportedError("tf.unstack along an axis of unknown size is not supported.")
    return [ops.squeeze(part, axis) for part in ops.split(value, count, axis)]


def split(value: Any, num_or_size_splits: Any, axis: int = 0, num: Any = None, name: Any = None) -> Any:
    parts = num_or_size_splits
    if isinstance(parts, (list, tuple)) and -1 in parts:
        whole = shape_of(value)[axis]
        if whole is None:
            raise UnsupportedError("tf.split into a part of -1 along an axis of unknown size is not supported.")
        rest = whole - sum(size for size in parts if size != -1)
        parts = [rest if size == -1 else size for size in parts]
    return ops.split(value, parts, axis)


def getitem(tensor: Any, slice_spec: Any = None, var: Any = None, name: Any = None) -> Any:
    keys = slice_spec if isinstance(slice_spec, (list, tuple)) else [slice_spec]
    made = tuple(_slice(key) for key in keys)
    if any(isinstance(part, Operand) for key in made for part in _parts(key)):
        raise UnsupportedError("Indexing by a tensor is not supported; tf.gather is.")
    return ops.getitem(tensor, made)


def _parts(key: Any) -> tuple[Any, ...]:
    return (key.start, key.stop, key.step) if isinstance(key, slice) else (key,)


def _slice(key: Any) -> Any:
    if isinstance(key, dict) and {"start", "stop", "step"} <= key.keys():
        return slice(key["start"], key["stop"], key["step"])
    return key


def part(input_: Any, begin: Sequence[int], size: Sequence[int], name: Any = None) -> Any:
    pairs = zip(begin, size, strict=True)
    return ops.getitem(input_, tuple(slice(start, None if n == -1 else start + n) for start, n in pairs))


def gather(params: Any, indices: Any, axis: int | None = None, batch_dims: int = 0, **_: Any) -> Any:
    if batch_dims:
        raise UnsupportedError("tf.gather with batch_dims is not supported.")
    indices = indices if isinstance(indices, Operand) else np.asarray(indices, np.int32)
    return gather_axis(params, indices, axis or 0)


def where(condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Any:
    if x is None or y is None:
        raise UnsupportedError("tf.where without x and y is not supported.")
    return ops.where(condition, x, y)


def clip(t: Any, clip_value_min: Any, clip_value_max: Any, name: Any = None) -> Any:
    return ops.minimum(ops.maximum(t, clip_value_min), clip_value_max)


def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: float = 0, name: Any = None) -> Any:
    if str(mode).upper() != "CONSTANT":
        from graphflow.ops.indexing import pad_from_inside

        return pad_from_inside(tensor, paddings, str(mode).lower())
    return ops.pad(tensor, paddings, constant_values)


def tile(input: Any, multiples: Sequence[int], name: Any = None) -> Any:
    return ops.tile(input, multiples)


def repeat(input: Any, repeats: int, axis: int | None = None, name: Any = None) -> Any:
    if axis is None:
        input, axis = ops.reshape(input, (-1,)), 0
    return ops.repeat(input, repeats, axis)


def reverse(tensor: Any, axis: Any, name: Any = None) -> Any:
    return ops.flip(tensor, axes(axis))
