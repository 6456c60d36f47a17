"""Layers that bring data into range: Rescaling and Normalization."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from graphflow import config, ops
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.ops.operands import as_axis
from graphflow.spec import format_shape

Array = np.ndarray[Any, Any]


def _plain(value: Any) -> Any:
    """A number or nested list, from one or from an array of them."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


@layer()
class Rescaling(Layer):
    """x * scale + offset.

    Args:
        scale: a number, or one per channel.
        offset: a number, or an array that broadcasts to x.

    Source: https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = _plain(scale), _plain(offset)

    def call(self, inputs: Any) -> Any:
        scale, offset = (np.asarray(value, self.dtype) for value in (self.scale, self.offset))
        if scale.ndim and config.image_data_format() == "channels_first" and self.era == "keras3":
            scale = scale.reshape(scale.shape + (1,) * (3 - scale.ndim))
        return ops.cast(inputs, self.dtype) * scale + offset

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


@layer()
class Normalization(Layer):
    """(x - mean) / sqrt(variance), by statistics that are given or taken from data; a feature without variance gives 0.

    Args:
        axis: the axis, or axes, with statistics of their own; None: one mean and variance for everything.
        mean, variance: the statistics, as numbers or arrays of the sizes of `axis`; else `adapt` finds them.
        invert: x * sqrt(variance) + mean instead.

    Raises:
        ArgumentError: one of mean and variance without the other, or of another shape.
        ShapeError: an axis of unknown size.

    Source: https://keras.io/api/layers/preprocessing_layers/numerical/normalization/
    """

    supports_masking = True

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis: tuple[int, ...] = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None):
            raise ArgumentError("Normalization needs both mean and variance, or neither.")
        if mean is not None and (np.shape(mean) != np.shape(variance) or np.ndim(mean) > len(self.axis)):
            raise ArgumentError(
                f"mean and variance must have one shape, with at most the {len(self.axis)} axes of `axis`; "
                f"received {np.shape(mean)} and {np.shape(variance)}."
            )
        self.input_mean, self.input_variance = _plain(mean), _plain(variance)
        self.invert = bool(invert)
        self.adapt_mean: Any = None
        self.adapt_variance: Any = None
        self.count: Any = None
        self._kept: tuple[int, ...] = ()
        self._sizes: tuple[int, ...] = ()

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        self._kept = tuple(sorted(as_axis(axis, rank) for axis in self.axis))
        self._sizes = tuple(input_shape[axis] for axis in self._kept)
        if None in self._sizes:
            raise ShapeError(f"Axes {self.axis} of the input must be known, received {format_shape(input_shape)}.")
        if self.input_mean is None:
            options: Any = {"trainable": False, "role": "statistic"}
            self.adapt_mean = self.add_weight(self._sizes, "zeros", name="mean", **options)
            self.adapt_variance = self.add_weight(self._sizes, "ones", name="variance", **options)
            self.count = self.add_weight((), "zeros", dtype="int64", name="count", **options)

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data.

        Args:
            data: an array (rows, ...), or an iterable of such batches.

        Raises:
            ArgumentError: the layer was given a mean; or no batches.
            ShapeError: data of other sizes along `axis` than the layer was built for.
        """
        if self.input_mean is not None:
            raise ArgumentError("Normalization was given mean and variance and can not adapt to data.")
        given = [data] if hasattr(data, "shape") else data
        if not isinstance(given, Iterable):
            raise ArgumentTypeError(f"adapt takes an array or an iterable of arrays, received {data!r}.")
        total, mean, variance = 0, np.zeros(()), np.zeros(())
        for one in given:
            batch = np.asarray(one[0] if isinstance(one, tuple) else one, np.float64)
            self._fit(batch)
            axes = tuple(axis for axis in range(batch.ndim) if axis not in self._kept)
            count = int(np.prod([batch.shape[axis] for axis in axes]))
            total += count
            share = count / total
            own, new = batch.mean(axes), mean * (1 - share) + batch.mean(axes) * share
            variance = (variance + (mean - new) ** 2) * (1 - share) + (batch.var(axes) + (own - new) ** 2) * share
            mean = new
        if not total:
            raise ArgumentError("adapt needs at least one row of data.")
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    def _fit(self, batch: Array) -> None:
        if not self.built:
            self.build(batch.shape)
            self.built = True
        if tuple(batch.shape[axis] for axis in self._kept) != self._sizes:
            raise ShapeError(
                f"adapt needs sizes {self._sizes} along {self.axis}, received data of shape {batch.shape}."
            )

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, self.dtype)
        rank = len(x.shape)
        shape = [1] * rank
        if self.input_mean is None:
            for axis, size in zip(self._kept, self._sizes, strict=True):
                shape[axis] = size
            mean, variance = ops.reshape(self.adapt_mean, shape), ops.reshape(self.adapt_variance, shape)
        else:
            given = np.asarray(self.input_mean, self.dtype)
            for axis, size in zip(self._kept[len(self._kept) - given.ndim :], given.shape, strict=True):
                shape[axis] = size
            mean, variance = given.reshape(shape), np.asarray(self.input_variance, self.dtype).reshape(shape)
        deviation = ops.maximum(ops.sqrt(variance), config.epsilon())
        return x * deviation + mean if self.invert else (x - mean) / deviation

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "invert": self.invert,
            "mean": self.input_mean,
            "variance": self.input_variance,
        }
