"""The functions of TensorFlow that tf.keras writes as layers (TFOpLambda), each tied to an operation here.

A row is the function's public name without "tf."; its parameters have TensorFlow's names, since the file gives them so.
The table is closed: a name that is not in it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.activations import ACTIVATIONS
from graphflow.errors import UnsupportedError
from graphflow.formats import keras_tf_shapes as shapes
from graphflow.ops.indexing import top_k
from graphflow.ops.operands import shape_of
from graphflow.ops.resample import resample
from graphflow.ops.scalar import isinf, isnan

Function = Callable[..., Any]
ANGLES = ("tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh")


def _resize(
    images: Any,
    size: Sequence[int],
    method: str = "bilinear",
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
    name: Any = None,
) -> Any:
    if preserve_aspect_ratio:
        raise UnsupportedError("tf.image.resize with preserve_aspect_ratio=True is not supported.")
    return resample(images, size, (-3, -2), method, antialias)


def _unary(function: Function) -> Function:
    """A function of x, under whichever name TensorFlow has for it, and an ignored `name`."""

    def call(x: Any = None, name: Any = None, **given: Any) -> Any:
        return function(next(iter(given.values())) if x is None else x)

    return call


def _binary(function: Function) -> Function:
    def call(x: Any, y: Any, name: Any = None) -> Any:
        return function(x, y)

    return call


def _reduction(function: Function) -> Function:
    def call(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None) -> Any:
        return function(input_tensor, shapes.axes(axis), bool(keepdims))

    return call


def _arg(function: Function) -> Function:
    def call(input: Any, axis: int | None = None, output_type: str = "int64", name: Any = None) -> Any:
        return ops.cast(function(input, 0 if axis is None else axis), output_type)

    return call


def _same(x: Any = None, name: Any = None, **given: Any) -> Any:
    return next(iter(given.values())) if x is None else x


def _matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, **rest: Any) -> Any:
    if any(rest.get(key) for key in ("adjoint_a", "adjoint_b")):
        transpose_a, transpose_b = transpose_a or rest.get("adjoint_a"), transpose_b or rest.get("adjoint_b")  # type: ignore[assignment]
    return ops.matmul(_turned(a) if transpose_a else a, _turned(b) if transpose_b else b)


def _turned(a: Any, name: Any = None, conjugate: bool = False) -> Any:
    rank = len(shape_of(a))
    return ops.transpose(a, (*range(rank - 2), rank - 1, rank - 2))


def _einsum(equation: str, *inputs: Any, **_: Any) -> Any:
    if not inputs:
        raise UnsupportedError("tf.keras writes tf.einsum without its operands: the file does not say what it takes.")
    return ops.einsum(equation, *inputs)


def _softmax(function: Function) -> Function:
    def call(logits: Any, axis: int | None = None, name: Any = None) -> Any:
        return function(logits, -1 if axis is None else axis)

    return call


def _l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: Any = None, dim: Any = None) -> Any:
    return ops.l2_normalize(x, shapes.axes(dim if axis is None else axis), epsilon)


def _norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: Any = False, **_: Any) -> Any:
    axes, magnitude = shapes.axes(axis), ops.absolute(tensor)
    if ord in ("euclidean", 2, 2.0) and (ord == "euclidean" or isinstance(axis, int)):
        return ops.sqrt(ops.sum(ops.square(tensor), axes, bool(keepdims)))
    if ord in (1, 1.0) and isinstance(axis, int):
        return ops.sum(magnitude, axes, bool(keepdims))
    raise UnsupportedError(f"tf.norm with ord={ord!r:.40} and axis={axis!r:.40} is not supported.")


def _leaky_relu(features: Any, alpha: float = 0.2, name: Any = None) -> Any:
    return ops.relu(features, alpha)


def _gelu(features: Any, approximate: bool = False, name: Any = None) -> Any:
    return ops.gelu(features, approximate)


def _bias_add(value: Any, bias: Any, data_format: Any = None, name: Any = None) -> Any:
    if data_format and str(data_format).startswith("NC"):
        raise UnsupportedError("tf.nn.bias_add with channels first is not supported.")
    return ops.add(value, np.asarray(bias, np.float32) if isinstance(bias, list) else bias)


def _cast(x: Any, dtype: str, name: Any = None) -> Any:
    return ops.cast(x, dtype)


def _add_n(inputs: Sequence[Any], name: Any = None) -> Any:
    total = inputs[0]
    for one in inputs[1:]:
        total = ops.add(total, one)
    return total


def _cumulative(function: Function) -> Function:
    def call(x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: Any = None) -> Any:
        if exclusive:
            raise UnsupportedError("Exclusive cumulative sums and products are not supported.")
        return ops.flip(function(ops.flip(x, axis), axis), axis) if reverse else function(x, axis)

    return call


def _one_hot(indices: Any, depth: int, on_value: Any = 1, off_value: Any = 0, axis: Any = None, **rest: Any) -> Any:
    if on_value not in (1, None) or off_value not in (0, None) or axis not in (-1, None):
        raise UnsupportedError("tf.one_hot with other values than 1 and 0, or along another axis, is not supported.")
    return ops.one_hot(indices, depth, rest.get("dtype") or "float32")


def _top_k(input: Any, k: int = 1, sorted: bool = True, **_: Any) -> Any:
    return list(top_k(input, k))


def _like(function: Function) -> Function:
    def call(input: Any, dtype: Any = None, name: Any = None, **_: Any) -> Any:
        return function(input, dtype)

    return call


def _broadcast_to(input: Any, shape: Sequence[int], name: Any = None) -> Any:
    return ops.broadcast_to(input, shape)


def _moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None) -> Any:
    return [ops.mean(x, shapes.axes(axes), keepdims), ops.var(x, shapes.axes(axes), keepdims)]


def _squared_difference(x: Any, y: Any) -> Any:
    return ops.square(ops.subtract(x, y))


def _divide_no_nan(x: Any, y: Any) -> Any:
    safe = ops.where(ops.equal(y, 0.0), 1.0, y)
    return ops.where(ops.equal(y, 0.0), 0.0, ops.divide(x, safe))


def _logical_xor(x: Any, y: Any) -> Any:
    return ops.not_equal(x, y)


def _shape(input: Any, out_type: str = "int32", name: Any = None) -> Any:
    return ops.cast(ops.shape(input), out_type)


def _angle(name: str) -> Function:
    from graphflow.ops import scalar

    function: Function = getattr(scalar, name if name in ("tan", "sinh", "cosh") else name.replace("a", "arc", 1))
    return _unary(function)


_BINARY: dict[str, Function] = {
    "add": ops.add,
    "divide": ops.divide,
    "divide_no_nan": _divide_no_nan,
    "equal": ops.equal,
    "floor_div": ops.floor_divide,
    "floordiv": ops.floor_divide,
    "floormod": ops.mod,
    "greater": ops.greater,
    "greater_equal": ops.greater_equal,
    "less": ops.less,
    "less_equal": ops.less_equal,
    "logical_and": ops.logical_and,
    "logical_or": ops.logical_or,
    "logical_xor": _logical_xor,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
    "mod": ops.mod,
    "multiply": ops.multiply,
    "not_equal": ops.not_equal,
    "pow": ops.power,
    "squared_difference": _squared_difference,
    "subtract": ops.subtract,
    "truediv": ops.divide,
}
"""Of module math, and without a module, and some as operators."""

_UNARY: dict[str, Function] = {
    "abs": ops.absolute,
    "ceil": ops.ceil,
    "cos": ops.cos,
    "erf": ops.erf,
    "exp": ops.exp,
    "expm1": ops.expm1,
    "floor": ops.floor,
    "is_inf": isinf,
    "is_nan": isnan,
    "log": ops.log,
    "log1p": ops.log1p,
    "log_sigmoid": ACTIVATIONS["log_sigmoid"],
    "logical_not": ops.logical_not,
    "negative": ops.negative,
    "reciprocal": ops.reciprocal,
    "round": ops.round,
    "rsqrt": ops.rsqrt,
    "sigmoid": ops.sigmoid,
    "sign": ops.sign,
    "sin": ops.sin,
    "softplus": ops.softplus,
    "softsign": ops.softsign,
    "sqrt": ops.sqrt,
    "square": ops.square,
    "tanh": ops.tanh,
}

_REDUCTIONS: dict[str, Function] = {
    "reduce_all": ops.all,
    "reduce_any": ops.any,
    "reduce_euclidean_norm": lambda x, axis, keep: ops.sqrt(ops.sum(ops.square(x), axis, keep)),
    "reduce_logsumexp": ops.logsumexp,
    "reduce_max": ops.max,
    "reduce_mean": ops.mean,
    "reduce_min": ops.min,
    "reduce_prod": ops.prod,
    "reduce_std": ops.std,
    "reduce_sum": ops.sum,
    "reduce_variance": ops.var,
}

_MATH: dict[str, Function] = {
    **{name: _binary(function) for name, function in _BINARY.items()},
    **{name: _unary(function) for name, function in _UNARY.items()},
    **{name: _reduction(function) for name, function in _REDUCTIONS.items()},
    **{name: _angle(name) for name in ANGLES},
    "add_n": _add_n,
    "argmax": _arg(ops.argmax),
    "argmin": _arg(ops.argmin),
    "cumprod": _cumulative(ops.cumprod),
    "cumsum": _cumulative(ops.cumsum),
    "l2_normalize": _l2_normalize,
    "log_softmax": _softmax(ops.log_softmax),
    "softmax": _softmax(ops.softmax),
    "top_k": _top_k,
}

_NN: dict[str, Function] = {
    **{name: _unary(_UNARY[name]) for name in ("sigmoid", "softplus", "softsign", "tanh")},
    "bias_add": _bias_add,
    "elu": _unary(ops.elu),
    "gelu": _gelu,
    "l2_normalize": _l2_normalize,
    "leaky_relu": _leaky_relu,
    "log_softmax": _softmax(ops.log_softmax),
    "moments": _moments,
    "relu": _unary(ops.relu),
    "relu6": _unary(ACTIVATIONS["relu6"]),
    "selu": _unary(ops.selu),
    "silu": lambda features, beta=1.0, name=None: ops.multiply(features, ops.sigmoid(ops.multiply(features, beta))),
    "softmax": _softmax(ops.softmax),
    "swish": _unary(ops.silu),
    "top_k": _top_k,
}

_ARRAYS: dict[str, Function] = {
    "broadcast_to": _broadcast_to,
    "cast": _cast,
    "clip_by_value": shapes.clip,
    "concat": shapes.concat,
    "convert_to_tensor": lambda value, dtype=None, **_: value if dtype is None else ops.cast(value, dtype),
    "einsum": _einsum,
    "ensure_shape": lambda x, shape, name=None: x,
    "expand_dims": shapes.expand_dims,
    "gather": shapes.gather,
    "identity": _same,
    "matmul": _matmul,
    "norm": _norm,
    "one_hot": _one_hot,
    "ones_like": _like(ops.ones_like),
    "pad": shapes.pad,
    "repeat": shapes.repeat,
    "reshape": shapes.reshape,
    "reverse": shapes.reverse,
    "shape": _shape,
    "slice": shapes.part,
    "split": shapes.split,
    "squeeze": shapes.squeeze,
    "stack": shapes.stack,
    "stop_gradient": _same,
    "tile": shapes.tile,
    "transpose": shapes.transpose,
    "unstack": shapes.unstack,
    "where": shapes.where,
    "zeros_like": _like(ops.zeros_like),
}

TF_FUNCTIONS: dict[str, Function] = {
    **_MATH,
    **_ARRAYS,
    **{f"math.{name}": function for name, function in _MATH.items()},
    **{f"nn.{name}": function for name, function in _NN.items()},
    **{f"__operators__.{name}": _binary(function) for name, function in _BINARY.items()},
    **{f"linalg.{name}": _ARRAYS[name] for name in ("einsum", "matmul", "norm")},
    "__operators__.getitem": shapes.getitem,
    "__operators__.ne": _binary(ops.not_equal),
    "__operators__.eq": _binary(ops.equal),
    "__operators__.pow": _binary(ops.power),
    "image.resize": _resize,
    "linalg.l2_normalize": _l2_normalize,
    "linalg.matrix_transpose": _turned,
}
"""By public name without "tf."."""
