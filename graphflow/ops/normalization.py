"""Normalisation: by given statistics, over the last axes of a sample, and over groups of its channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ShapeError
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


def _infer_layer_norm(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, gamma, beta = specs
    axes = attrs["last"]
    if not 1 <= axes <= x.rank:
        raise ShapeError(f"Layer normalisation over {axes} axes needs as many, received {format_shape(x.shape)}.")
    tail = x.shape[x.rank - axes :]
    for name, spec in (("gamma", gamma), ("beta", beta)):
        fits = spec is None or (
            spec.rank == axes and all(a is None or b is None or a == b for a, b in zip(spec.shape, tail, strict=True))
        )
        if not fits:
            raise ShapeError(f"{name} must have shape {format_shape(tail)}, received {format_shape(spec.shape)}.")
    return (x,)


def _layer_norm_reference(attrs: Attrs, x: Array, gamma: Array | None, beta: Array | None) -> Array:
    first = x.ndim - attrs["last"]
    rows = x.reshape(*x.shape[:first], math.prod(x.shape[first:]))
    with np.errstate(all="ignore"):
        centred = rows - rows.sum(-1, keepdims=True) / np.asarray(rows.shape[-1], x.dtype)
        variance = (centred * centred).sum(-1, keepdims=True) / np.asarray(rows.shape[-1], x.dtype)
        y = (rows if attrs["rms"] else centred) * (1 / np.sqrt(variance + np.asarray(attrs["epsilon"], x.dtype)))
    y = y.reshape(x.shape)
    y = y if gamma is None else y * gamma
    return np.asarray(y if beta is None else y + beta)


LAYER_NORM = define("layer_norm", _infer_layer_norm, _layer_norm_reference, tolerance=2e-5)


def layer_norm(
    x: Any, gamma: Any = None, beta: Any = None, axes: int = 1, epsilon: float = 1e-3, rms_scaling: bool = False
) -> Any:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the statistics of each sample (Ba et al., 2016).

    Args:
        x: (..., n1, ..., nk).
        gamma, beta: (n1, ..., nk), or None.
        axes: over how many of the last axes.
        rms_scaling: leave the mean in x, as Keras 3 does; the variance is still that about the mean.

    Raises:
        ShapeError: gamma or beta of another shape than the last axes.
    """
    attrs = {"last": int(axes), "epsilon": float(epsilon), "rms": bool(rms_scaling)}
    return apply(LAYER_NORM, (floating(x), gamma, beta), attrs)


def _infer_group_norm(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, groups = specs[0], attrs["groups"]
    if x.rank < 2:
        raise ShapeError(f"Group normalisation needs a batch and channels, received {format_shape(x.shape)}.")
    channels = x.shape[-1]
    if groups < 1 or (channels is not None and channels % groups):
        raise ArgumentError(f"groups must divide the {channels} channels, received {groups}.")
    for name, spec in zip(("gamma", "beta"), specs[1:], strict=True):
        if spec is not None and (spec.rank != 1 or (channels is not None and spec.shape[0] != channels)):
            raise ShapeError(f"{name} must have shape ({channels},), received {format_shape(spec.shape)}.")
    return (x,)


def _group_norm_reference(attrs: Attrs, x: Array, gamma: Array | None, beta: Array | None) -> Array:
    channels, groups = x.shape[-1], attrs["groups"]
    pixels = math.prod(x.shape[1:-1])
    grouped = x.reshape(x.shape[0], pixels, groups, channels // groups)
    count = np.asarray(pixels * (channels // groups), x.dtype)
    with np.errstate(all="ignore"):
        centred = grouped - grouped.sum((1, 3), keepdims=True) / count
        variance = (centred * centred).sum((1, 3), keepdims=True) / count
        y = (centred * (1 / np.sqrt(variance + np.asarray(attrs["epsilon"], x.dtype)))).reshape(x.shape)
    y = y if gamma is None else y * gamma
    return np.asarray(y if beta is None else y + beta)


GROUP_NORM = define("group_norm", _infer_group_norm, _group_norm_reference, tolerance=2e-5)


def group_norm(x: Any, groups: int, gamma: Any = None, beta: Any = None, epsilon: float = 1e-3) -> Any:
    """Each of `groups` runs of channels normalised over all pixels of a sample (Wu and He, 2018).

    Args:
        x: (batch, ..., channels).
        gamma, beta: (channels,), or None.

    Raises:
        ArgumentError: groups that do not divide the channels.
        ShapeError: gamma or beta of another length.
    """
    return apply(GROUP_NORM, (floating(x), gamma, beta), {"groups": int(groups), "epsilon": float(epsilon)})
