"""Conv1D, Conv2D and Conv3D, one class for every rank; and what all layers with windows and kernels share."""

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

WEIGHTS = (
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)
"""The last positional arguments of a layer with a kernel and a bias."""

_POSITIONAL = ("strides", "padding", "data_format", "dilation_rate", "activation", "use_bias", *WEIGHTS)


class WindowLayer(Layer):
    """What layers share that move a window with weights over their input, in either data format.

    A subclass names its weights in `weight_defaults`, makes them in `make_weights` and computes, channels last, in
    `convolve`.
    """

    rank = 0
    default_format: str | None = None
    paddings: tuple[str, ...] = PADDINGS[:2]
    weight_defaults = {"kernel": "glorot_uniform", "bias": "zeros"}
    dilates = True
    strides_and_dilates = False

    def __init__(self, kernel_size: Any, **kwargs: Any) -> None:
        self.settings = WeightSettings(kwargs, **self.weight_defaults)
        self.kernel_size = as_sizes(kernel_size, self.rank, "kernel_size")
        self.strides = as_sizes(kwargs.pop("strides", 1), self.rank, "strides")
        self.padding = as_padding(kwargs.pop("padding", "valid"), self.paddings)
        self.data_format = config.as_data_format(kwargs.pop("data_format", None) or self.default_format)
        if self.dilates:
            self.dilation_rate = as_sizes(kwargs.pop("dilation_rate", 1), self.rank, "dilation_rate")
        self.activation = activations.get(kwargs.pop("activation", None))
        self.use_bias = bool(kwargs.pop("use_bias", True))
        super().__init__(**kwargs)
        both = self.dilates and max(self.strides) > 1 and max(self.dilation_rate) > 1
        if both and not self.strides_and_dilates:
            raise ArgumentError(
                f"strides above 1 can not go with dilation_rate above 1: {self.strides} and {self.dilation_rate}."
            )
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != self.rank + 2:
            raise ShapeError(
                f"{type(self).__name__} needs an input of rank {self.rank + 2}, received {format_shape(input_shape)}."
            )
        first = self.data_format == "channels_first"
        channels = input_shape[1 if first else -1]
        if channels is None:
            raise ShapeError(f"The number of channels must be known, received {format_shape(input_shape)}.")
        self.make_weights(channels, tuple(input_shape[2:] if first else input_shape[1:-1]))

    def make_weights(self, channels: int, spatial: tuple[int | None, ...]) -> None:
        """Add the weights for an input of these sizes."""
        raise NotImplementedError

    def convolve(self, x: Any) -> Any:
        """The result without the activation, channels last."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        first = self.data_format == "channels_first"
        y = self.convolve(channels_last(inputs) if first else inputs)
        # an activation that may look along the channels comes in the layer's own format
        return self.activation(channels_first(y) if first else y)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            **({"dilation_rate": self.dilation_rate} if self.dilates else {}),
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **self.settings.get_config(),
        }


class BaseConv(WindowLayer):
    """What convolutions of every rank share; the arguments are those of `Conv2D`."""

    def __init__(self, filters: int, kernel_size: Any, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, _POSITIONAL)
        self.filters = positive(filters, "filters")
        self.groups = positive(kwargs.pop("groups", 1), "groups")
        super().__init__(kernel_size, **kwargs)
        if self.filters % self.groups:
            raise ArgumentError(f"filters must be a multiple of groups, received {self.filters} and {self.groups}.")
        self.kernel: Any = None

    def make_weights(self, channels: int, spatial: tuple[int | None, ...]) -> None:
        if channels % self.groups:
            raise ShapeError(f"The number of channels, {channels}, must be a multiple of groups, {self.groups}.")
        self.kernel = self.settings.add(self, "kernel", (*self.kernel_size, channels // self.groups, self.filters))
        if self.use_bias:
            self.bias = self.settings.add(self, "bias", (self.filters,))

    def convolve(self, x: Any) -> Any:
        return ops.conv(x, self.kernel, self.bias, self.strides, self.padding, self.dilation_rate, self.groups)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "groups": self.groups}


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

    Raises:
        ArgumentError: a size below 1, strides with dilation, an unknown padding, groups that do not divide filters.
        ShapeError: an input of another rank, with unknown channels, or smaller than the window.

    Source: https://keras.io/api/layers/convolution_layers/convolution1d/
    """

    rank = 1
    default_format = "channels_last"
    paddings = PADDINGS


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

    Raises:
        ArgumentError, ShapeError: as `Conv1D`.

    Source: https://keras.io/api/layers/convolution_layers/convolution2d/

    Example:
        >>> from graphflow.layers import Conv2D, Input
        >>> Conv2D(8, 3, padding="same")(Input(shape=(28, 28, 1))).shape
        (None, 28, 28, 8)
    """

    rank = 2


@layer("Convolution3D")
class Conv3D(BaseConv):
    """Convolution over three dimensions: (batch, depth, height, width, channels) to (batch, new sizes ..., filters).

    Args:
        filters: the number of output channels.
        kernel_size, strides, dilation_rate: integers, or triples (depth, height, width).
        padding, data_format, groups, activation, ...: as for `Conv2D`.

    Raises:
        ArgumentError, ShapeError: as `Conv1D`.

    Source: https://keras.io/api/layers/convolution_layers/convolution3d/
    """

    rank = 3
