"""Slices and splits without copies: what takes a part of a value reads it where it lies.

    value      |-------|-- part --|------|   one row, `ld` elements to the next one
                       |<- offset

A part whose rows lie evenly apart is a window of the value, if everything that takes it can read rows with gaps; a part
without gaps needs no such reader. The batch is never cut: windows hold for every batch of a plan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from graphflow.ir.graph import Value
from graphflow.kernels.movement import sliced
from graphflow.spec import TensorSpec

if TYPE_CHECKING:
    from graphflow.runtime.plan import PlannedNode

WHOLE = frozenset((start, None, step) for start in (None, 0) for step in (None, 1))
"""The keys of an axis that is not cut."""


class Part(NamedTuple):
    """A part of a value: its first element, how many elements from row to row, and whether its rows have gaps."""

    first: int
    ld: int
    gaps: bool


def parts(one: PlannedNode) -> dict[Value, Part]:
    """The outputs of a slice or split that are parts of its input with rows evenly apart."""
    if one.kernel is None or one.call is None or one.node.op.name not in ("getitem", "split"):
        return {}
    given = one.call.inputs[0]
    assert given is not None
    found: dict[Value, Part] = {}
    if one.node.op.name == "split":
        axis = int(one.node.attrs["axis"]) % max(given.rank, 1)
        if axis == 0:
            return {}
        outer, whole, first = math.prod(given.shape[:axis]), math.prod(given.shape[axis:]), 0  # type: ignore[arg-type]
        for value, spec in zip(one.node.outputs, one.call.outputs, strict=True):
            run = math.prod(spec.shape[axis:])  # type: ignore[arg-type]
            part = _part([(outer, whole), (run, 1)] if outer > 1 else [(run, 1)], first, spec)
            first += run
            if part is not None:
                found[value] = part
        return found
    key = one.node.attrs["key"][0]
    if isinstance(key, int) or tuple(key) not in WHOLE:
        return {}
    part = _part(*sliced(one.call), one.call.outputs[0])
    return {} if part is None else {one.node.outputs[0]: part}


def _part(dimensions: Sequence[tuple[int, int]], first: int, spec: TensorSpec) -> Part | None:
    width = spec.shape[-1] if spec.rank else None
    if not width or 0 in spec.shape:
        return None
    if len(dimensions) == 0 or (len(dimensions) == 1 and dimensions[0][1] == 1):
        return Part(first, width, False)
    if len(dimensions) == 2 and dimensions[1] == (width, 1) and dimensions[0][1] > 0:
        return Part(first, dimensions[0][1], True)
    return None
