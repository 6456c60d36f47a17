"""Raw operations of TensorFlow that tf.keras 2.0 to 2.3 wrote as layers (TensorFlowOpLayer), tied to operations here.

Such a layer holds the operation's definition, its inputs being the layer's inputs and, at the places that "constants"
names, constants. The table is closed: an operation that is not in it is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.activations import ACTIVATIONS
from graphflow.errors import UnsupportedError
from graphflow.formats.keras_tf_ops import TF_FUNCTIONS

Attributes = dict[str, Any]
DTYPES = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_INT32": "int32", "DT_INT64": "int64", "DT_BOOL": "bool"}


def _whole(value: Any) -> list[int]:
    return [int(one) for one in np.asarray(value).reshape(-1)]


def _integer(attrs: Attributes, name: str) -> int:
    return int((attrs.get(name) or {}).get("i", 0))


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(attrs: Attributes, x: Any, axes: Any) -> Any:
        return function(x, tuple(_whole(axes)), bool((attrs.get("keep_dims") or {}).get("b")))

    return call


def _strided_slice(attrs: Attributes, x: Any, begin: Any, end: Any, strides: Any) -> Any:
    keys: list[Any] = []
    masks = {name: _integer(attrs, f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    for axis, (start, stop, step) in enumerate(zip(_whole(begin), _whole(end), _whole(strides), strict=True)):
        said = {name for name, mask in masks.items() if mask >> axis & 1}
        if "ellipsis" in said:
            keys.append(Ellipsis)
        elif "new_axis" in said:
            keys.append(None)
        elif "shrink_axis" in said:
            keys.append(start)
        else:
            keys.append(slice(None if "begin" in said else start, None if "end" in said else stop, step))
    return ops.getitem(x, tuple(keys))


def _squeeze(attrs: Attributes, x: Any) -> Any:
    axes = ((attrs.get("squeeze_dims") or {}).get("list") or {}).get("i") or ()
    return ops.squeeze(x, tuple(int(axis) for axis in axes) or None)


def _cast(attrs: Attributes, x: Any) -> Any:
    kind = str((attrs.get("DstT") or {}).get("type"))
    if kind not in DTYPES:
        raise UnsupportedError(f"Cast to {kind:.20} is not supported.")
    return ops.cast(x, DTYPES[kind])


def _matmul(attrs: Attributes, a: Any, b: Any) -> Any:
    turns = {key: any((attrs.get(name) or {}).get("b") for name in names) for key, names in _TURNS.items()}
    return TF_FUNCTIONS["matmul"](a, b, **turns)


_TURNS = {"transpose_a": ("transpose_a", "adj_x"), "transpose_b": ("transpose_b", "adj_y")}
_PLAIN: dict[str, Callable[..., Any]] = {
    "Abs": ops.absolute,
    "Add": ops.add,
    "AddV2": ops.add,
    "BiasAdd": ops.add,
    "Ceil": ops.ceil,
    "Cos": ops.cos,
    "Div": ops.divide,
    "Elu": ops.elu,
    "Equal": ops.equal,
    "Erf": ops.erf,
    "Exp": ops.exp,
    "Floor": ops.floor,
    "FloorDiv": ops.floor_divide,
    "FloorMod": ops.mod,
    "Greater": ops.greater,
    "GreaterEqual": ops.greater_equal,
    "Identity": lambda x: x,
    "Less": ops.less,
    "LessEqual": ops.less_equal,
    "Log": ops.log,
    "Log1p": ops.log1p,
    "LogSoftmax": ops.log_softmax,
    "LogicalAnd": ops.logical_and,
    "LogicalNot": ops.logical_not,
    "LogicalOr": ops.logical_or,
    "Maximum": ops.maximum,
    "Minimum": ops.minimum,
    "Mul": ops.multiply,
    "Neg": ops.negative,
    "NotEqual": ops.not_equal,
    "Pow": ops.power,
    "RealDiv": ops.divide,
    "Reciprocal": ops.reciprocal,
    "Relu": ops.relu,
    "Relu6": ACTIVATIONS["relu6"],
    "Round": ops.round,
    "Rsqrt": ops.rsqrt,
    "SelectV2": ops.where,
    "Selu": ops.selu,
    "Sigmoid": ops.sigmoid,
    "Sign": ops.sign,
    "Sin": ops.sin,
    "Softmax": ops.softmax,
    "Softplus": ops.softplus,
    "Softsign": ops.softsign,
    "Sqrt": ops.sqrt,
    "Square": ops.square,
    "SquaredDifference": lambda x, y: ops.square(ops.subtract(x, y)),
    "StopGradient": lambda x: x,
    "Sub": ops.subtract,
    "Tanh": ops.tanh,
}
"""Operations of their inputs alone."""

_WITH_ATTRIBUTES: dict[str, Callable[..., Any]] = {
    "All": _reduction(ops.all),
    "Any": _reduction(ops.any),
    "BatchMatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "Cast": _cast,
    "ConcatV2": lambda attrs, *parts: ops.concatenate(list(parts[:-1]), _whole(parts[-1])[0]),
    "ExpandDims": lambda attrs, x, axis: ops.expand_dims(x, _whole(axis)[0]),
    "MatMul": _matmul,
    "Max": _reduction(ops.max),
    "Mean": _reduction(ops.mean),
    "Min": _reduction(ops.min),
    "Pack": lambda attrs, *parts: ops.stack(list(parts), _integer(attrs, "axis")),
    "Prod": _reduction(ops.prod),
    "Reshape": lambda attrs, x, shape: TF_FUNCTIONS["reshape"](x, _whole(shape)),
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Sum": _reduction(ops.sum),
    "Tile": lambda attrs, x, multiples: ops.tile(x, _whole(multiples)),
    "Transpose": lambda attrs, x, order: ops.transpose(x, _whole(order)),
}
"""Operations that take their attributes first."""


def raw_operation(name: str) -> Callable[..., Any] | None:
    """What computes an operation from its inputs; None when it is not in the table.

    The result takes the tensors (one, or a list of them), `constants` by the place of the input, as the file has them,
    and `attrs` of the definition.
    """
    plain, full = _PLAIN.get(name), _WITH_ATTRIBUTES.get(name)
    if plain is None and full is None:
        return None

    def call(tensors: Any, constants: dict[str, Any], attrs: Attributes) -> Any:
        given = list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
        for place in sorted(constants, key=int):
            value = np.asarray(constants[place])
            given.insert(int(place), value.astype("float32") if value.dtype == np.float64 else value.astype("int32"))
        if plain is not None:
            return plain(*given)
        assert full is not None
        return full(attrs, *given)

    return call
