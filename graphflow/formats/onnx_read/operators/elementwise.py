"""Operators of one element, and of pairs of them with broadcasting."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops import scalar
from graphflow.ops.activation import activate
from graphflow.ops.array import expand_dims
from graphflow.ops.known import is_known, value_of
from graphflow.ops.narrow import cast_narrow
from graphflow.ops.operands import as_axis, cast_to, dtype_of, shape_of
from graphflow.spec import EXTENDED

FLOATS = ("float16", "bfloat16", "float32", "float64")

UNARY: dict[str, Callable[[Any], Any]] = {
    "Abs": ops.absolute,
    "Neg": ops.negative,
    "Exp": ops.exp,
    "Log": ops.log,
    "Sqrt": ops.sqrt,
    "Reciprocal": ops.reciprocal,
    "Sigmoid": ops.sigmoid,
    "Tanh": ops.tanh,
    "Erf": ops.erf,
    "Relu": ops.relu,
    "Softplus": ops.softplus,
    "Softsign": ops.softsign,
    "Sin": ops.sin,
    "Cos": ops.cos,
    "Tan": scalar.tan,
    "Asin": scalar.arcsin,
    "Acos": scalar.arccos,
    "Atan": scalar.arctan,
    "Sinh": scalar.sinh,
    "Cosh": scalar.cosh,
    "Asinh": scalar.arcsinh,
    "Acosh": scalar.arccosh,
    "Atanh": scalar.arctanh,
    "Floor": ops.floor,
    "Ceil": ops.ceil,
    "Round": ops.round,
    "Sign": ops.sign,
    "Not": ops.logical_not,
    "IsNaN": scalar.isnan,
    "BitwiseNot": scalar.bitwise_not,
    "HardSwish": lambda x: ops.multiply(x, activate(("hard_sigmoid", 1.0 / 6.0, 0.5, 0.0), x)),
    "Mish": lambda x: ops.multiply(x, ops.tanh(ops.softplus(x))),
}
"""Operators without attributes."""


def _register_unary(name: str, function: Callable[[Any], Any]) -> None:
    operator(name)(lambda node, x: function(x))


for _name, _function in UNARY.items():
    _register_unary(_name, _function)


def _divide(a: Any, b: Any) -> Any:
    return ops.divide(a, b) if dtype_of(a) in FLOATS else scalar.truncated_divide(a, b)


def _power(a: Any, b: Any) -> Any:
    base, exponent = dtype_of(a), dtype_of(b)
    if base == exponent:
        return ops.power(a, b)
    if base in FLOATS:
        return ops.power(a, cast_to(b, base))
    return cast_to(ops.power(cast_to(a, "float64"), cast_to(b, "float64")), base)


BINARY: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "Add": (7, ops.add),
    "Sub": (7, ops.subtract),
    "Mul": (7, ops.multiply),
    "Div": (7, _divide),
    "Pow": (7, _power),
    "Equal": (7, ops.equal),
    "Greater": (7, ops.greater),
    "Less": (7, ops.less),
    "GreaterOrEqual": (12, ops.greater_equal),
    "LessOrEqual": (12, ops.less_equal),
    "And": (7, ops.logical_and),
    "Or": (7, ops.logical_or),
    "Xor": (7, ops.not_equal),
    "BitwiseAnd": (18, scalar.bitwise_and),
    "BitwiseOr": (18, scalar.bitwise_or),
    "BitwiseXor": (18, scalar.bitwise_xor),
}
"""The version since which they broadcast as NumPy does, and their meaning."""


def _register_binary(name: str, since: int, function: Callable[[Any, Any], Any]) -> None:
    operator(name, since=since)(lambda node, a, b: function(a, b))
    if since != 7:
        return

    def old(node: Call, a: Any, b: Any, *, axis: Any = None, broadcast: int = 0) -> Any:
        """Before version 7 an attribute said where the axes of `b` begin."""
        if broadcast and axis is not None:
            first = as_axis(int(axis), len(shape_of(a)))
            for _ in range(len(shape_of(a)) - first - len(shape_of(b))):
                b = expand_dims(b, len(shape_of(b)))
        return function(a, b)

    operator(name)(old)


for _name, (_since, _binary) in BINARY.items():
    _register_binary(_name, _since, _binary)


@operator("Mod", since=10)
def mod(node: Call, a: Any, b: Any, *, fmod: int = 0) -> Any:
    return scalar.fmod(a, b) if fmod else ops.mod(a, b)


@operator("BitShift", since=11)
def bit_shift(node: Call, x: Any, count: Any, *, direction: str) -> Any:
    if direction not in ("LEFT", "RIGHT"):
        raise UnsupportedError(f"direction {direction!r} is not supported; there are 'LEFT' and 'RIGHT'.")
    return (scalar.left_shift if direction == "LEFT" else scalar.right_shift)(x, count)


@operator("Sum", since=6)
def sum_of(node: Call, *xs: Any) -> Any:
    return reduce(ops.add, xs)


@operator("Mean", since=6)
def mean_of(node: Call, *xs: Any) -> Any:
    return ops.divide(reduce(ops.add, xs), np.asarray(len(xs), dtype_of(xs[0])))


@operator("Max", since=6)
def max_of(node: Call, *xs: Any) -> Any:
    return reduce(ops.maximum, xs)


@operator("Min", since=6)
def min_of(node: Call, *xs: Any) -> Any:
    return reduce(ops.minimum, xs)


@operator("Where", since=9)
def where(node: Call, condition: Any, a: Any, b: Any) -> Any:
    return ops.where(condition, a, b)


@operator("IsInf", since=10)
def isinf(node: Call, x: Any, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    return scalar.isinf(x, bool(detect_positive), bool(detect_negative))


# -- activations with numbers


@operator("LeakyRelu")
def leaky_relu(node: Call, x: Any, *, alpha: float = 0.01) -> Any:
    if alpha < 0 or dtype_of(x) != "float32":
        return ops.where(ops.less(x, _like(0.0, x)), ops.multiply(x, _like(alpha, x)), x)
    return ops.relu(x, negative_slope=alpha)


def _like(number: float, x: Any) -> Any:
    return np.asarray(number, dtype_of(x))


@operator("Elu")
def elu(node: Call, x: Any, *, alpha: float = 1.0) -> Any:
    return ops.elu(x, alpha)


@operator("Celu", since=12)
def celu(node: Call, x: Any, *, alpha: float = 1.0) -> Any:
    if alpha == 1.0:
        return ops.elu(x)
    below = ops.multiply(ops.expm1(ops.divide(ops.minimum(x, _like(0, x)), _like(alpha, x))), _like(alpha, x))
    return ops.add(ops.maximum(x, _like(0, x)), ops.minimum(below, _like(0, x)))


@operator("Selu")
def selu(
    node: Call, x: Any, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875
) -> Any:
    return ops.multiply(ops.elu(x, alpha), _like(gamma, x))


@operator("HardSigmoid")
def hard_sigmoid(node: Call, x: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    return activate(("hard_sigmoid", alpha, beta, 0.0), x)


@operator("ThresholdedRelu")
def thresholded_relu(node: Call, x: Any, *, alpha: float = 1.0) -> Any:
    return ops.where(ops.greater(x, _like(alpha, x)), x, _like(0, x))


@operator("PRelu", since=7)
def prelu(node: Call, x: Any, slope: Any) -> Any:
    return ops.where(ops.less(x, _like(0, x)), ops.multiply(x, slope), x)


@operator("PRelu")
def prelu_by_channel(node: Call, x: Any, slope: Any) -> Any:
    """Before version 7 the slopes were those of channels."""
    if len(shape_of(slope)) == 1 and len(shape_of(x)) > 2 and shape_of(slope) != (1,):
        slope = ops.reshape(slope, (-1,) + (1,) * (len(shape_of(x)) - 2))
    return prelu(node, x, slope)


@operator("Gelu", since=20)
def gelu(node: Call, x: Any, *, approximate: str = "none") -> Any:
    if approximate not in ("none", "tanh"):
        raise UnsupportedError(f"approximate={approximate!r} is not supported; there are 'none' and 'tanh'.")
    return ops.gelu(x, approximate == "tanh")


@operator("Swish", since=24)
def swish(node: Call, x: Any, *, alpha: float = 1.0) -> Any:
    return ops.silu(x) if alpha == 1.0 else ops.multiply(x, ops.sigmoid(ops.multiply(x, _like(alpha, x))))


@operator("Shrink", since=9)
def shrink(node: Call, x: Any, *, bias: float = 0.0, lambd: float = 0.5) -> Any:
    low = ops.where(ops.less(x, _like(-lambd, x)), ops.add(x, _like(bias, x)), _like(0, x))
    return ops.where(ops.greater(x, _like(lambd, x)), ops.subtract(x, _like(bias, x)), low)


@operator("Clip", since=11)
def clip(node: Call, x: Any, low: Any = None, high: Any = None) -> Any:
    known = all(one is None or (is_known(one) and value_of(one).size == 1) for one in (low, high))
    if known and dtype_of(x) == "float32":
        numbers = [None if one is None else float(value_of(one).item()) for one in (low, high)]
        if numbers == [None, None]:
            return x
        if numbers == [0.0, None]:
            return ops.relu(x)
        return ops.clip(
            x, -math.inf if numbers[0] is None else numbers[0], math.inf if numbers[1] is None else numbers[1]
        )
    x = x if low is None else ops.maximum(x, low)
    return x if high is None else ops.minimum(x, high)


@operator("Clip")
def clip_by_attributes(node: Call, x: Any, *, min: float = -math.inf, max: float = math.inf) -> Any:
    return clip(node, x, _like(min, x), _like(max, x))


# -- data types


def target_dtype(code: int) -> str:
    """The data type that a number means, ready for use."""
    from graphflow.formats.onnx_read.tensors import dtype_of_code

    name = dtype_of_code(code, "a cast")
    if code >= 16:
        import ml_dtypes  # noqa: F401  registers the names of its data types with NumPy
    return name


@operator("Cast", since=6)
def cast(node: Call, x: Any, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    return _cast(x, target_dtype(to), saturate, round_mode)


@operator("CastLike", since=15)
def cast_like(node: Call, x: Any, like: Any, *, saturate: int = 1, round_mode: str = "up") -> Any:
    return _cast(x, dtype_of(like), saturate, round_mode)


def _cast(x: Any, dtype: str, saturate: int, round_mode: str) -> Any:
    if dtype in EXTENDED and dtype != "bfloat16":
        return cast_narrow(x, dtype, bool(saturate), round_mode)
    return ops.cast(x, dtype)


@operator("BitCast", since=26)
def bit_cast(node: Call, x: Any, *, to: int) -> Any:
    return scalar.bitcast(x, target_dtype(to))
