"""Operators over axes: sums, extremes, softmax, running sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.formats.onnx_read.operators.elementwise import FLOATS
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.known import dimension, integers, static_shape, value_of
from graphflow.ops.operands import as_axes, as_axis, cast_to, dtype_of, shape_of

Reduction = Callable[[Any, tuple[int, ...], bool], Any]


def _extreme(name: str) -> Reduction:
    def reduced(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        dtype = dtype_of(x)
        if dtype == "bool":
            return (ops.any if name == "max" else ops.all)(x, axes, keepdims)
        if 0 in [shape_of(x)[axis] for axis in axes]:
            shape = static_shape(x)
            kept = [1 if axis in axes else size for axis, size in enumerate(shape) if keepdims or axis not in axes]
            return np.full(kept, _of_nothing(name, dtype), dtype)
        return (ops.max if name == "max" else ops.min)(x, axes, keepdims)

    return reduced


def _of_nothing(name: str, dtype: str) -> Any:
    if dtype in FLOATS:
        return -np.inf if name == "max" else np.inf
    limits = np.iinfo(dtype)
    return limits.min if name == "max" else limits.max


def _mean(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if dtype_of(x) in FLOATS:
        return ops.mean(x, axes, keepdims)
    return cast_to(ops.mean(cast_to(x, "float64"), axes, keepdims), dtype_of(x))


def _root(x: Any) -> Any:
    return ops.sqrt(x) if dtype_of(x) in FLOATS else cast_to(ops.sqrt(cast_to(x, "float64")), dtype_of(x))


def _log_sum_exp(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if 0 in [shape_of(x)[axis] for axis in axes]:
        return ops.log(ops.sum(ops.exp(x), axes, keepdims))
    return ops.logsumexp(x, axes, keepdims)


REDUCTIONS: dict[str, Reduction] = {
    "ReduceSum": ops.sum,
    "ReduceMean": _mean,
    "ReduceProd": ops.prod,
    "ReduceMax": _extreme("max"),
    "ReduceMin": _extreme("min"),
    "ReduceL1": lambda x, axes, keepdims: ops.sum(ops.absolute(x), axes, keepdims),
    "ReduceL2": lambda x, axes, keepdims: _root(ops.sum(ops.square(x), axes, keepdims)),
    "ReduceLogSum": lambda x, axes, keepdims: ops.log(ops.sum(x, axes, keepdims)),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceSumSquare": lambda x, axes, keepdims: ops.sum(ops.square(x), axes, keepdims),
}


_BEFORE: dict[str, Callable[[Any], Any]] = {
    "ReduceL1": ops.absolute,
    "ReduceL2": ops.absolute,
    "ReduceLogSum": ops.log,
    "ReduceSumSquare": ops.square,
}
"""What a reduction over no axes does to each element."""


def _register(name: str, function: Reduction) -> None:
    def over(x: Any, axes: tuple[int, ...] | None, keepdims: int, noop: int) -> Any:
        if not axes and noop:
            return _BEFORE.get(name, lambda one: one)(x)
        rank = len(shape_of(x))
        named = as_axes(axes or None, rank)
        return function(x, named, bool(keepdims)) if named else _BEFORE.get(name, lambda one: one)(x)

    def by_input(node: Call, x: Any, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Any:
        return over(x, None if axes is None else integers(axes, "The axes"), keepdims, noop_with_empty_axes)

    def by_attribute(node: Call, x: Any, *, axes: Any = None, keepdims: int = 1) -> Any:
        return over(x, axes, keepdims, 0)

    operator(name, since=13 if name == "ReduceSum" else 18)(by_input)
    operator(name)(by_attribute)


for _name, _function in REDUCTIONS.items():
    _register(_name, _function)


# -- places


def _register_arg(name: str, function: Callable[[Any, int], Any]) -> None:
    @operator(name)
    def arg(node: Call, x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
        at = as_axis(axis, len(shape_of(x)))
        if select_last_index:
            last = np.asarray(dimension(x, at) - 1, np.int64)
            found = ops.subtract(last, function(ops.flip(x, at), at))
        else:
            found = function(x, at)
        return ops.expand_dims(found, at) if keepdims else found


_register_arg("ArgMax", ops.argmax)
_register_arg("ArgMin", ops.argmin)


# -- softmax


@operator("Softmax", since=13)
def softmax(node: Call, x: Any, *, axis: int = -1) -> Any:
    return ops.softmax(x, axis)


@operator("LogSoftmax", since=13)
def log_softmax(node: Call, x: Any, *, axis: int = -1) -> Any:
    return ops.log_softmax(x, axis)


@operator("Hardmax", since=13)
def hardmax(node: Call, x: Any, *, axis: int = -1) -> Any:
    rank = len(shape_of(x))
    at = as_axis(axis, rank)
    made = ops.one_hot(ops.argmax(x, at), dimension(x, at), dtype_of(x))
    order = [*range(rank - 1)]
    order.insert(at, rank - 1)
    return ops.transpose(made, order)


def _from(axis: int, x: Any) -> tuple[int, ...]:
    """Before version 13 all axes from one on were taken together."""
    rank = len(shape_of(x))
    return tuple(range(as_axis(axis, rank), rank))


@operator("Softmax")
def softmax_from(node: Call, x: Any, *, axis: int = 1) -> Any:
    return ops.softmax(x, _from(axis, x))


@operator("LogSoftmax")
def log_softmax_from(node: Call, x: Any, *, axis: int = 1) -> Any:
    return ops.log_softmax(x, _from(axis, x))


@operator("Hardmax")
def hardmax_from(node: Call, x: Any, *, axis: int = 1) -> Any:
    shape = static_shape(x)
    flat = ops.reshape(x, (-1, int(np.prod(shape[as_axis(axis, len(shape)) :]))))
    return ops.reshape(hardmax(node, flat), shape)


# -- running


def _running(function: Callable[[Any, int], Any], empty: int, x: Any, axis: Any, exclusive: int, reverse: int) -> Any:
    rank = len(shape_of(x))
    at = as_axis(int(value_of(axis, "The axis").reshape(-1)[0]), rank)
    if reverse:
        x = ops.flip(x, at)
    if exclusive:
        amounts = [(1, 0) if one == at else (0, 0) for one in range(rank)]
        x = ops.getitem(ops.pad(x, amounts, empty), (*(slice(None),) * at, slice(0, -1)))
    made = function(x, at)
    return ops.flip(made, at) if reverse else made


@operator("CumSum", since=11)
def cumsum(node: Call, x: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Any:
    return _running(ops.cumsum, 0, x, axis, exclusive, reverse)


@operator("CumProd", since=26)
def cumprod(node: Call, x: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Any:
    return _running(ops.cumprod, 1, x, axis, exclusive, reverse)
