"""Compute now what depends on literals alone."""

from __future__ import annotations

from graphflow.ir.graph import Graph
from graphflow.ir.record import Journal
from graphflow.spec import TensorSpec

_MOST_BYTES = 1 << 20


def fold_constants(graph: Graph, journal: Journal) -> bool:
    """Compute now what depends on literals alone.

    1. A pure node whose inputs are all constants, and whose outputs are small, becomes constants.
    """
    changed = False
    for node in graph.ordered():
        if not all(value.stage == "const" and value.spec.is_static for value in node.outputs):
            continue
        if any(value is not None and value.kind != "constant" for value in node.inputs):
            continue
        arrays = node.op.run_reference(node.attrs, [None if value is None else value.payload for value in node.inputs])
        if sum(array.nbytes for array in arrays) > _MOST_BYTES:
            continue
        for old, array in zip(node.outputs, arrays, strict=True):
            graph.replace_uses(old, graph.add_constant(array, TensorSpec(array.shape, array.dtype.name)))
        graph.remove(node)
        journal.note("fold_constants", node.origin, f"computed {node.op.name}")
        changed = True
    return changed
