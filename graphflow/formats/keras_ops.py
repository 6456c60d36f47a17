"""The operations that Keras 3 writes as nodes of a model (`a * b`, slices, `ops.sum`), each tied to a function here.

A row is the class name in Keras' operation modules; the node's arguments are the function's, under Keras' names.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from graphflow import activations, config, ops
from graphflow.errors import UnsupportedError
from graphflow.ops.indexing import gather_axis, triangle
from graphflow.ops.indexing import top_k as _top_k
from graphflow.ops.operands import shape_of
from graphflow.ops.resample import resample
from graphflow.ops.scalar import (
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    cosh,
    isinf,
    isnan,
    sinh,
    tan,
)

MODULES = ("keras.src.ops.", "keras.ops")
TF_MODULE = "tf"
"""Stands for a function of TensorFlow; see `keras_tf_ops`."""
TF_RAW_MODULE = "tf.raw_ops"
"""Stands for a raw operation of TensorFlow; see `keras_tf_nodes`."""


def _subset(function: Callable[..., Any], *names: str) -> Callable[..., Any]:
    """`function`, called with Keras' arguments by the given names; others must be None, which changes nothing."""

    def call(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(names, args, strict=False)) | kwargs
        extra = [name for name, value in given.items() if name not in names and value not in (None, False)]
        if extra:
            raise UnsupportedError(f"The argument {extra[0]}={given[extra[0]]!r:.40} is not supported.")
        return function(**{name: value for name, value in given.items() if name in names})

    return call


def _moveaxis(x: Any, source: Any, destination: Any) -> Any:
    rank = len(shape_of(x))
    pairs = [(source, destination)] if isinstance(source, int) else zip(source, destination, strict=True)
    moved = {to % rank: at % rank for at, to in pairs}
    rest = iter(axis for axis in range(rank) if axis not in moved.values())
    return ops.transpose(x, [moved[axis] if axis in moved else next(rest) for axis in range(rank)])


def _swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    order = list(range(len(shape_of(x))))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return ops.transpose(x, order)


def _take(x: Any, indices: Any, axis: int | None = None) -> Any:
    if axis is None:
        x, axis = ops.reshape(x, (-1,)), 0
    return gather_axis(x, indices if hasattr(indices, "spec") else np.asarray(indices, np.int32), axis)


def _roll(x: Any, shift: int, axis: int | None = None) -> Any:
    size = shape_of(x)[axis] if isinstance(axis, int) else None
    if size is None or not isinstance(shift, int):
        raise UnsupportedError("ops.roll needs one axis of known size.")
    assert isinstance(axis, int)
    first, second = ops.split(x, [size - shift % size, shift % size], axis)
    return ops.concatenate([second, first], axis)


def _pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    rank = len(shape_of(x))
    if isinstance(pad_width, int):
        pad_width = [(pad_width, pad_width)] * rank
    pad_width = [(one, one) if isinstance(one, int) else tuple(one) for one in pad_width]
    if len(pad_width) == 1:
        pad_width = pad_width * rank
    if mode != "constant":
        from graphflow.ops.indexing import pad_from_inside

        return pad_from_inside(x, pad_width, mode)
    return ops.pad(x, pad_width, constant_values or 0.0)


def _tile(x: Any, repeats: Any) -> Any:
    repeats = [repeats] if isinstance(repeats, int) else list(repeats)
    rank = len(shape_of(x))
    return ops.tile(x, [1] * (rank - len(repeats)) + repeats)


def _repeat(x: Any, repeats: int, axis: int | None = None) -> Any:
    return ops.repeat(ops.reshape(x, (-1,)), repeats, 0) if axis is None else ops.repeat(x, repeats, axis)


