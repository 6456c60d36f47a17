"""The kernel table: every compiled kernel, in one place, for planning, passes, tests, benchmarks and explanations."""

from __future__ import annotations

from graphflow.kernels import (
    attention,
    chain,
    convolution,
    elementwise,
    inverted_residual,
    logic,
    movement,
    normalization,
    placement,
    products,
    recurrent,
    reduction,
    winograd,
)
from graphflow.kernels.layout import Call, KernelDef

KERNELS: tuple[KernelDef, ...] = (
    *winograd.ROWS,
    *products.ROWS,
    *convolution.ROWS,
    *inverted_residual.ROWS,
    *recurrent.ROWS,
    *elementwise.ROWS,
    *reduction.ROWS,
    *placement.ROWS,
    *chain.ROWS,
    *movement.ROWS,
    *attention.ROWS,
    *normalization.ROWS,
    *logic.ROWS,
)

_BY_OP: dict[str, list[KernelDef]] = {}
for _row in KERNELS:
    _BY_OP.setdefault(_row.op, []).append(_row)


def rows_of(op: str) -> tuple[KernelDef, ...]:
    """The kernels of an op, in the order in which they are asked."""
    return tuple(_BY_OP.get(op, ()))


def epilogues(op: str) -> frozenset[str]:
    """What the kernels of an op can do behind it."""
    rows = _BY_OP.get(op, [])
    return rows[0].epilogues if rows else frozenset()


def choose(op: str, call: Call) -> tuple[KernelDef | None, str]:
    """The first kernel that takes a call, or None; and why the others, or all, were refused."""
    reasons: list[str] = []
    for row in _BY_OP.get(op, []):
        reason = row.refuses(call)
        if reason is None:
            return row, "; ".join(reasons)
        reasons.append(f"{row.name}: {reason}")
    return None, "; ".join(reasons) or f"no kernel computes {op}"
