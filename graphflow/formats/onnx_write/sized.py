"""Ops whose sizes other tensors hold: ranges, filled tensors, broadcasting and slices."""

from __future__ import annotations

import numpy as np

from graphflow.formats.onnx_write.writer import Converter, Writer
from graphflow.ir.graph import Node


def _operands(w: Writer, node: Node) -> list[str]:
    return [w.get(value) for value in node.inputs if value is not None]


def _long(w: Writer, node: Node, index: int) -> str:
    """An operand as a vector of int64."""
    value = node.inputs[index]
    assert value is not None
    name = w.get(value)
    name = name if value.spec.dtype == "int64" else w.cast(name, "int64")
    return name if value.spec.rank == 1 else w.emit("Reshape", [name, w.ints([-1])])


def _range(w: Writer, node: Node) -> None:
    w.put(node.outputs[0], w.emit("Range", _operands(w, node)))


def _fill(w: Writer, node: Node) -> None:
    dtype = node.attrs["dtype"]
    value = w.array(np.full((), node.attrs["value"], dtype))
    w.put(node.outputs[0], w.emit("Expand", [value, _long(w, node, 0)]))


def _expand_to(w: Writer, node: Node) -> None:
    x = node.inputs[0]
    assert x is not None
    w.put(node.outputs[0], w.emit("Expand", [w.get(x), _long(w, node, 1)]))


def _slice_at(w: Writer, node: Node) -> None:
    x = node.inputs[0]
    assert x is not None
    axes, steps = w.ints(node.attrs["axes"]), w.ints(node.attrs["steps"])
    w.put(node.outputs[0], w.emit("Slice", [w.get(x), _long(w, node, 1), _long(w, node, 2), axes, steps]))


CONVERTERS: dict[str, Converter] = {
    "range": _range,
    "fill": _fill,
    "expand_to": _expand_to,
    "slice_at": _slice_at,
}
