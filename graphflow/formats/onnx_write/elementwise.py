"""Arithmetic, comparison, logic, casts and selection, element by element."""

from __future__ import annotations

from collections.abc import Callable

from graphflow.formats.onnx_write.activation import activated, closed
from graphflow.formats.onnx_write.writer import Converter, Writer
from graphflow.ir.graph import Node, Value

PLAIN = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "power": "Pow",
    "equal": "Equal",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "logical_and": "And",
    "logical_or": "Or",
    "where": "Where",
    "sin": "Sin",
    "cos": "Cos",
    "floor": "Floor",
    "ceil": "Ceil",
    "round": "Round",
    "sign": "Sign",
    "logical_not": "Not",
}
"""Ops that are operators of ONNX."""


OF_BOOLS = {"add": "Or", "multiply": "And", "maximum": "Or", "minimum": "And"}
"""Arithmetic that ONNX does not do with bools."""

ORDERED = ("less", "less_equal", "greater", "greater_equal")
"""Comparisons that ONNX does not do with bools."""


def _plain(w: Writer, node: Node) -> None:
    values = [value for value in node.inputs if value is not None]
    names, order = w.together(values)
    name, kind = node.op.name, PLAIN[node.op.name]
    if values[0].spec.dtype == "bool":
        kind = OF_BOOLS.get(name, kind)
        names = [w.cast(one, "int32") for one in names] if name in ORDERED else names
    w.put(node.outputs[0], closed(w, node, w.emit(kind, names)), order)


def _remainder(w: Writer, x: str, y: str, like: Value) -> str:
    """The remainder with the sign of y; ONNX' Mod has that of integers, fmod that of floats, with the sign of x."""
    if not like.spec.is_float:
        return w.emit("Mod", [x, y])
    rest, zero = w.emit("Mod", [x, y], fmod=1), w.number(0, like)
    other = w.emit("Xor", [w.emit("Less", [rest, zero]), w.emit("Less", [y, zero])])
    wrong = w.emit("And", [other, w.emit("Not", [w.emit("Equal", [rest, zero])])])
    return w.emit("Where", [wrong, w.emit("Add", [rest, y]), rest])


def _quotient(w: Writer, x: str, y: str, like: Value) -> str:
    """floor(x / y), from what is left without the remainder, so that it is exact."""
    whole = w.emit("Div", [w.emit("Sub", [x, _remainder(w, x, y, like)]), y])
    return w.emit("Round", [whole]) if like.spec.is_float else whole


def _differ(w: Writer, x: str, y: str, like: Value) -> str:
    return w.emit("Not", [w.emit("Equal", [x, y])])


BINARY: dict[str, Callable[[Writer, str, str, Value], str]] = {
    "mod": _remainder,
    "floor_divide": _quotient,
    "not_equal": _differ,
}
"""Ops of two operands that take several operators."""


def _binary(w: Writer, node: Node) -> None:
    values = [value for value in node.inputs if value is not None]
    (x, y), order = w.together(values)
    made = BINARY[node.op.name](w, x, y, values[0])
    w.put(node.outputs[0], closed(w, node, made), order)


def _expm1(w: Writer, x: str, like: Value) -> str:
    """tanh(x / 2) (exp(x) + 1), which does not cancel near 0."""
    half = w.emit("Tanh", [w.emit("Mul", [x, w.number(0.5, like)])])
    return w.emit("Mul", [half, w.emit("Add", [w.emit("Exp", [x]), w.number(1, like)])])


def _log1p(w: Writer, x: str, like: Value) -> str:
    """2 atanh(x / (x + 2)) near 0, where the sum 1 + x loses digits; log(1 + x) elsewhere."""
    ratio = w.emit("Div", [x, w.emit("Add", [x, w.number(2, like)])])
    small = w.emit("Mul", [w.emit("Atanh", [ratio]), w.number(2, like)])
    large = w.emit("Log", [w.emit("Add", [x, w.number(1, like)])])
    return w.emit("Where", [w.emit("Less", [w.emit("Abs", [x]), w.number(0.5, like)]), small, large])


UNARY: dict[str, Callable[[Writer, str, Value], str]] = {"expm1": _expm1, "log1p": _log1p}
"""Ops of one operand that take several operators."""


def _unary(w: Writer, node: Node) -> None:
    value = node.inputs[0]
    assert value is not None
    x, order = w.any_order(value)
    w.put(node.outputs[0], UNARY[node.op.name](w, x, value), order)


def _cast(w: Writer, node: Node) -> None:
    value = node.inputs[0]
    assert value is not None
    x, order = w.any_order(value)
    w.put(node.outputs[0], w.cast(x, node.attrs["dtype"]), order)


def _chain(w: Writer, node: Node) -> None:
    values = [value for value in node.inputs if value is not None]
    names, order = w.together(values)
    for op, first, second, numbers in node.attrs["links"]:
        name = w.emit(PLAIN[op], [names[first], names[second]]) if op else names[first]
        names = [*names, activated(w, name, node.outputs[0], numbers)]
    w.put(node.outputs[0], names[-1], order)


CONVERTERS: dict[str, Converter] = {
    "chain": _chain,
    **dict.fromkeys(PLAIN, _plain),
    **dict.fromkeys(BINARY, _binary),
    **dict.fromkeys(UNARY, _unary),
    "cast": _cast,
}
