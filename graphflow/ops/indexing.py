"""Elements by computed places: gather and scatter along axes and by tuples of indices, sorting, triangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, DataError, DTypeError, ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_axis, as_operand, cast_to, dtype_of, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape

REDUCTIONS = ("none", "add", "mul", "max", "min")
_UFUNCS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def wrapped(indices: Array, size: int, what: str = "Index") -> Array:
    """Indices from the front; those below zero count from the end.

    Raises:
        DataError: one outside [-size, size).
    """
    flat = indices.ravel()
    outside = np.flatnonzero((flat < -size) | (flat >= size))
    if outside.size:
        at = int(outside[0])
        raise DataError(f"{what} {int(flat[at])} at flat position {at} is outside an axis of {size} elements.")
    return np.where(indices < 0, indices + size, indices).astype(np.int64, copy=False)


def _check_indices(spec: TensorSpec) -> None:
    if not spec.dtype.startswith(("int", "uint")):
        raise DTypeError(f"Indices must be integers, received {spec.dtype}.")


# -- along an axis


def _infer_take(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, indices = specs
    _check_indices(indices)
    axis = attrs["axis"]
    return (x.with_shape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])),)


def _take_reference(attrs: Attrs, x: Array, indices: Array) -> Array:
    return np.take(x, wrapped(indices, x.shape[attrs["axis"]]), attrs["axis"])


TAKE = define("gather_axis", _infer_take, _take_reference)


def gather_axis(x: Any, indices: Any, axis: int = 0) -> Any:
    """The slices of `x` at integer `indices` of any shape along an axis; negative ones count from the end.

    Raises:
        DataError: at run time, an index outside the axis.
    """
    x = as_operand(x)
    return apply(TAKE, (x, as_operand(indices)), {"axis": as_axis(axis, len(shape_of(x)))})


def _infer_along(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, indices = specs[:2]
    _check_indices(indices)
    if x.rank != indices.rank:
        raise ShapeError(
            f"Data and indices must have one rank, received {format_shape(x.shape)}, {format_shape(indices.shape)}."
        )
    return (x.with_shape(indices.shape),)


def _places(shape: tuple[int, ...], indices: Array, axis: int) -> tuple[Array, ...]:
    grid = list(np.ix_(*(np.arange(size) for size in indices.shape))) if indices.ndim else []
    grid[axis] = wrapped(indices, shape[axis])
    return tuple(grid)


ALONG = define("gather_elements", _infer_along, lambda attrs, x, i: x[_places(x.shape, i, attrs["axis"])])


def gather_elements(x: Any, indices: Any, axis: int = 0) -> Any:
    """For each place of `indices` the element of `x` whose index along the axis it holds, and is its own otherwise."""
    x = as_operand(x)
    return apply(ALONG, (x, as_operand(indices)), {"axis": as_axis(axis, len(shape_of(x)))})


def _check_reduction(reduction: str) -> str:
    if reduction not in REDUCTIONS:
        raise ArgumentError(f"reduction must be one of {', '.join(REDUCTIONS)}, received {reduction!r}.")
    return reduction


def _put(x: Array, places: Any, updates: Array, reduction: str) -> Array:
    y = np.array(x)
    if reduction == "none":
        y[places] = updates
    else:
        _UFUNCS[reduction].at(y, places, updates)
    return y


def _infer_scatter_elements(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    _infer_along(attrs, specs, values)
    if specs[1].shape != specs[2].shape and None not in (*specs[1].shape, *specs[2].shape):
        raise ShapeError(f"Indices and updates must have one shape, received {specs[1]} and {specs[2]}.")
    return (specs[0],)


def _scatter_elements_reference(attrs: Attrs, x: Array, indices: Array, updates: Array) -> Array:
    return _put(x, _places(x.shape, indices, attrs["axis"]), updates, attrs["reduction"])


SCATTER_ELEMENTS = define("scatter_elements", _infer_scatter_elements, _scatter_elements_reference)


def scatter_elements(x: Any, indices: Any, updates: Any, axis: int = 0, reduction: str = "none") -> Any:
    """`x` with `updates` put where `gather_elements` would read; `reduction` joins them with what is there."""
    x = as_operand(x)
    attrs = {"axis": as_axis(axis, len(shape_of(x))), "reduction": _check_reduction(reduction)}
    return apply(SCATTER_ELEMENTS, (x, as_operand(indices), cast_to(as_operand(updates), dtype_of(x))), attrs)


# -- by tuples of indices


def _infer_gather_nd(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, indices = specs
    _check_indices(indices)
    depth, batch = indices.shape[-1], attrs["batch"]
    if depth is None or depth + batch > x.rank:
        raise ShapeError(f"Tuples of {depth} indices after {batch} axes do not fit {format_shape(x.shape)}.")
    return (x.with_shape((*indices.shape[:-1], *x.shape[batch + depth :])),)


def _gather_nd_reference(attrs: Attrs, x: Array, indices: Array) -> Array:
    batch, depth = attrs["batch"], indices.shape[-1]
    found = tuple(wrapped(indices[..., i], x.shape[batch + i]) for i in range(depth))
    lead = []
    for axis in range(batch):
        shape = [1] * (indices.ndim - 1)
        shape[axis] = x.shape[axis]
        lead.append(np.arange(x.shape[axis]).reshape(shape))
    return np.asarray(x[(*lead, *found)], order="C")


GATHER_ND = define("gather_nd", _infer_gather_nd, _gather_nd_reference)


def gather_nd(x: Any, indices: Any, batch_dims: int = 0) -> Any:
    """The slices of `x` at tuples of indices, which the last axis of `indices` holds, after shared batch axes."""
    return apply(GATHER_ND, (as_operand(x), as_operand(indices)), {"batch": int(batch_dims)})


def _infer_scatter_nd(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    _infer_gather_nd({"batch": 0}, specs[:2], values)
    return (specs[0],)


def _scatter_nd_reference(attrs: Attrs, x: Array, indices: Array, updates: Array) -> Array:
    places = tuple(wrapped(indices[..., i], x.shape[i]) for i in range(indices.shape[-1]))
    return _put(x, places, updates, attrs["reduction"])


SCATTER_ND = define("scatter_nd", _infer_scatter_nd, _scatter_nd_reference)


def scatter_nd(x: Any, indices: Any, updates: Any, reduction: str = "none") -> Any:
    """`x` with `updates` put where `gather_nd` would read; `reduction` joins them with what is there."""
    x = as_operand(x)
    attrs = {"reduction": _check_reduction(reduction)}
    return apply(SCATTER_ND, (x, as_operand(indices), cast_to(as_operand(updates), dtype_of(x))), attrs)


# -- order


def _infer_top_k(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, axis, k = specs[0], attrs["axis"], attrs["k"]
    if x.shape[axis] is not None and k > x.shape[axis]:
        raise ShapeError(f"There are no {k} largest of {x.shape[axis]} elements.")
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    return x.with_shape(shape), TensorSpec(shape, "int64")


def _top_k_reference(attrs: Attrs, x: Array) -> tuple[Array, Array]:
    axis, k = attrs["axis"], attrs["k"]
    if attrs["largest"]:
        flipped = np.flip(x, axis)
        order = x.shape[axis] - 1 - np.flip(np.argsort(flipped, axis, kind="stable"), axis)
    else:
        order = np.argsort(x, axis, kind="stable")
    found = np.take(order, np.arange(k), axis)
    return np.ascontiguousarray(np.take_along_axis(x, found, axis)), found.astype(np.int64)


TOP_K = define("top_k", _infer_top_k, _top_k_reference, single=False)


def top_k(x: Any, k: int, axis: int = -1, largest: bool = True) -> tuple[Any, Any]:
    """The k largest (or smallest) elements along an axis in order, and their places; the first of equals first."""
    x = as_operand(x)
    attrs = {"axis": as_axis(axis, len(shape_of(x))), "k": int(k), "largest": bool(largest)}
    values, places = apply(TOP_K, (x,), attrs)
    return values, places


# -- triangles, sequences turned round


def _triangle_reference(attrs: Attrs, x: Array) -> Array:
    return np.asarray((np.triu if attrs["upper"] else np.tril)(x, attrs["diagonal"]))


TRIANGLE = define("triangle", lambda attrs, specs, values: (specs[0],), _triangle_reference)


def triangle(x: Any, upper: bool = True, diagonal: int = 0) -> Any:
    """The matrices of the last two axes with zeros on the other side of a diagonal."""
    return apply(TRIANGLE, (as_operand(x),), {"upper": bool(upper), "diagonal": int(diagonal)})


def _reverse_reference(attrs: Attrs, x: Array, lengths: Array) -> Array:
    batch, time = attrs["batch"], attrs["time"]
    moved = np.moveaxis(x, (batch, time), (0, 1))
    steps = np.arange(moved.shape[1])
    for length in lengths:
        if not 0 <= length <= moved.shape[1]:
            raise DataError(f"A sequence length of {length} does not fit {moved.shape[1]} steps.")
    order = np.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    found = moved[np.arange(len(moved))[:, None], order]
    return np.ascontiguousarray(np.moveaxis(found, (0, 1), (batch, time)))


REVERSE = define("reverse_sequence", lambda attrs, specs, values: (specs[0],), _reverse_reference)


def reverse_sequence(x: Any, lengths: Any, batch_axis: int, time_axis: int) -> Any:
    """The first `lengths[row]` steps of each row in reverse order, the rest as they are."""
    x = as_operand(x)
    rank = len(shape_of(x))
    attrs = {"batch": as_axis(batch_axis, rank), "time": as_axis(time_axis, rank)}
    return apply(REVERSE, (x, as_operand(lengths)), attrs)


def _infer_pad_mode(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    sizes = zip(specs[0].shape, attrs["amounts"], strict=True)
    return (specs[0].with_shape(None if size is None else size + before + after for size, (before, after) in sizes),)


PAD_MODE = define("pad_from_inside", _infer_pad_mode, lambda attrs, x: np.pad(x, attrs["amounts"], mode=attrs["mode"]))


def pad_from_inside(x: Any, amounts: Any, mode: str) -> Any:
    """`x` with (before, after) elements added to each axis: "edge", "reflect", "symmetric" or "wrap", as np.pad."""
    plain = tuple((int(before), int(after)) for before, after in amounts)
    return apply(PAD_MODE, (as_operand(x),), {"amounts": plain, "mode": mode})


def _det_reference(attrs: Attrs, x: Array) -> Array:
    return np.asarray(np.linalg.det(x)).astype(x.dtype, copy=False)


DETERMINANT = define(
    "determinant",
    lambda attrs, specs, values: (specs[0].with_shape(specs[0].shape[:-2]),),
    _det_reference,
    tolerance=1e-5,
)


def determinant(x: Any) -> Any:
    """The determinants of the matrices of the last two axes."""
    return apply(DETERMINANT, (as_operand(x),), {})
