"""The operations that Keras 3 writes as nodes of a model (`a * b`, slices, `ops.sum`), each tied to a function here.

A row is the class name in Keras' operation modules; the node's arguments are the function's, under Keras' names.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from graphflow import ops
from graphflow.errors import UnsupportedError

MODULES = ("keras.src.ops.", "keras.ops")
TF_MODULE = "tf"
"""Stands for a function of TensorFlow; see `keras_tf_ops`."""


def _subset(function: Callable[..., Any], *names: str) -> Callable[..., Any]:
    """`function`, called with Keras' positional or keyword arguments by the given names."""

    def call(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(names, args, strict=False)) | kwargs
        return function(**{name: value for name, value in given.items() if name in names})

    return call


def _split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Parts of equal size, or those that end at the given places."""
    if isinstance(indices_or_sections, int):
        return ops.split(x, indices_or_sections, axis)
    size = x.shape[axis]
    if size is None:
        raise UnsupportedError("Split at places of an axis whose size is not known is not supported.")
    ends = [0, *indices_or_sections, size]
    return ops.split(x, [after - before for before, after in pairwise(ends)], axis)


def _pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    if mode != "constant":
        raise UnsupportedError(f"Pad with mode={mode!r} is not supported.")
    rank = len(x.shape)
    pairs = [pad_width] * rank if isinstance(pad_width, int) else list(pad_width)
    pairs = [(one, one) if isinstance(one, int) else tuple(one) for one in pairs]
    return ops.pad(x, pairs * rank if len(pairs) == 1 else pairs, constant_values or 0.0)


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    """argmax or argmin; along no axis the place in the flattened tensor is meant, refused here."""

    def call(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        if axis is None:
            raise UnsupportedError("Argmax and Argmin without an axis are not supported.")
        found = function(x, axis)
        return ops.expand_dims(found, axis if axis >= 0 else len(x.shape) + axis) if keepdims else found

    return call


def _running(function: Callable[..., Any]) -> Callable[..., Any]:
    """cumsum or cumprod."""

    def call(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
        if axis is None:
            raise UnsupportedError("Cumsum and Cumprod without an axis are not supported.")
        return function(x if dtype is None else ops.cast(x, dtype), axis)

    return call


def _one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    if axis not in (-1, len(x.shape)) or sparse:
        raise UnsupportedError(f"OneHot with axis={axis} and sparse={sparse} is not supported.")
    return ops.one_hot(x, num_classes, dtype or "float32")


def _round(x: Any, decimals: int = 0) -> Any:
    if decimals:
        raise UnsupportedError(f"Round with decimals={decimals} is not supported.")
    return ops.round(x)


def _repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    if axis is None or not isinstance(repeats, int):
        raise UnsupportedError("Repeat takes one number of repeats and an axis.")
    return ops.repeat(x, repeats, axis)


ROWS: dict[str, Callable[..., Any]] = {
    "Add": ops.add,
    "Subtract": ops.subtract,
    "Multiply": ops.multiply,
    "Divide": ops.divide,
    "TrueDivide": ops.divide,
    "FloorDivide": ops.floor_divide,
    "Mod": ops.mod,
    "Power": ops.power,
    "Maximum": ops.maximum,
    "Minimum": ops.minimum,
    "Matmul": ops.matmul,
    "Dot": ops.dot,
    "Negative": ops.negative,
    "Absolute": ops.absolute,
    "Abs": ops.absolute,
    "Square": ops.square,
    "Sqrt": ops.sqrt,
    "Rsqrt": ops.rsqrt,
    "Reciprocal": ops.reciprocal,
    "Exp": ops.exp,
    "Expm1": ops.expm1,
    "Log": ops.log,
    "Log1p": ops.log1p,
    "Sin": ops.sin,
    "Cos": ops.cos,
    "Floor": ops.floor,
    "Ceil": ops.ceil,
    "Sign": ops.sign,
    "Tanh": ops.tanh,
    "Relu": lambda x: ops.relu(x),
    "Relu6": lambda x: ops.relu(x, max_value=6.0),
    "Sigmoid": ops.sigmoid,
    "Silu": ops.silu,
    "Selu": ops.selu,
    "HardSigmoid": ops.hard_sigmoid,
    "Softplus": ops.softplus,
    "Softsign": ops.softsign,
    "Erf": ops.erf,
    "GetItem": lambda x, key: ops.getitem(x, tuple(key) if isinstance(key, list) else key),
    "Equal": ops.equal,
    "NotEqual": ops.not_equal,
    "Less": ops.less,
    "LessEqual": ops.less_equal,
    "Greater": ops.greater,
    "GreaterEqual": ops.greater_equal,
    "LogicalAnd": ops.logical_and,
    "LogicalOr": ops.logical_or,
    "LogicalNot": ops.logical_not,
    "Where": ops.where,
    "ConvertToTensor": _subset(lambda x: x, "x"),
    "ZerosLike": ops.zeros_like,
    "OnesLike": ops.ones_like,
}
"""Operations whose node holds all their arguments."""

CONFIGURED: dict[str, Callable[..., Any]] = {
    "Sum": ops.sum,
    "Mean": ops.mean,
    "Prod": ops.prod,
    "Max": ops.max,
    "Min": ops.min,
    "Var": ops.var,
    "Std": ops.std,
    "Any": ops.any,
    "All": ops.all,
    "Argmax": _extreme(ops.argmax),
    "Argmin": _extreme(ops.argmin),
    "Clip": lambda x, x_min, x_max: ops.clip(x, x_min, x_max),
    "Cumsum": _running(ops.cumsum),
    "Cumprod": _running(ops.cumprod),
    "FullLike": lambda x, fill_value, dtype=None: ops.full_like(x, fill_value, dtype),
    "LeakyRelu": lambda x, negative_slope=0.2: ops.relu(x, negative_slope),
    "OneHot": _one_hot,
    "Pad": _pad,
    "Repeat": _repeat,
    "Reshape": lambda x, newshape: ops.reshape(x, newshape),
    "Round": _round,
    "Tile": lambda x, repeats: ops.tile(x, repeats),
    "Einsum": lambda *operands, subscripts: ops.einsum(subscripts, *operands),
    "ExpandDims": ops.expand_dims,
    "Squeeze": ops.squeeze,
    "Transpose": ops.transpose,
    "Concatenate": ops.concatenate,
    "Split": _split,
    "Stack": ops.stack,
    "Flip": ops.flip,
    "Cast": ops.cast,
    "Softmax": ops.softmax,
    "LogSoftmax": ops.log_softmax,
    "Gelu": ops.gelu,
    "Elu": ops.elu,
}
"""Operations some of whose arguments Keras keeps in the configuration, where it writes them."""


TAKES_DTYPE = frozenset(("Cast", "FullLike", "ZerosLike", "OnesLike", "OneHot", "Cumsum", "Cumprod"))
"""Operations whose dtype is an argument; of others it says what they compute in."""


def reader(module: str, class_name: str) -> Callable[..., Any] | None:
    """The function of an operation node; None when the module is not one of operations, or the class not known."""
    if module == TF_MODULE:
        from graphflow.formats.keras_tf_ops import TF_FUNCTIONS

        return TF_FUNCTIONS.get(class_name)
    if not module.startswith(MODULES):
        return None
    return ROWS.get(class_name) or CONFIGURED.get(class_name)
