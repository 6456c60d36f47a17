"""Kernels that put whole elements elsewhere: look-up, joining, parting, transposing."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.kernels.layout import (
    BYTES_PER_NS,
    Call,
    KernelDef,
    Layout,
    Ref,
    Step,
    dimension,
    elements,
    operand,
    result,
)

INDEX_KINDS = ("int32", "int64", "float32")


def _refuse_embedding(call: Call) -> str | None:
    indices, table = call.inputs
    assert indices is not None and table is not None
    if indices.dtype not in INDEX_KINDS or table.dtype != "float32":
        return f"indices are {indices.dtype}, the table {table.dtype}"
    return None if table.rank == 2 else "the table is not a matrix"


def _lay_embedding(call: Call) -> Layout:
    indices, table = call.inputs
    assert indices is not None and table is not None
    count, (vocabulary, width) = elements(indices.shape), table.shape
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
    rows, whole = elements(y.shape[:axis]), elements(y.shape[axis:]) * size
    steps, offset = [], 0
    for index, spec in enumerate(call.inputs):
        assert spec is not None
        width = elements(spec.shape[axis:]) * size
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
    rows, whole = elements(x.shape[:axis]), elements(x.shape[axis:]) * size
    steps, offset = [], 0
    for index, spec in enumerate(call.outputs):
        width = elements(spec.shape[axis:]) * size
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
    return Step("transpose", fields, elements(sizes[:4]), 2 * elements(shape) * itemsize / 10)


def _lay_transpose(call: Call) -> Layout:
    x = call.inputs[0]
    assert x is not None
    step = transpose_step(operand(0), result(), x.shape, call.attrs["axes"], np.dtype(x.dtype).itemsize)
    return Layout([step])


ROWS = (
    KernelDef("embedding_f32", "embedding", "copy", _refuse_embedding, _lay_embedding),
    KernelDef("concatenate", "concatenate", "copy", _refuse_never, _lay_concatenate, strided=frozenset()),
    KernelDef("split", "split", "copy", _refuse_never, _lay_split),
    KernelDef("transpose", "transpose", "copy", _refuse_transpose, _lay_transpose),
)
