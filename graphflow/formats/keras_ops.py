"""The operations that Keras 3 writes as nodes of a model (`a * b`, slices, `ops.sum`), each tied to a function here.

A row is the class name in Keras' operation modules; the node's arguments are the function's, under Keras' names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphflow import ops

MODULES = ("keras.src.ops.numpy", "keras.src.ops.nn", "keras.src.ops.core", "keras.src.ops.math", "keras.ops")


def _subset(function: Callable[..., Any], *names: str) -> Callable[..., Any]:
    """`function`, called with Keras' positional or keyword arguments by the given names."""

    def call(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(names, args, strict=False)) | kwargs
        return function(**{name: value for name, value in given.items() if name in names})

    return call


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
    "ZerosLike": _subset(ops.zeros_like, "x"),
    "OnesLike": _subset(ops.ones_like, "x"),
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
    "Argmax": ops.argmax,
    "Argmin": ops.argmin,
    "Einsum": lambda *operands, subscripts: ops.einsum(subscripts, *operands),
    "ExpandDims": ops.expand_dims,
    "Squeeze": ops.squeeze,
    "Transpose": ops.transpose,
    "Concatenate": ops.concatenate,
    "Split": lambda x, indices_or_sections, axis=0: ops.split(x, indices_or_sections, axis),
    "Stack": ops.stack,
    "Flip": ops.flip,
    "Cast": ops.cast,
    "Softmax": ops.softmax,
    "LogSoftmax": ops.log_softmax,
    "Gelu": ops.gelu,
    "Elu": ops.elu,
}
"""Operations some of whose arguments Keras keeps in the configuration, where it writes them."""


def reader(module: str, class_name: str) -> Callable[..., Any] | None:
    """The function of an operation node; None when the module is not one of operations, or the class not known."""
    if not module.startswith(MODULES):
        return None
    return ROWS.get(class_name) or CONFIGURED.get(class_name)
