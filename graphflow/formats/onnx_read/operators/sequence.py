"""Sequences and optional values: Python lists of operands, and None, while a program is applied."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ShapeError, UnsupportedError
from graphflow.formats.onnx_read.definitions import GraphDef
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.known import dimension, integers, value_of
from graphflow.ops.operands import as_axis, shape_of


def _position(index: Any, length: int, what: str) -> int:
    place = int(value_of(index, "A position in a sequence").reshape(-1)[0])
    if not -length <= place < length:
        raise ShapeError(f"Position {place} is outside a sequence of {length} {what}.")
    return place % length


@operator("SequenceEmpty", since=11)
def sequence_empty(node: Call, *, dtype: int = 1) -> Any:
    return []


@operator("SequenceConstruct", since=11)
def sequence_construct(node: Call, *xs: Any) -> Any:
    return list(xs)


@operator("SequenceLength", since=11)
def sequence_length(node: Call, xs: Any) -> Any:
    return np.asarray(len(xs), np.int64)


@operator("SequenceAt", since=11)
def sequence_at(node: Call, xs: Any, index: Any) -> Any:
    return xs[_position(index, len(xs), "elements")]


@operator("SequenceInsert", since=11)
def sequence_insert(node: Call, xs: Any, x: Any, index: Any = None) -> Any:
    place = len(xs) if index is None else _position(index, len(xs) + 1, "places")
    if index is not None and int(value_of(index).reshape(-1)[0]) < 0:
        place = _position(index, len(xs), "elements")
    return [*xs[:place], x, *xs[place:]]


@operator("SequenceErase", since=11)
def sequence_erase(node: Call, xs: Any, index: Any = None) -> Any:
    place = len(xs) - 1 if index is None else _position(index, len(xs), "elements")
    return [*xs[:place], *xs[place + 1 :]]


@operator("SequenceMap", since=17)
def sequence_map(node: Call, xs: Any, *others: Any, body: GraphDef) -> Any:
    rows = []
    for index, x in enumerate(xs):
        rows.append(node.run(body, [x, *(one[index] if isinstance(one, list) else one for one in others)]))
    return tuple([row[index] for row in rows] for index in range(node.outputs))


@operator("SplitToSequence", since=11)
def split_to_sequence(node: Call, x: Any, split: Any = None, *, axis: int = 0, keepdims: int = 1) -> Any:
    at = as_axis(axis, len(shape_of(x)))
    whole = dimension(x, at)
    given = None if split is None else value_of(split, "The sizes to split into")
    if given is None:
        sizes: tuple[int, ...] = (1,) * whole
    elif given.ndim == 0:
        size = int(given)
        if size < 1:
            raise ShapeError(f"A part must have at least one element, received {size}.")
        sizes = tuple(min(size, whole - start) for start in range(0, whole, size))
    else:
        sizes = integers(given)
    parts = ops.split(x, sizes, at) if sizes else []
    return parts if keepdims or split is not None else [ops.squeeze(part, at) for part in parts]


@operator("ConcatFromSequence", since=11)
def concat_from_sequence(node: Call, xs: Any, *, axis: int, new_axis: int = 0) -> Any:
    if not xs:
        raise ShapeError("There is nothing to concatenate in an empty sequence.")
    return ops.stack(list(xs), axis) if new_axis else ops.concatenate(list(xs), axis)


@operator("Optional", since=15)
def optional(node: Call, x: Any = None, *, type: Any = None) -> Any:
    return x


@operator("OptionalHasElement", since=15)
def optional_has_element(node: Call, x: Any = None) -> Any:
    return np.asarray(x is not None)


@operator("OptionalGetElement", since=15)
def optional_get_element(node: Call, x: Any) -> Any:
    if x is None:
        raise UnsupportedError("An optional value without an element was asked for it.")
    return x
