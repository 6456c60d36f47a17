"""Functions of one element: the rows of `graphflow.ops.activation`, also where they close another operation."""

from __future__ import annotations

import math
from collections.abc import Callable

from graphflow.formats.onnx_write.writer import Converter, Writer
from graphflow.ir.graph import Node, Value
from graphflow.ops.activation import LINEAR, NAMES, Numbers, numbers_of

PLAIN = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "selu": "Selu",
    "softsign": "Softsign",
    "softplus": "Softplus",
    "exponential": "Exp",
    "negative": "Neg",
    "absolute": "Abs",
    "sqrt": "Sqrt",
    "reciprocal": "Reciprocal",
    "log": "Log",
    "erf": "Erf",
    "relu": "Relu",
}
"""Rows that are operators of ONNX."""

Formula = Callable[[Writer, str, Value, Numbers], str]
"""From a name, the value whose data type it has, and the row with its numbers, to the result's name."""


def _linear(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    return x


def _clip(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    return w.emit("Clip", [x, w.number(numbers[1], like), w.number(numbers[2], like)])


def _relu_general(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    """top where x >= top, x where x >= threshold, slope * (x - threshold) otherwise."""
    _, slope, top, threshold = numbers
    if not threshold and top == math.inf:
        return w.emit("LeakyRelu", [x], alpha=slope)
    edge = w.number(threshold, like)
    below = w.emit("Mul", [w.emit("Sub", [x, edge]), w.number(slope, like)]) if slope else w.number(0.0, like)
    if slope:
        kept = w.emit("Where", [w.emit("GreaterOrEqual", [x, edge]), x, below])
    else:  # NaN stays NaN
        kept = w.emit("Where", [w.emit("Less", [x, edge]), below, x])
    if top == math.inf:
        return kept
    limit = w.number(top, like)
    return w.emit("Where", [w.emit("GreaterOrEqual", [x, limit]), limit, kept])


def _hard_sigmoid(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    return w.emit("HardSigmoid", [x], alpha=numbers[1], beta=numbers[2])


def _elu(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    return w.emit("Elu", [x], alpha=numbers[1])


def _silu(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    return w.emit("Mul", [x, w.emit("Sigmoid", [x])])


def _gelu(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    if w.opset >= 20:
        return w.emit("Gelu", [x])
    share = w.emit("Add", [w.emit("Erf", [w.emit("Mul", [x, w.number(math.sqrt(0.5), like)])]), w.number(1.0, like)])
    return w.emit("Mul", [w.emit("Mul", [x, share]), w.number(0.5, like)])


def _gelu_tanh(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    if w.opset >= 20:
        return w.emit("Gelu", [x], approximate="tanh")
    cubed = w.emit("Mul", [w.emit("Mul", [w.emit("Mul", [x, x]), x]), w.number(0.044715, like)])
    inner = w.emit("Mul", [w.emit("Add", [x, cubed]), w.number(math.sqrt(2 / math.pi), like)])
    share = w.emit("Add", [w.emit("Tanh", [inner]), w.number(1.0, like)])
    return w.emit("Mul", [w.emit("Mul", [x, share]), w.number(0.5, like)])


def _affine(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    return w.emit("Add", [w.emit("Mul", [x, w.number(numbers[1], like)]), w.number(numbers[2], like)])


def _square(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    return w.emit("Mul", [x, x])


def _rsqrt(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    return w.emit("Reciprocal", [w.emit("Sqrt", [x])])


FORMULAS: dict[str, Formula] = {
    "linear": _linear,
    "clip": _clip,
    "relu_general": _relu_general,
    "hard_sigmoid": _hard_sigmoid,
    "elu": _elu,
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "affine": _affine,
    "square": _square,
    "rsqrt": _rsqrt,
}
"""Rows that take numbers, or more than one operator."""


def activated(w: Writer, x: str, like: Value, numbers: Numbers) -> str:
    """Write a row applied to a name; the data type is that of `like`."""
    kind = PLAIN.get(numbers[0])
    if numbers[0] == "relu" and w.opset < 14 and not like.spec.is_float:
        return w.emit("Max", [x, w.number(0, like)])
    return w.emit(kind, [x]) if kind else FORMULAS[numbers[0]](w, x, like, numbers)


def closed(w: Writer, node: Node, name: str) -> str:
    """The activation that an operation may have at its end."""
    return activated(w, name, node.outputs[0], node.attrs.get("activation", LINEAR))


def _activation(w: Writer, node: Node) -> None:
    x, order = w.any_order(node.inputs[0])  # type: ignore[arg-type]
    w.put(node.outputs[0], activated(w, x, node.outputs[0], numbers_of(node.op.name, node.attrs)), order)


CONVERTERS: dict[str, Converter] = dict.fromkeys(NAMES, _activation)
