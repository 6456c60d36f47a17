"""Let a convolution or dense product do the scaling and shifting around it, batch normalisation above all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.ir.graph import Graph, Node, Value
from graphflow.ir.record import Journal
from graphflow.ir.rewrite import Rewriter, only_user
from graphflow.kernels.layout import dimension
from graphflow.ops.activation import LINEAR
from graphflow.ops.operands import shape_of
from graphflow.window import paddings

FILTERS = {"conv": -1, "dense": -1, "conv_transpose": -2}
"""Ops whose outputs are linear in a kernel, and the kernel's axis of output channels; the input's is the other one."""
SCALES = frozenset(("batch_norm", "multiply", "divide", "add", "subtract", "negative", "affine"))


def fold_scale(graph: Graph, journal: Journal) -> bool:
    """Let a convolution or dense product do the scaling and shifting around it, batch normalisation above all.

    A run is what scales and shifts a value by numbers known before the run, one for each channel or one for all:
    batch_norm, and *, /, +, - with known operands; each value in between is used nowhere else. In float64 it is
    y * s + t. Ops with a kernel w are conv, dense and conv_transpose without residual or activation.

    1. A run behind an op with a kernel: (conv(x, w) + b) * s + t = conv(x, w * s) + (b * s + t).
    2. A run behind a concatenation of channels, all of whose parts are such ops: each part takes its share of s and t.
    3. A run before an op with a kernel, s for each input channel: conv(x * s, w) = conv(x, w * s). With t only where
       nothing is padded: conv(x * s + t, w) = conv(x, w * s) + sum(t * w). With groups, only one s and t for all.
    4. Several steps of a run that stay are one batch_norm with gamma = s and beta = t.
    """
    folding = _Folding(graph, journal)
    for node in graph.ordered():
        if graph.holds(node) and node.op.name in FILTERS:
            folding.behind(node)
        elif graph.holds(node) and node.op.name == "concatenate":
            folding.behind_parts(node)
    for node in graph.ordered():
        if graph.holds(node) and node.op.name in FILTERS:
            folding.before(node)
    for node in graph.ordered():
        if graph.holds(node):
            folding.join(node)
    return folding.changed


class _Folding:
    def __init__(self, graph: Graph, journal: Journal) -> None:
        self.graph = graph
        self.journal = journal
        self.changed = False

    # -- runs

    def _scaled(self, node: Node) -> Value | None:
        """What a step of a run scales or shifts, or None if the node is no such step."""
        if node.op.name not in SCALES or node.attrs.get("activation", LINEAR) != LINEAR:
            return None
        taken = [value for value in node.inputs if not _is_known(value)]
        if len(taken) != 1 or taken[0] is None:
            return None
        x, y = taken[0], node.outputs[0]
        if x.spec != y.spec or not x.spec.dtype.startswith("float") or not x.spec.rank or x.spec.shape[-1] is None:
            return None
        if node.op.name == "batch_norm" or len(node.inputs) == 1:
            return x if node.inputs[0] is x else None
        other = node.inputs[1] if node.inputs[0] is x else node.inputs[0]
        assert other is not None
        if node.op.name == "divide" and node.inputs[0] is not x:
            return None
        shape = other.spec.shape
        fits = all(size == 1 for size in shape[:-1]) and (not shape or shape[-1] in (1, x.spec.shape[-1]))
        return x if fits else None

    def _run_behind(self, value: Value) -> list[Node]:
        run: list[Node] = []
        while True:
            after = only_user(self.graph, value)
            if after is None or self._scaled(after) is not value:
                return run
            run.append(after)
            value = after.outputs[0]

    def _run_before(self, value: Value | None) -> list[Node]:
        run: list[Node] = []
        while value is not None and value.node is not None and only_user(self.graph, value) is not None:
            source = self._scaled(value.node)
            if source is None:
                break
            run.insert(0, value.node)
            value = source
        return run

    def _numbers(self, rewriter: Rewriter, run: Sequence[Node]) -> tuple[Any, Any]:
        """The scale and shift of a run, float64, of one or as many numbers as channels; None is 1 and 0."""
        scale = shift = None
        for node in run:
            s, t = _numbers_of(rewriter, node, self._scaled(node))
            if s is not None:
                scale = s if scale is None else scale * s
                shift = None if shift is None else shift * s
            if t is not None:
                shift = t if shift is None else shift + t
        return scale, shift

    # -- what is done with them

    def _takes(self, node: Node) -> bool:
        return (
            node.inputs[3] is None
            and node.attrs.get("activation", LINEAR) == LINEAR
            and node.outputs[0].spec.dtype.startswith("float")
            and node.outputs[0].spec.shape[-1] is not None
            and _is_known(node.inputs[1])
            and _is_known(node.inputs[2])
            and not _is_known(node.inputs[0])
        )

    def _rebuilt(self, rewriter: Rewriter, node: Node, x: Value | None, kernel: Any, bias: Any) -> Node:
        """The node with another input, kernel (or None: its own) and bias (or None), both float64."""
        y = node.outputs[0].spec
        channels = dimension(y.shape[-1])
        weights = node.inputs[1] if kernel is None else rewriter.as_value(ops.cast(kernel, y.dtype))
        shift = None if bias is None else ops.cast(_spread(bias, channels), y.dtype)
        inputs = (x, weights, None if shift is None else rewriter.as_value(shift), None)
        return self.graph.add(node.op, inputs, node.attrs, [y], node.origin)

    def _scale_outputs(self, rewriter: Rewriter, node: Node, scale: Any, shift: Any) -> Node:
        kernel, bias = (_double(rewriter, value) for value in node.inputs[1:3])
        if scale is not None:
            bias = None if bias is None else bias * scale
            across = ops.expand_dims(scale, -1) if FILTERS[node.op.name] == -2 and shape_of(scale) else scale
        if shift is not None:
            bias = shift if bias is None else bias + shift
        return self._rebuilt(rewriter, node, node.inputs[0], None if scale is None else kernel * across, bias)

    def _replace(self, old: Value, new: Value, unused: Sequence[Node], what: str, into: Node) -> None:
        self.graph.replace_uses(old, new)
        for node in unused:
            self.journal.note("fold_scale", node.origin, what, into.origin)
        for node in reversed(unused):
            self.graph.remove(node)
        self.changed = True

    def behind(self, node: Node) -> None:
        """Rule 1."""
        run = self._run_behind(node.outputs[0]) if self._takes(node) else []
        if run:
            rewriter = Rewriter(self.graph, run[-1])
            new = self._scale_outputs(rewriter, node, *self._numbers(rewriter, run))
            self._replace(run[-1].outputs[0], new.outputs[0], run, f"folded into {_name(node)}", node)
            self.graph.remove(node)

    def behind_parts(self, node: Node) -> None:
        """Rule 2."""
        whole = node.outputs[0].spec
        run = (
            self._run_behind(node.outputs[0]) if int(node.attrs["axis"]) % max(whole.rank, 1) == whole.rank - 1 else []
        )
        parts = [None if value is None or only_user(self.graph, value) is None else value.node for value in node.inputs]
        makers = [part for part in parts if part is not None and part.op.name in FILTERS and self._takes(part)]
        if not run or len(makers) < len(parts):
            return
        rewriter = Rewriter(self.graph, run[-1])
        scale, shift = self._numbers(rewriter, run)
        at, made = 0, []
        for part in makers:
            end = at + (part.outputs[0].spec.shape[-1] or 0)
            share = [one if one is None or shape_of(one) in ((), (1,)) else one[at:end] for one in (scale, shift)]
            made.append(self._scale_outputs(rewriter, part, *share).outputs[0])
            at = end
        self.graph.set_inputs(node, made)
        for part in makers:
            self.graph.remove(part)
        told = f"folded into {', '.join(map(_name, makers))}"
        self._replace(run[-1].outputs[0], node.outputs[0], run, told, makers[-1])

    def before(self, node: Node) -> None:
        """Rule 3."""
        run = self._run_before(node.inputs[0]) if self._takes(node) else []
        if not run:
            return
        source = self._scaled(run[0])
        rewriter = Rewriter(self.graph, node)
        scale, shift = self._numbers(rewriter, run)
        padded = node.op.name == "conv" and any(
            one not in ("valid", (0, 0)) for one in paddings(node.attrs["padding"], len(node.attrs["strides"]))
        )
        if shift is not None and (padded or node.op.name == "conv_transpose"):
            return
        if node.attrs.get("groups", 1) > 1 and any(
            one is not None and shape_of(one) not in ((), (1,)) for one in (scale, shift)
        ):
            return
        kernel, bias = (_double(rewriter, value) for value in node.inputs[1:3])
        inwards = -1 if FILTERS[node.op.name] == -2 else -2
        if shift is not None:
            each = _along(shift, inwards) * kernel
            sums = ops.sum(each, axis=tuple(range(len(shape_of(each)) - 1)))
            bias = sums if bias is None else bias + sums
        new = self._rebuilt(rewriter, node, source, None if scale is None else kernel * _along(scale, inwards), bias)
        self._replace(node.outputs[0], new.outputs[0], (), "", node)
        self.graph.remove(node)
        for step in reversed(run):
            self.journal.note("fold_scale", step.origin, f"folded into {_name(node)}", node.origin)
            self.graph.remove(step)

    def join(self, node: Node) -> None:
        """Rule 4."""
        source = self._scaled(node)
        if source is None or source.spec.rank < 2:
            return
        if source.node is not None and only_user(self.graph, source) and self._scaled(source.node):
            return  # inside a run
        run = [node, *self._run_behind(node.outputs[0])]
        if len(run) < 2:
            return
        rewriter = Rewriter(self.graph, run[-1])
        channels, dtype = dimension(source.spec.shape[-1]), source.spec.dtype
        scale, shift = (
            None if one is None else ops.cast(_spread(one, channels), dtype) for one in self._numbers(rewriter, run)
        )
        mean, variance = np.zeros(channels, dtype), np.ones(channels, dtype)
        new = ops.batch_norm(rewriter.tensor(source), mean, variance, scale, shift, epsilon=0.0)
        self._replace(run[-1].outputs[0], rewriter.as_value(new), run, "joined in one scale and shift", run[-1])


def _is_known(value: Value | None) -> bool:
    return value is None or value.stage != "run"


def _name(node: Node) -> str:
    return "/".join(node.origin) or node.op.name


def _double(rewriter: Rewriter, value: Value | None) -> Any:
    return None if value is None else ops.cast(rewriter.tensor(value), "float64")


def _spread(numbers: Any, channels: int) -> Any:
    """Numbers for all channels or for each as one for each."""
    return numbers if shape_of(numbers) == (channels,) else ops.broadcast_to(numbers, (channels,))


def _along(numbers: Any, axis: int) -> Any:
    """Numbers of channels as something that multiplies a kernel along an axis."""
    return ops.expand_dims(numbers, -1) if axis == -2 and shape_of(numbers) else numbers


def _numbers_of(rewriter: Rewriter, node: Node, x: Value | None) -> tuple[Any, Any]:
    """The scale and the shift of one step, None where it has none."""
    name, first = node.op.name, node.inputs[0] is x
    if name == "batch_norm":
        mean, variance, gamma, beta = (_double(rewriter, value) for value in node.inputs[1:])
        scale = ops.rsqrt(variance + node.attrs["epsilon"])
        scale = scale if gamma is None else scale * gamma
        shift = mean * scale
        return scale, -shift if beta is None else beta - shift
    if name == "negative":
        return np.float64(-1.0), None
    if name == "affine":
        return np.float64(node.attrs.get("alpha", 0.0)), np.float64(node.attrs.get("beta", 0.0))
    other = _double(rewriter, node.inputs[1] if first else node.inputs[0])
    if len(shape_of(other)) > 1:
        other = ops.reshape(other, (-1,))
    if name == "multiply":
        return other, None
    if name == "divide":
        return 1.0 / other, None
    if name == "add":
        return None, other
    return (None, -other) if first else (np.float64(-1.0), other)
