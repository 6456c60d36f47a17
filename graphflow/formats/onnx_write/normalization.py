"""Normalisation by given statistics, over the last axes, and over groups of channels."""

from __future__ import annotations

import numpy as np

from graphflow.formats.onnx_write.activation import closed
from graphflow.formats.onnx_write.movement import source
from graphflow.formats.onnx_write.windows import channels_first
from graphflow.formats.onnx_write.writer import Converter, Order, Writer, plain_order
from graphflow.ir.graph import Node, Value
from graphflow.spec import element_count


def _channels_second(w: Writer, x: Value) -> Order | None:
    """An order in which x stands in the file, or can be put without a transpose, that has the channels second."""
    rank = x.spec.rank
    if rank == 2:
        return plain_order(2)
    return next((order for order in w.orders(x) if order[:2] == (0, rank - 1)), None)


def _batch_norm(w: Writer, node: Node) -> None:
    x, *rest = node.inputs
    assert x is not None
    mean, variance, gamma, beta = rest
    assert mean is not None and variance is not None
    order = _channels_second(w, x)
    epsilon = node.attrs["epsilon"]
    if order is not None and all(one is None or w.is_known(one) for one in rest):
        size = variance.spec.shape[0] or 0
        scale = w.array(np.ones(size, x.spec.dtype)) if gamma is None else w.get(gamma)
        shift = w.array(np.zeros(size, x.spec.dtype)) if beta is None else w.get(beta)
        given = [w.get(x, order), scale, shift, w.get(mean), w.get(variance)]
        name = w.emit("BatchNormalization", given, epsilon=epsilon)
        w.put(node.outputs[0], closed(w, node, name), order)
        return
    if all(one is None or w.is_known(one) for one in rest):
        wide = [None if one is None else w.known(one).astype(np.float64) for one in rest]
        factor = 1 / np.sqrt(np.asarray(wide[1]) + epsilon)
        factor = factor if wide[2] is None else factor * wide[2]
        offset = -np.asarray(wide[0]) * factor
        offset = offset if wide[3] is None else offset + wide[3]
        kind = x.spec.dtype
        scaled = w.emit("Mul", [w.get(x), w.array(factor.astype(kind), f"{w.place}/scale")])
        name = w.emit("Add", [scaled, w.array(offset.astype(kind), f"{w.place}/offset")])
        w.put(node.outputs[0], closed(w, node, name))
        return
    spread = w.emit("Sqrt", [w.emit("Add", [w.get(variance), w.number(epsilon, variance)])])
    name = w.emit("Div", [w.emit("Sub", [w.get(x), w.get(mean)]), spread])
    name = name if gamma is None else w.emit("Mul", [name, w.get(gamma)])
    name = name if beta is None else w.emit("Add", [name, w.get(beta)])
    w.put(node.outputs[0], closed(w, node, name))


def _layer_norm(w: Writer, node: Node) -> None:
    x, gamma, beta = source(node), node.inputs[1], node.inputs[2]
    rank, last = x.spec.rank, node.attrs["last"]
    axes = list(range(rank - last, rank))
    tail = x.spec.shape[rank - last :]
    name = w.get(x)
    if w.opset >= 17 and not node.attrs["rms"] and None not in tail:
        ones = w.array(np.ones([size or 0 for size in tail], x.spec.dtype), f"{w.place}/ones")
        scale = ones if gamma is None else w.get(gamma)
        given = [name, scale, "" if beta is None else w.get(beta)]
        w.put(node.outputs[0], w.emit("LayerNormalization", given, axis=-last, epsilon=node.attrs["epsilon"]))
        return
    centred = w.emit("Sub", [name, w.reduce("ReduceMean", name, axes, True)])
    variance = w.reduce("ReduceMean", w.emit("Mul", [centred, centred]), axes, True)
    spread = w.emit("Sqrt", [w.emit("Add", [variance, w.number(node.attrs["epsilon"], x)])])
    made = w.emit("Div", [name if node.attrs["rms"] else centred, spread])
    made = made if gamma is None else w.emit("Mul", [made, w.get(gamma)])
    w.put(node.outputs[0], made if beta is None else w.emit("Add", [made, w.get(beta)]))


def _group_norm(w: Writer, node: Node) -> None:
    """Each group normalised as one channel of InstanceNormalization, then scale and offset for each channel."""
    x, gamma, beta = source(node), node.inputs[1], node.inputs[2]
    rank, groups = x.spec.rank, node.attrs["groups"]
    order = channels_first(rank)
    name = w.get(x, order)
    one, none = np.ones(groups, x.spec.dtype), np.zeros(groups, x.spec.dtype)
    count = element_count(x.spec.shape[1:])
    grouped = w.emit("Reshape", [name, w.ints([0, groups, count // groups if count else -1])])
    given = [grouped, w.array(one), w.array(none)]
    normal = w.emit("InstanceNormalization", given, epsilon=node.attrs["epsilon"])
    made = w.emit("Reshape", [normal, w.emit("Shape", [name])])
    for kind, value in (("Mul", gamma), ("Add", beta)):
        if value is not None:
            made = w.emit(kind, [made, w.operand(value, rank, order)])
    w.put(node.outputs[0], made, order)


CONVERTERS: dict[str, Converter] = {
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
}
