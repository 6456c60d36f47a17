"""Kernels that fold many elements into one: pooling, reductions, softmax."""

from __future__ import annotations

from typing import Any

from graphflow.kernels.layout import (
    BYTES_PER_NS,
    Call,
    KernelDef,
    Layout,
    Ref,
    Step,
    elements,
    not_float32,
    operand,
    result,
)
from graphflow.kernels.products import spatial_fields
from graphflow.ops.pooling import pool_padding

REDUCTIONS = ("sum", "mean", "max", "min")

SHORTEST_SPAN = 32
"""Outputs: what is fetched ahead at the end of a part is in vain."""


def pool_span(rows: int, width: int, threads: int) -> int:
    """How many outputs of a row one item pools: all, unless there are too few rows to keep the threads busy."""
    if threads == 1 or rows >= 4 * threads:
        return max(width, 1)
    return max(-(-width * max(rows, 1) // (4 * threads)), SHORTEST_SPAN)


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
        return Layout([Step("pool_f32", fields, items, (elements(shape) + elements(out)) * 4 / BYTES_PER_NS)])

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
            elements(x.shape[: axes[0]]),
            elements(x.shape[axes[0] : axes[-1] + 1]),
            elements(x.shape[axes[-1] + 1 :]),
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
    rows, n = elements(x.shape[:first]), elements(x.shape[first:])
    fields = {"x": operand(0), "y": result(), "rows": rows, "n": n, "log": int(call.attrs["log"])}
    return Layout([Step("softmax_f32", fields, rows, 1.5 * rows * n)])


FIRST = frozenset((0,))
"""The operand that may have gaps."""

ROWS = (
    KernelDef("max_pool_nhwc_f32", "max_pool", "window", not_float32, _lay_pool(0), strided=FIRST),
    KernelDef("average_pool_nhwc_f32", "average_pool", "window", not_float32, _lay_pool(1), strided=FIRST),
    *(
        KernelDef(f"{name}_f32", name, "middle", _refuse_reduce, _lay_reduce(kind))
        for kind, name in enumerate(REDUCTIONS)
    ),
    KernelDef("softmax_f32", "softmax", "row", _refuse_softmax, _lay_softmax),
)
