"""Kernels for activations, binary arithmetic, pooling, reductions, softmax, lookups and movement."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.kernels.layout import (
    BYTES_PER_NS,
    Array,
    Call,
    KernelDef,
    Layout,
    Pack,
    Ref,
    Step,
    act_fields,
    elements,
    not_float32,
    operand,
    result,
)
from graphflow.ops.activation import LINEAR, NAMES, numbers_of

ACTIVATION = frozenset(("activation",))
BINARIES = ("add", "subtract", "multiply", "divide", "maximum", "minimum")


def _lay_unary(name: str) -> Any:
    def lay(call: Call) -> Layout:
        n = elements(call.outputs[0].shape)
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
        return Layout([Step("binary_f32", fields, items, elements(shape) * 12 / BYTES_PER_NS)], in_place=same)

    return lay


def _statistics(call: Call) -> str | None:
    return not_float32(call) or (None if all(call.known[1:]) else "statistics are computed during the run")


def _lay_batch_norm(call: Call) -> Layout:
    epsilon = call.attrs["epsilon"]
    shape: Any = call.outputs[0].shape
    rows, channels = elements(shape[:-1]), shape[-1]

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


FIRST = frozenset((0,))
"""The operand that may have gaps."""

ROWS = (
    *(KernelDef(f"{name}_f32", name, "element", not_float32, _lay_unary(name)) for name in NAMES),
    *(
        KernelDef(f"{name}_f32", name, "element", _refuse_binary, _lay_binary(kind), ACTIVATION)
        for kind, name in enumerate(BINARIES)
    ),
    KernelDef("batch_norm_f32", "batch_norm", "element", _statistics, _lay_batch_norm, ACTIVATION, FIRST),
)
