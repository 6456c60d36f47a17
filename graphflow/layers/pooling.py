"""Pooling over windows and over whole maps, one class for every rank."""

from __future__ import annotations

from typing import Any

from graphflow import config, ops
from graphflow.errors import ShapeError
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.ops.array import channels_first, channels_last
from graphflow.spec import format_shape, spec_of
from graphflow.window import as_padding, as_sizes


class _Pooling(Layer):
    rank = 0
    default_format: str | None = None
    function: Any = None

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = as_sizes(pool_size, self.rank, "pool_size")
        self.strides = self.pool_size if strides is None else as_sizes(strides, self.rank, "strides")
        self.padding = as_padding(padding)
        self.data_format = config.as_data_format(data_format or self.default_format)

    def call(self, inputs: Any) -> Any:
        shape = spec_of(inputs).shape
        if len(shape) != self.rank + 2:
            raise ShapeError(
                f"{type(self).__name__} needs an input of rank {self.rank + 2}, received {format_shape(shape)}."
            )
        first = self.data_format == "channels_first"
        pooled = type(self).function(
            channels_last(inputs) if first else inputs, self.pool_size, self.strides, self.padding
        )
        return channels_first(pooled) if first else pooled

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
        }


@layer("MaxPool1D")
class MaxPooling1D(_Pooling):
    """The largest value of each window: (batch, steps, channels) to (batch, new steps, channels).

    Source: https://keras.io/api/layers/pooling_layers/max_pooling1d/
    """

    rank = 1
    default_format = "channels_last"
    function = staticmethod(ops.max_pool)


@layer("MaxPool2D")
class MaxPooling2D(_Pooling):
    """The largest value of each window: (batch, height, width, channels) to (batch, new height, new width, channels).

    Source: https://keras.io/api/layers/pooling_layers/max_pooling2d/
    """

    rank = 2
    function = staticmethod(ops.max_pool)


@layer("AvgPool1D")
class AveragePooling1D(_Pooling):
    """The mean of the real elements of each window: (batch, steps, channels) to (batch, new steps, channels).

    Source: https://keras.io/api/layers/pooling_layers/average_pooling1d/
    """

    rank = 1
    default_format = "channels_last"
    function = staticmethod(ops.average_pool)


@layer("AvgPool2D")
class AveragePooling2D(_Pooling):
    """The mean of the real elements of each window: (batch, height, width, channels) to (batch, ..., channels).

    Source: https://keras.io/api/layers/pooling_layers/average_pooling2d/
    """

    rank = 2
    function = staticmethod(ops.average_pool)


@layer("MaxPool3D")
class MaxPooling3D(_Pooling):
    """The largest value of each window: (batch, depth, height, width, channels) to (batch, new sizes ..., channels).

    Source: https://keras.io/api/layers/pooling_layers/max_pooling3d/
    """

    rank = 3
    function = staticmethod(ops.max_pool)


@layer("AvgPool3D")
class AveragePooling3D(_Pooling):
    """The mean of the real elements of each window: (batch, depth, height, width, channels) to (..., channels).

    Source: https://keras.io/api/layers/pooling_layers/average_pooling3d/
    """

    rank = 3
    function = staticmethod(ops.average_pool)


class _GlobalPooling(Layer):
    rank = 0
    default_format: str | None = None
    reduction: Any = None

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.as_data_format(data_format or self.default_format)
        self.keepdims = bool(keepdims)

    def _axes(self, inputs: Any) -> tuple[int, ...]:
        shape = spec_of(inputs).shape
        if len(shape) != self.rank + 2:
            raise ShapeError(
                f"{type(self).__name__} needs an input of rank {self.rank + 2}, received {format_shape(shape)}."
            )
        start = 2 if self.data_format == "channels_first" else 1
        return tuple(range(start, start + self.rank))

    def call(self, inputs: Any) -> Any:
        return type(self).reduction(inputs, self._axes(inputs), self.keepdims)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


@layer("GlobalMaxPool1D")
class GlobalMaxPooling1D(_GlobalPooling):
    """The largest value over all steps: (batch, steps, channels) to (batch, channels).

    Source: https://keras.io/api/layers/pooling_layers/global_max_pooling1d/
    """

    rank = 1
    default_format = "channels_last"
    reduction = staticmethod(ops.max)


@layer("GlobalMaxPool2D")
class GlobalMaxPooling2D(_GlobalPooling):
    """The largest value of each map: (batch, height, width, channels) to (batch, channels).

    Source: https://keras.io/api/layers/pooling_layers/global_max_pooling2d/
    """

    rank = 2
    reduction = staticmethod(ops.max)


@layer("GlobalAvgPool1D")
class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over all steps, or over those that the mask keeps: (batch, steps, channels) to (batch, channels).

    Source: https://keras.io/api/layers/pooling_layers/global_average_pooling1d/
    """

    rank = 1
    default_format = "channels_last"
    reduction = staticmethod(ops.mean)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return super().call(inputs)
        axes = self._axes(inputs)
        weights = ops.expand_dims(ops.cast(mask, inputs.dtype), 2 if axes == (1,) else 1)
        total = ops.sum(inputs * weights, axes, self.keepdims)
        return total / ops.sum(weights, axes, self.keepdims)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


@layer("GlobalAvgPool2D")
class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each map: (batch, height, width, channels) to (batch, channels).

    Source: https://keras.io/api/layers/pooling_layers/global_average_pooling2d/
    """

    rank = 2
    reduction = staticmethod(ops.mean)


@layer("GlobalMaxPool3D")
class GlobalMaxPooling3D(_GlobalPooling):
    """The largest value of each volume: (batch, depth, height, width, channels) to (batch, channels).

    Source: https://keras.io/api/layers/pooling_layers/global_max_pooling3d/
    """

    rank = 3
    reduction = staticmethod(ops.max)


@layer("GlobalAvgPool3D")
class GlobalAveragePooling3D(_GlobalPooling):
    """The mean of each volume: (batch, depth, height, width, channels) to (batch, channels).

    Source: https://keras.io/api/layers/pooling_layers/global_average_pooling3d/
    """

    rank = 3
    reduction = staticmethod(ops.mean)
