"""What networks are made of: products, activations, convolution, pooling, normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphflow import activations, ops
from graphflow.config import as_data_format
from graphflow.errors import ArgumentError, ShapeError
from graphflow.ops import batch_dot, dot, elu, sigmoid, softmax, softplus, softsign, tanh
from graphflow.ops.array import channels_first, channels_last
from graphflow.ops.operands import shape_of
from graphflow.spec import format_shape

__all__ = [
    "batch_dot",
    "batch_normalization",
    "bias_add",
    "conv1d",
    "conv2d",
    "conv3d",
    "depthwise_conv2d",
    "dot",
    "elu",
    "hard_sigmoid",
    "pool2d",
    "pool3d",
    "relu",
    "resize_images",
    "resize_volumes",
    "separable_conv2d",
    "sigmoid",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
]


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """max_value where x >= max_value, x where threshold <= x < max_value, otherwise alpha * (x - threshold)."""
    return ops.relu(x, alpha, max_value, threshold)


def hard_sigmoid(x: Any) -> Any:
    """Keras 2's clip(0.2 x + 0.5, 0, 1)."""
    return activations.hard_sigmoid(x)


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """x + bias, where bias is (channels,), or (..., channels) of x's size without the batch.

    With channels first the elements of the latter are taken in their order as (channels, ...), as Keras does.

    Raises:
        ShapeError: a bias of another rank.
    """
    rank, size = len(shape_of(x)), shape_of(bias)
    if len(size) not in (1, rank - 1):
        raise ShapeError(
            f"A bias must be a vector or have {rank - 1} axes for x of {rank}, received shape {format_shape(size)}."
        )
    if as_data_format(data_format) == "channels_first" and rank > 2:
        if len(size) == 1:
            return ops.add(x, ops.reshape(bias, (1, -1) + (1,) * (rank - 2)))
        bias = ops.reshape(bias, (size[-1], *size[:-1]))
    return ops.add(x, bias)


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Any:
    """gamma * (x - mean) / sqrt(var + epsilon) + beta; vectors lie along `axis`, other shapes are broadcast.

    beta and gamma may be None.
    """
    rank = len(shape_of(x))

    def along(vector: Any) -> Any:
        if len(shape_of(vector)) != 1 or axis in (-1, rank - 1):
            return vector
        return ops.reshape(vector, [-1 if one == axis % rank else 1 for one in range(rank)])

    scale = ops.rsqrt(ops.add(along(var), epsilon))
    if gamma is not None:
        scale = ops.multiply(scale, along(gamma))
    y = ops.multiply(ops.subtract(x, along(mean)), scale)
    return y if beta is None else ops.add(y, along(beta))


def _spatial(function: Callable[[Any], Any], x: Any, data_format: str | None) -> Any:
    if as_data_format(data_format) == "channels_last":
        return function(x)
    return channels_first(function(channels_last(x)))


def _conv(x: Any, kernel: Any, rank: int, strides: Any, padding: str, data_format: Any, dilation_rate: Any) -> Any:
    if len(shape_of(kernel)) != rank + 2:
        raise ShapeError(
            f"conv{rank}d needs a kernel of {rank + 2} axes, received shape {format_shape(shape_of(kernel))}."
        )
    return _spatial(lambda y: ops.conv(y, kernel, None, strides, padding, dilation_rate), x, data_format)


def conv1d(
    x: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Convolution over steps with a kernel (size, channels, filters); also padding "causal"."""
    return _conv(x, kernel, 1, strides, padding, data_format, dilation_rate)


def conv2d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Convolution over images with a kernel (height, width, channels, filters)."""
    return _conv(x, kernel, 2, strides, padding, data_format, dilation_rate)


def conv3d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1, 1),
) -> Any:
    """Convolution over volumes with a kernel of three sizes, channels and filters."""
    return _conv(x, kernel, 3, strides, padding, data_format, dilation_rate)


def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Convolution of each channel with kernels of its own (height, width, channels, multiplier)."""
    return _spatial(
        lambda y: ops.depthwise_conv(y, depthwise_kernel, None, strides, padding, dilation_rate), x, data_format
    )


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """A depthwise convolution, then one of a single pixel, (1, 1, channels * multiplier, filters)."""
    kernels = (depthwise_kernel, pointwise_kernel)
    return _spatial(lambda y: ops.separable_conv(y, *kernels, None, strides, padding, dilation_rate), x, data_format)


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str, interpolation: str = "nearest"
) -> Any:
    """Images made larger by whole factors; `interpolation` "nearest" or "bilinear"."""
    first = 2 if as_data_format(data_format) == "channels_first" else 1
    return ops.resize(x, (height_factor, width_factor), (first, first + 1), interpolation)


def resize_volumes(x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str) -> Any:
    """Volumes made larger by whole factors, each element repeated."""
    first = 2 if as_data_format(data_format) == "channels_first" else 1
    return ops.resize(x, (depth_factor, height_factor, width_factor), (first, first + 1, first + 2))


def _pool(x: Any, size: Any, strides: Any, padding: str, data_format: str | None, mode: str) -> Any:
    modes = {"max": ops.max_pool, "avg": ops.average_pool}
    if mode not in modes:
        raise ArgumentError(f"pool_mode must be 'max' or 'avg', received {mode!r}.")
    return _spatial(lambda y: modes[mode](y, size, strides, padding), x, data_format)


def pool2d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """The largest ("max") or mean ("avg") element of each window of images."""
    return _pool(x, pool_size, strides, padding, data_format, pool_mode)


def pool3d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """The largest ("max") or mean ("avg") element of each window of volumes."""
    return _pool(x, pool_size, strides, padding, data_format, pool_mode)
