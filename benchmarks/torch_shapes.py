"""The operations of ONNX that move elements or speak of shapes, in PyTorch; form as in `benchmarks.torch_ops`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.torch_graph import NotCovered, Recorder, Value
from benchmarks.torch_ops import border, ints

TYPES = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 10: torch.float16, 11: torch.float64}
"""ONNX's numbers of data types."""


def constant(record: Recorder, **attributes: Any) -> Value:
    ((_, value),) = attributes.items()
    return record.constant(torch.as_tensor(value))


def identity(record: Recorder, x: Value, *others: Value | None, **_: Any) -> Value:
    return x


def shape(record: Recorder, x: Value, *, start: int = 0, end: int | None = None) -> Value:
    return record.constant(torch.tensor(list(x.shape)[start:end], dtype=torch.int64))


def size(record: Recorder, x: Value) -> Value:
    return record.constant(torch.tensor(x.tensor.numel()))


def cast(record: Recorder, x: Value, *, to: int, saturate: int = 1) -> Value:
    if to not in TYPES:
        raise NotCovered(f"Cast to data type {to}")
    return record(torch.Tensor.to, x, TYPES[to])


def concat(record: Recorder, *parts: Value, axis: int) -> Value:
    return record(torch.cat, list(parts), axis)


def split(
    record: Recorder, x: Value, sizes: Value | None = None, *, axis: int = 0, num_outputs: int = 0, split: Any = None
) -> list[Value]:
    chosen = ints(sizes) if sizes is not None else list(split or [])
    if not chosen:
        each = -(-x.shape[axis] // num_outputs)
        chosen = [each] * (num_outputs - 1) + [x.shape[axis] - each * (num_outputs - 1)]
    starts = [sum(chosen[:index]) for index in range(len(chosen))]
    return [record(torch.narrow, x, axis, start, length) for start, length in zip(starts, chosen, strict=True)]


def pad(
    record: Recorder,
    x: Value,
    amounts: Value,
    value: Value | None = None,
    axes: Value | None = None,
    *,
    mode: str = "constant",
) -> Value:
    if mode != "constant":
        raise NotCovered(f"Pad of mode {mode!r}")
    given = ints(amounts)
    chosen = [axis % x.rank for axis in ints(axes)] if axes is not None else list(range(x.rank))
    around = [(0, 0)] * x.rank
    for axis, before, after in zip(chosen, given[: len(chosen)], given[len(chosen) :], strict=True):
        around[axis] = (before, after)
    return border(record, x, around, value.constant().item() if value is not None else 0.0)


def transpose(record: Recorder, x: Value, *, perm: Any = None) -> Value:
    return record(torch.permute, x, list(perm or reversed(range(x.rank))))


def squeeze(record: Recorder, x: Value, given: Value | None = None, *, axes: Any = None) -> Value:
    chosen = ints(given) if given is not None else axes
    return record(torch.squeeze, x, list(chosen)) if chosen else record(torch.squeeze, x)


def unsqueeze(record: Recorder, x: Value, given: Value | None = None, *, axes: Any = None) -> Value:
    chosen = ints(given) if given is not None else list(axes)
    whole = x.rank + len(chosen)
    for axis in sorted(axis % whole for axis in chosen):
        x = record(torch.unsqueeze, x, axis)
    return x


def reshape(record: Recorder, x: Value, wanted: Value, *, allowzero: int = 0) -> Value:
    sizes = ints(wanted)
    if not allowzero:
        sizes = [size or x.shape[axis] for axis, size in enumerate(sizes)]
    return record(torch.reshape, x, sizes)


def flatten(record: Recorder, x: Value, *, axis: int = 1) -> Value:
    rows = 1
    for each in x.shape[: axis % x.rank if axis < 0 else axis]:
        rows *= each
    return record(torch.reshape, x, [rows, -1])


def gather(record: Recorder, x: Value, at: Value, *, axis: int = 0) -> Value:
    if axis == 0 and x.is_constant and x.rank == 2 and not at.is_constant:
        return record(F.embedding, at, x)
    axis %= x.rank
    flat = record(torch.reshape, at, [-1])
    taken = record(torch.index_select, x, axis, flat)
    return record(torch.reshape, taken, [*x.shape[:axis], *at.shape, *x.shape[axis + 1 :]])


def slice_(
    record: Recorder,
    x: Value,
    starts: Value,
    ends: Value,
    axes: Value | None = None,
    steps: Value | None = None,
) -> Value:
    firsts, lasts = ints(starts), ints(ends)
    chosen = ints(axes) if axes is not None else list(range(len(firsts)))
    strides = ints(steps) if steps is not None else [1] * len(firsts)
    for first, last, axis, step in zip(firsts, lasts, chosen, strides, strict=True):
        axis %= x.rank
        if step > 0:
            where = slice(*slice(first, last, step).indices(x.shape[axis]))
            x = record(operator.getitem, x, (slice(None),) * axis + (where,))
        else:
            indices = list(range(x.shape[axis]))[slice(first, last, step)]
            if indices == list(range(x.shape[axis]))[::-1]:
                x = record(torch.flip, x, [axis])
            else:
                x = record(torch.index_select, x, axis, record.constant(torch.tensor(indices)))
    return x


def expand(record: Recorder, x: Value, wanted: Value) -> Value:
    return record(torch.broadcast_to, x, list(torch.broadcast_shapes(tuple(x.shape), tuple(ints(wanted)))))


def tile(record: Recorder, x: Value, repeats: Value) -> Value:
    return record(torch.tile, x, ints(repeats))


def constant_of_shape(record: Recorder, wanted: Value, *, value: Any = None) -> Value:
    filler = torch.zeros(1) if value is None else torch.as_tensor(value)
    return record.constant(filler.reshape(-1)[:1].expand(ints(wanted)).contiguous())


def range_(record: Recorder, start: Value, limit: Value, delta: Value) -> Value:
    return record.constant(torch.arange(*(one.constant().item() for one in (start, limit, delta))))


def resize(
    record: Recorder, x: Value, _: Value | None = None, scales: Value | None = None, *__: Any, **attributes: Any
) -> Value:
    """By whole factors, to the nearest, or linear between centres."""
    mode = attributes.get("mode", "nearest")
    factors = scales.constant().tolist() if scales is not None else []
    if len(factors) != x.rank or any(factor != int(factor) for factor in factors) or factors[:2] != [1.0, 1.0]:
        raise NotCovered("Resize other than by whole factors behind the channels")
    between = attributes.get("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        return record(F.interpolate, x, scale_factor=factors[2:], mode="nearest")
    if mode == "linear" and between == "half_pixel" and x.rank in (3, 4):
        name = {3: "linear", 4: "bilinear"}[x.rank]
        return record(F.interpolate, x, scale_factor=factors[2:], mode=name, align_corners=False)
    raise NotCovered(f"Resize of mode {mode!r} with {between!r}")


OPERATIONS: dict[str, Callable[..., Any]] = {
    "Constant": constant,
    "Identity": identity,
    "Dropout": identity,
    "Shape": shape,
    "Size": size,
    "Cast": cast,
    "Concat": concat,
    "Split": split,
    "Pad": pad,
    "Transpose": transpose,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Reshape": reshape,
    "Flatten": flatten,
    "Gather": gather,
    "Slice": slice_,
    "Expand": expand,
    "Tile": tile,
    "ConstantOfShape": constant_of_shape,
    "Range": range_,
    "Resize": resize,
}
"""Name to function."""
