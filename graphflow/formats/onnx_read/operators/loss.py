"""Losses, which some files compute beside their outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.indexing import gather_axis, gather_elements
from graphflow.ops.operands import cast_to, dtype_of

REDUCTIONS = ("none", "sum", "mean")


def _loss(logs: Any, target: Any, weight: Any, ignore: int | None, reduction: str) -> Any:
    """The loss of logarithms of probabilities (batch, classes, ...) for classes (batch, ...)."""
    if reduction not in REDUCTIONS:
        raise UnsupportedError(f"reduction={reduction!r} is not supported; there are {', '.join(REDUCTIONS)}.")
    dtype = dtype_of(logs)
    counted = None
    if ignore is not None:
        counted = ops.not_equal(target, np.asarray(ignore, dtype_of(target)))
        target = ops.where(counted, target, np.asarray(0, dtype_of(target)))
    loss = ops.negative(ops.squeeze(gather_elements(logs, ops.expand_dims(target, 1), 1), 1))
    share = None if weight is None else gather_axis(weight, target, 0)
    if counted is not None:
        share = cast_to(counted, dtype) if share is None else ops.multiply(share, cast_to(counted, dtype))
    loss = loss if share is None else ops.multiply(loss, share)
    if reduction == "none":
        return loss
    if reduction == "sum":
        return ops.sum(loss)
    return ops.mean(loss) if share is None else ops.divide(ops.sum(loss), ops.sum(share))


@operator("NegativeLogLikelihoodLoss", since=12)
def negative_log_likelihood(
    node: Call, x: Any, target: Any, weight: Any = None, *, ignore_index: int | None = None, reduction: str = "mean"
) -> Any:
    return _loss(x, target, weight, ignore_index, reduction)


@operator("SoftmaxCrossEntropyLoss", since=12)
def softmax_cross_entropy(
    node: Call, x: Any, target: Any, weight: Any = None, *, ignore_index: int | None = None, reduction: str = "mean"
) -> Any:
    logs = ops.log_softmax(x, 1)
    return _loss(logs, target, weight, ignore_index, reduction), logs
