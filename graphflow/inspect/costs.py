"""What each op costs: one literal table of formulas, which are shown as they are written here and computed from.

    multiply-adds   products that are added to a sum: those of convolutions, dense and matrix products, recurrences
    FLOPs           two for each multiply-add, and one for every other addition, product, division, comparison, minimum,
                    maximum, rounding and elementary function (exp, log, tanh, erf, sqrt, ...) of floating-point numbers

An op all of whose tensors are integers or booleans does no floating-point operation. Taps that fall into the padding
of a window count, as they do in the figures of papers. Bytes are those of the operands an op reads and of what it
writes, as if nothing stayed in caches; an op that only looks at its operand in another shape moves none.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from graphflow.ir.graph import Node, Value
from graphflow.ops import resample
from graphflow.ops.einsum import _sizes
from graphflow.ops.interpolate import taps
from graphflow.spec import TensorSpec, element_count

Specs = Mapping[Value, TensorSpec]


class Cost(NamedTuple):
    """The formulas of one op, over the names of `QUANTITIES`.

    Args:
        macs: multiply-adds.
        others: further floating-point operations.
        reads: elements of the first operand that are read, where that is not all of them.
        moves: whether anything is read and written at all.
    """

    macs: str = "0"
    others: str = "0"
    reads: str = "x"
    moves: bool = True


class Counted(NamedTuple):
    """The cost of one node; `macs` and `flops` are None where they are not known.

    Attributes:
        formula: how FLOPs were counted, or why they are not known.
        values: the quantities of the formula with their values.
        bytes_read: of operands that a run makes or is given; weight_bytes: of constants and variables.
    """

    macs: int | None
    flops: int | None
    formula: str
    values: dict[str, int]
    bytes_read: int
    weight_bytes: int
    bytes_written: int


ACTIVATIONS: dict[str, int] = {
    "linear": 0,
    "relu": 1,
    "relu_general": 4,
    "clip": 2,
    "sigmoid": 4,
    "tanh": 1,
    "hard_sigmoid": 4,
    "elu": 4,
    "selu": 5,
    "softplus": 3,
    "softsign": 3,
    "exponential": 1,
    "silu": 5,
    "gelu": 5,
    "gelu_tanh": 9,
    "affine": 2,
    "negative": 1,
    "absolute": 1,
    "square": 1,
    "sqrt": 1,
    "rsqrt": 2,
    "reciprocal": 1,
    "log": 1,
    "erf": 1,
}
"""FLOPs for each element of the rows of `graphflow.ops.activation`."""

EPILOGUE = "y * (bias + residual + activation)"
MOVED = Cost()
TAKEN = Cost(reads="y")
VIEW = Cost(moves=False)
EACH = Cost(others="y * (1 + activation)")
REDUCED = Cost(others="x - y")

COSTS: dict[str, Cost] = {
    **{name: Cost(others=f"{count} * y") for name, count in ACTIVATIONS.items()},
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "maximum", "minimum", "floor_divide", "mod"), EACH),
    **dict.fromkeys(("power", "sin", "cos", "log1p", "expm1", "floor", "ceil", "round", "sign"), EACH),
    **dict.fromkeys(("tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "arcsinh", "arccosh", "arctanh"), EACH),
    **dict.fromkeys(("fmod", "truncated_divide", "isnan", "isinf"), EACH),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "left_shift", "right_shift"), MOVED),
    **dict.fromkeys(("pad_from_inside", "reverse_sequence"), MOVED),
    **dict.fromkeys(("getitem", "gather_axis", "gather_elements", "gather_nd", "triangle", "bitcast"), TAKEN),
    **dict.fromkeys(("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"), EACH),
    **dict.fromkeys(("logical_and", "logical_or", "logical_not", "cast", "cast_narrow", "where", "any", "all"), MOVED),
    **dict.fromkeys(("transpose", "concatenate", "pad", "broadcast_to", "tile", "repeat", "flip", "split"), MOVED),
    **dict.fromkeys(("reshape", "reshape_to", "flatten", "expand_dims", "squeeze"), VIEW),
    "shape": VIEW,
    "scatter_elements": Cost(others="combined"),
    "scatter_nd": Cost(others="combined"),
    "full_like": Cost(reads="0"),
    "band": Cost(reads="0"),
    "embedding": Cost(),
    "one_hot": Cost(),
    "conv": Cost("y * taps", EPILOGUE),
    "conv_transpose": Cost("x * taps", EPILOGUE),
    "locally_connected": Cost("y * depth", EPILOGUE),
    "dense": Cost("y * depth", EPILOGUE),
    "matmul": Cost("y * depth", "y * activation"),
    "einsum": Cost("terms * products", "terms * (1 - products) + y * activation"),
    "max_pool": Cost(others="y * (window - 1)"),
    "max_pool_places": Cost(others="y * (window - 1)"),
    "pool_channels_first": Cost(others="y * window"),
    "unpool": MOVED,
    "fold_blocks": Cost(others="x"),
    "quantize": Cost(others="5 * y"),
    "dequantize": Cost(others="2 * y"),
    "average_pool": Cost(others="y * window"),
    "batch_norm": Cost(others="y * (2 + beta) + channels * (3 + gamma)"),
    "layer_norm": Cost(others="y * (5 - 2 * rms + gamma + beta) + 5 * rows"),
    "group_norm": Cost(others="y * (5 + gamma + beta) + 5 * rows"),
    "sum": REDUCED,
    "prod": REDUCED,
    "max": REDUCED,
    "min": REDUCED,
    "argmax": REDUCED,
    "argmin": REDUCED,
    "mean": Cost(others="x"),
    "cumsum": Cost(others="x"),
    "cumprod": Cost(others="x"),
    "softmax": Cost(others="5 * x"),
    "resize": Cost(others="3 * between"),
    "interpolate": Cost(others="mixed"),
    "resample": Cost(others="mixed"),
    "random_uniform": Cost(reads="0"),
    "random_normal": Cost(reads="0"),
    "lstm": Cost(
        "steps * 4 * units * (features + units)",
        "steps * units * (4 + 4 * bias + 3 * gate + 2 * inner + 4)",
    ),
    "gru": Cost(
        "steps * 3 * units * (features + units)",
        "steps * units * (3 + 3 * bias + 2 * gate + inner + 5)",
    ),
    "rnn": Cost(
        "steps * units * (features + units)",
        "steps * units * (1 + bias + inner)",
    ),
    "scan": Cost("steps * body_macs", "steps * (body_flops - 2 * body_macs)"),
}
"""Op to its formulas."""

UNCOUNTED: dict[str, str] = {
    "opaque": "a Python function",
    "dft": "its steps depend on the factors of its length",
    "grid_sample": "what it weighs depends on the data",
    "determinant": "its steps depend on the data",
    "top_k": "its comparisons depend on the data",
}
"""Op to the reason why there is no formula for it."""


def _count(spec: TensorSpec | None) -> int:
    return 0 if spec is None else element_count(spec.shape) or 0


class _Look(NamedTuple):
    """A node with concrete specs."""

    node: Node
    inputs: tuple[TensorSpec | None, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def attrs(self) -> dict[str, Any]:
        return self.node.attrs

    def shape(self, index: int) -> Any:
        spec = self.inputs[index]
        assert spec is not None
        return spec.shape

    def given(self, index: int) -> int:
        return int(len(self.inputs) > index and self.inputs[index] is not None)


def _activation(name: str) -> Callable[[_Look], int]:
    return lambda one: ACTIVATIONS[one.attrs[name][0]] if name in one.attrs else 0


BIAS: dict[str, int] = {"lstm": 3, "gru": 3, "rnn": 3}
GAMMA: dict[str, int] = {"batch_norm": 3}
"""Which operands biases and scales are, where they are not the usual ones."""


def _biases(one: _Look) -> int:
    index = BIAS.get(one.node.op.name, 2)
    return (one.shape(index)[0] if len(one.shape(index)) == 2 else 1) if one.given(index) else 0


def _depth(one: _Look) -> int:
    if one.node.op.name == "matmul":
        return int(one.shape(0)[-1])
    return int(one.shape(1)[1 if one.node.op.name == "locally_connected" else 0])


def _terms(one: _Look) -> int:
    shapes = [spec.shape for spec in one.inputs if spec is not None]
    found = _sizes(one.attrs["equation"], shapes, one.attrs.get("broadcast", ""))
    return math.prod(size or 0 for size in found.values())


def _rows(one: _Look) -> int:
    if "groups" in one.attrs:
        return int(one.shape(0)[0] * one.attrs["groups"])
    return math.prod(one.shape(0)[: len(one.shape(0)) - one.attrs["last"]])


def _between(one: _Look) -> int:
    """Elements that are made between two others, over all axes."""
    count, total = _count(one.inputs[0]), 0
    for factor in one.attrs["factors"]:
        count *= factor
        total += count
    return total if one.attrs["mode"] == "bilinear" else 0


def _mixed(one: _Look) -> int:
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


def _combined(one: _Look) -> int:
    return 0 if one.attrs.get("reduction", "none") == "none" else _count(one.inputs[2])


def _steps(one: _Look) -> int:
    return int(one.shape(0)[1]) if "body" in one.attrs else math.prod(one.shape(0)[:2])


QUANTITIES: dict[str, tuple[str, Callable[[_Look], int]]] = {
    "x": ("elements of the first operand", lambda one: _count(one.inputs[0])),
    "y": ("elements of the first output", lambda one: _count(one.outputs[0])),
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
    "residual": ("whether another tensor is added", lambda one: one.given(3)),
    "gamma": ("whether there is a scale", lambda one: one.given(GAMMA.get(one.node.op.name, 1))),
    "beta": ("whether there is a shift", lambda one: one.given(GAMMA.get(one.node.op.name, 1) + 1)),
    "rms": ("whether the mean stays", lambda one: int(one.attrs["rms"])),
    "activation": ("FLOPs of the activation that is fused into the op", _activation("activation")),
    "gate": ("FLOPs of the gates' activation", _activation("gate")),
    "inner": ("FLOPs of the activation", _activation("activation")),
    "combined": ("elements that are combined with those they meet", _combined),
    "body_macs": ("multiply-adds of one step", lambda one: _body(one)[0]),
    "body_flops": ("FLOPs of one step", lambda one: _body(one)[1]),
}
"""The names in formulas: what each is, and how it is read off a node."""


class _UnknownError(Exception):
    """A cost is not known; says why."""


def _body(one: _Look) -> tuple[int, int]:
    """Multiply-adds and FLOPs of one step of a control operation.

    Raises:
        _UnknownError: its body holds an op whose cost is not known.
    """
    body, first = one.attrs["body"], one.attrs["sequences"]
    given: list[Any] = [
        spec if spec is None or index >= first else spec.with_shape((spec.shape[0], *spec.shape[2:]))
        for index, spec in enumerate(one.inputs)
    ]
    specs = body.specs(given)
    macs = flops = 0
    for node in body.order:
        inside = count(node, specs, {})
        if inside.macs is None or inside.flops is None:
            raise _UnknownError(f"in its body: {node.op.name}: {inside.formula}")
        macs, flops = macs + inside.macs, flops + inside.flops
    return macs, flops


_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def names_in(formula: str) -> Iterator[str]:
    """The quantities a formula speaks of."""
    for part in ast.walk(ast.parse(formula, mode="eval")):
        if isinstance(part, ast.Name):
            yield part.id


def _compute(formula: str, values: Mapping[str, int]) -> int:
    def of(part: ast.expr) -> int:
        if isinstance(part, ast.BinOp):
            return _OPERATORS[type(part.op)](of(part.left), of(part.right))
        return values[part.id] if isinstance(part, ast.Name) else int(part.value)  # type: ignore[attr-defined]

    return of(ast.parse(formula, mode="eval").body)


def formula_of(cost: Cost) -> str:
    """The formula of an op's FLOPs as it is shown: `2 * (y * depth) + y * bias`."""
    parts = [f"2 * ({cost.macs})"] if cost.macs != "0" else []
    return " + ".join([*parts, *([cost.others] if cost.others != "0" or not parts else [])])


