"""Conv1D and Conv2D, one class for every rank."""

from __future__ import annotations

from typing import Any

from graphflow import activations, config, ops
from graphflow.errors import ArgumentError, ShapeError
from graphflow.layers.arguments import name_positional, positive
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.layers.weights import WeightSettings
from graphflow.ops.array import channels_first, channels_last
from graphflow.spec import format_shape
from graphflow.window import PADDINGS, as_padding, as_sizes

_POSITIONAL = (
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "activation",
    "use_bias",
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)


class BaseConv(Layer):
    """What convolutions of every rank share; the arguments are those of `Conv2D`."""

    rank = 0
    default_format: str | None = None

    def __init__(self, filters: int, kernel_size: Any, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, _POSITIONAL)
        self.settings = WeightSettings(kwargs, kernel="glorot_uniform", bias="zeros")
        self.filters = positive(filters, "filters")
        self.kernel_size = as_sizes(kernel_size, self.rank, "kernel_size")
        self.strides = as_sizes(kwargs.pop("strides", 1), self.rank, "strides")
        self.padding = as_padding(kwargs.pop("padding", "valid"), PADDINGS if self.rank == 1 else PADDINGS[:2])
        self.data_format = config.as_data_format(kwargs.pop("data_format", None) or self.default_format)
        self.dilation_rate = as_sizes(kwargs.pop("dilation_rate", 1), self.rank, "dilation_rate")
        self.groups = positive(kwargs.pop("groups", 1), "groups")
        self.activation = activations.get(kwargs.pop("activation", None))
        self.use_bias = bool(kwargs.pop("use_bias", True))
        super().__init__(**kwargs)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ArgumentError(
                f"strides above 1 can not go with dilation_rate above 1: {self.strides} and {self.dilation_rate}."
            )
        if self.filters % self.groups:
            raise ArgumentError(f"filters must be a multiple of groups, received {self.filters} and {self.groups}.")
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != self.rank + 2:
            raise ShapeError(
                f"{type(self).__name__} needs an input of rank {self.rank + 2}, received {format_shape(input_shape)}."
            )
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        if channels is None:
            raise ShapeError(f"The number of channels must be known, received {format_shape(input_shape)}.")
        if channels % self.groups:
            raise ShapeError(f"The number of channels, {channels}, must be a multiple of groups, {self.groups}.")
        self.kernel = self.settings.add(self, "kernel", (*self.kernel_size, channels // self.groups, self.filters))
        if self.use_bias:
            self.bias = self.settings.add(self, "bias", (self.filters,))

    def call(self, inputs: Any) -> Any:
        first = self.data_format == "channels_first"
        x = channels_last(inputs) if first else inputs
        y = ops.conv(x, self.kernel, self.bias, self.strides, self.padding, self.dilation_rate, self.groups)
        # an activation may look along the channels, so it comes in the layer's own format
        return self.activation(channels_first(y) if first else y)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **self.settings.get_config(),
        }


@layer("Convolution1D")
class Conv1D(BaseConv):
    """Convolution over one dimension: (batch, steps, channels) to (batch, new steps, filters).

    Args:
        filters: the number of output channels.
        kernel_size, strides, dilation_rate: integers.
        padding: "valid", "same", or "causal": output t does not depend on later inputs.
        data_format: "channels_last" (the default, whatever is configured) or "channels_first".
        groups: how many groups channels and filters are divided into.
        activation, use_bias, kernel_initializer, ...: as for `Dense`.

    Source: https://keras.io/api/layers/convolution_layers/convolution1d/
    """

    rank = 1
    default_format = "channels_last"


@layer("Convolution2D")
class Conv2D(BaseConv):
    """Convolution over two dimensions: (batch, height, width, channels) to (batch, new height, new width, filters).

    Args:
        filters: the number of output channels.
        kernel_size, strides, dilation_rate: integers, or pairs (height, width).
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; None: the configured one.
        groups: how many groups channels and filters are divided into.
        activation, use_bias, kernel_initializer, ...: as for `Dense`.

    Source: https://keras.io/api/layers/convolution_layers/convolution2d/

    Example:
        >>> from graphflow.layers import Conv2D, Input
        >>> Conv2D(8, 3, padding="same")(Input(shape=(28, 28, 1))).shape
        (None, 28, 28, 8)
    """

    rank = 2
