"""The rarer functions of one element, and of two: angles, bits, whole division."""

from __future__ import annotations

from graphflow.formats.onnx_write.movement import source
from graphflow.formats.onnx_write.writer import Converter, Writer
from graphflow.ir.graph import Node, Value

PLAIN = {
    "tan": "Tan",
    "arcsin": "Asin",
    "arccos": "Acos",
    "arctan": "Atan",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "arcsinh": "Asinh",
    "arccosh": "Acosh",
    "arctanh": "Atanh",
    "isnan": "IsNaN",
    "truncated_divide": "Div",
    "bitwise_and": "BitwiseAnd",
    "bitwise_or": "BitwiseOr",
    "bitwise_xor": "BitwiseXor",
    "bitwise_not": "BitwiseNot",
}
"""Ops that are operators of ONNX."""


def _plain(w: Writer, node: Node) -> None:
    kind = PLAIN[node.op.name]
    if kind.startswith("Bitwise"):
        w.need(18, f"the operator {kind}")
    names, order = w.together([value for value in node.inputs if value is not None])
    w.put(node.outputs[0], w.emit(kind, names), order)


def _fmod(w: Writer, node: Node) -> None:
    values = [value for value in node.inputs if value is not None]
    names, order = w.together(values)
    w.put(node.outputs[0], w.emit("Mod", names, fmod=1), order)


def _isinf(w: Writer, node: Node) -> None:
    name, order = w.any_order(source(node))
    signs = {f"detect_{sign}": 0 for sign in ("positive", "negative") if not node.attrs[sign]}
    w.put(node.outputs[0], w.emit("IsInf", [name], **signs), order)


def _shifted(w: Writer, x: str, count: str, like: Value, way: str) -> str:
    """A shift of integers that are not negative, in the unsigned type of their width, which is what ONNX shifts."""
    signed = like.spec.dtype.startswith("int")
    if signed:
        x, count = (w.cast(one, f"u{like.spec.dtype}") for one in (x, count))
    made = w.emit("BitShift", [x, count], direction=way)
    return w.cast(made, like.spec.dtype) if signed else made


def _shift(w: Writer, node: Node) -> None:
    """By the width or more nothing is left, but the sign; a negative number is shifted down turned over."""
    values = [value for value in node.inputs if value is not None]
    (x, count), order = w.together(values)
    like = values[0]
    width = int(like.spec.dtype.lstrip("uint"))
    within = w.emit("Less", [count, w.number(width, like)])
    capped = w.emit("Min", [count, w.number(width - 1, like)])
    beyond = w.number(0, like)
    if node.op.name == "left_shift":
        made = _shifted(w, x, capped, like, "LEFT")
    elif like.spec.dtype.startswith("uint"):
        made = _shifted(w, x, capped, like, "RIGHT")
    else:
        below, last = w.emit("Less", [x, w.number(0, like)]), w.number(-1, like)
        kept = w.emit("Where", [below, w.emit("Sub", [last, x]), x])
        moved = _shifted(w, kept, capped, like, "RIGHT")
        made = w.emit("Where", [below, w.emit("Sub", [last, moved]), moved])
        beyond = w.emit("Where", [below, last, beyond])
    w.put(node.outputs[0], w.emit("Where", [within, made, beyond]), order)


def _bitcast(w: Writer, node: Node) -> None:
    w.need(26, "the operator BitCast")
    name, order = w.any_order(source(node))
    w.put(node.outputs[0], w.emit("BitCast", [name], to=w.element_type(node.attrs["dtype"])), order)


CONVERTERS: dict[str, Converter] = {
    **dict.fromkeys(PLAIN, _plain),
    "fmod": _fmod,
    "isinf": _isinf,
    "left_shift": _shift,
    "right_shift": _shift,
    "bitcast": _bitcast,
}
