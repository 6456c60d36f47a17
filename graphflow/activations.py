"""Activation functions by name: the closed registry that layers and files look them up in.

Keras 2 and Keras 3 disagree on `hard_sigmoid`: the name here means Keras 2's clip(0.2 x + 0.5, 0, 1), the form of the
documents this project follows; `graphflow.ops.hard_sigmoid` is Keras 3's clip(x / 6 + 0.5, 0, 1). Files follow the
version that wrote them.

Source: https://keras.io/api/layers/activations/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphflow import ops
from graphflow.errors import ArgumentError, ArgumentTypeError, nearest
from graphflow.ops.activation import LINEAR, Numbers, activate
from graphflow.registry import custom_objects, register_own

Activation = Callable[[Any], Any]


def linear(x: Any) -> Any:
    """x itself."""
    return x


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """Rectified linear unit; see `graphflow.ops.relu`."""
    return ops.relu(x, negative_slope, max_value, threshold)


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return ops.relu(x, max_value=6.0)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x where x >= 0, negative_slope * x otherwise."""
    return ops.relu(x, negative_slope)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def hard_sigmoid(x: Any) -> Any:
    """Keras 2's clip(0.2 x + 0.5, 0, 1)."""
    return activate(("hard_sigmoid", 0.2, 0.5, 0.0), x)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return ops.tanh(x)


def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) over an axis."""
    return ops.softmax(x, axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of softmax."""
    return ops.log_softmax(x, axis)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where x > 0, alpha * (exp(x) - 1) otherwise."""
    return ops.elu(x, alpha)


def selu(x: Any) -> Any:
    """Scaled exponential linear unit."""
    return ops.selu(x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return ops.softplus(x)


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return ops.softsign(x)


def exponential(x: Any) -> Any:
    """e to the power x."""
    return ops.exp(x)


def silu(x: Any) -> Any:
    """x * sigmoid(x)."""
    return ops.silu(x)


def gelu(x: Any, approximate: bool = False) -> Any:
    """Gaussian error linear unit, exact unless `approximate`."""
    return ops.gelu(x, approximate)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1) (Barron, 2017)."""
    return ops.relu(x) + alpha * ops.expm1(ops.minimum(x, 0.0) / alpha)


def hard_silu(x: Any) -> Any:
    """x * min(max(x + 3, 0), 6) / 6 (Howard et al., 2019)."""
    return x * ops.hard_sigmoid(x)


def hard_tanh(x: Any) -> Any:
    """min(max(x, -1), 1)."""
    return ops.clip(x, -1.0, 1.0)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where |x| > threshold, 0 otherwise."""
    return ops.where(ops.greater(ops.absolute(x), threshold), x, 0.0)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by threshold, 0 where that would pass it."""
    return ops.sign(x) * ops.relu(ops.absolute(x) - threshold)


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    return x - ops.tanh(x)


def log_sigmoid(x: Any) -> Any:
    """log(1 / (1 + exp(-x))), computed without overflow."""
    return ops.negative(ops.softplus(ops.negative(x)))


def mish(x: Any) -> Any:
    """x * tanh(softplus(x)) (Misra, 2019)."""
    return x * ops.tanh(ops.softplus(x))


def sparse_sigmoid(x: Any) -> Any:
    """min(max((x + 1) / 2, 0), 1)."""
    return activate(("hard_sigmoid", 0.5, 0.5, 0.0), x)


def squareplus(x: Any, b: float = 4.0) -> Any:
    """(x + sqrt(x squared + b)) / 2 (Barron, 2021)."""
    return (x + ops.sqrt(ops.square(x) + b)) * 0.5


ACTIVATIONS: dict[str, Activation] = {
    "celu": celu,
    "hard_shrink": hard_shrink,
    "hard_silu": hard_silu,
    "hard_swish": hard_silu,
    "hard_tanh": hard_tanh,
    "log_sigmoid": log_sigmoid,
    "mish": mish,
    "soft_shrink": soft_shrink,
    "sparse_sigmoid": sparse_sigmoid,
    "squareplus": squareplus,
    "tanh_shrink": tanh_shrink,
    "linear": linear,
    "relu": relu,
    "relu6": relu6,
    "leaky_relu": leaky_relu,
    "sigmoid": sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "keras3_hard_sigmoid": ops.hard_sigmoid,
    "tanh": tanh,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "elu": elu,
    "selu": selu,
    "softplus": softplus,
    "softsign": softsign,
    "exponential": exponential,
    "silu": silu,
    "swish": silu,
    "gelu": gelu,
}

register_own("hard_sigmoid", hard_sigmoid)

GATES: dict[Any, Numbers] = {
    linear: LINEAR,
    relu: ("relu", 0.0, 0.0, 0.0),
    relu6: ("clip", 0.0, 6.0, 0.0),
    sigmoid: ("sigmoid", 0.0, 0.0, 0.0),
    hard_sigmoid: ("hard_sigmoid", 0.2, 0.5, 0.0),
    ops.hard_sigmoid: ("hard_sigmoid", 1.0 / 6.0, 0.5, 0.0),
    tanh: ("tanh", 0.0, 0.0, 0.0),
    elu: ("elu", 1.0, 0.0, 0.0),
    selu: ("selu", 0.0, 0.0, 0.0),
    softplus: ("softplus", 0.0, 0.0, 0.0),
    softsign: ("softsign", 0.0, 0.0, 0.0),
    exponential: ("exponential", 0.0, 0.0, 0.0),
    silu: ("silu", 0.0, 0.0, 0.0),
    gelu: ("gelu", 0.0, 0.0, 0.0),
}
"""The activations that recurrent kernels apply themselves, as rows of `graphflow.ops.activation`."""

_NAMES = {function: name for name, function in reversed(ACTIVATIONS.items())}


def get(identifier: Any) -> Activation:
    """The function for a name, a configuration, a callable, or None (linear).

    Raises:
        ArgumentError: an unknown name; the message gives the nearest known one.
        ArgumentTypeError: something else.
    """
    if identifier is None:
        return linear
    if callable(identifier):
        return identifier  # type: ignore[no-any-return]
    if isinstance(identifier, dict):
        identifier = identifier.get("config", identifier.get("class_name"))
    if isinstance(identifier, str) and identifier in custom_objects():
        return custom_objects()[identifier]  # type: ignore[no-any-return]
    if not isinstance(identifier, str):
        raise ArgumentTypeError(f"An activation must be a name or a function, received {identifier!r}.")
    if identifier not in ACTIVATIONS:
        raise ArgumentError(f"Unknown activation {identifier!r}.{nearest(identifier, ACTIVATIONS)}")
    return ACTIVATIONS[identifier]


def serialize(activation: Activation) -> Any:
    """What `get` makes the function from again: its name, or a user's function itself."""
    return _NAMES.get(activation, activation)


def name_of(activation: Activation) -> str:
    """A function's name, for messages."""
    return _NAMES.get(activation) or str(getattr(activation, "__name__", type(activation).__name__))
