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
from graphflow.operand import Operand
from graphflow.ops.indexing import gather_axis, top_k
from graphflow.ops.operands import shape_of
from graphflow.ops.resample import resample
from graphflow.ops.scalar import isinf, isnan
from graphflow.ops.shape import reshape_to

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
        return function(input_tensor, _axes(axis), bool(keepdims))

    return call


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _arg(function: Function) -> Function:
    def call(input: Any, axis: int | None = None, output_type: str = "int64", name: Any = None) -> Any:
        return ops.cast(function(input, 0 if axis is None else axis), output_type)

    return call


def _same(x: Any = None, name: Any = None, **given: Any) -> Any:
    return next(iter(given.values())) if x is None else x


def _reshape(tensor: Any, shape: Any, name: Any = None) -> Any:
    if isinstance(shape, (list, tuple)) and not any(isinstance(size, Operand) for size in shape):
        return ops.reshape(tensor, tuple(shape)) if _is_plain(tensor, shape) else reshape_to(tensor, shape)
    return reshape_to(tensor, shape)


def _is_plain(tensor: Any, shape: Sequence[int]) -> bool:
    return None not in shape_of(tensor) and -1 not in shape


def _expand_dims(input: Any, axis: int, name: Any = None) -> Any:
    return ops.expand_dims(input, axis)


def _squeeze(input: Any, axis: Any = None, name: Any = None, squeeze_dims: Any = None) -> Any:
    axis = squeeze_dims if axis is None else axis
    return ops.squeeze(input, _axes(axis) or None)


def _transpose(a: Any, perm: Any = None, conjugate: bool = False, name: Any = None) -> Any:
    return ops.transpose(a, perm)


def _concat(values: Any, axis: int, name: Any = None) -> Any:
    return ops.concatenate(values, axis) if isinstance(values, (list, tuple)) else values


def _stack(values: Any, axis: int = 0, name: Any = None) -> Any:
    return ops.stack(values, axis)


def _unstack(value: Any, num: int | None = None, axis: int = 0, name: Any = None) -> Any:
    count = shape_of(value)[axis]
    if count is None:
        raise UnsupportedError("tf.unstack along an axis of unknown size is not supported.")
    return [ops.squeeze(part, axis) for part in ops.split(value, count, axis)]


def _split(value: Any, num_or_size_splits: Any, axis: int = 0, num: Any = None, name: Any = None) -> Any:
    parts = num_or_size_splits
    if isinstance(parts, (list, tuple)) and -1 in parts:
        whole = shape_of(value)[axis]
        if whole is None:
            raise UnsupportedError("tf.split into a part of -1 along an axis of unknown size is not supported.")
        rest = whole - sum(size for size in parts if size != -1)
        parts = [rest if size == -1 else size for size in parts]
    return ops.split(value, parts, axis)


def _getitem(tensor: Any, slice_spec: Any = None, var: Any = None, name: Any = None) -> Any:
    keys = slice_spec if isinstance(slice_spec, (list, tuple)) else [slice_spec]
    made = tuple(_slice(key) for key in keys)
    if any(isinstance(part, Operand) for key in made for part in _parts(key)):
        raise UnsupportedError("Indexing by a tensor is not supported; tf.gather is.")
    return ops.getitem(tensor, made)


def _parts(key: Any) -> tuple[Any, ...]:
    return (key.start, key.stop, key.step) if isinstance(key, slice) else (key,)


def _slice(key: Any) -> Any:
    if isinstance(key, dict) and {"start", "stop", "step"} <= key.keys():
        return slice(key["start"], key["stop"], key["step"])
    return key


def _part(input_: Any, begin: Sequence[int], size: Sequence[int], name: Any = None) -> Any:
    pairs = zip(begin, size, strict=True)
    return ops.getitem(input_, tuple(slice(start, None if n == -1 else start + n) for start, n in pairs))


def _gather(params: Any, indices: Any, axis: int | None = None, batch_dims: int = 0, **_: Any) -> Any:
    if batch_dims:
        raise UnsupportedError("tf.gather with batch_dims is not supported.")
    indices = indices if isinstance(indices, Operand) else np.asarray(indices, np.int32)
    return gather_axis(params, indices, axis or 0)


def _where(condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Any:
    if x is None or y is None:
        raise UnsupportedError("tf.where without x and y is not supported.")
    return ops.where(condition, x, y)


def _clip(t: Any, clip_value_min: Any, clip_value_max: Any, name: Any = None) -> Any:
    return ops.minimum(ops.maximum(t, clip_value_min), clip_value_max)


def _pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: float = 0, name: Any = None) -> Any:
    if str(mode).upper() != "CONSTANT":
        from graphflow.ops.indexing import pad_from_inside

        return pad_from_inside(tensor, paddings, str(mode).lower())
    return ops.pad(tensor, paddings, constant_values)


def _tile(input: Any, multiples: Sequence[int], name: Any = None) -> Any:
    return ops.tile(input, multiples)


def _repeat(input: Any, repeats: int, axis: int | None = None, name: Any = None) -> Any:
    if axis is None:
        input, axis = ops.reshape(input, (-1,)), 0
    return ops.repeat(input, repeats, axis)


def _reverse(tensor: Any, axis: Any, name: Any = None) -> Any:
    return ops.flip(tensor, _axes(axis))


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
    return ops.l2_normalize(x, _axes(dim if axis is None else axis), epsilon)


def _norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: Any = False, **_: Any) -> Any:
    axes, magnitude = _axes(axis), ops.absolute(tensor)
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
    return [ops.mean(x, _axes(axes), keepdims), ops.var(x, _axes(axes), keepdims)]


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
    "clip_by_value": _clip,
    "concat": _concat,
    "convert_to_tensor": lambda value, dtype=None, **_: value if dtype is None else ops.cast(value, dtype),
    "einsum": _einsum,
    "ensure_shape": lambda x, shape, name=None: x,
    "expand_dims": _expand_dims,
    "gather": _gather,
    "identity": _same,
    "matmul": _matmul,
    "norm": _norm,
    "one_hot": _one_hot,
    "ones_like": _like(ops.ones_like),
    "pad": _pad,
    "repeat": _repeat,
    "reshape": _reshape,
    "reverse": _reverse,
    "shape": _shape,
    "slice": _part,
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "stop_gradient": _same,
    "tile": _tile,
    "transpose": _transpose,
    "unstack": _unstack,
    "where": _where,
    "zeros_like": _like(ops.zeros_like),
}

TF_FUNCTIONS: dict[str, Function] = {
    **_MATH,
    **_ARRAYS,
    **{f"math.{name}": function for name, function in _MATH.items()},
    **{f"nn.{name}": function for name, function in _NN.items()},
    **{f"__operators__.{name}": _binary(function) for name, function in _BINARY.items()},
    **{f"linalg.{name}": _ARRAYS[name] for name in ("einsum", "matmul", "norm")},
    "__operators__.getitem": _getitem,
    "__operators__.ne": _binary(ops.not_equal),
    "__operators__.eq": _binary(ops.equal),
    "__operators__.pow": _binary(ops.power),
    "image.resize": _resize,
    "linalg.l2_normalize": _l2_normalize,
    "linalg.matrix_transpose": _turned,
}
"""By public name without "tf."."""
