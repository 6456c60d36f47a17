"""What Winograd's weights take, and which convolutions may have them when their memory is bounded.

The rule knows the graph alone, not the shapes of a plan, so that all plans of a session agree and together stay below
the bound, and a row has the same bits in every batch: layers in the order of what they gain for each byte, those first
that come first in the graph where that is equal; each that still fits has them. Bodies of loops have none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from graphflow.ir.graph import Graph, Node, Value
from graphflow.kernels.isa import Isa
from graphflow.kernels.packing import panel_floats
from graphflow.kernels.winograd import surplus, winograd_floats
from graphflow.mapped import MAPPED_FROM
from graphflow.spec import element_count


def with_winograd(graph: Graph, isa: Isa | None, most: int | None) -> frozenset[Node] | None:
    """The nodes of a tuned graph that may use Winograd's method.

    Args:
        graph: tuned.
        isa: the instruction set; None: references only.
        most: bytes that its weights may take beyond direct ones; None: no bound.

    Returns:
        Nodes, or None for all.
    """
    if most is None:
        return None
    ordered = [node for node in graph.ordered() if node.stage == "run"] if isa is not None else []
    found = []
    for node in ordered:
        kernel = node.inputs[1] if node.op.name == "conv" else None
        if kernel is None or isa is None:
            continue
        # from this size on weights may lie askew in a mapped file, so that a copy is read instead
        held = kernel.node is not None or 4 * (element_count(kernel.spec.shape) or 0) >= MAPPED_FROM
        out = node.outputs[0].spec.shape[1:-1]
        asked = surplus(kernel.spec.shape, out, node.attrs, isa, held, kernel.use_count == 1)
        if asked is not None:
            found.append((asked, node))
    found.sort(key=lambda one: -one[0].gain / max(one[0].size, 1))
    left, chosen = most, set()
    for asked, node in found:
        if asked.size <= left:
            left -= asked.size
            chosen.add(node)
    return frozenset(chosen)


def winograd_bytes(nodes: Iterable[Any]) -> int:
    """The bytes that Winograd's weights take beyond direct ones.

    Args:
        nodes: of a plan, and of its bodies.
    """
    packs: dict[Any, int] = {}
    direct: dict[Value, int] = {}
    taken: Counter[Value] = Counter()
    others: set[Value] = set()
    for planned in nodes:
        kernel = planned.node.inputs[1] if planned.node.op.name == "conv" else None
        if kernel is None or planned.kernel is None:
            continue
        if not planned.kernel.name.startswith("winograd"):
            others.add(kernel)
            continue
        fields, isa, taps = planned.layout.steps[0].fields, planned.call.isa, planned.layout.steps[0].fields["kernel_d"]
        in_c, out_c, tile, chunk = (fields[name] for name in ("in_c", "out_c", "tile", "chunk"))
        packs[kernel, tile, chunk] = 4 * winograd_floats(taps * in_c, out_c, tile, chunk, isa)
        direct[kernel] = 4 * panel_floats(9 * taps * in_c, out_c, isa)
        taken[kernel] += 1
    held = (kernel for kernel, count in taken.items() if kernel.use_count == count and _is_copied(kernel))
    raw = sum(4 * (element_count(kernel.spec.shape) or 0) for kernel in held)
    return sum(packs.values()) + raw - sum(size for kernel, size in direct.items() if kernel not in others)


def _is_copied(kernel: Value) -> bool:
    """Whether the weights as they came are an array of the session's own."""
    if kernel.node is not None:
        return True
    array = kernel.payload if kernel.kind == "constant" else kernel.payload.value
    return not (array.flags.c_contiguous and array.flags.aligned)
