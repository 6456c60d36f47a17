"""Concatenation and slicing without copies: what is to be joined is computed where it will lie in the whole, and a part
is read where it lies.

    joined     |-- a --|--- b ---|- c -|   one pixel, `ld` channels to the next one
    window of b        |<- offset

Kernels that can leave gaps between pixels (`KernelDef.strided`) write into such a window, and read from it. A piece
gets one if its maker and everything that takes it can, and if it is joined nowhere else. Pieces of pieces lie in the
outermost whole, so that a dense block grows in one buffer. Parts of a value (`slices`) are windows of it that are only
read: of any kernel where they have no gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphflow.ir.graph import Node, Value
from graphflow.kernels.layout import Layout, Ref, Step, dimension
from graphflow.runtime.slices import Part, parts
from graphflow.spec import TensorSpec

if TYPE_CHECKING:
    from graphflow.runtime.plan import PlannedNode

LEADING = {"x": "ldx", "y": "ldy", "last": "ldy", "residual": "ldr"}
"""The pointers of a leaf that may have gaps, and the argument that says how far it is to the next row."""

JOIN_OR_PART = frozenset(("concatenate", "getitem", "split"))
"""The ops that give rise to windows."""

ITEM = 4
"""Bytes of an element: kernels with gaps are those of float32."""


class Window(NamedTuple):
    """Where a value lies inside another: from which byte on, how many elements from row to row, and whether these are
    more than a row has."""

    root: Value
    offset: int
    ld: int
    gaps: bool = True


def find_windows(
    nodes: Sequence[PlannedNode], specs: dict[Value, TensorSpec], results: Iterable[Value]
) -> dict[Value, Window]:
    """The values that are computed inside another one.

    Args:
        nodes: in order, with their kernels chosen.
        results: what leaves the graph, which lies where the caller wants it.
    """
    if not any(one.node.op.name in JOIN_OR_PART for one in nodes):
        return {}
    made_by = {value: one for one in nodes for value in one.node.outputs}
    takers: dict[Value, list[tuple[PlannedNode, int]]] = {}
    for one in nodes:
        for index, taken in enumerate(one.node.inputs):
            if taken is not None:
                takers.setdefault(taken, []).append((one, index))
    fixed = set(results)
    found: dict[Value, Window] = {}

    def may_lie_apart(value: Value) -> bool:
        maker = made_by.get(value)
        return (
            maker is not None
            and value not in fixed
            and value not in found
            and maker.kernel is not None
            and maker.kernel.strided is not None
            and (maker.node.op.name != "concatenate" or _joins_last(maker.node, specs))
            and value is maker.node.outputs[0]
            and all(_reads_gaps(taker, index, specs) for taker, index in takers[value])
        )

    for one in reversed(nodes):
        if one.kernel is None or not _joins_last(one.node, specs):
            continue
        whole = one.node.outputs[0]
        outer = found.get(whole) or Window(whole, 0, _width(specs[whole]))
        offset = outer.offset
        for piece in one.node.inputs:
            assert piece is not None
            if one.node.inputs.count(piece) == 1 and may_lie_apart(piece):
                found[piece] = Window(outer.root, offset, outer.ld)
            offset += ITEM * _width(specs.get(piece, piece.spec))
    for one in nodes:
        source = one.node.inputs[0] if one.node.inputs else None
        for value, part in parts(one).items():
            window = None if source is None else _window_of(source, part, specs, found)
            if window is not None and value not in fixed and _readable(value, window, takers, specs):
                found[value] = window
    return found


def _window_of(source: Value, part: Part, specs: dict[Value, TensorSpec], found: dict[Value, Window]) -> Window | None:
    """Where a part of a value lies, that may lie in a window itself."""
    spec = specs.get(source, source.spec)
    size, outer = np.dtype(spec.dtype).itemsize, found.get(source)
    if part.gaps and spec.dtype != "float32":
        return None
    if outer is None or not outer.gaps:
        root, offset = (source, 0) if outer is None else (outer.root, outer.offset)
        return Window(root, offset + part.first * size, part.ld, part.gaps)
    row, inside = divmod(part.first, _width(spec))
    rows, beside = divmod(part.ld, _width(spec))
    if not part.gaps or beside:
        return None
    return Window(outer.root, outer.offset + (row * outer.ld + inside) * size, rows * outer.ld)


def _readable(
    value: Value, window: Window, takers: dict[Value, list[tuple[PlannedNode, int]]], specs: dict[Value, TensorSpec]
) -> bool:
    """Whether everything that takes a part can read it where it lies."""
    taking = takers.get(value, [])
    if window.gaps:
        return all(_reads_gaps(taker, index, specs) for taker, index in taking)
    return all(taker.kernel is not None for taker, _ in taking)


def _width(spec: TensorSpec) -> int:
    return dimension(spec.shape[-1])


def _joins_last(node: Node, specs: dict[Value, TensorSpec]) -> bool:
    """Whether a node joins float32 values along their last axis."""
    if node.op.name != "concatenate":
        return False
    spec = specs[node.outputs[0]]
    return spec.dtype == "float32" and spec.rank > 1 and int(node.attrs["axis"]) % spec.rank == spec.rank - 1


def _reads_gaps(taker: PlannedNode, index: int, specs: dict[Value, TensorSpec]) -> bool:
    if taker.node.op.name == "concatenate":
        return taker.kernel is not None and _joins_last(taker.node, specs)
    strided = None if taker.kernel is None else taker.kernel.strided
    return strided is not None and index in strided


def in_windows(layout: Layout, node: Node, windows: dict[Value, Window]) -> Layout:
    """A layout whose operands lie in their windows; what a concatenation finds in its place is not copied."""
    places: dict[tuple[str, int], Window] = {}
    for kind, values in (("in", node.inputs), ("out", node.outputs)):
        places |= {(kind, i): windows[one] for i, one in enumerate(values) if one is not None and one in windows}
    if not places:
        return layout
    steps = layout.steps
    if node.op.name == "concatenate":
        steps = [step for step in steps if not _in_place(step, node, windows)]
    elif node.op.name in ("getitem", "split"):
        steps = [step for step in steps if node.outputs[step.fields["y"].position] not in windows]
    return Layout([moved(step, places) for step in steps], layout.packs, layout.work, ())


def _in_place(step: Step, node: Node, windows: dict[Value, Window]) -> bool:
    """Whether what a step of a concatenation copies lies where it would be copied to."""
    whole, piece = node.outputs[0], node.inputs[step.fields["x"].position]
    outer = windows.get(whole) or Window(whole, 0, step.fields["ldy"] // ITEM)
    return piece is not None and windows.get(piece) == outer._replace(offset=outer.offset + step.fields["y"].offset)


def moved(step: Step, places: dict[tuple[str, int], Window]) -> Step:
    """A step whose operands lie in windows: by (kind, position), where."""
    fields = dict(step.fields)
    unit = 1 if step.leaf == "copy" else ITEM
    for name, ref in step.fields.items():
        window = places.get((ref.kind, ref.position)) if isinstance(ref, Ref) else None
        if window is None:
            continue
        if not window.gaps:
            fields[name] = ref._replace(offset=window.offset + ref.offset)
            continue
        leading = LEADING[name]
        row = fields[leading] * unit
        rows, inside = divmod(ref.offset, row)
        fields[leading] = window.ld * ITEM // unit
        fields[name] = ref._replace(offset=window.offset + rows * window.ld * ITEM + inside)
    return Step(step.leaf, fields, step.items, step.nanoseconds, step.limit, step.scratch)