def count(node: Node, specs: Specs, stage: Mapping[Value, str]) -> Counted:
    """The cost of one node.

    Args:
        specs: concrete specs of the values that a run computes; others are as the graph says.
        stage: of values, as `graphflow.ir.stage.stages` finds them: which bytes are those of weights.
    """
    inputs = tuple(None if value is None else specs.get(value, value.spec) for value in node.inputs)
    look = _Look(node, inputs, tuple(specs.get(value, value.spec) for value in node.outputs))
    cost = COSTS.get(node.op.name)
    moved = _bytes(look, cost, stage)
    if cost is None:
        why = UNCOUNTED.get(node.op.name, "no formula for this op")
        return Counted(None, None, f"unknown: {why}", {}, *moved)
    floats = any(spec is not None and spec.is_float for spec in (*look.inputs, *look.outputs))
    if not floats:
        return Counted(0, 0, "0: no floating-point numbers", {}, *moved)
    try:
        values = {name: QUANTITIES[name][1](look) for name in names_in(f"{cost.macs} + {cost.others}")}
    except _UnknownError as error:
        return Counted(None, None, f"unknown: {error}", {}, *moved)
    macs = _compute(cost.macs, values)
    return Counted(macs, 2 * macs + _compute(cost.others, values), formula_of(cost), values, *moved)


def _bytes(look: _Look, cost: Cost | None, stage: Mapping[Value, str]) -> tuple[int, int, int]:
    """Bytes read of what a run makes or is given, of constants and variables, and bytes written."""
    if cost is not None and not cost.moves:
        return 0, 0, 0
    read = weights = 0
    for index, value in enumerate(dict.fromkeys(value for value in look.node.inputs if value is not None)):
        position = look.node.inputs.index(value)
        spec = look.inputs[position]
        assert spec is not None
        elements = _count(spec)
        if index == 0 and cost is not None and cost.reads != "x":
            elements = min(elements, _compute(cost.reads, {"y": _count(look.outputs[0])}))
        if look.node.op.name == "embedding" and position == 1:
            elements = min(elements, _count(look.outputs[0]))
        size = elements * np.dtype(spec.dtype).itemsize
        if stage.get(value, "run") != "run":
            weights += size
        else:
            read += size
    return read, weights, sum(_count(spec) * np.dtype(spec.dtype).itemsize for spec in look.outputs)
