"""Pooling with every freedom that files take: any padding, dilation, rounding up, places of the largest.

Pooling that Keras knows is in `graphflow.ops.pooling`, which has kernels. For a dimension of n elements with padding
(a, b), a window that reaches over r elements and stride s there are floor((n + a + b - r) / s) + 1 windows, or with
`ceil` as many rounded up, without those that begin behind n + a.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_operand, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape
from graphflow.window import span

KINDS = ("max", "average", "lp")


def window_count(size: int, reach: int, stride: int, before: int, after: int, ceil: bool) -> int:
    """How many windows there are along an axis."""
    room = size + before + after - reach
    if room < 0:
        raise ShapeError(f"A window of {reach} is larger than the {size + before + after} elements of its axis.")
    count = (-(-room // stride) if ceil else room // stride) + 1
    return count - 1 if ceil and (count - 1) * stride >= size + before else count


def _counts(attrs: Attrs, shape: Any) -> list[int | None]:
    rows = zip(shape[2:], attrs["size"], attrs["strides"], attrs["dilation"], attrs["padding"], strict=True)
    return [None if n is None else window_count(n, span(k, d), s, a, b, attrs["ceil"]) for n, k, s, d, (a, b) in rows]


def _infer(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x = specs[0]
    if x.rank != len(attrs["size"]) + 2:
        raise ShapeError(f"Windows over {len(attrs['size'])} axes do not fit {format_shape(x.shape)}.")
    return (x.with_shape((*x.shape[:2], *_counts(attrs, x.shape))),)


def _windows(attrs: Attrs, x: Array, fill: Any) -> Array:
    """(batch, channels, windows ..., elements ...), filled where there is nothing."""
    counts = _counts(attrs, x.shape)
    rank = len(counts)
    edges = [(0, 0), (0, 0)]
    reaches = []
    rows = zip(x.shape[2:], counts, attrs["size"], attrs["strides"], attrs["dilation"], attrs["padding"], strict=True)
    for n, count, k, s, d, (a, b) in rows:
        assert count is not None
        reach = span(k, d)
        edges.append((a, max((count - 1) * s + reach - n - a, b)))
        reaches.append(reach)
    whole = np.pad(x, edges, constant_values=fill)
    found = np.lib.stride_tricks.sliding_window_view(whole, reaches, axis=tuple(range(2, rank + 2)))
    steps = tuple(slice(0, (count - 1) * s + 1, s) for count, s in zip(counts, attrs["strides"], strict=True))  # type: ignore[operator]
    taps = tuple(slice(None, None, d) for d in attrs["dilation"])
    return found[(slice(None), slice(None), *steps, *taps)]


def _lowest(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _reference(attrs: Attrs, x: Array) -> Array:
    rank = len(attrs["size"])
    axes = tuple(range(rank + 2, 2 * rank + 2))
    if attrs["kind"] == "max":
        return np.ascontiguousarray(_windows(attrs, x, _lowest(x.dtype)).max(axis=axes))
    if attrs["kind"] == "lp":
        p = attrs["p"]
        total = (np.abs(_windows(attrs, x, 0)).astype(np.float64) ** p).sum(axis=axes)
        return np.asarray(total ** (1 / p)).astype(x.dtype)
    inside = np.ones((1, 1, *x.shape[2:]), x.dtype)
    if attrs["include"]:
        inside = np.pad(inside, [(0, 0), (0, 0), *attrs["padding"]], constant_values=1)
        counts = _windows({**attrs, "padding": ((0, 0),) * rank}, inside, 0).sum(axis=axes)
    else:
        counts = _windows(attrs, inside, 0).sum(axis=axes)
    return np.asarray(_windows(attrs, x, 0).sum(axis=axes) / counts).astype(x.dtype)


POOL = define("pool_channels_first", _infer, _reference, tolerance=4e-6)


def pool_channels_first(
    x: Any,
    kind: str,
    size: Any,
    strides: Any,
    dilation: Any,
    padding: Any,
    ceil: bool = False,
    include: bool = False,
    p: int = 2,
) -> Any:
    """The largest ("max"), mean ("average") or p-norm ("lp") of each window of x (batch, channels, ...).

    Args:
        size, strides, dilation: a number for each spatial axis.
        padding: (before, after) for each of them.
        ceil: whether a last window may reach beyond the padding.
        include: whether padding counts in means; what is beyond it never does.
    """
    if kind not in KINDS:
        raise ArgumentError(f"kind must be one of {', '.join(KINDS)}, received {kind!r}.")
    attrs = {
        "kind": kind,
        "size": tuple(size),
        "strides": tuple(strides),
        "dilation": tuple(dilation),
        "padding": tuple(tuple(pair) for pair in padding),
        "ceil": bool(ceil),
        "include": bool(include),
        "p": int(p),
    }
    return apply(POOL, (as_operand(x),), attrs)


def _infer_places(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (_infer(attrs, specs, values)[0].with_dtype("int64"),)


def _places_reference(attrs: Attrs, x: Array) -> Array:
    rank = len(attrs["size"])
    spatial = x.shape[2:]
    found = _windows(attrs, x, _lowest(x.dtype))
    best = found.reshape(*found.shape[: rank + 2], -1)
    order = np.arange(math.prod(spatial)).reshape(spatial, order="F" if attrs["by_column"] else "C")
    whole = np.broadcast_to(order, (1, 1, *spatial)).astype(np.int64)
    numbers = _windows(attrs, whole, -1).reshape(1, 1, *best.shape[2:])
    real = np.where(numbers < 0, _lowest(x.dtype), best)
    hit = (real == best.max(-1, keepdims=True)) & (numbers >= 0)
    first = np.argmax(hit, -1)[..., None]
    place = np.take_along_axis(np.broadcast_to(numbers, best.shape), first, -1)[..., 0]
    lead = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *(1,) * rank)
    return np.asarray(place + lead * math.prod(spatial))


POOL_PLACES = define("max_pool_places", _infer_places, _places_reference)


def max_pool_places(x: Any, size: Any, strides: Any, dilation: Any, padding: Any, ceil: bool, by_column: bool) -> Any:
    """The position in x (batch, channels, ...), seen as flat, of the largest element of each window, as int64.

    Args:
        by_column: whether the elements of a channel are numbered with the first spatial axis fastest.
    """
    attrs = {
        "size": tuple(size),
        "strides": tuple(strides),
        "dilation": tuple(dilation),
        "padding": tuple(tuple(pair) for pair in padding),
        "ceil": bool(ceil),
        "by_column": bool(by_column),
    }
    return apply(POOL_PLACES, (as_operand(x),), attrs)


def _infer_unpool(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (specs[0].with_shape(attrs["shape"]),)


def _unpool_reference(attrs: Attrs, x: Array, places: Array) -> Array:
    from graphflow.ops.indexing import wrapped

    y = np.zeros(math.prod(attrs["shape"]), x.dtype)
    y[wrapped(places.ravel(), y.size)] = x.ravel()
    return y.reshape(attrs["shape"])


UNPOOL = define("unpool", _infer_unpool, _unpool_reference)


def unpool(x: Any, places: Any, shape: Any) -> Any:
    """Zeros of a shape with the elements of x at positions in it, seen as flat."""
    if len(tuple(shape)) != len(shape_of(x)):
        raise ShapeError(f"{format_shape(shape_of(x))} can not be put back into {tuple(shape)}.")
    return apply(UNPOOL, (as_operand(x), as_operand(places)), {"shape": tuple(int(size) for size in shape)})
