"""Let a convolution or dense product do the batch normalisation behind it."""

from __future__ import annotations

from graphflow import ops
from graphflow.ir.graph import Graph
from graphflow.ir.record import Journal
from graphflow.ir.rewrite import Rewriter, only_user
from graphflow.ir.stage import stages
from graphflow.ops.activation import LINEAR

FILTERS = {"conv": -1, "dense": -1, "conv_transpose": -2}
"""Ops whose outputs are linear in a kernel, and the kernel's axis of output channels."""


def fold_batch_norm(graph: Graph, journal: Journal) -> bool:
    """Let a convolution or dense product do the batch normalisation behind it.

    1. y = batch_norm(conv(x, w) + b), used nowhere else, statistics and weights known before a run:
       y = conv(x, w * s) + (b - mean) * s + beta, with s = gamma / sqrt(variance + epsilon), computed in float64.
    2. The same for dense, for convolutions with groups, and for transposed ones, whose filters are another axis of w.
    """
    found = stages(graph)
    changed = False
    for node in graph.ordered():
        if node.op.name not in FILTERS:
            continue
        after = only_user(graph, node.outputs[0])
        if after is None or after.op.name != "batch_norm" or after.inputs[0] is not node.outputs[0]:
            continue
        x, kernel, bias, residual = node.inputs
        if residual is not None or node.attrs.get("activation", LINEAR) != LINEAR:
            continue
        known = [value for value in (kernel, bias, *after.inputs[1:]) if value is not None]
        if any(
            found.get(value, "bind" if value.kind in ("constant", "variable") else "run") == "run" for value in known
        ):
            continue
        rewriter = Rewriter(graph, after)
        mean, variance, gamma, beta = (
            None if value is None else ops.cast(rewriter.tensor(value), "float64") for value in after.inputs[1:]
        )
        scale = ops.rsqrt(variance + after.attrs["epsilon"])
        scale = scale if gamma is None else scale * gamma
        assert mean is not None and variance is not None
        before = 0.0 if bias is None else ops.cast(rewriter.tensor(bias), "float64")
        shift = (before - mean) * scale
        shift = shift if beta is None else shift + beta
        dtype = node.outputs[0].spec.dtype
        factor = scale if FILTERS[node.op.name] == -1 else ops.expand_dims(scale, 1)
        weights = ops.cast(ops.cast(rewriter.tensor(kernel), "float64") * factor, dtype)
        inputs = (x, rewriter.as_value(weights), rewriter.as_value(ops.cast(shift, dtype)), None)
        new = graph.add(node.op, inputs, node.attrs, [node.outputs[0].spec], node.origin)
        graph.replace_uses(after.outputs[0], new.outputs[0])
        graph.remove(after)
        graph.remove(node)
        journal.note("fold_batch_norm", after.origin, f"folded into {'/'.join(node.origin) or node.op.name}")
        changed = True
    return changed
