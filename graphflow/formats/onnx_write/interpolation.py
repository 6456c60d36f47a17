"""Enlarging and shrinking with every freedom that files take, as picks and products.

Runtimes do not compute all modes of Resize, nor all in the same way; picking elements and multiplying by a matrix of
their weights, axis by axis, is the same everywhere. Whole factors are `resize`, which becomes Resize.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.formats.onnx_write.movement import source
from graphflow.formats.onnx_write.writer import Converter, Writer
from graphflow.ir.graph import Node
from graphflow.ops import resample
from graphflow.ops.interpolate import places, taps

Array = np.ndarray[Any, Any]


def _known(w: Writer, shape: tuple[int | None, ...], axis: int) -> int:
    size = shape[axis]
    if size is None:
        raise w.refusal(f"axis {axis} has a size that is not known, so its new elements can not be placed")
    return size


def _matrix(index: Array, weight: Array, size: int) -> Array:
    """The weights (size, outputs) of each element in each output, from the elements that make an output."""
    matrix = np.zeros((size, len(index)))
    for tap in range(index.shape[1]):
        np.add.at(matrix, (index[:, tap], np.arange(len(index))), weight[:, tap])
    return matrix


def _along(w: Writer, name: str, rank: int, axis: int, matrix: Array) -> str:
    """A tensor of this rank, multiplied along an axis."""
    last = [*(one for one in range(rank) if one != axis), axis]
    turned = name if axis == rank - 1 else w.emit("Transpose", [name], perm=last)
    name = w.emit("MatMul", [turned, w.array(matrix, f"{w.place}/weights")])
    return name if axis == rank - 1 else w.emit("Transpose", [name], perm=[last.index(one) for one in range(rank)])


def _resample(w: Writer, node: Node) -> None:
    x, attrs = source(node), node.attrs
    method, rank, axes, name = attrs["method"], x.spec.rank, attrs["axes"], w.get(x)
    given = [_known(w, x.spec.shape, axis) for axis in axes]
    amounts = resample.room(attrs["fit"], given, attrs["size"])
    if any(min(pair) > 0 for pair in amounts):
        pads = np.zeros((2, rank), np.int64)
        pads[:, list(axes)] = np.maximum(amounts, 0).T
        name = w.emit("Pad", [name, w.array(pads.reshape(-1)), w.number(attrs["fill"], x)])
        given = [size + before + after for size, (before, after) in zip(given, amounts, strict=True)]
        amounts = [(0, 0), (0, 0)]
    for axis, size, out, (before, after) in zip(axes, given, attrs["size"], amounts, strict=True):
        index, weight = resample.taps(method, attrs["antialias"], size + before + after, out)
        index = index - before
        if method == "nearest":
            name = w.emit("Gather", [name, w.array(index[:, 0])], axis=axis)
        else:
            name = _along(w, name, rank, axis, _matrix(index, weight, size).astype(x.spec.dtype))
    w.put(node.outputs[0], name)


def _interpolate(w: Writer, node: Node) -> None:
    x, attrs = source(node), node.attrs
    shape, dtype = x.spec.shape, x.spec.dtype
    whole = dtype.startswith(("int", "uint"))
    name = w.get(x)
    if attrs["mode"] != "nearest" and whole:
        name = w.cast(name, "float32")
    made = "float32" if whole and attrs["mode"] != "nearest" else dtype
    for row in attrs["rows"]:
        index, weight = taps(attrs, _known(w, shape, row[0]), row)
        if attrs["mode"] == "nearest":
            name = w.emit("Gather", [name, w.array(index[:, 0])], axis=row[0])
        else:
            name = _along(w, name, x.spec.rank, row[0], _matrix(index, weight, shape[row[0]] or 0).astype(made))
    if attrs["mode"] != "nearest" and whole:
        limits = np.iinfo(dtype)
        bounds = [w.array(np.asarray(one, np.float32)) for one in (limits.min, limits.max)]
        name = w.cast(w.emit("Clip", [w.emit("Round", [name]), *bounds]), dtype)
    for row in attrs["rows"] if attrs["places"] == "tf_crop_and_resize" else ():
        size = shape[row[0]] or 0
        at = places(size, row[1], row[2], attrs["places"], *row[3:])
        outside = ((at < 0) | (at > size - 1)).reshape((-1,) + (1,) * (x.spec.rank - row[0] - 1))
        if outside.any():
            name = w.emit("Where", [w.array(outside), w.number(attrs["beyond"], x), name])
    w.put(node.outputs[0], name)


CONVERTERS: dict[str, Converter] = {"interpolate": _interpolate, "resample": _resample}
