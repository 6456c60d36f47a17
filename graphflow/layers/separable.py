"""DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D and SeparableConv2D."""

from __future__ import annotations

from typing import Any

from graphflow import ops
from graphflow.layers.arguments import name_positional, positive
from graphflow.layers.convolution import WindowLayer
from graphflow.layers.registry import layer
from graphflow.window import PADDINGS

_DEPTHWISE = (
    "strides",
    "padding",
    "depth_multiplier",
    "data_format",
    "dilation_rate",
    "activation",
    "use_bias",
    "depthwise_initializer",
    "bias_initializer",
    "depthwise_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "depthwise_constraint",
    "bias_constraint",
)
_SEPARABLE = (
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "depth_multiplier",
    "activation",
    "use_bias",
    "depthwise_initializer",
    "pointwise_initializer",
    "bias_initializer",
    "depthwise_regularizer",
    "pointwise_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "depthwise_constraint",
    "pointwise_constraint",
    "bias_constraint",
)


class BaseDepthwiseConv(WindowLayer):
    """What depthwise convolutions of every rank share; the arguments are those of `DepthwiseConv2D`."""

    weight_defaults = {"depthwise": "glorot_uniform", "bias": "zeros"}
    strides_and_dilates = True

    def __init__(self, kernel_size: Any, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, _DEPTHWISE)
        self.depth_multiplier = positive(kwargs.pop("depth_multiplier", 1), "depth_multiplier")
        super().__init__(kernel_size, **kwargs)
        self.depthwise_kernel: Any = None

    @property
    def kernel(self) -> Any:
        """The depthwise kernel under the name that Keras 3 has for it."""
        return self.depthwise_kernel

    def make_weights(self, channels: int, spatial: tuple[int | None, ...]) -> None:
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self.settings.add(self, "depthwise_kernel", shape, key="depthwise")
        if self.use_bias:
            self.bias = self.settings.add(self, "bias", (channels * self.depth_multiplier,))

    def convolve(self, x: Any) -> Any:
        return ops.depthwise_conv(x, self.depthwise_kernel, self.bias, self.strides, self.padding, self.dilation_rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}


@layer()
class DepthwiseConv1D(BaseDepthwiseConv):
    """Each channel convolved with kernels of its own: (batch, steps, channels) to (batch, new steps, channels * m).

    Args:
        kernel_size, strides, dilation_rate: integers.
        padding: "valid" or "same".
        depth_multiplier: m, how many output channels there are for each input channel.
        data_format: "channels_last" (the default, whatever is configured) or "channels_first".
        activation, use_bias, depthwise_initializer, ...: as for `Dense`, the kernel's settings named depthwise.

    Raises:
        ArgumentError: a size below 1, or an unknown padding.
        ShapeError: an input of another rank, with unknown channels, or smaller than the window.

    Source: https://keras.io/api/layers/convolution_layers/depthwise_convolution1d/
    """

    rank = 1
    default_format = "channels_last"


@layer("DepthwiseConvolution2D")
class DepthwiseConv2D(BaseDepthwiseConv):
    """Each channel convolved with kernels of its own: (batch, height, width, channels) to (..., channels * m).

    Args:
        kernel_size, strides, dilation_rate: integers, or pairs (height, width).
        padding, depth_multiplier, data_format, activation, ...: as for `DepthwiseConv1D`; data_format None: the
            configured one.

    Raises:
        ArgumentError, ShapeError: as `DepthwiseConv1D`.

    Source: https://keras.io/api/layers/convolution_layers/depthwise_convolution2d/

    Example:
        >>> from graphflow.layers import DepthwiseConv2D, Input
        >>> DepthwiseConv2D(3, padding="same", depth_multiplier=2)(Input(shape=(28, 28, 4))).shape
        (None, 28, 28, 8)
    """

    rank = 2


class BaseSeparableConv(WindowLayer):
    """What separable convolutions of every rank share; the arguments are those of `SeparableConv2D`.

    `kernel_initializer`, `kernel_regularizer` and `kernel_constraint` are taken, as Keras 2 takes them, and say
    nothing: there is no weight of that name.
    """

    weight_defaults = {"depthwise": "glorot_uniform", "pointwise": "glorot_uniform", "bias": "zeros"}
    strides_and_dilates = True

    def __init__(self, filters: int, kernel_size: Any, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, _SEPARABLE)
        for name in ("kernel_initializer", "kernel_regularizer", "kernel_constraint"):
            kwargs.pop(name, None)
        self.filters = positive(filters, "filters")
        self.depth_multiplier = positive(kwargs.pop("depth_multiplier", 1), "depth_multiplier")
        super().__init__(kernel_size, **kwargs)
        self.depthwise_kernel: Any = None
        self.pointwise_kernel: Any = None

    def make_weights(self, channels: int, spatial: tuple[int | None, ...]) -> None:
        depthwise = (*self.kernel_size, channels, self.depth_multiplier)
        pointwise = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.depthwise_kernel = self.settings.add(self, "depthwise_kernel", depthwise, key="depthwise")
        self.pointwise_kernel = self.settings.add(self, "pointwise_kernel", pointwise, key="pointwise")
        if self.use_bias:
            self.bias = self.settings.add(self, "bias", (self.filters,))

    def convolve(self, x: Any) -> Any:
        return ops.separable_conv(
            x,
            self.depthwise_kernel,
            self.pointwise_kernel,
            self.bias,
            self.strides,
            self.padding,
            self.dilation_rate,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "depth_multiplier": self.depth_multiplier}


@layer("SeparableConvolution1D")
class SeparableConv1D(BaseSeparableConv):
    """A depthwise convolution, then one that mixes channels: (batch, steps, channels) to (batch, new steps, filters).

    Args:
        filters: the number of output channels.
        kernel_size, strides, dilation_rate: integers, of the depthwise part.
        padding: "valid", "same", or "causal": output t does not depend on later inputs.
        data_format: "channels_last" (the default, whatever is configured) or "channels_first".
        depth_multiplier: how many channels the depthwise part makes of each.
        activation, use_bias, depthwise_initializer, pointwise_initializer, ...: as for `Dense`.

    Raises:
        ArgumentError: a size below 1, or an unknown padding.
        ShapeError: an input of another rank, with unknown channels, or smaller than the window.

    Source: https://keras.io/api/layers/convolution_layers/separable_convolution1d/
    """

    rank = 1
    default_format = "channels_last"
    paddings = PADDINGS


@layer("SeparableConvolution2D")
class SeparableConv2D(BaseSeparableConv):
    """A depthwise convolution, then one that mixes channels: (batch, height, width, channels) to (..., filters).

    Args:
        filters: the number of output channels.
        kernel_size, strides, dilation_rate: integers, or pairs (height, width), of the depthwise part.
        padding: "valid" or "same".
        data_format, depth_multiplier, activation, ...: as for `SeparableConv1D`; data_format None: the configured one.

    Raises:
        ArgumentError, ShapeError: as `SeparableConv1D`.

    Source: https://keras.io/api/layers/convolution_layers/separable_convolution2d/

    Example:
        >>> from graphflow.layers import Input, SeparableConv2D
        >>> SeparableConv2D(16, 3, strides=2, padding="same")(Input(shape=(28, 28, 4))).shape
        (None, 14, 14, 16)
    """

    rank = 2
