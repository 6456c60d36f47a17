"""Python's operators and NumPy's functions, each tied to the op of the same meaning."""

from __future__ import annotations

import numpy as np

from graphflow.operand import OPERATORS, UFUNCS
from graphflow.ops import activation, array, elementwise, linear, reduction


def register() -> None:
    """Fill the tables that `Operand` looks its operators up in."""
    for name in (*elementwise.BINARY, *elementwise.COMPARISONS, *elementwise.LOGICAL, "logical_not"):
        OPERATORS[name] = getattr(elementwise, name)
        UFUNCS[getattr(np, name)] = getattr(elementwise, name)
    for name in ("sin", "cos", "log1p", "expm1", "floor", "ceil", "sign"):
        UFUNCS[getattr(np, name)] = getattr(elementwise, name)
    for name in ("negative", "absolute", "square", "sqrt", "exp", "log", "tanh", "reciprocal"):
        UFUNCS[getattr(np, name)] = getattr(activation, name)
    for name in ("sum", "mean", "prod", "max", "min", "var", "std", "argmax", "argmin", "any", "all"):
        UFUNCS[getattr(np, name)] = getattr(reduction, name)
    for name in (
        "reshape",
        "transpose",
        "concatenate",
        "stack",
        "expand_dims",
        "squeeze",
        "flip",
        "repeat",
        "tile",
        "split",
    ):
        UFUNCS[getattr(np, name)] = getattr(array, name)
    UFUNCS[np.matmul] = linear.matmul
    UFUNCS[np.where] = elementwise.where
    UFUNCS[np.zeros_like] = array.zeros_like
    UFUNCS[np.ones_like] = array.ones_like
    OPERATORS["matmul"] = linear.matmul
    OPERATORS["getitem"] = array.getitem
    OPERATORS["negative"] = activation.negative
    OPERATORS["absolute"] = activation.absolute
