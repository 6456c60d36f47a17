"""Kernels for products of two operands that are both made during the run: `matmul`, `einsum`, and `dense` with such."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.kernels.contraction import MOST_BATCH, Loop, Product, plan_product
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
from graphflow.kernels.packing import pack_panels
from graphflow.kernels.placement import MOST_AXES, transpose_step, transposed
from graphflow.kernels.products import FLOPS_PER_NS, gemm_step, row_block
from graphflow.ops.activation import LINEAR

ACTIVATION = frozenset(("activation",))
MOST_PACKED = 1 << 17
"""Floats of the right operand that are packed at a time; fewer where that would be too few blocks for the threads."""


def matmul_step(plan: Product, left: Ref, right: Ref, out: Ref, call: Call, bias: Ref | None = None) -> Step:
    """The step that computes a planned product of operands that lie where the plan wants them."""
    isa, k, m, n = call.isa, plan.depth, plan.rows, plan.columns
    widest = max(1, MOST_PACKED // max(k.size, 1) // isa.tile_n) * isa.tile_n
    around = [*(Loop(1, 0, 0, 0),) * (MOST_BATCH - len(plan.batch)), *plan.batch]
    places = math.prod(loop.size for loop in around)
    if call.threads > 1:
        widest = min(widest, max(2, places * n.size // (4 * call.threads * isa.tile_n)) * isa.tile_n)
    block_n = min(-(-max(n.size, 1) // isa.tile_n) * isa.tile_n, widest)
    blocks = places * -(-n.size // block_n)
    block_m = m.size if blocks >= 2 * call.threads or call.threads == 1 else row_block(m.size, k.size, n.size, isa)
    fields = {
        "a": left,
        "b": right,
        "bias": bias,
        "y": out,
        **{f"n{i}": loop.size for i, loop in enumerate(around)},
        **{f"a{i}": loop.left for i, loop in enumerate(around)},
        **{f"b{i}": loop.right for i, loop in enumerate(around)},
        **{f"y{i}": loop.out for i, loop in enumerate(around)},
        "m": m.size,
        "n": n.size,
        "k": k.size,
        "lda": m.left,
        "sk": k.right,
        "sn": n.right,
        "ldy": m.out,
        "block_m": max(block_m, 1),
        "block_n": block_n,
        **act_fields(call.attrs.get("activation", LINEAR)),
    }
    items = blocks * -(-m.size // max(block_m, 1)) if m.size and n.size else 0
    work = 2.0 * places * m.size * n.size * k.size / FLOPS_PER_NS[isa.name]
    return Step("matmul_f32", fields, items, work + places * n.size * k.size, scratch=4 * max(k.size, 1) * block_n)


def _labels(call: Call) -> tuple[str, str, str]:
    equation: str = call.attrs["equation"]
    operands, out = equation.split("->")
    first, second = operands.split(",")
    return first, second, out


def _matmul_labels(call: Call) -> tuple[str, str, str]:
    first, second = call.inputs
    assert first is not None and second is not None
    batch = "".join(chr(ord("A") + i) for i in range(max(first.rank, second.rank) - 2))
    return (
        batch[len(batch) - first.rank + 2 :] + "mk",
        batch[len(batch) - second.rank + 2 :] + "kn",
        batch + "mn",
    )


def _plan(call: Call, labels: tuple[str, str, str]) -> Product | None:
    first, second = call.inputs
    assert first is not None and second is not None
    shapes: Any = (first.shape, second.shape)
    return plan_product(labels[0], shapes[0], labels[1], shapes[1], labels[2])


def _copies(plan: Product, labels: tuple[str, str, str], shapes: Any) -> list[tuple[Any, list[int]] | None]:
    """Of left, right and out the shape and order of axes of the transpose that copies it; None where none does."""
    sides = (1, 0) if plan.swapped else (0, 1)
    found: list[tuple[Any, list[int]] | None] = []
    for side, order in zip(sides, plan.copies, strict=False):
        found.append(None if order is None else (shapes[side], [labels[side].index(label) for label in order]))
    order = plan.copies[2]
    if order is None:
        return [*found, None]
    sizes = dict(zip(labels[2], shapes[2], strict=True))
    return [*found, ([sizes[label] for label in order], [order.index(label) for label in labels[2]])]


def _not_product(call: Call, labels: tuple[str, str, str]) -> str | None:
    """Why there is no plan, for one sample as for several: an axis of one could hide it."""
    shapes = []
    for spec, own in zip((*call.inputs[:2], call.outputs[0]), labels, strict=True):
        assert spec is not None
        pairs = zip(spec.shape, own, strict=True)
        shapes.append([2 if size == 1 and label == labels[2][:1] else dimension(size) for size, label in pairs])
    plan = plan_product(labels[0], shapes[0], labels[1], shapes[1], labels[2])
    if plan is None:
        return "it is no batched matrix product of at most four separate dimensions"
    for copy in _copies(plan, labels, shapes):
        if copy is not None and len(transposed(*copy, 1)[0]) > MOST_AXES:
            return "an operand or the result would be transposed in more than six separate dimensions"
    return None


def _refuse_matmul(call: Call) -> str | None:
    return _not_product(call, _matmul_labels(call)) or not_float32(call)


def _lay_matmul(call: Call) -> Layout:
    return _lay(call, _matmul_labels(call))


def _refuse_einsum(call: Call) -> str | None:
    if call.attrs["equation"].count(",") != 1:
        return "it is no product of two operands"
    return _not_product(call, _labels(call)) or not_float32(call)


def _lay_einsum(call: Call) -> Layout:
    return _lay(call, _labels(call))


def _lay(call: Call, labels: tuple[str, str, str]) -> Layout:
    plan = _plan(call, labels)
    assert plan is not None
    sides = (1, 0) if plan.swapped else (0, 1)
    left, right = sides
    if (
        call.known[right]
        and not call.known[left]
        and not plan.batch
        and plan.copies[0] is None
        and plan.copies[2] is None
    ):
        return _lay_packed(call, labels, plan, left, right)
    steps: list[Step] = []
    work: list[int] = []
    shapes: Any = [one.shape for one in (*call.inputs[:2], call.outputs[0]) if one is not None]
    *copies, last = _copies(plan, labels, shapes)
    refs = []
    for side, copy in zip(sides, copies, strict=True):
        if copy is None:
            refs.append(operand(side))
            continue
        refs.append(Ref("work", len(work)))
        work.append(4 * math.prod(shapes[side]))
        steps.append(transpose_step(operand(side), refs[-1], *copy))
    if last is None:
        steps.append(matmul_step(plan, refs[0], refs[1], result(), call))
        return Layout(steps, work=work)
    made = Ref("work", len(work))
    work.append(4 * math.prod(shapes[2]))
    steps.append(matmul_step(plan, refs[0], refs[1], made, call))
    steps.append(transpose_step(made, result(), *last))
    return Layout(steps, work=work)


def _lay_packed(call: Call, labels: tuple[str, str, str], plan: Product, left: int, right: int) -> Layout:
    """The right operand is known before the run: packed once, as for `dense`."""
    isa = call.isa
    k, n, m = plan.depth.size, plan.columns.size, plan.rows.size
    inner = [label for label in labels[left] if label in labels[right]]
    columns = [label for label in labels[2] if label not in labels[left]]
    axes = [labels[right].index(label) for label in (*inner, *columns)]

    def pack(w: Array) -> Array:
        return pack_panels(np.ascontiguousarray(w.transpose(axes)).reshape(k, n), isa)

    epilogue = {"bias": None, "residual": None, **act_fields(call.attrs.get("activation", LINEAR))}
    step = gemm_step(operand(left), Ref("packed", 0), result(), m, n, k, call, epilogue)
    step.fields.update(ldx=plan.rows.left, ldy=plan.rows.out)
    return Layout([step], [Pack(f"panels {isa.name} {axes}", (right,), pack)])


def _refuse_dense(call: Call) -> str | None:
    if call.inputs[3] is not None:
        return "there is a residual"
    return not_float32(call)


def _lay_dense(call: Call) -> Layout:
    x, kernel = call.inputs[0], call.inputs[1]
    assert x is not None and kernel is not None
    m, (k, n) = math.prod(x.shape[:-1]), kernel.shape  # type: ignore[arg-type]
    assert k is not None and n is not None
    plan = Product(False, (None, None, None), (), Loop(m, k, 0, n), Loop(n, 0, 1, 1), Loop(k, 1, n, 0))
    bias = None if call.inputs[2] is None else operand(2)
    return Layout([matmul_step(plan, operand(0), operand(1), result(), call, bias)])


ROWS = (
    KernelDef("matmul_f32", "matmul", "fma k", _refuse_matmul, _lay_matmul, ACTIVATION),
    KernelDef("einsum_f32", "einsum", "fma k", _refuse_einsum, _lay_einsum, ACTIVATION),
    KernelDef(
        "matmul_dense_f32", "dense", "fma k", _refuse_dense, _lay_dense, frozenset(("bias", "residual", "activation"))
    ),
)
