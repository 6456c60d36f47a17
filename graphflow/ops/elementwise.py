"""Binary arithmetic and comparison with broadcasting, casts, selection, and unary functions that run on NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphflow.errors import DTypeError
from graphflow.ops.activation import LINEAR, compute
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_operand, dtype_of, floating, pair
from graphflow.ops.registry import OPS, Array, Attrs, define
from graphflow.spec import TensorSpec, broadcast_shapes, dtype_name


def _infer_binary(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    if specs[0].dtype != specs[1].dtype:
        raise DTypeError(f"Both operands must have one dtype, received {specs[0].dtype} and {specs[1].dtype}.")
    return (TensorSpec(broadcast_shapes(specs[0].shape, specs[1].shape), specs[0].dtype),)


def _infer_comparison(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (_infer_binary(attrs, specs, values)[0].with_dtype("bool"),)


def _quiet(function: Callable[..., Any]) -> Callable[..., Array]:
    def reference(attrs: Attrs, *arrays: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(*arrays))

    return reference


BINARY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": lambda a, b: np.divide(a, b).astype(a.dtype, copy=False),
    "maximum": np.maximum,
    "minimum": np.minimum,
    "floor_divide": np.floor_divide,
    "mod": np.mod,
    "power": np.power,
}
COMPARISONS: dict[str, Callable[..., Any]] = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}
LOGICAL: dict[str, Callable[..., Any]] = {"logical_and": np.logical_and, "logical_or": np.logical_or}
UNARY: dict[str, Callable[..., Any]] = {
    "sin": np.sin,
    "cos": np.cos,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.round,
}
SIGNS: dict[str, Callable[..., Any]] = {"sign": np.sign}


def _with_epilogue(function: Callable[..., Any]) -> Callable[..., Array]:
    inner = _quiet(function)
    return lambda attrs, a, b: compute(attrs.get("activation", LINEAR), inner(attrs, a, b))


for _name, _function in BINARY.items():
    define(_name, _infer_binary, _with_epilogue(_function), tolerance=4e-6)
for _name, _function in COMPARISONS.items():
    define(_name, _infer_comparison, _quiet(_function))
for _name, _function in LOGICAL.items():
    define(_name, _infer_comparison, _quiet(_function))
for _name, _function in {**UNARY, **SIGNS}.items():
    define(_name, lambda attrs, specs, values: (specs[0],), _quiet(_function), tolerance=2e-6)
define("logical_not", lambda attrs, specs, values: (specs[0].with_dtype("bool"),), _quiet(np.logical_not))


def _two(name: str, doc: str) -> Callable[[Any, Any], Any]:
    def function(x1: Any, x2: Any) -> Any:
        first, second = pair(x1, x2)
        if name == "divide":
            first, second = floating(first), floating(second)
        return apply(OPS[name], (first, second), {})

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + " Shapes are broadcast as NumPy does; numbers and arrays take a tensor's dtype."
    return function


add = _two("add", "x1 + x2.")
subtract = _two("subtract", "x1 - x2.")
multiply = _two("multiply", "x1 * x2.")
divide = _two("divide", "x1 / x2; integers become float32.")
maximum = _two("maximum", "The larger of x1 and x2; NaN where either is NaN.")
minimum = _two("minimum", "The smaller of x1 and x2; NaN where either is NaN.")
floor_divide = _two("floor_divide", "floor(x1 / x2).")
mod = _two("mod", "The remainder of x1 / x2, with the sign of x2.")
power = _two("power", "x1 to the power x2.")
equal = _two("equal", "x1 == x2, as bool.")
not_equal = _two("not_equal", "x1 != x2, as bool.")
less = _two("less", "x1 < x2, as bool.")
less_equal = _two("less_equal", "x1 <= x2, as bool.")
greater = _two("greater", "x1 > x2, as bool.")
greater_equal = _two("greater_equal", "x1 >= x2, as bool.")


def _logical(name: str, doc: str) -> Callable[..., Any]:
    def function(*operands: Any) -> Any:
        return apply(OPS[name], tuple(cast(operand, "bool") for operand in operands), {})

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


logical_and = _logical("logical_and", "Whether both operands are true, as bool.")
logical_or = _logical("logical_or", "Whether either operand is true, as bool.")
logical_not = _logical("logical_not", "Whether the operand is false, as bool.")


def _one(name: str, doc: str, keep_integers: bool = False) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        return apply(OPS[name], (as_operand(x) if keep_integers else floating(x),), {})

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


sin = _one("sin", "Sine, element by element, of radians.")
cos = _one("cos", "Cosine, element by element, of radians.")
log1p = _one("log1p", "log(1 + x), element by element.")
expm1 = _one("expm1", "exp(x) - 1, element by element.")
floor = _one("floor", "The largest whole number not above x.")
ceil = _one("ceil", "The smallest whole number not below x.")
round = _one("round", "The nearest whole number, halves to even.")
sign = _one("sign", "-1, 0 or 1, in x's dtype.", keep_integers=True)


def _infer_cast(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (specs[0].with_dtype(attrs["dtype"]),)


def _cast_reference(attrs: Attrs, x: Array) -> Array:
    with np.errstate(all="ignore"):
        return x.astype(attrs["dtype"])


CAST = define("cast", _infer_cast, _cast_reference)


def cast(x: Any, dtype: Any) -> Any:
    """`x` in another data type, as NumPy's `astype` converts."""
    x = as_operand(x)
    name = dtype_name(dtype)
    return x if dtype_of(x) == name else apply(CAST, (x,), {"dtype": name})


def _infer_where(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    return (TensorSpec(broadcast_shapes(*(spec.shape for spec in specs)), specs[1].dtype),)


WHERE = define("where", _infer_where, lambda attrs, condition, x1, x2: np.where(condition, x1, x2))


def where(condition: Any, x1: Any, x2: Any) -> Any:
    """x1 where `condition` is true, else x2, all broadcast together."""
    first, second = pair(x1, x2)
    return apply(WHERE, (cast(condition, "bool"), first, second), {})
