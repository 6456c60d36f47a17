"""Products: dense, matrix products, sums of products, local connections."""

from __future__ import annotations

import math

import numpy as np

from graphflow.formats.onnx_write.activation import closed
from graphflow.formats.onnx_write.writer import Converter, Writer
from graphflow.ir.graph import Node
from graphflow.ops.local import local_padding, local_sizes


def _dense(w: Writer, node: Node) -> None:
    x, kernel, bias, residual = node.inputs
    assert x is not None and kernel is not None
    if x.spec.rank == 2 and bias is not None and x.spec.dtype in ("float32", "float64"):
        name = w.emit("Gemm", [w.get(x), w.get(kernel), w.get(bias)])
    else:
        name = w.emit("MatMul", [w.get(x), w.get(kernel)])
        name = name if bias is None else w.emit("Add", [name, w.get(bias)])
    if residual is not None:
        name = w.emit("Add", [name, w.get(residual)])
    w.put(node.outputs[0], closed(w, node, name))


def _matmul(w: Writer, node: Node) -> None:
    a, b = node.inputs
    assert a is not None and b is not None
    w.put(node.outputs[0], closed(w, node, w.emit("MatMul", [w.get(a), w.get(b)])))


def _einsum(w: Writer, node: Node) -> None:
    names = [w.get(value) for value in node.inputs if value is not None]
    w.put(node.outputs[0], closed(w, node, w.emit("Einsum", names, equation=node.attrs["equation"])))


def _local(w: Writer, node: Node) -> None:
    """The windows gathered, place by place, then one product for each place."""
    x, kernel, bias, residual = node.inputs
    assert x is not None and kernel is not None
    attrs, rank = node.attrs, x.spec.rank - 2
    spatial = [size or 0 for size in x.spec.shape[1:-1]]
    made = [size or 0 for size in local_sizes(attrs, spatial)]
    before = local_padding(attrs)
    after = [
        max((out - 1) * s + k - b - n, 0)
        for out, s, k, b, n in zip(made, attrs["strides"], attrs["size"], before, spatial, strict=True)
    ]
    name = w.get(x)
    if any(before) or any(after):
        name = w.emit("Pad", [name, w.ints([0, *before, 0, 0, *after, 0])])
    padded = [b + n + a for b, n, a in zip(before, spatial, after, strict=True)]
    places = np.zeros((1,) * (2 * rank), np.int64)
    for axis in range(rank):
        start = np.arange(made[axis]) * attrs["strides"][axis]
        steps = math.prod(padded[axis + 1 :]) * (start[:, None] + np.arange(attrs["size"][axis]))
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = steps.shape
        places = places + steps.reshape(shape)
    channels = x.spec.shape[-1] or 0
    flat = w.emit("Reshape", [name, w.ints([0, math.prod(padded), channels])])
    windows = w.emit("Gather", [flat, w.array(places.reshape(math.prod(made), -1), f"{w.place}/windows")], axis=1)
    rows = w.emit("Reshape", [windows, w.ints([0, math.prod(made), math.prod(attrs["size"]) * channels])])
    product = w.emit("MatMul", [w.emit("Transpose", [rows], perm=[1, 0, 2]), w.get(kernel)])
    back = w.emit("Transpose", [product], perm=[1, 0, 2])
    result = w.emit("Reshape", [back, w.ints([0, *made, node.outputs[0].spec.shape[-1] or 0])])
    for addend in (bias, residual):
        result = result if addend is None else w.emit("Add", [result, w.get(addend)])
    w.put(node.outputs[0], closed(w, node, result))


CONVERTERS: dict[str, Converter] = {
    "dense": _dense,
    "matmul": _matmul,
    "einsum": _einsum,
    "locally_connected": _local,
}
