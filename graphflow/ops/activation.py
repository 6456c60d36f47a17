"""Functions of one element with up to three numbers: everything a kernel can apply on its way out.

Each row is an op. `alpha`, `beta` and `gamma` are its numbers, in the meaning the formula gives them; the compiled
kernels have the same list under the same names.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.ops.dispatch import apply
from graphflow.ops.operands import floating
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec

Numbers = tuple[str, float, float, float]
LINEAR: Numbers = ("linear", 0.0, 0.0, 0.0)

_SELU_SCALE = 1.0507009873554805
_SELU_ALPHA = 1.6732632423543772


def _erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[np.float64])(x).astype(x.dtype) if x.size else x.copy()


def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _relu_general(x: Array, alpha: float, beta: float, gamma: float) -> Array:
    below = alpha * (x - gamma) if alpha else np.where(np.isnan(x), x, 0.0)
    kept = np.where(x >= gamma, x, below)
    return np.where(x >= beta, beta, kept)


def _gelu_tanh(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))


FORMULAS: dict[str, Any] = {
    "linear": lambda x, a, b, c: x,
    "relu": lambda x, a, b, c: np.maximum(x, 0),
    "relu_general": _relu_general,
    "clip": lambda x, a, b, c: np.minimum(np.maximum(x, a), b),
    "sigmoid": lambda x, a, b, c: _sigmoid(x),
    "tanh": lambda x, a, b, c: np.tanh(x),
    "hard_sigmoid": lambda x, a, b, c: np.clip(a * x + b, 0, 1),
    "elu": lambda x, a, b, c: _elu(x, a),
    "selu": lambda x, a, b, c: _SELU_SCALE * _elu(x, _SELU_ALPHA),
    "softplus": lambda x, a, b, c: np.logaddexp(x, 0),
    "softsign": lambda x, a, b, c: x / (1 + np.abs(x)),
    "exponential": lambda x, a, b, c: np.exp(x),
    "silu": lambda x, a, b, c: x * _sigmoid(x),
    "gelu": lambda x, a, b, c: 0.5 * x * (1 + _erf(x * math.sqrt(0.5))),
    "gelu_tanh": lambda x, a, b, c: _gelu_tanh(x),
    "affine": lambda x, a, b, c: a * x + b,
    "negative": lambda x, a, b, c: -x,
    "absolute": lambda x, a, b, c: np.abs(x),
    "square": lambda x, a, b, c: x * x,
    "sqrt": lambda x, a, b, c: np.sqrt(x),
    "rsqrt": lambda x, a, b, c: 1 / np.sqrt(x),
    "reciprocal": lambda x, a, b, c: 1 / x,
    "log": lambda x, a, b, c: np.log(x),
    "erf": lambda x, a, b, c: _erf(x),
}

NAMES: tuple[str, ...] = tuple(FORMULAS)
_INTEGER_SAFE = frozenset(("linear", "relu", "clip", "negative", "absolute", "square"))


def compute(numbers: Numbers, x: Array) -> Array:
    """The reference: apply one row to an array, in its dtype."""
    name, alpha, beta, gamma = numbers
    if name == "linear":
        return x
    with np.errstate(all="ignore"):
        return np.asarray(FORMULAS[name](x, alpha, beta, gamma)).astype(x.dtype, copy=False)


def numbers_of(name: str, attrs: Attrs) -> Numbers:
    """An activation node as the epilogue of another."""
    return (name, attrs.get("alpha", 0.0), attrs.get("beta", 0.0), attrs.get("gamma", 0.0))


def _infer(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (specs[0],)


def _row(name: str) -> None:
    def reference(attrs: Attrs, x: Array) -> Array:
        return compute(numbers_of(name, attrs), x)

    define(name, _infer, reference, tolerance=4e-6)


for _name in NAMES:
    _row(_name)


def activate(numbers: Numbers, x: Any) -> Any:
    """Apply one row to a tensor or array."""
    from graphflow.ops.registry import OPS

    name, alpha, beta, gamma = numbers
    attrs = {key: value for key, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma)) if value}
    x = x if name in _INTEGER_SAFE and hasattr(x, "dtype") else floating(x)
    return apply(OPS[name], (x,), attrs)


def _unary(name: str, doc: str) -> Any:
    def function(x: Any) -> Any:
        return activate((name, 0.0, 0.0, 0.0), x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


sigmoid = _unary("sigmoid", "1 / (1 + exp(-x)), element by element.")
tanh = _unary("tanh", "Hyperbolic tangent, element by element.")
selu = _unary("selu", "Scaled exponential linear unit (Klambauer et al., 2017).")
softplus = _unary("softplus", "log(1 + exp(x)), element by element.")
softsign = _unary("softsign", "x / (1 + |x|), element by element.")
exp = _unary("exponential", "e to the power x, element by element.")
silu = _unary("silu", "x * sigmoid(x), also called swish (Ramachandran et al., 2017).")
negative = _unary("negative", "-x, element by element.")
absolute = _unary("absolute", "|x|, element by element.")
square = _unary("square", "x * x, element by element.")
sqrt = _unary("sqrt", "Square root, element by element; NaN below zero.")
rsqrt = _unary("rsqrt", "1 / sqrt(x), element by element.")
reciprocal = _unary("reciprocal", "1 / x, element by element.")
log = _unary("log", "Natural logarithm, element by element; -inf at zero, NaN below.")
erf = _unary("erf", "The error function, element by element.")


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """Rectified linear unit: max_value where x >= max_value, x where threshold <= x < max_value, otherwise
    negative_slope * (x - threshold).

    Source: https://keras.io/api/layers/activation_layers/relu/
    """
    if not negative_slope and not threshold:
        if max_value is None:
            return activate(("relu", 0.0, 0.0, 0.0), x)
        if max_value >= 0:
            return activate(("clip", 0.0, float(max_value), 0.0), x)
    top = math.inf if max_value is None else float(max_value)
    return activate(("relu_general", float(negative_slope), top, float(threshold)), x)


def clip(x: Any, minimum: float, maximum: float) -> Any:
    """min(max(x, minimum), maximum), element by element."""
    return activate(("clip", float(minimum), float(maximum), 0.0), x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where x > 0, alpha * (exp(x) - 1) otherwise (Clevert et al., 2016)."""
    return activate(("elu", float(alpha), 0.0, 0.0), x)


def gelu(x: Any, approximate: bool = True) -> Any:
    """Gaussian error linear unit (Hendrycks and Gimpel, 2016), by its tanh approximation or exactly."""
    return activate(("gelu_tanh" if approximate else "gelu", 0.0, 0.0, 0.0), x)


def hard_sigmoid(x: Any) -> Any:
    """clip(x / 6 + 0.5, 0, 1), as Keras 3 defines it. Keras 2's form is `graphflow.activations.hard_sigmoid`."""
    return activate(("hard_sigmoid", 1.0 / 6.0, 0.5, 0.0), x)
