"""Conv1DTranspose, Conv2DTranspose and Conv3DTranspose, one class for every rank."""

from __future__ import annotations

from typing import Any

from graphflow import ops
from graphflow.layers.arguments import name_positional, positive
from graphflow.layers.convolution import WEIGHTS, WindowLayer
from graphflow.layers.registry import layer
from graphflow.ops.conv_transpose import as_output_padding

_POSITIONAL = (
    "strides",
    "padding",
    "output_padding",
    "data_format",
    "dilation_rate",
    "activation",
    "use_bias",
    *WEIGHTS,
)


class BaseConvTranspose(WindowLayer):
    """What transposed convolutions of every rank share; the arguments are those of `Conv2DTranspose`."""

    positional: tuple[str, ...] = _POSITIONAL

    def __init__(self, filters: int, kernel_size: Any, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, self.positional)
        self.filters = positive(filters, "filters")
        output_padding = kwargs.pop("output_padding", None)
        super().__init__(kernel_size, **kwargs)
        self.output_padding = as_output_padding(output_padding, self.strides)
        self.kernel: Any = None

    def make_weights(self, channels: int, spatial: tuple[int | None, ...]) -> None:
        self.kernel = self.settings.add(self, "kernel", (*self.kernel_size, self.filters, channels))
        if self.use_bias:
            self.bias = self.settings.add(self, "bias", (self.filters,))

    def convolve(self, x: Any) -> Any:
        return ops.conv_transpose(
            x, self.kernel, self.bias, self.strides, self.padding, self.output_padding, self.dilation_rate
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "output_padding": self.output_padding}


@layer("Convolution1DTranspose", "Deconvolution1D")
class Conv1DTranspose(BaseConvTranspose):
    """Transposed convolution over one dimension: (batch, steps, channels) to (batch, new steps, filters).

    Args:
        filters: the number of output channels.
        kernel_size, strides, dilation_rate: integers.
        padding: "valid" or "same".
        output_padding: steps to add at the end, below the stride; None: as many as make `strides` times as many steps
            with "same", and reach every input with "valid".
        data_format: "channels_last" (the default, whatever is configured) or "channels_first".
        activation, use_bias, kernel_initializer, ...: as for `Dense`.

    Raises:
        ArgumentError: a size below 1, strides with dilation, an unknown padding, an output padding not below strides.
        ShapeError: an input of another rank, or with unknown channels.

    Source: https://keras.io/api/layers/convolution_layers/convolution1d_transpose/
    """

    rank = 1
    default_format = "channels_last"


@layer("Convolution2DTranspose", "Deconvolution2D")
class Conv2DTranspose(BaseConvTranspose):
    """Transposed convolution over two dimensions: (batch, height, width, channels) to (batch, new sizes ..., filters).

    Args:
        filters: the number of output channels.
        kernel_size, strides, output_padding, dilation_rate: integers, or pairs (height, width).
        padding, data_format, activation, ...: as for `Conv1DTranspose`; data_format None: the configured one.

    Raises:
        ArgumentError, ShapeError: as `Conv1DTranspose`.

    Source: https://keras.io/api/layers/convolution_layers/convolution2d_transpose/

    Example:
        >>> from graphflow.layers import Conv2DTranspose, Input
        >>> Conv2DTranspose(8, 3, strides=2, padding="same")(Input(shape=(14, 14, 16))).shape
        (None, 28, 28, 8)
    """

    rank = 2


@layer("Convolution3DTranspose", "Deconvolution3D")
class Conv3DTranspose(BaseConvTranspose):
    """Transposed convolution over three dimensions: (batch, depth, height, width, channels) to (..., filters).

    Args:
        filters: the number of output channels.
        kernel_size, strides, output_padding, dilation_rate: integers, or triples (depth, height, width);
            dilation_rate by name only.
        padding, data_format, activation, ...: as for `Conv2DTranspose`.

    Raises:
        ArgumentError, ShapeError: as `Conv1DTranspose`.

    Source: https://keras.io/api/layers/convolution_layers/convolution3d_transpose/
    """

    rank = 3
    positional = tuple(name for name in _POSITIONAL if name != "dilation_rate")
