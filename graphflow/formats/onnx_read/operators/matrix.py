"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import ops
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops import indexing
from graphflow.ops.operands import dtype_of, shape_of


@operator("MatMul")
def matmul(node: Call, a: Any, b: Any) -> Any:
    if len(shape_of(a)) == len(shape_of(b)) == 1:
        return ops.sum(ops.multiply(a, b), 0)
    return ops.matmul(a, b)


@operator("Gemm")
def gemm(
    node: Call,
    a: Any,
    b: Any,
    c: Any = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803  the names of the standard
    transB: int = 0,  # noqa: N803
    broadcast: int = 0,
) -> Any:
    a = ops.transpose(a) if transA else a
    b = ops.transpose(b) if transB else b
    width = shape_of(b)[1]
    as_bias = c is not None and alpha == beta == 1.0 and shape_of(c) in ((width,), (1, width)) and width is not None
    if as_bias:
        return ops.dense(a, b, c if len(shape_of(c)) == 1 else ops.reshape(c, (width,)))
    made = ops.dense(a, b)
    if alpha != 1.0:
        made = ops.multiply(made, np.asarray(alpha, dtype_of(made)))
    if c is None or beta == 0.0:
        return made
    return ops.add(made, c if beta == 1.0 else ops.multiply(c, np.asarray(beta, dtype_of(c))))


@operator("Einsum", since=12)
def einsum(node: Call, *xs: Any, equation: str) -> Any:
    return ops.einsum(equation, *xs)


@operator("Det", since=11)
def det(node: Call, x: Any) -> Any:
    return indexing.determinant(x)
