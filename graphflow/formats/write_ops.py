"""Ops outside layers as Keras says them: nodes of Keras 3's operation classes, and tf.keras' TFOpLambda.

Each row is keyed by the op's name here. A Keras 3 row gives the module, the class and its configuration; what the node
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
    slope, top, threshold = (attrs.get(name, 0.0) for name in ("alpha", "beta", "gamma"))
    if threshold or top != math.inf:
        raise UnsupportedError("relu with a threshold or a largest value and a slope; use the layer ReLU")
    return Operation(NN, "LeakyRelu", {"negative_slope": slope})


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

TF_BINARY: dict[str, tuple[str, str, str]] = {
    "add": ("math.add", "x", "y"),
    "subtract": ("math.subtract", "x", "y"),
    "multiply": ("math.multiply", "x", "y"),
    "divide": ("math.truediv", "x", "y"),
    "floor_divide": ("math.floordiv", "x", "y"),
    "mod": ("math.floormod", "x", "y"),
    "power": ("math.pow", "x", "y"),
    "maximum": ("math.maximum", "x", "y"),
    "minimum": ("math.minimum", "x", "y"),
    "matmul": ("linalg.matmul", "a", "b"),
    "equal": ("math.equal", "x", "y"),
    "not_equal": ("math.not_equal", "x", "y"),
    "less": ("math.less", "x", "y"),
    "less_equal": ("math.less_equal", "x", "y"),
    "greater": ("math.greater", "x", "y"),
    "greater_equal": ("math.greater_equal", "x", "y"),
    "logical_and": ("math.logical_and", "x", "y"),
    "logical_or": ("math.logical_or", "x", "y"),
}
"""What tf.keras calls ops of two operands, and the names of the operands."""

TF_UNARY: dict[str, tuple[str, Callable[[Attrs], dict[str, Any]]]] = {
    **{
        name: (function, lambda attrs: {})
        for name, function in (
            ("negative", "math.negative"),
            ("absolute", "math.abs"),
            ("square", "math.square"),
            ("sqrt", "math.sqrt"),
            ("rsqrt", "math.rsqrt"),
            ("reciprocal", "math.reciprocal"),
            ("exponential", "math.exp"),
            ("expm1", "math.expm1"),
            ("log", "math.log"),
            ("log1p", "math.log1p"),
            ("sin", "math.sin"),
            ("cos", "math.cos"),
            ("floor", "math.floor"),
            ("ceil", "math.ceil"),
            ("round", "math.round"),
            ("sign", "math.sign"),
            ("erf", "math.erf"),
            ("logical_not", "math.logical_not"),
            ("tanh", "math.tanh"),
            ("sigmoid", "math.sigmoid"),
            ("softplus", "math.softplus"),
            ("relu", "nn.relu"),
            ("selu", "nn.selu"),
            ("softsign", "nn.softsign"),
        )
    },
    **{
        name: (function, lambda attrs: {"axis": list(attrs["axes"]), "keepdims": bool(attrs["keepdims"])})
        for name, function in (
            ("sum", "math.reduce_sum"),
            ("mean", "math.reduce_mean"),
            ("prod", "math.reduce_prod"),
            ("max", "math.reduce_max"),
            ("min", "math.reduce_min"),
            ("any", "math.reduce_any"),
            ("all", "math.reduce_all"),
        )
    },
    "cast": ("cast", lambda attrs: {"dtype": attrs["dtype"]}),
    "reshape": ("reshape", lambda attrs: {"shape": list(attrs["shape"])}),
    "expand_dims": ("expand_dims", lambda attrs: {"axis": attrs["axis"]}),
    "squeeze": ("squeeze", lambda attrs: {"axis": list(attrs["axes"])}),
    "transpose": ("transpose", lambda attrs: {"perm": list(attrs["axes"])}),
    "tile": ("tile", lambda attrs: {"multiples": list(attrs["repeats"])}),
    "clip": (
        "clip_by_value",
        lambda attrs: {"clip_value_min": attrs.get("alpha", 0.0), "clip_value_max": attrs.get("beta", 0.0)},
    ),
    "cumsum": ("math.cumsum", lambda attrs: {"axis": attrs["axis"]}),
    "cumprod": ("math.cumprod", lambda attrs: {"axis": attrs["axis"]}),
    "argmax": ("math.argmax", lambda attrs: {"axis": attrs["axis"], "output_type": "int32"}),
    "argmin": ("math.argmin", lambda attrs: {"axis": attrs["axis"], "output_type": "int32"}),
    "one_hot": ("one_hot", lambda attrs: {"depth": attrs["size"], "dtype": attrs["dtype"]}),
}
"""What tf.keras calls ops of one operand, and their other arguments."""


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


class TensorFlowCall(NamedTuple):
    """A call of TFOpLambda or SlicingOpLambda: the function's exported name, its first operand, the other arguments."""

    class_name: str
    function: str
    first: Any
    kwargs: dict[str, Any]


