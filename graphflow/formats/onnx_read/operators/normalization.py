"""Normalisation by given statistics and by those of the sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_read.operators.elementwise import FLOATS
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.array import channels_first, channels_last
from graphflow.ops.known import static_shape
from graphflow.ops.operands import as_axis, cast_to, dtype_of, shape_of


def _batch_norm(node: Call, x: Any, scale: Any, b: Any, mean: Any, var: Any, epsilon: float) -> Any:
    if node.wants(1):
        raise UnsupportedError("Batch normalisation in training, which gives further outputs, is not supported.")
    dtype = dtype_of(x)
    scale, b, mean, var = (cast_to(one, dtype) for one in (scale, b, mean, var))
    if len(shape_of(x)) < 3:
        return ops.batch_norm(x, mean, var, scale, b, epsilon)
    return channels_first(ops.batch_norm(channels_last(x), mean, var, scale, b, epsilon))


def _batch_norm_in_training(x: Any, scale: Any, b: Any, mean: Any, var: Any, epsilon: float, momentum: float) -> Any:
    axes = tuple(axis for axis in range(len(shape_of(x))) if axis != 1)
    own_mean, own_var = ops.mean(x, axes), ops.var(x, axes)
    rate = np.asarray(momentum, dtype_of(mean))
    rest = np.asarray(1 - momentum, dtype_of(mean))

    def moved(before: Any, now: Any) -> Any:
        return ops.add(ops.multiply(before, rate), ops.multiply(cast_to(now, dtype_of(before)), rest))

    last = ops.batch_norm(channels_last(x), own_mean, own_var, scale, b, epsilon)
    return channels_first(last), moved(mean, own_mean), moved(var, own_var)


@operator("BatchNormalization", since=14)
def batch_normalization(
    node: Call,
    x: Any,
    scale: Any,
    b: Any,
    mean: Any,
    var: Any,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Any:
    if training_mode:
        return _batch_norm_in_training(x, scale, b, mean, var, epsilon, momentum)
    return _batch_norm(node, x, scale, b, mean, var, epsilon)


@operator("BatchNormalization", since=7)
def batch_normalization_7(
    node: Call,
    x: Any,
    scale: Any,
    b: Any,
    mean: Any,
    var: Any,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    spatial: int = 1,
) -> Any:
    if not spatial and len(shape_of(x)) > 2:
        raise UnsupportedError("spatial=0, statistics for every pixel, is not supported.")
    return _batch_norm(node, x, scale, b, mean, var, epsilon)


@operator("BatchNormalization")
def batch_normalization_old(
    node: Call,
    x: Any,
    scale: Any,
    b: Any,
    mean: Any,
    var: Any,
    *,
    epsilon: float = 1e-5,
    is_test: int = 0,
    momentum: float = 0.9,
    spatial: int = 1,
) -> Any:
    if not is_test:
        raise UnsupportedError("Batch normalisation in training (is_test=0) is not supported.")
    return batch_normalization_7(node, x, scale, b, mean, var, epsilon=epsilon, momentum=momentum, spatial=spatial)


@operator("InstanceNormalization")
def instance_normalization(node: Call, x: Any, scale: Any, b: Any, *, epsilon: float = 1e-5) -> Any:
    channels = static_shape(scale, "The shape of the scale")[0]
    return channels_first(ops.group_norm(channels_last(x), channels, scale, b, epsilon))


@operator("GroupNormalization", since=21)
def group_normalization(
    node: Call, x: Any, scale: Any, b: Any, *, epsilon: float = 1e-5, num_groups: int, stash_type: int = 1
) -> Any:
    if stash_type != 1:
        raise UnsupportedError(f"stash_type={stash_type} is not supported.")
    return channels_first(ops.group_norm(channels_last(x), num_groups, scale, b, epsilon))


def _statistics(x: Any, axes: tuple[int, ...], epsilon: float) -> tuple[Any, Any]:
    mean = ops.mean(x, axes, True)
    variance = ops.mean(ops.square(ops.subtract(x, mean)), axes, True)
    return mean, ops.rsqrt(ops.add(variance, np.asarray(epsilon, dtype_of(x))))


@operator("LayerNormalization", since=17)
def layer_normalization(
    node: Call, x: Any, scale: Any, b: Any = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    if stash_type != 1:
        raise UnsupportedError(f"stash_type={stash_type} is not supported.")
    rank = len(shape_of(x))
    axes = tuple(range(as_axis(axis, rank), rank))
    plain = shape_of(scale) == shape_of(x)[axes[0] :] and (b is None or shape_of(b) == shape_of(scale))
    wide = cast_to(x, "float32") if dtype_of(x) in FLOATS[:2] else x
    if plain:
        gamma, beta = cast_to(scale, dtype_of(wide)), None if b is None else cast_to(b, dtype_of(wide))
        made = cast_to(ops.layer_norm(wide, gamma, beta, len(axes), epsilon), dtype_of(x))
    else:
        mean, inverse = _statistics(wide, axes, epsilon)
        made = ops.multiply(cast_to(ops.multiply(ops.subtract(wide, mean), inverse), dtype_of(x)), scale)
        made = made if b is None else ops.add(made, b)
    if not (node.wants(1) or node.wants(2)):
        return made
    return (made, *_statistics(wide, axes, epsilon))


@operator("RMSNormalization", since=23)
def rms_normalization(
    node: Call, x: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    if stash_type != 1:
        raise UnsupportedError(f"stash_type={stash_type} is not supported.")
    rank = len(shape_of(x))
    axes = tuple(range(as_axis(axis, rank), rank))
    wide = cast_to(x, "float32") if dtype_of(x) in FLOATS[:2] else x
    inverse = ops.rsqrt(ops.add(ops.mean(ops.square(wide), axes, True), np.asarray(epsilon, dtype_of(wide))))
    return ops.multiply(cast_to(ops.multiply(wide, inverse), dtype_of(x)), scale)


@operator("LRN")
def lrn(node: Call, x: Any, *, alpha: float = 0.0001, beta: float = 0.75, bias: float = 1.0, size: int) -> Any:
    """x / (bias + alpha / size * (sum of squares of the nearby channels)) ** beta."""
    rank, channels = len(shape_of(x)), static_shape(x, "The shape of the input")[1]
    before, after = (size - 1) // 2, size // 2
    last = channels_last(x)
    edges = [(0, 0)] * (rank - 1) + [(before, after)]
    whole = ops.pad(ops.square(last), edges)
    total = ops.getitem(whole, (Ellipsis, slice(0, channels)))
    for first in range(1, size):
        total = ops.add(total, ops.getitem(whole, (Ellipsis, slice(first, first + channels))))
    dtype = dtype_of(x)
    base = ops.add(ops.multiply(total, np.asarray(alpha / size, dtype)), np.asarray(bias, dtype))
    root = ops.sqrt(base) if beta in (0.5, 0.75) else base
    if beta == 0.75:
        return channels_first(ops.divide(last, ops.multiply(root, ops.sqrt(root))))
    power = root if beta in (0.5, 1.0) else ops.power(base, np.asarray(beta, dtype))
    return channels_first(ops.divide(last, power))


@operator("LpNormalization")
def lp_normalization(node: Call, x: Any, *, axis: int = -1, p: int = 2) -> Any:
    if p not in (1, 2):
        raise UnsupportedError(f"p={p} is not supported; there are 1 and 2.")
    at = as_axis(axis, len(shape_of(x)))
    norm = ops.sqrt(ops.sum(ops.square(x), at, True)) if p == 2 else ops.sum(ops.absolute(x), at, True)
    nothing = ops.equal(norm, np.asarray(0, dtype_of(x)))
    return ops.where(nothing, ops.zeros_like(x), ops.divide(x, ops.where(nothing, ops.ones_like(norm), norm)))
