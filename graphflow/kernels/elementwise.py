"""Kernels for activations, binary arithmetic, pooling, reductions, softmax, lookups and movement."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.kernels.layout import (
    Array,
    Call,
    KernelDef,
    Layout,
    Pack,
    Ref,
    Step,
    act_fields,
    dimension,
    not_float32,
    operand,
    result,
)
from graphflow.kernels.products import spatial_fields
from graphflow.ops.activation import LINEAR, NAMES, numbers_of
from graphflow.ops.pooling import pool_padding

ACTIVATION = frozenset(("activation",))
BINARIES = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
REDUCTIONS = ("sum", "mean", "max", "min")
INDEX_KINDS = ("int32", "int64", "float32")
BYTES_PER_NS = 20.0


def _count(shape: Any) -> int:
    return math.prod(shape)


def _lay_unary(name: str) -> Any:
    def lay(call: Call) -> Layout:
        n = _count(call.outputs[0].shape)
        fields = {"x": operand(0), "y": result(), "n": n, **act_fields(numbers_of(name, call.attrs))}
        return Layout([Step("unary_f32", fields, n, 0.5 * n)], in_place=(0,))

    return lay


def collapse(shape: Any, *operands: Any) -> tuple[list[int], list[list[int]]] | None:
    """The output shape and operand strides (elements, 0 where repeated) in at most four dimensions, or None."""
    sizes: list[int] = []
    strides: list[list[int]] = [[] for _ in operands]
    full = []
    for other in operands:
        padded = (1,) * (len(shape) - len(other)) + tuple(other)
        step, own = 1, []
        for size in reversed(padded):
            own.append(0 if size == 1 else step)
            step *= size
        full.append(own[::-1])
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        joins = sizes and all(kept[-1] == own[axis] * size for kept, own in zip(strides, full, strict=True))
        if joins:
            sizes[-1] *= size
            for kept, own in zip(strides, full, strict=True):
                kept[-1] = own[axis]
        else:
            sizes.append(size)
            for kept, own in zip(strides, full, strict=True):
                kept.append(own[axis])
    if len(sizes) > 4:
        return None
    gap = 4 - len(sizes)
    return [1] * gap + sizes, [[0] * gap + kept for kept in strides]


def _refuse_binary(call: Call) -> str | None:
    first, second = call.inputs
    assert first is not None and second is not None
    if collapse(call.outputs[0].shape, first.shape, second.shape) is None:
        return "broadcast over more than four separate dimensions"
    return not_float32(call)


def _lay_binary(kind: int) -> Any:
    def lay(call: Call) -> Layout:
        first, second = call.inputs
        assert first is not None and second is not None
        shape = call.outputs[0].shape
        collapsed = collapse(shape, first.shape, second.shape)
        assert collapsed is not None
        sizes, (a, b) = collapsed
        block = min(max(sizes[3], 1), 8192)
        fields = {"a": operand(0), "b": operand(1), "y": result(), "block": block, "kind": kind}
        fields |= {f"n{i}": size for i, size in enumerate(sizes)}
        fields |= {f"a{i}": size for i, size in enumerate(a)} | {f"b{i}": size for i, size in enumerate(b)}
        fields |= act_fields(call.attrs.get("activation", LINEAR))
        items = sizes[0] * sizes[1] * sizes[2] * -(-sizes[3] // block)
        same = tuple(i for i, spec in enumerate((first, second)) if spec.shape == shape)
        return Layout([Step("binary_f32", fields, items, _count(shape) * 12 / BYTES_PER_NS)], in_place=same)

    return lay


def _statistics(call: Call) -> str | None:
    return not_float32(call) or (None if all(call.known[1:]) else "statistics are computed during the run")


def _lay_batch_norm(call: Call) -> Layout:
    epsilon = call.attrs["epsilon"]
    shape: Any = call.outputs[0].shape
    rows, channels = _count(shape[:-1]), shape[-1]

    def scale(variance: Array, gamma: Array | None) -> Array:
        factor = 1 / np.sqrt(variance.astype(np.float64) + epsilon)
        return np.asarray(factor if gamma is None else factor * gamma, np.float32)

    def shift(mean: Array, variance: Array, gamma: Array | None, beta: Array | None) -> Array:
        factor = 1 / np.sqrt(variance.astype(np.float64) + epsilon)
        offset = -mean * (factor if gamma is None else factor * gamma)
        return np.asarray(offset if beta is None else offset + beta, np.float32)

    fields = {
        "x": operand(0),
        "scale": Ref("packed", 0),
        "shift": Ref("packed", 1),
        "y": result(),
        "rows": rows,
        "channels": channels,
        "ldx": channels,
        "ldy": channels,
        **act_fields(call.attrs.get("activation", LINEAR)),
    }
    packs = [Pack(f"scale {epsilon}", (2, 3), scale), Pack(f"shift {epsilon}", (1, 2, 3, 4), shift)]
    return Layout([Step("affine_f32", fields, rows, rows * channels * 8 / BYTES_PER_NS)], packs, in_place=(0,))


def pool_span(rows: int, width: int, threads: int) -> int:
    """How many outputs of a row one item pools: all, unless there are too few rows to keep the threads busy."""
    if threads == 1 or rows >= 4 * threads:
        return max(width, 1)
    return max(-(-width * max(rows, 1) // (4 * threads)), SHORTEST_SPAN)


SHORTEST_SPAN = 32
"""Outputs: what is fetched ahead at the end of a part is in vain."""


def _lay_pool(kind: int) -> Any:
    def lay(call: Call) -> Layout:
        x = call.inputs[0]
        assert x is not None
        shape: Any = x.shape
        out: Any = call.outputs[0].shape
        fields = {
            "x": operand(0),
            "y": result(),
            "batch": shape[0],
            "channels": shape[-1],
            **spatial_fields("in", shape[1:-1]),
            **spatial_fields("out", out[1:-1]),
            **spatial_fields("kernel", call.attrs["size"]),
            **spatial_fields("stride", call.attrs["strides"]),
            **spatial_fields("pad", [before for before, _ in pool_padding(call.attrs, shape)], 0),
            "ldx": shape[-1],
            "ldy": out[-1],
            "kind": kind,
        }
        rows = out[0] * fields["out_d"] * fields["out_h"]
        span = fields["span"] = pool_span(rows, fields["out_w"], call.threads)
        items = rows * -(-fields["out_w"] // span)
        return Layout([Step("pool_f32", fields, items, (_count(shape) + _count(out)) * 4 / BYTES_PER_NS)])

    return lay


def _refuse_reduce(call: Call) -> str | None:
    axes = call.attrs["axes"]
    if axes != tuple(range(axes[0], axes[-1] + 1)):
        return "the axes do not lie side by side"
    x = call.inputs[0]
    assert x is not None
    if 0 in x.shape:
        return "the input is empty"
    return not_float32(call)


PARTS, LONG = 4, 1 << 16
"""A reduction over `LONG` elements or more of a sample, several columns side by side, is one of `PARTS` reductions: a
single sample has work for several threads, whoever computes it. A mean of four equal means only shifts exponents."""


def _lay_reduce(kind: int) -> Any:
    def lay(call: Call) -> Layout:
        x = call.inputs[0]
        assert x is not None
        axes = call.attrs["axes"]
        outer, middle, inner = (
            _count(x.shape[: axes[0]]),
            _count(x.shape[axes[0] : axes[-1] + 1]),
            _count(x.shape[axes[-1] + 1 :]),
        )

        def step(source: Ref, target: Ref, outer: int, middle: int) -> Step:
            fields = {"x": source, "y": target, "outer": outer, "middle": middle, "inner": inner, "kind": kind}
            return Step("reduce_f32", fields, outer, outer * middle * inner * 4 / BYTES_PER_NS)

        if inner == 1 or middle % PARTS or middle * inner < LONG:
            return Layout([step(operand(0), result(), outer, middle)])
        parts = Ref("work", 0)
        steps = [step(operand(0), parts, outer * PARTS, middle // PARTS), step(parts, result(), outer, PARTS)]
        return Layout(steps, work=[outer * PARTS * inner * 4])

    return lay


def _refuse_softmax(call: Call) -> str | None:
    x = call.inputs[0]
    assert x is not None
    rank = len(x.shape)
    axes = call.attrs["axes"]
    if axes != tuple(range(rank - len(axes), rank)):
        return "the axes are not the last ones"
    return not_float32(call)


def _lay_softmax(call: Call) -> Layout:
    x = call.inputs[0]
    assert x is not None
    first = call.attrs["axes"][0]
    rows, n = _count(x.shape[:first]), _count(x.shape[first:])
    fields = {"x": operand(0), "y": result(), "rows": rows, "n": n, "log": int(call.attrs["log"])}
    return Layout([Step("softmax_f32", fields, rows, 1.5 * rows * n)])


def _refuse_embedding(call: Call) -> str | None:
    indices, table = call.inputs
    assert indices is not None and table is not None
    if indices.dtype not in INDEX_KINDS or table.dtype != "float32":
        return f"indices are {indices.dtype}, the table {table.dtype}"
    return None if table.rank == 2 else "the table is not a matrix"


def _lay_embedding(call: Call) -> Layout:
    indices, table = call.inputs
    assert indices is not None and table is not None
    count, (vocabulary, width) = _count(indices.shape), table.shape
    fields = {
        "indices": operand(0),
        "table": operand(1),
        "y": result(),
        "count": count,
        "vocabulary": vocabulary,
        "width": width,
        "kind": INDEX_KINDS.index(indices.dtype),
    }
    return Layout([Step("embedding_f32", fields, count, count * (dimension(width) * 8 / BYTES_PER_NS + 5))])


def _refuse_never(call: Call) -> str | None:
    return None


def _lay_concatenate(call: Call) -> Layout:
    axis, y = call.attrs["axis"], call.outputs[0]
    size = np.dtype(y.dtype).itemsize
    rows, whole = _count(y.shape[:axis]), _count(y.shape[axis:]) * size
    steps, offset = [], 0
    for index, spec in enumerate(call.inputs):
        assert spec is not None
        width = _count(spec.shape[axis:]) * size
        fields = {
            "x": operand(index),
            "y": Ref("out", 0, offset),
            "rows": rows,
            "width": width,
            "ldx": width,
            "ldy": whole,
        }
        if width:
            steps.append(Step("copy", fields, rows, 2 * rows * width / BYTES_PER_NS))
        offset += width
    return Layout(steps)


def _lay_split(call: Call) -> Layout:
    axis, x = call.attrs["axis"], call.inputs[0]
    assert x is not None
    size = np.dtype(x.dtype).itemsize
    rows, whole = _count(x.shape[:axis]), _count(x.shape[axis:]) * size
    steps, offset = [], 0
    for index, spec in enumerate(call.outputs):
        width = _count(spec.shape[axis:]) * size
        places = {"x": Ref("in", 0, offset), "y": result(index)}
        if width:
            sizes = {"rows": rows, "width": width, "ldx": whole, "ldy": width}
            steps.append(Step("copy", {**places, **sizes}, rows, 2 * rows * width / BYTES_PER_NS))
        offset += width
    return Layout(steps)


MOST_AXES = 6
"""Of a transpose, those that stay together counted once."""


def transposed(shape: Any, axes: Any, size: int) -> tuple[list[int], list[int]]:
    """The output's sizes and the input's strides (bytes) along them, neighbours that stay together joined."""
    steps = [0] * len(shape)
    step = size
    for axis in reversed(range(len(shape))):
        steps[axis] = step
        step *= shape[axis]
    sizes: list[int] = []
    strides: list[int] = []
    for axis in axes:
        if shape[axis] == 1:
            continue
        if sizes and strides[-1] == steps[axis] * shape[axis]:
            sizes[-1] *= shape[axis]
            strides[-1] = steps[axis]
        else:
            sizes.append(shape[axis])
            strides.append(steps[axis])
    return sizes, strides


def _refuse_transpose(call: Call) -> str | None:
    x = call.inputs[0]
    assert x is not None
    sizes, _ = transposed(x.shape, call.attrs["axes"], 1)
    return None if len(sizes) <= MOST_AXES else "more than six separate dimensions"


def transpose_step(source: Ref, target: Ref, shape: Any, axes: Any, itemsize: int = 4) -> Step:
    """A step that writes a tensor with its axes in another order."""
    sizes, strides = transposed(shape, axes, itemsize)
    gap = MOST_AXES - len(sizes)
    sizes, strides = [1] * gap + sizes, [0] * gap + strides
    fields: dict[str, Any] = {"x": source, "y": target, "itemsize": itemsize}
    fields |= {f"n{i}": value for i, value in enumerate(sizes)} | {f"s{i}": value for i, value in enumerate(strides)}
    return Step("transpose", fields, _count(sizes[:4]), 2 * _count(shape) * itemsize / 10)


def _lay_transpose(call: Call) -> Layout:
    x = call.inputs[0]
    assert x is not None
    step = transpose_step(operand(0), result(), x.shape, call.attrs["axes"], np.dtype(x.dtype).itemsize)
    return Layout([step])


FIRST = frozenset((0,))
"""The operand that may have gaps."""

ROWS = (
    *(KernelDef(f"{name}_f32", name, "element", not_float32, _lay_unary(name)) for name in NAMES),
    *(
        KernelDef(f"{name}_f32", name, "element", _refuse_binary, _lay_binary(kind), ACTIVATION)
        for kind, name in enumerate(BINARIES)
    ),
    KernelDef("batch_norm_f32", "batch_norm", "element", _statistics, _lay_batch_norm, ACTIVATION, FIRST),
    KernelDef("max_pool_nhwc_f32", "max_pool", "window", not_float32, _lay_pool(0), strided=FIRST),
    KernelDef("average_pool_nhwc_f32", "average_pool", "window", not_float32, _lay_pool(1), strided=FIRST),
    *(
        KernelDef(f"{name}_f32", name, "middle", _refuse_reduce, _lay_reduce(kind))
        for kind, name in enumerate(REDUCTIONS)
    ),
    KernelDef("softmax_f32", "softmax", "row", _refuse_softmax, _lay_softmax),
    KernelDef("embedding_f32", "embedding", "copy", _refuse_embedding, _lay_embedding),
    KernelDef("concatenate", "concatenate", "copy", _refuse_never, _lay_concatenate, strided=frozenset()),
    KernelDef("split", "split", "copy", _refuse_never, _lay_split),
    KernelDef("transpose", "transpose", "copy", _refuse_transpose, _lay_transpose),
)