def _tf_where(attrs: Attrs, operands: list[Any]) -> TensorFlowCall:
    return TensorFlowCall("TFOpLambda", "where", operands[0], {"x": operands[1], "y": operands[2]})


def _tf_slice(attrs: Attrs, operands: list[Any]) -> TensorFlowCall:
    spec = [
        one if isinstance(one, int) else dict(zip(("start", "stop", "step"), one, strict=True)) for one in attrs["key"]
    ]
    return TensorFlowCall("SlicingOpLambda", "__operators__.getitem", operands[0], {"slice_spec": spec})


def _tf_softmax(attrs: Attrs, operands: list[Any]) -> TensorFlowCall:
    if len(attrs["axes"]) > 1:
        raise UnsupportedError("a softmax over several axes has no function of TensorFlow")
    name = "nn.log_softmax" if attrs["log"] else "nn.softmax"
    return TensorFlowCall("TFOpLambda", name, operands[0], {"axis": attrs["axes"][0]})


def _tf_elu(attrs: Attrs, operands: list[Any]) -> TensorFlowCall:
    if attrs.get("alpha", 0.0) != 1.0:
        raise UnsupportedError("an elu of another alpha than 1 has no function of TensorFlow; use the layer ELU")
    return TensorFlowCall("TFOpLambda", "nn.elu", operands[0], {})


def _tf_relu_general(attrs: Attrs, operands: list[Any]) -> TensorFlowCall:
    slope = keras3_relu_slope(attrs)
    return TensorFlowCall("TFOpLambda", "nn.leaky_relu", operands[0], {"alpha": slope})


def keras3_relu_slope(attrs: Attrs) -> float:
    """The slope of a relu that is a leaky one; anything else is refused."""
    return float(_relu_general(attrs).config["negative_slope"])


def _tf_full_like(attrs: Attrs, operands: list[Any]) -> TensorFlowCall:
    name = {0: "zeros_like", 1: "ones_like"}.get(attrs["value"])
    if name is None:
        raise UnsupportedError(f"full_like of {attrs['value']} has no function of TensorFlow")
    return TensorFlowCall("TFOpLambda", name, operands[0], {"dtype": attrs["dtype"]})


def _tf(function: str, kwargs: Callable[[Attrs], dict[str, Any]]) -> Callable[[Attrs, list[Any]], TensorFlowCall]:
    return lambda attrs, operands: TensorFlowCall("TFOpLambda", function, operands[0], kwargs(attrs))


TF_OTHER: dict[str, Callable[[Attrs, list[Any]], TensorFlowCall]] = {
    "where": _tf_where,
    "getitem": _tf_slice,
    "softmax": _tf_softmax,
    "elu": _tf_elu,
    "relu_general": _tf_relu_general,
    "full_like": _tf_full_like,
    "gelu": _tf("nn.gelu", lambda attrs: {"approximate": False}),
    "gelu_tanh": _tf("nn.gelu", lambda attrs: {"approximate": True}),
    "silu": _tf("nn.silu", lambda attrs: {}),
    "concatenate": lambda attrs, operands: TensorFlowCall("TFOpLambda", "concat", operands, {"axis": attrs["axis"]}),
    "split": _tf("split", lambda attrs: {"num_or_size_splits": list(attrs["sizes"]), "axis": attrs["axis"]}),
    "pad": _tf(
        "pad",
        lambda attrs: {"paddings": [list(pair) for pair in attrs["amounts"]], "constant_values": attrs["value"]},
    ),
    "repeat": _tf("repeat", lambda attrs: {"repeats": attrs["repeats"], "axis": attrs["axis"]}),
    "flip": _tf("reverse", lambda attrs: {"axis": list(attrs["axes"])}),
}
"""Ops that tf.keras says in ways of their own."""


def tensorflow_call(call: OpCall, operands: list[Any]) -> TensorFlowCall:
    """How tf.keras writes an op outside layers.

    Args:
        operands: all of them in the op's order: places of tensors, and constants.

    Raises:
        UnsupportedError: an op that TensorFlow has no function for.
    """
    name = call.op.name
    if name in TF_BINARY:
        function, _, second = TF_BINARY[name]
        return TensorFlowCall("TFOpLambda", function, operands[0], {second: operands[1]})
    if name in TF_UNARY:
        function, kwargs = TF_UNARY[name]
        return TensorFlowCall("TFOpLambda", function, operands[0], kwargs(call.attrs))
    if name in TF_OTHER:
        return TF_OTHER[name](call.attrs, operands)
    raise UnsupportedError(f"the op {name!r} has no TFOpLambda")
