"""Concatenation without copies: what is to be joined is computed where it will lie in the whole.

    joined     |-- a --|--- b ---|- c -|   one pixel, `ld` channels to the next one
    window of b        |<- offset

Kernels that can leave gaps between pixels (`KernelDef.strided`) write into such a window, and read from it. A piece
gets one if its maker and everything that takes it can, and if it is joined nowhere else. Pieces of pieces lie in the
outermost whole, so that a dense block grows in one buffer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from graphflow.ir.graph import Node, Value
from graphflow.kernels.layout import Layout, Ref, Step
from graphflow.spec import TensorSpec

if TYPE_CHECKING:
    from graphflow.runtime.plan import PlannedNode

LEADING = {"x": "ldx", "y": "ldy", "residual": "ldr"}
"""The pointers of a leaf that may have gaps, and the argument that says how far it is to the next row."""

ITEM = 4
"""Bytes of an element: kernels with gaps are those of float32."""


class Window(NamedTuple):
    """Where a value lies inside another: from which byte on, and how many elements from row to row."""

    root: Value
    offset: int
    ld: int


def find_windows(
    nodes: Sequence[PlannedNode], specs: dict[Value, TensorSpec], results: Iterable[Value]
) -> dict[Value, Window]:
    """The values that are computed inside another one.

    Args:
        nodes: in order, with their kernels chosen.
        results: what leaves the graph, which lies where the caller wants it.
    """
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
            and len(maker.node.outputs) == 1
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
    return found


def _width(spec: TensorSpec) -> int:
    size = spec.shape[-1]
    assert size is not None
    return size


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
    return Layout([_moved(step, places) for step in steps], layout.packs, layout.work, ())


def _in_place(step: Step, node: Node, windows: dict[Value, Window]) -> bool:
    """Whether what a step of a concatenation copies lies where it would be copied to."""
    whole, piece = node.outputs[0], node.inputs[step.fields["x"].position]
    outer = windows.get(whole) or Window(whole, 0, step.fields["ldy"] // ITEM)
    return piece is not None and windows.get(piece) == outer._replace(offset=outer.offset + step.fields["y"].offset)


def _moved(step: Step, places: dict[tuple[str, int], Window]) -> Step:
    fields = dict(step.fields)
    unit = 1 if step.leaf == "copy" else ITEM
    for name, leading in LEADING.items():
        ref = fields.get(name)
        window = places.get((ref.kind, ref.position)) if isinstance(ref, Ref) else None
        if window is not None and isinstance(ref, Ref):
            row = fields[leading] * unit
            rows, inside = divmod(ref.offset, row)
            fields[leading] = window.ld * ITEM // unit
            fields[name] = ref._replace(offset=window.offset + rows * window.ld * ITEM + inside)
    return Step(step.leaf, fields, step.items, step.nanoseconds, step.limit, step.scratch)
