"""Reductions, softmax and running sums, along axes in whatever order they stand in the file."""

from __future__ import annotations

from collections.abc import Sequence

from graphflow.formats.onnx_write.entries import Block
from graphflow.formats.onnx_write.movement import source, without_axes
from graphflow.formats.onnx_write.writer import Converter, Writer
from graphflow.ir.graph import Node

PLAIN = {"sum": "ReduceSum", "mean": "ReduceMean", "prod": "ReduceProd", "max": "ReduceMax", "min": "ReduceMin"}
"""Ops that are operators of ONNX."""


def _put_reduced(w: Writer, node: Node, name: str, order: tuple[int, ...], axes: Sequence[int], keep: bool) -> None:
    w.put(node.outputs[0], name, order if keep else without_axes(order, axes))


def _reduce(w: Writer, node: Node) -> None:
    name, order = w.any_order(source(node))
    axes, keep = node.attrs["axes"], node.attrs["keepdims"]
    made = w.reduce(PLAIN[node.op.name], name, sorted(order.index(axis) for axis in axes), keep)
    _put_reduced(w, node, made, order, axes, keep)


def _logical(w: Writer, node: Node) -> None:
    """By counting what is true (any) or false (all), which also holds for no elements."""
    name, order = w.any_order(source(node))
    axes, keep, every = node.attrs["axes"], node.attrs["keepdims"], node.op.name == "all"
    numbers = w.cast(w.emit("Not", [name]) if every else name, "int32")
    count = w.reduce("ReduceSum", numbers, sorted(order.index(axis) for axis in axes), keep)
    found = w.cast(count, "bool")
    _put_reduced(w, node, w.emit("Not", [found]) if every else found, order, axes, keep)


def _extreme(w: Writer, node: Node) -> None:
    name, order = w.any_order(source(node))
    axis = node.attrs["axis"]
    kind = {"argmax": "ArgMax", "argmin": "ArgMin"}[node.op.name]
    w.put(node.outputs[0], w.emit(kind, [name], axis=order.index(axis), keepdims=0), without_axes(order, (axis,)))


def _softmax(w: Writer, node: Node) -> None:
    value = source(node)
    name, order = w.any_order(value)
    axes = sorted(order.index(axis) for axis in node.attrs["axes"])
    log = node.attrs["log"]
    if len(axes) == 1:
        made = w.emit("LogSoftmax" if log else "Softmax", [name], axis=axes[0])
    else:
        shifted = w.emit("Sub", [name, w.reduce("ReduceMax", name, axes, True)])
        powers = w.emit("Exp", [shifted])
        total = w.reduce("ReduceSum", powers, axes, True)
        made = w.emit("Sub", [shifted, w.emit("Log", [total])]) if log else w.emit("Div", [powers, total])
    w.put(node.outputs[0], made, order)


def _cumsum(w: Writer, node: Node) -> None:
    name, order = w.any_order(source(node))
    w.put(node.outputs[0], w.emit("CumSum", [name, w.ints(order.index(node.attrs["axis"]))]), order)


def _cumprod(w: Writer, node: Node) -> None:
    """A Scan that multiplies: there is an operator from opset 26 on, which few runtimes have."""
    value, axis = source(node), node.attrs["axis"]
    name, order = w.any_order(value)
    place = order.index(axis)
    slice_spec = value.spec.with_shape(size for one, size in enumerate(value.spec.shape) if one != axis)
    slice_spec = slice_spec.with_shape(slice_spec.shape[one] for one in without_axes(order, (axis,)))
    first = w.emit("Slice", [name, w.ints([0]), w.ints([1]), w.ints([place])])
    ones = w.reduce("ReduceProd", w.emit("Pow", [first, w.number(0, value)]), [place], False)
    held, x_t = w.names.new(f"{w.place}/product"), w.names.new(f"{w.place}/slice")
    inner = Writer(w.graph, w.opset, w.converters, outer=w)
    product = inner.emit("Mul", [held, x_t])
    block = Block(
        w.names.new(f"{w.place}/body"),
        inner.entries,
        [(held, slice_spec), (x_t, slice_spec)],
        [product, inner.emit("Identity", [product])],
        [slice_spec, slice_spec],
    )
    made = w.emit_many(
        "Scan",
        [ones, name],
        2,
        body=block,
        num_scan_inputs=1,
        scan_input_axes=[place],
        scan_output_axes=[place],
    )
    w.put(node.outputs[0], made[1], order)


CONVERTERS: dict[str, Converter] = {
    **dict.fromkeys(PLAIN, _reduce),
    "any": _logical,
    "all": _logical,
    "argmax": _extreme,
    "argmin": _extreme,
    "softmax": _softmax,
    "cumsum": _cumsum,
    "cumprod": _cumprod,
}
