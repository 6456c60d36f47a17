"""Convolution, transposed convolution, pooling and enlargement, which have channels first in ONNX."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.formats.onnx_write.activation import closed
from graphflow.formats.onnx_write.movement import repeated, source
from graphflow.formats.onnx_write.writer import Converter, Order, Writer, plain_order
from graphflow.ir.graph import Node, Value
from graphflow.ops.conv import CONV
from graphflow.ops.inverted_residual import parts
from graphflow.ops.resize import neighbours
from graphflow.window import pad_amounts, span, transposed_cut, transposed_size


def channels_first(rank: int) -> Order:
    """The order of axes that ONNX has: batch, channels, the rest."""
    return (0, rank - 1, *range(1, rank - 1))


def _padding(
    w: Writer, spatial: Sequence[int | None], kernel: Sequence[int], node: Node, dilation: Sequence[int]
) -> dict[str, Any]:
    """The attributes that say how a window is padded."""
    padding, strides = node.attrs["padding"], node.attrs["strides"]
    if padding == "valid":
        return {}
    amounts = [] if isinstance(padding, str) else list(padding)
    for size, k, s, d in zip(spatial, kernel, strides, dilation, strict=True):
        if not isinstance(padding, str):
            break
        if size is None and padding == "same" and s > 1:
            if max(dilation) > 1:
                raise w.refusal("padding 'same' of a size that is not known, with strides and dilation both above 1")
            return {"auto_pad": "SAME_UPPER"}
        amounts.append(pad_amounts(k * s if size is None else size, k, s, padding, d))
    pads = [before for before, _ in amounts] + [after for _, after in amounts]
    return {"pads": pads} if any(pads) else {}


def _unless(plain: int, sizes: Sequence[int]) -> list[int] | None:
    """Sizes, or None where all are what ONNX takes anyway."""
    return None if all(size == plain for size in sizes) else list(sizes)


def kernel_form(w: Writer, kernel: Value, first: tuple[int, int]) -> str:
    """A kernel (..., a, b) with two of its axes first, which `first` counts from the end, then the spatial ones."""
    rank = kernel.spec.rank
    return w.get(kernel, (rank + first[0], rank + first[1], *range(rank - 2)))


def _closed_by(w: Writer, node: Node, name: str, order: Order, residual: Value | None) -> None:
    """What a product may have at its end: a residual and an activation."""
    if residual is not None:
        name = w.emit("Add", [name, w.get(residual, order)])
    w.put(node.outputs[0], closed(w, node, name), order)


def _conv(w: Writer, node: Node) -> None:
    x, kernel, bias, residual = node.inputs
    assert x is not None and kernel is not None
    order = channels_first(x.spec.rank)
    sizes = [size or 0 for size in kernel.spec.shape[:-2]]
    name = w.emit(
        "Conv",
        [w.get(x, order), kernel_form(w, kernel, (-1, -2)), "" if bias is None else w.get(bias)],
        kernel_shape=sizes,
        strides=_unless(1, node.attrs["strides"]),
        dilations=_unless(1, node.attrs["dilation"]),
        group=node.attrs["groups"] if node.attrs["groups"] > 1 else None,
        **_padding(w, x.spec.shape[1:-1], sizes, node, node.attrs["dilation"]),
    )
    _closed_by(w, node, name, order, residual)


def _conv_transpose(w: Writer, node: Node) -> None:
    """Cut before and after, or extended at the end, by amounts that do not depend on the input's size."""
    x, kernel, bias, residual = node.inputs
    assert x is not None and kernel is not None
    order = channels_first(x.spec.rank)
    sizes = [size or 0 for size in kernel.spec.shape[:-2]]
    attrs = node.attrs
    before, after, extra = [], [], []
    for k, s, d, p in zip(
        sizes, attrs["strides"], attrs["dilation"], attrs["output_padding"] or (None,) * len(sizes), strict=True
    ):
        window = (k + 1, k, s, attrs["padding"], d, p)
        cut, kept = transposed_cut(*window), transposed_size(*window) or 0
        rest = k * s + span(k, d) - cut - kept
        before.append(cut)
        after.append(max(rest, 0))
        extra.append(max(-rest, 0))
    name = w.emit(
        "ConvTranspose",
        [w.get(x, order), kernel_form(w, kernel, (-1, -2)), "" if bias is None else w.get(bias)],
        kernel_shape=sizes,
        strides=_unless(1, attrs["strides"]),
        dilations=_unless(1, attrs["dilation"]),
        pads=_unless(0, before + after),
        output_padding=_unless(0, extra),
    )
    _closed_by(w, node, name, order, residual)


