"""Element by element, comparisons, reductions and running totals."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import ops
from graphflow.ops import (
    all,
    any,
    argmax,
    argmin,
    cos,
    cumprod,
    cumsum,
    exp,
    log,
    logsumexp,
    max,
    mean,
    min,
    prod,
    round,
    sign,
    sin,
    sqrt,
    square,
    std,
    sum,
    var,
)

__all__ = [
    "abs",
    "all",
    "any",
    "argmax",
    "argmin",
    "clip",
    "cos",
    "cumprod",
    "cumsum",
    "equal",
    "exp",
    "greater",
    "greater_equal",
    "l2_normalize",
    "less",
    "less_equal",
    "log",
    "logsumexp",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "not_equal",
    "pow",
    "prod",
    "round",
    "sign",
    "sin",
    "sqrt",
    "square",
    "std",
    "sum",
    "var",
]


def abs(x: Any) -> Any:
    """|x|."""
    return ops.absolute(x)


def pow(x: Any, a: Any) -> Any:
    """x to the power a."""
    return ops.power(x, a)


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """`x` between two bounds, None for none; where they cross, both are `min_value`."""
    if isinstance(min_value, (int, float)) and isinstance(max_value, (int, float)):
        return ops.clip(x, min_value, np.maximum(min_value, max_value))
    x = x if max_value is None else ops.minimum(x, max_value)
    return x if min_value is None else ops.maximum(x, min_value)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """x / sqrt(max(sum(x squared), 1e-12)) over axes."""
    return ops.l2_normalize(x, axis)


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, element by element."""
    return ops.maximum(x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, element by element."""
    return ops.minimum(x, y)


def equal(x: Any, y: Any) -> Any:
    """x == y, as bool."""
    return ops.equal(x, y)


def not_equal(x: Any, y: Any) -> Any:
    """x != y, as bool."""
    return ops.not_equal(x, y)


def greater(x: Any, y: Any) -> Any:
    """x > y, as bool."""
    return ops.greater(x, y)


def greater_equal(x: Any, y: Any) -> Any:
    """x >= y, as bool."""
    return ops.greater_equal(x, y)


def less(x: Any, y: Any) -> Any:
    """x < y, as bool."""
    return ops.less(x, y)


def less_equal(x: Any, y: Any) -> Any:
    """x <= y, as bool."""
    return ops.less_equal(x, y)
