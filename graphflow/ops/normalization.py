"""Batch normalisation by given statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.errors import ShapeError
from graphflow.ops.activation import LINEAR, compute
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import floating, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape


def _infer_batch_norm(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x = specs[0]
    channels = x.shape[-1] if x.rank else None
    for name, spec in zip(("mean", "variance", "gamma", "beta"), specs[1:], strict=True):
        if spec is not None and (spec.rank != 1 or (channels is not None and spec.shape[0] != channels)):
            raise ShapeError(f"{name} must have shape ({channels},), received {format_shape(spec.shape)}.")
    return (x,)


def _batch_norm_reference(
    attrs: Attrs, x: Array, mean: Array, var: Array, gamma: Array | None, beta: Array | None
) -> Array:
    scale = 1 / np.sqrt(var + np.asarray(attrs["epsilon"], var.dtype))
    if gamma is not None:
        scale = scale * gamma
    y = (x - mean) * scale
    return compute(attrs.get("activation", LINEAR), y if beta is None else y + beta)


BATCH_NORM = define("batch_norm", _infer_batch_norm, _batch_norm_reference, tolerance=2e-5)


def batch_norm(x: Any, mean: Any, variance: Any, gamma: Any = None, beta: Any = None, epsilon: float = 1e-3) -> Any:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, all vectors over x's last axis (Ioffe and Szegedy, 2015).

    Raises:
        ShapeError: a vector of another length than x's last axis.
    """
    x = floating(x)
    if not shape_of(x):
        raise ShapeError("Batch normalisation needs at least one axis, received a scalar.")
    return apply(BATCH_NORM, (x, mean, variance, gamma, beta), {"epsilon": float(epsilon)})
