"""Shape and order: reshape, transpose, concatenate, slice, pad, gather, and their kin. None of them computes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ShapeError
from graphflow.operand import Operand
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_axes, as_axis, as_operand, cast_to, dtype_of, promote, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import Shape, TensorSpec, broadcast_shapes, element_count, format_shape, merge_dimension

VIEWS = ("reshape", "expand_dims", "squeeze", "flatten", "reshape_to")
"""Ops whose output is their input under another shape, in the same order."""


def _infer_reshape(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    target = attrs["shape"]
    total = element_count(specs[0].shape)
    if -1 not in target:
        if total is not None and total != math.prod(target):
            raise ShapeError(f"Can not reshape {format_shape(specs[0].shape)} into {format_shape(target)}.")
        return (specs[0].with_shape(target),)
    rest = math.prod(size for size in target if size != -1)
    if total is None:
        return (specs[0].with_shape(None if size == -1 else size for size in target),)
    if rest == 0 or total % rest:
        raise ShapeError(f"Can not reshape {format_shape(specs[0].shape)} into {format_shape(target)}.")
    return (specs[0].with_shape(total // rest if size == -1 else size for size in target),)


RESHAPE = define("reshape", _infer_reshape, lambda attrs, x: x.reshape(attrs["shape"]))


def reshape(x: Any, shape: Any) -> Any:
    """`x` with another shape of as many elements; one dimension may be -1.

    `shape` may be a vector of integers that is computed, or hold scalar tensors, such as elements of `ops.shape(x)`.

    Raises:
        ShapeError: the sizes do not multiply to the same number.
    """
    if isinstance(shape, Operand) or any(isinstance(size, Operand) for size in shape):
        from graphflow.ops.shape import reshape_to

        return reshape_to(x, shape)
    target = tuple(-1 if size is None else int(size) for size in shape)
    if sum(size == -1 for size in target) > 1 or any(size < -1 for size in target):
        raise ArgumentError(
            f"A shape to reshape to may hold one -1 and no other negative size, received {tuple(shape)}."
        )
    return apply(RESHAPE, (as_operand(x),), {"shape": target})


def _infer_flatten(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    if not specs[0].rank:
        raise ShapeError("Flatten needs at least a batch axis, received a scalar.")
    return (specs[0].with_shape((specs[0].shape[0], element_count(specs[0].shape[1:]))),)


FLATTEN = define("flatten", _infer_flatten, lambda attrs, x: x.reshape(x.shape[0], math.prod(x.shape[1:])))


def flatten(x: Any) -> Any:
    """(batch, ...) to (batch, product of the rest)."""
    return apply(FLATTEN, (as_operand(x),), {})


def _infer_expand(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    axis, shape = attrs["axis"], specs[0].shape
    return (specs[0].with_shape((*shape[:axis], 1, *shape[axis:])),)


EXPAND_DIMS = define("expand_dims", _infer_expand, lambda attrs, x: np.expand_dims(x, attrs["axis"]))


def expand_dims(x: Any, axis: int) -> Any:
    """A new axis of one element at `axis` of the result."""
    x = as_operand(x)
    return apply(EXPAND_DIMS, (x,), {"axis": as_axis(axis, len(shape_of(x)) + 1)})


def _infer_squeeze(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    shape = specs[0].shape
    for axis in attrs["axes"]:
        if shape[axis] not in (1, None):
            raise ShapeError(f"Only axes of size 1 can be squeezed, axis {axis} has {shape[axis]}.")
    return (specs[0].with_shape(size for axis, size in enumerate(shape) if axis not in attrs["axes"]),)


SQUEEZE = define("squeeze", _infer_squeeze, lambda attrs, x: x.squeeze(attrs["axes"]))


def squeeze(x: Any, axis: Any = None) -> Any:
    """`x` without the named axes, which must have one element; None: all that are known to have one."""
    x = as_operand(x)
    shape = shape_of(x)
    axes = tuple(i for i, size in enumerate(shape) if size == 1) if axis is None else as_axes(axis, len(shape))
    return apply(SQUEEZE, (x,), {"axes": axes})


def _infer_transpose(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    axes, shape = attrs["axes"], specs[0].shape
    if sorted(axes) != list(range(len(shape))):
        raise ShapeError(f"axes must be a permutation of the {len(shape)} axes of the input, received {axes}.")
    return (specs[0].with_shape(shape[axis] for axis in axes),)


TRANSPOSE = define("transpose", _infer_transpose, lambda attrs, x: np.ascontiguousarray(x.transpose(attrs["axes"])))


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """The axes of `x` in the order `axes`; None: reversed."""
    x = as_operand(x)
    rank = len(shape_of(x))
    order = tuple(reversed(range(rank))) if axes is None else tuple(as_axis(axis, rank) for axis in axes)
    return x if order == tuple(range(rank)) else apply(TRANSPOSE, (x,), {"axes": order})


def channels_last(x: Any) -> Any:
    """(batch, channels, ...) to (batch, ..., channels)."""
    rank = len(shape_of(x))
    return transpose(x, (0, *range(2, rank), 1))


def channels_first(x: Any) -> Any:
    """(batch, ..., channels) to (batch, channels, ...)."""
    rank = len(shape_of(x))
    return transpose(x, (0, rank - 1, *range(1, rank - 1)))


def _infer_concatenate(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    axis, first = attrs["axis"], specs[0]
    shape = list(first.shape)
    for spec in specs[1:]:
        if spec.rank != first.rank:
            listed = ", ".join(format_shape(one.shape) for one in specs)
            raise ShapeError(f"Tensors to concatenate must have one rank, received shapes {listed}.")
        for i, size in enumerate(spec.shape):
            if i == axis:
                shape[i] = None if shape[i] is None or size is None else shape[i] + size
            else:
                listed = " and ".join((format_shape(first.shape), format_shape(spec.shape)))
                shape[i] = merge_dimension(shape[i], size, f"Sizes of axis {i} of tensors to concatenate ({listed})")
    return (first.with_shape(shape),)


CONCATENATE = define("concatenate", _infer_concatenate, lambda attrs, *arrays: np.concatenate(arrays, attrs["axis"]))


def concatenate(xs: Sequence[Any], axis: int = -1) -> Any:
    """Tensors one after another along an axis; their other sizes must be equal."""
    if not isinstance(xs, (list, tuple)) or not xs:
        raise ArgumentError(f"concatenate needs a list of at least one tensor, received {xs!r}.")
    tensors = [as_operand(x) for x in xs]
    dtype = dtype_of(tensors[0])
    for tensor in tensors[1:]:
        dtype = promote(dtype, dtype_of(tensor))
    tensors = [cast_to(tensor, dtype) for tensor in tensors]
    return apply(CONCATENATE, tuple(tensors), {"axis": as_axis(axis, len(shape_of(tensors[0])))})


def stack(xs: Sequence[Any], axis: int = 0) -> Any:
    """Tensors of one shape along a new axis."""
    rank = len(shape_of(as_operand(xs[0]))) + 1
    return concatenate([expand_dims(x, as_axis(axis, rank)) for x in xs], as_axis(axis, rank))


def _slice_size(size: int | None, start: int | None, stop: int | None, step: int | None) -> int | None:
    if size is not None:
        return len(range(*slice(start, stop, step).indices(size)))
    if start in (None, 0) and stop == 0 and (step is None or step > 0):
        return 0
    return None


def _infer_getitem(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    shape: list[int | None] = []
    for axis, (key, size) in enumerate(zip(attrs["key"], specs[0].shape, strict=True)):
        if isinstance(key, int):
            if size is not None and not -size <= key < size:
                raise ShapeError(f"Index {key} is out of range for axis {axis}, which has {size} elements.")
        else:
            shape.append(_slice_size(size, *key))
    return (specs[0].with_shape(shape),)


def _getitem_reference(attrs: Attrs, x: Array) -> Array:
    return np.asarray(x[tuple(key if isinstance(key, int) else slice(*key) for key in attrs["key"])], order="C")


GETITEM = define("getitem", _infer_getitem, _getitem_reference)


def getitem(x: Any, key: Any) -> Any:
    """Basic indexing by integers, slices, Ellipsis and None, as NumPy does it.

    Raises:
        ArgumentError: another kind of index, or more indices than axes.
    """
    keys = key if isinstance(key, tuple) else (key,)
    rank = len(shape_of(x))
    given = sum(1 for one in keys if one is not None and one is not Ellipsis)
    if given > rank or sum(one is Ellipsis for one in keys) > 1:
        raise ArgumentError(f"Too many indices for a tensor of rank {rank}: {key!r}.")
    plain: list[Any] = []
    new_axes: list[int] = []
    position = 0
    for one in keys if Ellipsis in [k for k in keys if k is None or k is Ellipsis] else (*keys, Ellipsis):
        if one is None:
            new_axes.append(position)
            position += 1
        elif one is Ellipsis:
            plain.extend([(None, None, None)] * (rank - given))
            position += rank - given
        elif isinstance(one, slice):
            plain.append(tuple(None if part is None else int(part) for part in (one.start, one.stop, one.step)))
            position += 1
        elif isinstance(one, (int, np.integer)) and not isinstance(one, bool):
            plain.append(int(one))
        else:
            raise ArgumentError(f"A tensor is indexed by integers, slices, Ellipsis and None, received {one!r}.")
    result = x
    if any(one != (None, None, None) for one in plain):
        result = apply(GETITEM, (as_operand(x),), {"key": tuple(plain)})
    for axis in new_axes:
        result = expand_dims(result, axis)
    return result


def _infer_split(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    axis, sizes, shape = attrs["axis"], attrs["sizes"], specs[0].shape
    if shape[axis] is not None and shape[axis] != sum(sizes):
        raise ShapeError(f"Parts of {sizes} do not add up to the {shape[axis]} elements of axis {axis}.")
    return tuple(specs[0].with_shape((*shape[:axis], size, *shape[axis + 1 :])) for size in sizes)


def _split_reference(attrs: Attrs, x: Array) -> tuple[Array, ...]:
    ends = np.cumsum(attrs["sizes"])[:-1]
    return tuple(np.ascontiguousarray(part) for part in np.split(x, ends, attrs["axis"]))


SPLIT = define("split", _infer_split, _split_reference, single=False)


def split(x: Any, parts: int | Sequence[int], axis: int = 0) -> list[Any]:
    """`x` cut along an axis into equal parts (an integer) or parts of the given sizes."""
    x = as_operand(x)
    shape = shape_of(x)
    axis = as_axis(axis, len(shape))
    if isinstance(parts, int):
        size = shape[axis]
        if size is None or parts < 1 or size % parts:
            raise ShapeError(f"Axis {axis} of {format_shape(shape)} can not be split into {parts} equal parts.")
        parts = (size // parts,) * parts
    return list(apply(SPLIT, (x,), {"axis": axis, "sizes": tuple(int(size) for size in parts)}))


def _infer_pad(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    sizes = zip(specs[0].shape, attrs["amounts"], strict=True)
    return (specs[0].with_shape(None if size is None else size + before + after for size, (before, after) in sizes),)


PAD = define("pad", _infer_pad, lambda attrs, x: np.pad(x, attrs["amounts"], constant_values=attrs["value"]))


def pad(x: Any, amounts: Sequence[Sequence[int]], value: float = 0.0) -> Any:
    """`x` with (before, after) elements of `value` added to each axis."""
    x = as_operand(x)
    if len(amounts) != len(shape_of(x)):
        raise ArgumentError(
            f"pad needs a (before, after) pair for each of {len(shape_of(x))} axes, received {amounts}."
        )
    plain = tuple((int(before), int(after)) for before, after in amounts)
    if any(amount < 0 for pair in plain for amount in pair):
        raise ArgumentError(f"pad takes amounts of at least 0, received {amounts}.")
    return apply(PAD, (x,), {"amounts": plain, "value": value})


def _infer_broadcast(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    shape: Shape = attrs["shape"]
    merged = broadcast_shapes(specs[0].shape, shape)
    if len(merged) != len(shape) or any(
        b is not None and a not in (b, None) for a, b in zip(merged, shape, strict=True)
    ):
        raise ShapeError(f"Can not broadcast {format_shape(specs[0].shape)} to {format_shape(shape)}.")
    return (specs[0].with_shape(merged),)


BROADCAST_TO = define(
    "broadcast_to", _infer_broadcast, lambda attrs, x: np.asarray(np.broadcast_to(x, attrs["shape"]), order="C")
)


def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """`x` repeated along its axes of one element to fill `shape`."""
    return apply(BROADCAST_TO, (as_operand(x),), {"shape": tuple(int(size) for size in shape)})


def _infer_tile(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    sizes = zip(specs[0].shape, attrs["repeats"], strict=True)
    return (specs[0].with_shape(None if size is None else size * count for size, count in sizes),)


TILE = define("tile", _infer_tile, lambda attrs, x: np.tile(x, attrs["repeats"]))


def tile(x: Any, repeats: Sequence[int]) -> Any:
    """`x` repeated as a whole, `repeats` times along each axis."""
    x = as_operand(x)
    counts = tuple(int(count) for count in repeats)
    for _ in range(len(counts) - len(shape_of(x))):
        x = expand_dims(x, 0)
    counts = (1,) * (len(shape_of(x)) - len(counts)) + counts
    return apply(TILE, (x,), {"repeats": counts})


def _infer_repeat(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    axis, shape = attrs["axis"], specs[0].shape
    size = shape[axis]
    return (
        specs[0].with_shape((*shape[:axis], None if size is None else size * attrs["repeats"], *shape[axis + 1 :])),
    )


REPEAT = define("repeat", _infer_repeat, lambda attrs, x: np.repeat(x, attrs["repeats"], attrs["axis"]))


def repeat(x: Any, repeats: int, axis: int) -> Any:
    """Each element repeated `repeats` times along an axis."""
    x = as_operand(x)
    return apply(REPEAT, (x,), {"repeats": int(repeats), "axis": as_axis(axis, len(shape_of(x)))})


FLIP = define(
    "flip",
    lambda attrs, specs, values: (specs[0],),
    lambda attrs, x: np.ascontiguousarray(np.flip(x, attrs["axes"])),
)


def flip(x: Any, axis: Any = None) -> Any:
    """The elements in reverse order along an axis or several; None: all."""
    x = as_operand(x)
    return apply(FLIP, (x,), {"axes": as_axes(axis, len(shape_of(x)))})


def _fill(attrs: Attrs, x: Array) -> Array:
    return np.full(x.shape, attrs["value"], dtype=attrs["dtype"])


FULL_LIKE = define("full_like", lambda attrs, specs, values: (specs[0].with_dtype(attrs["dtype"]),), _fill)


def full_like(x: Any, value: float, dtype: str | None = None) -> Any:
    """A tensor of x's shape, filled with one value."""
    x = as_operand(x)
    return apply(FULL_LIKE, (x,), {"value": value, "dtype": dtype or dtype_of(x)})


def zeros_like(x: Any, dtype: str | None = None) -> Any:
    """A tensor of x's shape, filled with zeros."""
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: str | None = None) -> Any:
    """A tensor of x's shape, filled with ones."""
    return full_like(x, 1, dtype)
