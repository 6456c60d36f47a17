"""Compute once what would be computed twice."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.ir.graph import Graph, Value
from graphflow.ir.record import Journal

SMALL = 64
"""Bytes of constants that are compared."""


def merge_common(graph: Graph, journal: Journal) -> bool:
    """Compute once what would be computed twice.

    1. Equal constants of a few numbers are one.
    2. Pure nodes of the same op, inputs and attributes: the first of them. A value that leaves the graph stays.
    """
    first: dict[Any, Any] = {}
    constants: dict[Any, Value] = {}
    changed = False
    for node in graph.ordered():
        inputs = [_same_constant(value, constants) for value in node.inputs]
        if any(one is not other for one, other in zip(inputs, node.inputs, strict=True)):
            graph.set_inputs(node, inputs)
        if node.op.effect != "pure" or "body" in node.attrs or any(graph.is_output(one) for one in node.outputs):
            continue
        try:
            key = (node.op.name, node.inputs, _frozen(node.attrs))
            known = first.setdefault(key, node)
        except TypeError:
            continue
        if known is not node:
            for old, new in zip(node.outputs, known.outputs, strict=True):
                graph.replace_uses(old, new)
            graph.remove(node)
            journal.note("merge_common", node.origin, f"{node.op.name} is that of {'/'.join(known.origin)}")
            changed = True
    return changed


def _same_constant(value: Value | None, constants: dict[Any, Value]) -> Value | None:
    if value is None or value.kind != "constant" or value.payload.nbytes > SMALL:
        return value
    key = (value.spec.dtype, value.spec.shape, value.payload.tobytes())
    return constants.setdefault(key, value)


def _frozen(value: Any) -> Any:
    """Attributes as something that can be a key; equal only if they mean the same.

    Raises:
        TypeError: something that can not be one.
    """
    if isinstance(value, dict):
        return tuple((name, _frozen(value[name])) for name in sorted(value))
    if isinstance(value, (list, tuple)):
        return (type(value), *map(_frozen, value))
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, float):
        return value.hex()
    hash(value)
    return type(value), value