def _running(function: Callable[..., Any]) -> Callable[..., Any]:
    """cumsum or cumprod."""

    def call(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
        if axis is None:
            raise UnsupportedError("Cumsum and Cumprod without an axis are not supported.")
        return function(x if dtype is None else ops.cast(x, dtype), axis)

    return call


def _round(x: Any, decimals: int = 0) -> Any:
    if decimals:
        raise UnsupportedError(f"Round with decimals={decimals} is not supported.")
    return ops.round(x)


def _clip(x: Any, x_min: Any, x_max: Any) -> Any:
    return ops.minimum(ops.maximum(x, x_min), x_max)


def _arg(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        if axis is None:
            return function(ops.reshape(x, (-1,)), 0)
        found = function(x, axis)
        return ops.expand_dims(found, axis) if keepdims else found

    return call


def _one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    if sparse:
        raise UnsupportedError("ops.one_hot with sparse=True is not supported.")
    return _moveaxis(ops.one_hot(x, num_classes, dtype or "float32"), -1, axis)


def _normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Any:
    if order != 2:
        raise UnsupportedError(f"ops.normalize of order {order!r:.40} is not supported.")
    return ops.l2_normalize(x, axis, (epsilon or 1e-7) ** 2 if epsilon else 1e-14)


def _moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Any:
    return [ops.mean(x, axes, keepdims), ops.var(x, axes, keepdims)]


def _reshape(x: Any, newshape: Any) -> Any:
    from graphflow.ops.shape import reshape_to

    plain = all(isinstance(size, int) for size in newshape) and newshape.count(-1) <= 1
    if plain and None not in shape_of(x) and -1 not in newshape:
        return ops.reshape(x, tuple(newshape))
    return reshape_to(x, [-1 if size is None else size for size in newshape])


def _unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    return [ops.squeeze(part, axis) for part in ops.split(x, num or shape_of(x)[axis] or 0, axis)]


def _log_softmax(x: Any, axis: int = -1) -> Any:
    return ops.log_softmax(x, axis)


def _resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    axes = (-2, -1) if config.as_data_format(data_format) == "channels_first" else (-3, -2)
    fit = "crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "stretch"
    return resample(images, size, axes, interpolation, antialias, fit, fill_value)


def _split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Equal parts, or cuts at indices, as NumPy has them."""
    parts = indices_or_sections
    if isinstance(parts, int):
        return ops.split(x, parts, axis)
    size = shape_of(x)[axis]
    if size is None:
        raise UnsupportedError("ops.split at indices along an axis of unknown size is not supported.")
    ends = [0, *parts, size]
    return ops.split(x, [stop - start for start, stop in pairwise(ends)], axis)


ROWS: dict[str, Callable[..., Any]] = {
    "Abs": ops.absolute,
    "Absolute": ops.absolute,
    "Add": ops.add,
    "Arccos": arccos,
    "Arccosh": arccosh,
    "Arcsin": arcsin,
    "Arcsinh": arcsinh,
    "Arctan": arctan,
    "Arctanh": arctanh,
    "Ceil": ops.ceil,
    "ConvertToTensor": _subset(lambda x, dtype=None: x if dtype is None else ops.cast(x, dtype), "x", "dtype"),
    "Copy": lambda x: x,
    "Cos": ops.cos,
    "Cosh": cosh,
    "Divide": ops.divide,
    "Dot": ops.dot,
    "Equal": ops.equal,
    "Erf": ops.erf,
    "Exp": ops.exp,
    "Exp2": lambda x: ops.power(2.0, x),
    "Expm1": ops.expm1,
    "Floor": ops.floor,
    "FloorDivide": ops.floor_divide,
    "GetItem": lambda x, key: ops.getitem(x, tuple(key) if isinstance(key, list) else key),
    "Greater": ops.greater,
    "GreaterEqual": ops.greater_equal,
    "HardSigmoid": ops.hard_sigmoid,
    "HardSilu": activations.hard_silu,
    "HardTanh": activations.hard_tanh,
    "Isinf": isinf,
    "Isnan": isnan,
    "Less": ops.less,
    "LessEqual": ops.less_equal,
    "Log": ops.log,
    "Log10": lambda x: ops.divide(ops.log(x), 2.302585092994046),
    "Log1p": ops.log1p,
    "Log2": lambda x: ops.divide(ops.log(x), 0.6931471805599453),
    "LogSigmoid": activations.log_sigmoid,
    "Logaddexp": lambda x1, x2: ops.add(ops.maximum(x1, x2), ops.softplus(ops.negative(ops.absolute(x1 - x2)))),
    "LogicalAnd": ops.logical_and,
    "LogicalNot": ops.logical_not,
    "LogicalOr": ops.logical_or,
    "LogicalXor": ops.not_equal,
    "Matmul": ops.matmul,
    "Maximum": ops.maximum,
    "Minimum": ops.minimum,
    "Mod": ops.mod,
    "Multiply": ops.multiply,
    "Negative": ops.negative,
    "NotEqual": ops.not_equal,
    "OnesLike": _subset(ops.ones_like, "x", "dtype"),
    "Power": ops.power,
    "Ravel": lambda x: ops.reshape(x, (-1,)),
    "Reciprocal": ops.reciprocal,
    "Relu": lambda x: ops.relu(x),
    "Relu6": lambda x: ops.relu(x, max_value=6.0),
    "Rsqrt": ops.rsqrt,
    "Selu": ops.selu,
    "Sigmoid": ops.sigmoid,
    "Sign": ops.sign,
    "Silu": ops.silu,
    "Sin": ops.sin,
    "Sinh": sinh,
    "Softplus": ops.softplus,
    "Softsign": ops.softsign,
    "SparseSigmoid": activations.sparse_sigmoid,
    "Sqrt": ops.sqrt,
    "Square": ops.square,
    "StopGradient": _subset(lambda variable: variable, "variable"),
    "Subtract": ops.subtract,
    "Tan": tan,
    "Tanh": ops.tanh,
    "TanhShrink": activations.tanh_shrink,
    "TrueDivide": ops.divide,
    "Where": ops.where,
    "ZerosLike": _subset(ops.zeros_like, "x", "dtype"),
}
"""Operations whose node holds all their arguments."""

CONFIGURED: dict[str, Callable[..., Any]] = {
    "All": ops.all,
    "Amax": ops.max,
    "Amin": ops.min,
    "Any": ops.any,
    "Argmax": _arg(ops.argmax),
    "Argmin": _arg(ops.argmin),
    "BroadcastTo": _subset(ops.broadcast_to, "x", "shape"),
    "Cast": _subset(ops.cast, "x", "dtype"),
    "Celu": activations.celu,
    "Clip": _clip,
    "Concatenate": ops.concatenate,
    "Cumprod": _running(ops.cumprod),
    "Cumsum": _running(ops.cumsum),
    "Einsum": lambda *operands, subscripts: ops.einsum(subscripts, *operands),
    "Elu": ops.elu,
    "ExpandDims": ops.expand_dims,
    "Flip": ops.flip,
    "FullLike": lambda x, fill_value, dtype=None: ops.full_like(x, fill_value, dtype),
    "Gelu": ops.gelu,
    "HardShrink": activations.hard_shrink,
    "LeakyRelu": activations.leaky_relu,
    "LogSoftmax": _log_softmax,
    "Logsumexp": ops.logsumexp,
    "Max": _subset(ops.max, "x", "axis", "keepdims"),
    "Mean": ops.mean,
    "Min": _subset(ops.min, "x", "axis", "keepdims"),
    "Moments": _moments,
    "Moveaxis": _moveaxis,
    "Normalize": _normalize,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Prod": _subset(ops.prod, "x", "axis", "keepdims"),
    "Repeat": _repeat,
    "Reshape": _reshape,
    "Resize": _resize,
    "Roll": _roll,
    "Round": _round,
    "SoftShrink": activations.soft_shrink,
    "Softmax": ops.softmax,
    "Split": _split,
    "Squareplus": activations.squareplus,
    "Squeeze": ops.squeeze,
    "Stack": ops.stack,
    "Std": ops.std,
    "Sum": _subset(ops.sum, "x", "axis", "keepdims"),
    "Swapaxes": _swapaxes,
    "Take": _take,
    "Tile": _tile,
    "TopK": lambda x, k, sorted=True: list(_top_k(x, k)),
    "Transpose": _subset(ops.transpose, "x", "axes"),
    "Tril": lambda x, k=0: triangle(x, False, k),
    "Triu": lambda x, k=0: triangle(x, True, k),
    "Unstack": _unstack,
    "Var": ops.var,
}
"""Operations some of whose arguments Keras keeps in the configuration, where it writes them."""


TAKES_DTYPE = frozenset(("Cast", "FullLike", "ZerosLike", "OnesLike", "OneHot", "Cumsum", "Cumprod", "ConvertToTensor"))
"""Operations whose dtype is an argument; of others it says what they compute in."""


def reader(module: str, class_name: str) -> Callable[..., Any] | None:
    """The function of an operation node; None when the module is not one of operations, or the class not known."""
    if module == TF_MODULE:
        from graphflow.formats.keras_tf_ops import TF_FUNCTIONS

        return TF_FUNCTIONS.get(class_name.removeprefix("compat.v1."))
    if module == TF_RAW_MODULE:
        from graphflow.formats.keras_tf_nodes import raw_operation

        return raw_operation(class_name)
    if not module.startswith(MODULES):
        return None
    return ROWS.get(class_name) or CONFIGURED.get(class_name)
