"""Let convolution and pooling read the border that was padded before them."""

from __future__ import annotations

import math

from graphflow.ir.graph import Graph, Node, Value
from graphflow.ir.record import Journal
from graphflow.ir.rewrite import Rewriter, drop_unused
from graphflow.ops import transpose
from graphflow.window import paddings

NEVER_NEGATIVE = frozenset(("relu", "sigmoid", "hard_sigmoid", "softmax", "exponential", "absolute", "square", "sqrt"))
"""Ops none of whose results is below zero."""

Amounts = tuple[tuple[int, int], ...]


def fold_padding(graph: Graph, journal: Journal) -> bool:
    """Let convolution and pooling read the border that was padded before them.

    1. conv(pad(x, zeros), w) of padding "valid", only spatial axes padded: conv(x, w) with these amounts.
    2. max_pool(pad(x)) of padding "valid", less padded than the window is large: max_pool(x) with these amounts, where
       the border is minus infinity, or where it is zero and x is never negative: then no maximum comes from the border.
    3. Both also where a transpose stands between the padding and its user.
    """
    changed = False
    for node in graph.ordered():
        if node.op.name not in ("conv", "max_pool") or node.inputs[0] is None:
            continue
        found = _padded(node.inputs[0])
        if found is None:
            continue
        pad, axes, amounts = found
        if amounts[0] != (0, 0) or amounts[-1] != (0, 0) or not _fits(node, pad, amounts):
            continue
        before = paddings(node.attrs["padding"], len(amounts) - 2)
        if any(one not in ("valid", (0, 0)) for one in before):
            continue
        rewriter = Rewriter(graph, node)
        x = rewriter.tensor(pad.inputs[0])
        x = x if axes is None else transpose(x, axes)
        others = [rewriter.tensor(value) for value in node.inputs[1:]]
        rewriter.replace(
            node.outputs[0], rewriter.apply(node.op, [x, *others], {**node.attrs, "padding": amounts[1:-1]})
        )
        drop_unused(graph, node)
        told = f"{node.op.name} of {'/'.join(node.origin)} reads the border itself"
        journal.note("fold_padding", pad.origin, told, node.origin)
        changed = True
    return changed


def _padded(value: Value) -> tuple[Node, tuple[int, ...] | None, Amounts] | None:
    """The padding behind a value, the axes of a transpose between them, and the amounts as the user sees its axes."""
    node, axes = value.node, None
    if node is not None and node.op.name == "transpose" and node.inputs[0] is not None:
        axes, node = tuple(node.attrs["axes"]), node.inputs[0].node
    if node is None or node.op.name != "pad":
        return None
    amounts: Amounts = node.attrs["amounts"]
    return node, axes, amounts if axes is None else tuple(amounts[axis] for axis in axes)


def _fits(node: Node, pad: Node, amounts: Amounts) -> bool:
    value = pad.attrs["value"]
    if node.op.name == "conv":
        return bool(value == 0)
    if any(max(pair) >= size for pair, size in zip(amounts[1:-1], node.attrs["size"], strict=True)):
        return False
    return bool(value == -math.inf or (value == 0 and _never_negative(pad.inputs[0])))


def _never_negative(value: Value | None) -> bool:
    node = None if value is None else value.node
    if node is None:
        return False
    return node.op.name in NEVER_NEGATIVE or (node.op.name == "clip" and node.attrs.get("alpha", -1.0) >= 0)
