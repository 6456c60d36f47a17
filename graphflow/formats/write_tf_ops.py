"""Ops outside layers as tf.keras says them: calls of TensorFlow's functions, TFOpLambda and SlicingOpLambda.

Each row is keyed by the op's name here. `keras_tf_ops` reads the same functions back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from graphflow.errors import UnsupportedError
from graphflow.formats.write_ops import leaky_slope
from graphflow.layers.op_call import OpCall
from graphflow.ops.registry import Attrs

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
    return TensorFlowCall("TFOpLambda", "nn.leaky_relu", operands[0], {"alpha": leaky_slope(attrs)})


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
