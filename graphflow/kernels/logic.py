"""Kernels for masks: comparisons, logic, selection, conversions to float32 and bool, `any` and `all`."""

from __future__ import annotations

import math
from typing import Any

from graphflow.kernels.elementwise import collapse
from graphflow.kernels.layout import BYTES_PER_NS, Call, KernelDef, Layout, Step, not_float32, operand, result

TYPES = ("float32", "int32", "int64", "bool")
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or")
NEITHER = len(COMPARISONS)


def _broadcast_fields(shape: Any, **operands: Any) -> dict[str, int] | None:
    """`n0`..`n3` and the strides of the operands by name; None where there are more than four separate dimensions."""
    collapsed = collapse(shape, *operands.values())
    if collapsed is None:
        return None
    sizes, strides = collapsed
    fields = {f"n{i}": size for i, size in enumerate(sizes)}
    for name, own in zip(operands, strides, strict=True):
        fields |= {f"{name}{i}": step for i, step in enumerate(own)}
    return fields


def _shapes(call: Call) -> list[Any]:
    return [spec.shape for spec in call.inputs if spec is not None]


def _refuse_compare(call: Call) -> str | None:
    dtype = next(spec.dtype for spec in call.inputs if spec is not None)
    if dtype not in TYPES:
        return f"the operands are {dtype}"
    return None if collapse(call.outputs[0].shape, *_shapes(call)) else "more than four separate dimensions"


def _lay_compare(kind: int) -> Any:
    def lay(call: Call) -> Layout:
        shapes = _shapes(call)
        fields = _broadcast_fields(call.outputs[0].shape, a=shapes[0], b=shapes[-1])
        assert fields is not None and call.inputs[0] is not None
        second = operand(len(shapes) - 1)
        kinds = {"type": TYPES.index(call.inputs[0].dtype), "kind": kind}
        items = fields["n0"] * fields["n1"] * fields["n2"]
        work = items * fields["n3"] * 9 / BYTES_PER_NS
        step = Step("compare", {"a": operand(0), "b": second, "y": result(), **fields, **kinds}, items, work)
        return Layout([step])

    return lay


def _refuse_where(call: Call) -> str | None:
    if collapse(call.outputs[0].shape, *_shapes(call)) is None:
        return "more than four separate dimensions"
    return not_float32(call, 0)


def _lay_where(call: Call) -> Layout:
    shapes = _shapes(call)
    fields = _broadcast_fields(call.outputs[0].shape, c=shapes[0], a=shapes[1], b=shapes[2])
    assert fields is not None
    pointers = {"c": operand(0), "a": operand(1), "b": operand(2), "y": result()}
    items = fields["n0"] * fields["n1"] * fields["n2"]
    same = tuple(i for i in (1, 2) if shapes[i] == call.outputs[0].shape)
    step = Step("where_f32", {**pointers, **fields}, items, items * fields["n3"] * 13 / BYTES_PER_NS)
    return Layout([step], in_place=same)


def _refuse_cast(call: Call) -> str | None:
    given, wanted = call.inputs[0], call.outputs[0]
    assert given is not None
    if given.dtype not in TYPES or wanted.dtype not in ("float32", "bool"):
        return f"from {given.dtype} to {wanted.dtype}"
    return None


def _lay_cast(call: Call) -> Layout:
    given, wanted = call.inputs[0], call.outputs[0]
    assert given is not None
    n = math.prod(wanted.shape)  # type: ignore[arg-type]
    kinds = {"from": TYPES.index(given.dtype), "to": TYPES.index(wanted.dtype)}
    return Layout([Step("cast", {"x": operand(0), "y": result(), **kinds}, n, n * 8 / BYTES_PER_NS)])


def _refuse_hold(call: Call) -> str | None:
    axes = call.attrs["axes"]
    x = call.inputs[0]
    assert x is not None
    if axes != tuple(range(axes[0], axes[-1] + 1)):
        return "the axes do not lie side by side"
    return None if x.dtype == "bool" else f"input 0 is {x.dtype}"


def _lay_hold(every: bool) -> Any:
    def lay(call: Call) -> Layout:
        x, axes = call.inputs[0], call.attrs["axes"]
        assert x is not None
        shape: Any = x.shape
        outer, middle = math.prod(shape[: axes[0]]), math.prod(shape[axes[0] : axes[-1] + 1])
        inner = math.prod(shape[axes[-1] + 1 :])
        fields = {"x": operand(0), "y": result(), "outer": outer, "middle": middle, "inner": inner, "all": int(every)}
        items = outer if inner else 0
        return Layout([Step("hold", fields, items, outer * middle * inner / BYTES_PER_NS)])

    return lay


def _lay_band(call: Call) -> Layout:
    rows, columns = call.outputs[0].shape
    assert rows is not None and columns is not None
    fields = {"y": result(), "rows": rows, "columns": columns, "low": call.attrs["low"], "high": call.attrs["high"]}
    return Layout([Step("band", fields, rows, rows * columns / BYTES_PER_NS)])


ROWS = (
    *(KernelDef(name, name, "element", _refuse_compare, _lay_compare(kind)) for kind, name in enumerate(COMPARISONS)),
    KernelDef("logical_not", "logical_not", "element", _refuse_compare, _lay_compare(NEITHER)),
    KernelDef("where_f32", "where", "element", _refuse_where, _lay_where),
    KernelDef("cast", "cast", "element", _refuse_cast, _lay_cast),
    KernelDef("band", "band", "element", lambda call: None, _lay_band),
    KernelDef("any", "any", "middle", _refuse_hold, _lay_hold(False)),
    KernelDef("all", "all", "middle", _refuse_hold, _lay_hold(True)),
)
