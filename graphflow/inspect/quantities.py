"""The names in formulas of costs: what each is, and how it is read off a node."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from graphflow.inspect.costs import ACTIVATIONS, Counted
from graphflow.ir.graph import Node
from graphflow.ops import resample
from graphflow.ops.einsum import _sizes
from graphflow.ops.interpolate import taps
from graphflow.spec import TensorSpec, element_count


def size_of(spec: TensorSpec | None) -> int:
    """How many elements a tensor has; none where there is no tensor, or its size is open."""
    return 0 if spec is None else element_count(spec.shape) or 0


class UnknownCostError(Exception):
    """A cost is not known; says why."""


class Look(NamedTuple):
    """A node with concrete specs, and what computes the costs of the nodes in its body."""

    node: Node
    inputs: tuple[TensorSpec | None, ...]
    outputs: tuple[TensorSpec, ...]
    cost_of: Callable[..., Counted]

    @property
    def attrs(self) -> dict[str, Any]:
        return self.node.attrs

    def shape(self, index: int) -> Any:
        spec = self.inputs[index]
        assert spec is not None
        return spec.shape

    def given(self, index: int) -> int:
        return int(len(self.inputs) > index and self.inputs[index] is not None)


def _activation(name: str) -> Callable[[Look], int]:
    return lambda one: ACTIVATIONS[one.attrs[name][0]] if name in one.attrs else 0


BIAS: dict[str, int] = {"lstm": 3, "gru": 3, "rnn": 3, "inverted_residual": 6}
RESIDUAL: dict[str, int] = {"inverted_residual": 7}
GAMMA: dict[str, int] = {"batch_norm": 3}
"""Which operands biases, residuals and scales are, where they are not the usual ones."""


def _links(one: Look) -> int:
    return sum(bool(op) + ACTIVATIONS[activation[0]] for op, _, _, activation in one.attrs["links"])


def _biases(one: Look) -> int:
    index = BIAS.get(one.node.op.name, 2)
    return (one.shape(index)[0] if len(one.shape(index)) == 2 else 1) if one.given(index) else 0


def _depth(one: Look) -> int:
    if one.node.op.name == "matmul":
        return int(one.shape(0)[-1])
    return int(one.shape(1)[1 if one.node.op.name == "locally_connected" else 0])


def _terms(one: Look) -> int:
    shapes = [spec.shape for spec in one.inputs if spec is not None]
    found = _sizes(one.attrs["equation"], shapes, one.attrs.get("broadcast", ""))
    return math.prod(size or 0 for size in found.values())


def _rows(one: Look) -> int:
    if "groups" in one.attrs:
        return int(one.shape(0)[0] * one.attrs["groups"])
    return math.prod(one.shape(0)[: len(one.shape(0)) - one.attrs["last"]])


def _between(one: Look) -> int:
    """Elements that are made between two others, over all axes."""
    count, total = size_of(one.inputs[0]), 0
    for factor in one.attrs["factors"]:
        count *= factor
        total += count
    return total if one.attrs["mode"] == "bilinear" else 0


def _mixed(one: Look) -> int:
    """Products and sums of the elements around each place, axis after axis."""
    attrs, shape, total = one.attrs, list(one.shape(0)), 0
    rows = attrs["rows"] if "rows" in attrs else list(zip(attrs["axes"], attrs["size"], strict=True))
    if "fit" in attrs:
        amounts = resample.room(attrs["fit"], [shape[axis] for axis in attrs["axes"]], attrs["size"])
        for axis, (before, after) in zip(attrs["axes"], amounts, strict=True):
            shape[axis] += before + after
    for row in rows if attrs.get("mode", attrs.get("method")) != "nearest" else ():
        if "rows" in attrs:
            number = taps(attrs, shape[row[0]], row)[0].shape[1]
        else:
            number = resample.taps(attrs["method"], attrs["antialias"], shape[row[0]], row[1])[0].shape[1]
        shape[row[0]] = row[1]
        total += math.prod(shape) * (2 * number - 1)
    return total


def _combined(one: Look) -> int:
    return 0 if one.attrs.get("reduction", "none") == "none" else size_of(one.inputs[2])


def _steps(one: Look) -> int:
    return int(one.shape(0)[1]) if "body" in one.attrs else math.prod(one.shape(0)[:2])


def _body(one: Look) -> tuple[int, int]:
    """Multiply-adds and FLOPs of one step of a control operation.

    Raises:
        UnknownCostError: its body holds an op whose cost is not known.
    """
    body, first = one.attrs["body"], one.attrs["sequences"]
    given: list[Any] = [
        spec if spec is None or index >= first else spec.with_shape((spec.shape[0], *spec.shape[2:]))
        for index, spec in enumerate(one.inputs)
    ]
    specs = body.specs(given)
    macs = flops = 0
    for node in body.order:
        inside = one.cost_of(node, specs)
        if inside.macs is None or inside.flops is None:
            raise UnknownCostError(f"in its body: {node.op.name}: {inside.formula}")
        macs, flops = macs + inside.macs, flops + inside.flops
    return macs, flops


def _hidden(one: Look) -> int:
    return int(one.shape(3)[-1])


def _expanded(one: Look) -> int:
    return math.prod(one.shape(0)[:-1]) * _hidden(one) if one.given(1) else 0


def _convolved(one: Look) -> int:
    return math.prod(one.outputs[0].shape[:-1]) * _hidden(one)  # type: ignore[arg-type]


QUANTITIES: dict[str, tuple[str, Callable[[Look], int]]] = {
    "x": ("elements of the first operand", lambda one: size_of(one.inputs[0])),
    "y": ("elements of the first output", lambda one: size_of(one.outputs[0])),
    "taps": ("numbers of a kernel without its last axis", lambda one: math.prod(one.shape(1)[:-1])),
    "depth": ("products in the sum for one output", _depth),
    "terms": ("the product of the sizes of all labels", _terms),
    "products": ("whether there are two operands", lambda one: int(len(one.inputs) == 2)),
    "window": ("elements of a window", lambda one: math.prod(one.attrs["size"])),
    "channels": ("sizes of the last axis", lambda one: int(one.shape(0)[-1])),
    "rows": ("sets of elements with statistics of their own", _rows),
    "between": ("elements interpolated, over all axes", _between),
    "mixed": ("products and sums of elements around a place, over all axes", _mixed),
    "steps": ("steps of a sequence, for a recurrent op times the batch", _steps),
    "units": ("units of a recurrent op", lambda one: int(one.shape(2)[0])),
    "features": ("features of a step", lambda one: int(one.shape(0)[2])),
    "bias": ("how many biases are added", _biases),
    "residual": ("whether another tensor is added", lambda one: one.given(RESIDUAL.get(one.node.op.name, 3))),
    "gamma": ("whether there is a scale", lambda one: one.given(GAMMA.get(one.node.op.name, 1))),
    "beta": ("whether there is a shift", lambda one: one.given(GAMMA.get(one.node.op.name, 1) + 1)),
    "rms": ("whether the mean stays", lambda one: int(one.attrs["rms"])),
    "activation": ("FLOPs of the activation that is fused into the op", _activation("activation")),
    "links": ("FLOPs of all links of a chain for one element", _links),
    "gate": ("FLOPs of the gates' activation", _activation("gate")),
    "inner": ("FLOPs of the activation", _activation("activation")),
    "hidden": ("channels between the convolutions of a block", _hidden),
    "area": ("taps of a depthwise kernel", lambda one: math.prod(one.shape(3)[:2])),
    "expanded": ("elements between a block's expansion, if it has one, and its depthwise convolution", _expanded),
    "convolved": ("elements between a block's depthwise convolution and its projection", _convolved),
    "expand_bias": ("whether a block's expansion has a bias", lambda one: one.given(2)),
    "depthwise_bias": ("whether a block's depthwise convolution has a bias", lambda one: one.given(4)),
    "expand_activation": ("FLOPs of the activation of a block's expansion", _activation("expand_activation")),
    "depthwise_activation": ("FLOPs of that of its depthwise convolution", _activation("depthwise_activation")),
    "combined": ("elements that are combined with those they meet", _combined),
    "body_macs": ("multiply-adds of one step", lambda one: _body(one)[0]),
    "body_flops": ("FLOPs of one step", lambda one: _body(one)[1]),
}
"""The names in formulas: what each is, and how it is read off a node."""
