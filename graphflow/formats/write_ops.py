"""Ops outside layers as Keras 3 says them: nodes of its operation classes.

Each row is keyed by the op's name here and gives the module, the class and its configuration; what the node
is called on are the operands, constants in their places. `keras_ops` reads the same classes back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from graphflow.errors import UnsupportedError
from graphflow.layers.op_call import OpCall
from graphflow.ops.registry import Attrs

NUMPY, NN, CORE, MATH = (f"keras.src.ops.{room}" for room in ("numpy", "nn", "core", "math"))


class Operation(NamedTuple):
    """A Keras 3 operation: module, class, configuration; whether its operands are one list; arguments by name."""

    module: str
    class_name: str
    config: dict[str, Any] = {}
    as_list: bool = False
    kwargs: dict[str, Any] = {}


Row = Callable[[Attrs], Operation]


def _named(module: str, class_name: str) -> Row:
    return lambda attrs: Operation(module, class_name)


def _reduction(class_name: str) -> Row:
    return lambda attrs: Operation(
        NUMPY, class_name, {"axis": _axis(attrs["axes"]), "keepdims": bool(attrs["keepdims"])}
    )


def _axis(axes: Any) -> Any:
    return axes[0] if len(axes) == 1 else list(axes)


def _relu_general(attrs: Attrs) -> Operation:
    return Operation(NN, "LeakyRelu", {"negative_slope": leaky_slope(attrs)})


def leaky_slope(attrs: Attrs) -> float:
    """The slope of a relu that is a leaky one.

    Raises:
        UnsupportedError: it has a threshold or a largest value, too.
    """
    slope, top, threshold = (attrs.get(name, 0.0) for name in ("alpha", "beta", "gamma"))
    if threshold or top != math.inf:
        raise UnsupportedError("relu with a threshold or a largest value and a slope; use the layer ReLU")
    return float(slope)


def _clip(attrs: Attrs) -> Operation:
    return Operation(NUMPY, "Clip", {"x_min": attrs.get("alpha", 0.0), "x_max": attrs.get("beta", 0.0)})


def _hard_sigmoid(attrs: Attrs) -> Operation:
    if not math.isclose(attrs.get("alpha", 0.0), 1 / 6) or attrs.get("beta") != 0.5:
        raise UnsupportedError("a hard sigmoid of another slope than Keras 3's 1/6")
    return Operation(NN, "HardSigmoid")


def _softmax(attrs: Attrs) -> Operation:
    return Operation(NN, "LogSoftmax" if attrs["log"] else "Softmax", {"axis": _axis(attrs["axes"])})


def _split(attrs: Attrs) -> Operation:
    ends = np.cumsum(attrs["sizes"])[:-1].tolist()
    return Operation(NUMPY, "Split", {"indices_or_sections": ends, "axis": attrs["axis"]})


def _pad(attrs: Attrs) -> Operation:
    config = {"pad_width": [list(pair) for pair in attrs["amounts"]], "mode": "constant"}
    return Operation(NUMPY, "Pad", config, kwargs={"constant_values": attrs["value"] or None})


def _getitem(attrs: Attrs) -> Operation:
    key = tuple(one if isinstance(one, int) else slice(*one) for one in attrs["key"])
    return Operation(NUMPY, "GetItem", kwargs={"key": key})


def _full_like(attrs: Attrs) -> Operation:
    name = {0: "ZerosLike", 1: "OnesLike"}.get(attrs["value"])
    if name is None:
        return Operation(NUMPY, "FullLike", {"dtype": attrs["dtype"]}, kwargs={"fill_value": attrs["value"]})
    return Operation(NUMPY, name, {"dtype": attrs["dtype"]})


def _one_hot(attrs: Attrs) -> Operation:
    return Operation(NN, "OneHot", {"num_classes": attrs["size"], "axis": -1, "dtype": attrs["dtype"], "sparse": False})


KERAS3: dict[str, Row] = {
    **{
        name: _named(NUMPY, class_name)
        for name, class_name in (
            ("add", "Add"),
            ("subtract", "Subtract"),
            ("multiply", "Multiply"),
            ("divide", "Divide"),
            ("floor_divide", "FloorDivide"),
            ("mod", "Mod"),
            ("power", "Power"),
            ("maximum", "Maximum"),
            ("minimum", "Minimum"),
            ("matmul", "Matmul"),
            ("equal", "Equal"),
            ("not_equal", "NotEqual"),
            ("less", "Less"),
            ("less_equal", "LessEqual"),
            ("greater", "Greater"),
            ("greater_equal", "GreaterEqual"),
            ("logical_and", "LogicalAnd"),
            ("logical_or", "LogicalOr"),
            ("logical_not", "LogicalNot"),
            ("negative", "Negative"),
            ("absolute", "Absolute"),
            ("square", "Square"),
            ("sqrt", "Sqrt"),
            ("reciprocal", "Reciprocal"),
            ("exponential", "Exp"),
            ("expm1", "Expm1"),
            ("log", "Log"),
            ("log1p", "Log1p"),
            ("sin", "Sin"),
            ("cos", "Cos"),
            ("tanh", "Tanh"),
            ("floor", "Floor"),
            ("ceil", "Ceil"),
            ("sign", "Sign"),
            ("where", "Where"),
        )
    },
    **{
        name: _named(NN, class_name)
        for name, class_name in (
            ("relu", "Relu"),
            ("sigmoid", "Sigmoid"),
            ("selu", "Selu"),
            ("softplus", "Softplus"),
            ("softsign", "Softsign"),
            ("silu", "Silu"),
        )
    },
    **{
        name: _reduction(class_name)
        for name, class_name in (
            ("sum", "Sum"),
            ("mean", "Mean"),
            ("prod", "Prod"),
            ("max", "Max"),
            ("min", "Min"),
            ("any", "Any"),
            ("all", "All"),
        )
    },
    "rsqrt": _named(MATH, "Rsqrt"),
    "erf": _named(MATH, "Erf"),
    "round": lambda attrs: Operation(NUMPY, "Round", {"decimals": 0}),
    "gelu": lambda attrs: Operation(NN, "Gelu", {"approximate": False}),
    "gelu_tanh": lambda attrs: Operation(NN, "Gelu", {"approximate": True}),
    "elu": lambda attrs: Operation(NN, "Elu", {"alpha": attrs.get("alpha", 0.0)}),
    "relu_general": _relu_general,
    "clip": _clip,
    "hard_sigmoid": _hard_sigmoid,
    "softmax": _softmax,
    "cast": lambda attrs: Operation(CORE, "Cast", {"dtype": attrs["dtype"]}),
    "reshape": lambda attrs: Operation(NUMPY, "Reshape", {"newshape": list(attrs["shape"])}),
    "expand_dims": lambda attrs: Operation(NUMPY, "ExpandDims", {"axis": attrs["axis"]}),
    "squeeze": lambda attrs: Operation(NUMPY, "Squeeze", {"axis": _axis(attrs["axes"])}),
    "transpose": lambda attrs: Operation(NUMPY, "Transpose", {"axes": list(attrs["axes"])}),
    "concatenate": lambda attrs: Operation(NUMPY, "Concatenate", {"axis": attrs["axis"]}, as_list=True),
    "split": _split,
    "pad": _pad,
    "getitem": _getitem,
    "tile": lambda attrs: Operation(NUMPY, "Tile", {"repeats": list(attrs["repeats"])}),
    "repeat": lambda attrs: Operation(NUMPY, "Repeat", {"repeats": attrs["repeats"], "axis": attrs["axis"]}),
    "flip": lambda attrs: Operation(NUMPY, "Flip", {"axis": _axis(attrs["axes"])}),
    "full_like": _full_like,
    "argmax": lambda attrs: Operation(NUMPY, "Argmax", {"axis": attrs["axis"], "keepdims": False}),
    "argmin": lambda attrs: Operation(NUMPY, "Argmin", {"axis": attrs["axis"], "keepdims": False}),
    "cumsum": lambda attrs: Operation(NUMPY, "Cumsum", {"axis": attrs["axis"], "dtype": None}),
    "cumprod": lambda attrs: Operation(NUMPY, "Cumprod", {"axis": attrs["axis"], "dtype": None}),
    "einsum": lambda attrs: Operation(NUMPY, "Einsum", {"subscripts": attrs["equation"]}),
    "one_hot": _one_hot,
}
"""What Keras 3 calls each op."""


def keras3_operation(call: OpCall) -> Operation:
    """The Keras 3 operation of an op outside layers.

    Raises:
        UnsupportedError: an op that Keras 3 does not have.
    """
    row = KERAS3.get(call.op.name)
    if row is None:
        raise UnsupportedError(f"the op {call.op.name!r} has no operation of Keras 3")
    if call.op.name == "einsum" and call.attrs.get("broadcast"):
        raise UnsupportedError("an einsum of broadcast axes has no operation of Keras 3")
    return row(call.attrs)


def constant(value: Any) -> Any:
    """A held operand as Keras has it among arguments: a number where it is one, else an array.

    Raises:
        UnsupportedError: a variable, whose value may change.
    """
    array = value if isinstance(value, (int, float, bool)) else getattr(value, "numpy", lambda: np.asarray(value))()
    return array.item() if isinstance(array, np.ndarray) and array.ndim == 0 else array
