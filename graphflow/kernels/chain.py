"""The kernel for chains of elementwise ops: the program of its links, and pieces that stay in the first-level cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.kernels.elementwise import BINARIES, collapse
from graphflow.kernels.layout import (
    BYTES_PER_NS,
    Array,
    Call,
    KernelDef,
    Layout,
    Pack,
    Ref,
    Step,
    not_float32,
    operand,
    result,
)
from graphflow.ops.activation import NAMES
from graphflow.ops.chain import Link

MOST_OPERANDS = 6
MOST_LINKS = 16
PIECE = 1024
"""Elements that are computed together: 4 KB for each operand and each result that is kept."""


def _last_uses(links: Sequence[Link], operands: int) -> dict[int, int]:
    return {index: at for at, link in enumerate(links) for index in (link[1], link[2]) if index >= operands}


def program(links: Sequence[Link], operands: int) -> tuple[Array, int]:
    """The numbers of `chain.h` and how many slots they need; a slot is used again once nothing takes what it holds."""
    last = _last_uses(links, operands)
    place: dict[int, int] = {}
    free: list[int] = []
    slots, rows = 0, []
    for at, (op, first, second, (act, alpha, beta, gamma)) in enumerate(links):
        taken = [index if index < operands else MOST_OPERANDS + place[index] for index in (first, second)]
        free += [place[index] for index in {first, second} if last.get(index) == at]
        to = -1
        if at + 1 < len(links):
            to = free.pop() if free else slots
            slots = max(slots, to + 1)
            place[operands + at] = to
        kind = BINARIES.index(op) if op else -1
        rows.append([kind, *taken, to, NAMES.index(act), alpha, beta, gamma])
    return np.array(rows, np.float64), slots


def _refuse(call: Call) -> str | None:
    shapes = [spec.shape for spec in call.inputs if spec is not None]
    if len(shapes) > MOST_OPERANDS or len(call.attrs["links"]) > MOST_LINKS:
        return f"more than {MOST_OPERANDS} operands or {MOST_LINKS} links"
    if collapse(call.outputs[0].shape, *shapes) is None:
        return "broadcast over more than four separate dimensions"
    return not_float32(call)


def _lay(call: Call) -> Layout:
    links, shape = call.attrs["links"], call.outputs[0].shape
    shapes = [spec.shape for spec in call.inputs if spec is not None]
    collapsed = collapse(shape, *shapes)
    assert collapsed is not None
    sizes, strides = collapsed
    numbers, slots = program(links, len(shapes))
    columns, rows = PIECE, 1
    if len(sizes) - sizes.count(1) > 1 and sizes[3] < PIECE:  # else the rows are one
        columns = max(sizes[3], 1)
        rows = PIECE // columns
    fields: dict[str, Any] = {"y": result(), "program": Ref("packed", 0), "operands": len(shapes), "links": len(links)}
    fields |= {"slots": slots, "rows": rows, "columns": columns}
    fields |= {f"n{i}": size for i, size in enumerate(sizes)}
    for index, letter in enumerate("abcdef"):
        used = index < len(shapes)
        fields[f"x{index}"] = operand(index) if used else None
        fields |= {f"{letter}{i}": strides[index][i] if used else 0 for i in range(4)}
    items = sizes[0] * sizes[1] * -(-sizes[2] // rows) * -(-sizes[3] // columns)
    total = sizes[0] * sizes[1] * sizes[2] * sizes[3]
    step = Step(
        "chain_f32",
        fields,
        items if total else 0,
        total * (4 * len(shapes) + 4) / BYTES_PER_NS + 0.2 * total * len(links),
        scratch=4 * (slots + len(shapes)) * rows * columns,
    )
    same = tuple(index for index, one in enumerate(shapes) if one == shape)
    return Layout([step], [Pack(f"chain {links} {len(shapes)}", (), lambda: numbers)], in_place=same)


ROWS = (KernelDef("chain_f32", "chain", "element", _refuse, _lay),)