NOT_NEGATIVE = frozenset(
    ("relu", "sigmoid", "hard_sigmoid", "softplus", "exponential", "absolute", "square", "sqrt", "softmax")
)
KEEP_SIGN = frozenset(("max_pool", "average_pool", "pad", "transpose", "concatenate", "linear"))


def _has_zero_border(x: Value) -> bool:
    """Whether a pooling takes what has a border of zeros and may be negative elsewhere.

    Runtimes move such a border into the pooling, where it counts as minus infinity; ONNX Runtime 1.31 is one of them,
    https://github.com/microsoft/onnxruntime/pull/18136. A Max of one operand in between keeps them apart.
    """
    return x.node is not None and x.node.op.name == "pad" and not _is_not_negative(x)


def _is_not_negative(value: Value) -> bool:
    """Whether no element can be below zero, as far as a few steps back tell."""
    waiting, seen = [value], 0
    while waiting:
        node, seen = waiting.pop().node, seen + 1
        if node is None or seen > 32:
            return False
        name = node.op.name
        if name in NOT_NEGATIVE or (name == "clip" and node.attrs.get("alpha", 0.0) >= 0):
            continue
        if name not in KEEP_SIGN or (name == "pad" and node.attrs["value"] < 0):
            return False
        waiting.extend(one for one in node.inputs if one is not None)
    return True


def _pool(w: Writer, node: Node) -> None:
    """Averages count real elements alone, which is ONNX' count_include_pad=0, its default."""
    x = source(node)
    order = channels_first(x.spec.rank)
    size = node.attrs["size"]
    given = w.get(x, order)
    if node.op.name == "max_pool" and _has_zero_border(x):
        given = w.emit("Max", [given])
    name = w.emit(
        {"max_pool": "MaxPool", "average_pool": "AveragePool"}[node.op.name],
        [given],
        kernel_shape=list(size),
        strides=_unless(1, node.attrs["strides"]),
        **_padding(w, x.spec.shape[1:-1], size, node, (1,) * len(size)),
    )
    w.put(node.outputs[0], name, order)


def _free_window(w: Writer, node: Node) -> dict[str, Any]:
    """The attributes of a window that is padded, dilated and rounded freely."""
    attrs = node.attrs
    before, after = zip(*attrs["padding"], strict=True)
    return {
        "kernel_shape": list(attrs["size"]),
        "strides": _unless(1, attrs["strides"]),
        "dilations": _unless(1, attrs["dilation"]),
        "pads": _unless(0, [*before, *after]),
        "ceil_mode": 1 if attrs["ceil"] else None,
    }


def _free_pool(w: Writer, node: Node) -> None:
    x, attrs, kind = source(node), node.attrs, node.attrs["kind"]
    name, more = w.get(x), {}
    if kind == "average":
        more = {"count_include_pad": 1 if attrs["include"] else None}
        if max(attrs["dilation"]) > 1:
            w.need(19, "an average over dilated windows")
    elif kind == "lp":
        more = {"p": attrs["p"]}
        if max(attrs["dilation"]) > 1 or attrs["ceil"]:
            w.need(18, "a norm over dilated windows, or over windows rounded up")
    elif _has_zero_border(x):
        name = w.emit("Max", [name])
    operator = {"max": "MaxPool", "average": "AveragePool", "lp": "LpPool"}[kind]
    w.put(node.outputs[0], w.emit(operator, [name], **_free_window(w, node), **more))


def _max_places(w: Writer, node: Node) -> None:
    by_column = 1 if node.attrs["by_column"] else None
    given = [w.get(source(node))]
    w.put(node.outputs[0], w.emit_many("MaxPool", given, 2, storage_order=by_column, **_free_window(w, node))[1])


