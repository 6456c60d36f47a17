"""Enlarging and shrinking with every freedom that files take, as picks and products.

Runtimes do not compute all modes of Resize, nor all in the same way; picking elements and multiplying by a matrix of
their weights, axis by axis, is the same everywhere. Whole factors are `resize`, which becomes Resize.
"""

from __future__ import annotations

import numpy as np

from graphflow.formats.onnx_write.movement import source
from graphflow.formats.onnx_write.writer import Converter, Writer
from graphflow.ir.graph import Node
from graphflow.ops.interpolate import places, taps


def _interpolate(w: Writer, node: Node) -> None:
    x, attrs = source(node), node.attrs
    rank, shape, dtype = x.spec.rank, x.spec.shape, x.spec.dtype
    whole = dtype.startswith(("int", "uint"))
    name = w.get(x)
    if attrs["mode"] != "nearest" and whole:
        name = w.cast(name, "float32")
    made = "float32" if whole and attrs["mode"] != "nearest" else dtype
    for row in attrs["rows"]:
        axis, size = row[0], shape[row[0]]
        if size is None:
            raise w.refusal(f"axis {axis} has a size that is not known, so its new elements can not be placed")
        index, weight = taps(attrs, size, row)
        if attrs["mode"] == "nearest":
            name = w.emit("Gather", [name, w.array(index[:, 0])], axis=axis)
            continue
        matrix = np.zeros((size, row[1]))
        for tap in range(index.shape[1]):
            np.add.at(matrix, (index[:, tap], np.arange(row[1])), weight[:, tap])
        last = [*(one for one in range(rank) if one != axis), axis]
        turned = name if axis == rank - 1 else w.emit("Transpose", [name], perm=last)
        name = w.emit("MatMul", [turned, w.array(matrix.astype(made), f"{w.place}/weights")])
        name = name if axis == rank - 1 else w.emit("Transpose", [name], perm=[last.index(one) for one in range(rank)])
    if attrs["mode"] != "nearest" and whole:
        limits = np.iinfo(dtype)
        bounds = [w.array(np.asarray(one, np.float32)) for one in (limits.min, limits.max)]
        name = w.cast(w.emit("Clip", [w.emit("Round", [name]), *bounds]), dtype)
    for row in attrs["rows"] if attrs["places"] == "tf_crop_and_resize" else ():
        size = shape[row[0]] or 0
        at = places(size, row[1], row[2], attrs["places"], *row[3:])
        outside = ((at < 0) | (at > size - 1)).reshape((-1,) + (1,) * (rank - row[0] - 1))
        if outside.any():
            name = w.emit("Where", [w.array(outside), w.number(attrs["beyond"], x), name])
    w.put(node.outputs[0], name)


CONVERTERS: dict[str, Converter] = {"interpolate": _interpolate}
