"""Let a recurrent layer walk its sequence, and lay out its outputs, in the direction in which they are wanted."""

from __future__ import annotations

from typing import Any

from graphflow.ir.graph import Graph, Node, Value
from graphflow.ir.record import Journal
from graphflow.ir.rewrite import drop_unused, only_user

RECURRENT = frozenset(("lstm", "gru", "rnn"))


def fold_flip(graph: Graph, journal: Journal) -> bool:
    """Let a recurrent layer walk its sequence, and lay out its outputs, in the direction in which they are wanted.

    Flips are those of the axis of the steps alone; the answer has the same bits.

    1. recurrent(flip(x)), without a mask or with a mask that is flipped, too: recurrent(x) the other way round.
    2. flip(recurrent(x)), the sequence used nowhere else: the outputs are written from the other end.
    """
    changed = False
    for node in graph.ordered():
        if node.op.name not in RECURRENT:
            continue
        x, mask = _unflipped(node.inputs[0]), _unflipped(node.inputs[-1])
        if x is not None and (node.inputs[-1] is None or mask is not None):
            attrs = {**node.attrs, "reverse": not node.attrs["reverse"]}
            flipped = [value.node for value in (node.inputs[0], node.inputs[-1]) if value is not None]
            node = _replaced(graph, node, (x, *node.inputs[1:-1], mask), attrs)
            for one in flipped:
                if one is not None and graph.holds(one):
                    drop_unused(graph, one)
            journal.note("fold_flip", node.origin, f"{node.op.name} walks its sequence the other way round")
            changed = True
        after = only_user(graph, node.outputs[0]) if node.attrs["sequences"] else None
        if after is not None and _is_flip(after):
            attrs = {name: value for name, value in node.attrs.items() if name != "flip"}
            new = _replaced(graph, node, node.inputs, attrs if node.attrs.get("flip") else {**attrs, "flip": True})
            graph.replace_uses(after.outputs[0], new.outputs[0])
            graph.remove(after)
            what = f"{new.op.name} of {'/'.join(new.origin)} writes from the other end"
            journal.note("fold_flip", after.origin, what, new.origin)
            changed = True
    return changed


def _replaced(graph: Graph, node: Node, inputs: tuple[Value | None, ...], attrs: dict[str, Any]) -> Node:
    """The node with other inputs and attributes in its place."""
    new = graph.add(node.op, inputs, attrs, [value.spec for value in node.outputs], node.origin)
    for old, made in zip(node.outputs, new.outputs, strict=True):
        graph.replace_uses(old, made)
    graph.remove(node)
    return new


def _is_flip(node: Node) -> bool:
    """Whether a node turns round the steps, and nothing else."""
    if node.op.name == "flip":
        return tuple(node.attrs["axes"]) == (1,)
    if node.op.name != "getitem":
        return False
    whole = ((None, None, None), (None, None, 1))
    keys = [key if isinstance(key, int) else tuple(key) for key in node.attrs["key"]]
    return len(keys) > 1 and keys[1] == (None, None, -1) and all(key in whole for key in (keys[0], *keys[2:]))


def _unflipped(value: Value | None) -> Value | None:
    """What a value is the flip of, if it is one."""
    if value is None or value.node is None or not _is_flip(value.node):
        return None
    return value.node.inputs[0]