def _unpool(w: Writer, node: Node) -> None:
    """By scattering, since MaxUnpool wants the window, which the places do not need."""
    x, places = node.inputs
    assert x is not None and places is not None
    size = math.prod(node.attrs["shape"])
    zeros = w.emit("Expand", [w.number(0, x), w.ints([size])])
    flat = [w.emit("Reshape", [w.get(one), w.ints([-1])]) for one in (places, x)]
    made = w.emit("ScatterElements", [zeros, *flat], axis=0)
    w.put(node.outputs[0], w.emit("Reshape", [made, w.ints(node.attrs["shape"])]))


NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
BILINEAR = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}


def _resize(w: Writer, node: Node) -> None:
    x, attrs = source(node), node.attrs
    factors = dict(zip(attrs["axes"], attrs["factors"], strict=True))
    image = x.spec.rank == 4 and set(attrs["axes"]) <= {1, 2}
    name, order = w.any_order(x)
    if attrs["mode"] == "bilinear" and image and order not in (plain_order(4), channels_first(4)):
        name, order = w.get(x, channels_first(4)), channels_first(4)
    if x.spec.dtype == "float32" and (image or attrs["mode"] == "nearest"):
        scales = w.array(np.asarray([factors.get(axis, 1) for axis in order], np.float32))
        mode: dict[str, str] = BILINEAR if attrs["mode"] == "bilinear" else NEAREST
        w.put(node.outputs[0], w.emit("Resize", [name, "", scales], **mode), order)
        return
    sizes = [x.spec.shape[axis] for axis in order]
    for axis, factor in factors.items():
        if factor > 1:
            along = _repeated if attrs["mode"] == "nearest" else _interpolated
            name = along(w, name, sizes, order.index(axis), factor, x)
    w.put(node.outputs[0], name, order)


def _repeated(w: Writer, name: str, sizes: list[int | None], place: int, factor: int, x: Value) -> str:
    made = repeated(w, name, sizes, place, factor)
    size = sizes[place]
    sizes[place] = None if size is None else size * factor
    return made


def _interpolated(w: Writer, name: str, sizes: list[int | None], place: int, factor: int, x: Value) -> str:
    """Along one axis, from the two neighbours of each place: runtimes resize images alone."""
    size = sizes[place]
    if size is None:
        raise w.refusal("bilinear enlargement of an axis of unknown size, other than of an image's height and width")
    below, above, weight = neighbours(size, factor)
    first, second = (w.emit("Gather", [name, w.array(one)], axis=place) for one in (below, above))
    share = w.array(weight.astype(x.spec.dtype).reshape((-1,) + (1,) * (len(sizes) - place - 1)))
    sizes[place] = size * factor
    return w.emit("Add", [first, w.emit("Mul", [w.emit("Sub", [second, first]), share])])


def _inverted_residual(w: Writer, node: Node) -> None:
    """The convolutions that it was made from."""
    x, expand, expand_bias, depthwise, depthwise_bias, project, bias, residual = node.inputs
    assert x is not None and depthwise is not None
    hidden = depthwise.spec.shape[-1] or 0
    first, middle, last = parts(node.attrs, hidden)
    steps = [(first, expand, expand_bias, None), (middle, depthwise, depthwise_bias, None)]
    for attrs, kernel, shift, other in (*(steps if expand is not None else steps[1:]), (last, project, bias, residual)):
        one = Node(CONV, (x, kernel, shift, other), attrs, node.origin)
        one.outputs = node.outputs
        if kernel is not project:
            (spec,) = CONV.infer(attrs, one.input_specs, ())
            one.outputs = (Value(spec, "node", None, one),)
        _conv(w, one)
        x = one.outputs[0]


CONVERTERS: dict[str, Converter] = {
    "conv": _conv,
    "inverted_residual": _inverted_residual,
    "conv_transpose": _conv_transpose,
    "max_pool": _pool,
    "average_pool": _pool,
    "resize": _resize,
    "pool_channels_first": _free_pool,
    "max_pool_places": _max_places,
    "unpool": _unpool,
}
