"""LocallyConnected1D and LocallyConnected2D: convolution with a kernel for every place.

The argument `implementation` says how the kernel is stored, and carries no numbers:

    1   (places, window elements * channels, filters); only with padding "valid"
    2   (input sizes, channels, output sizes, filters), of which only the elements that connect are used
    3   (elements that connect,), in the order of the flat output and then the flat input

Here 2 and 3 are gathered into the form of 1 before a run. The data format is also the order of the kernel's axes.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ArgumentError, ShapeError
from graphflow.layers.arguments import name_positional, positive
from graphflow.layers.convolution import WEIGHTS, WindowLayer
from graphflow.layers.registry import layer
from graphflow.ops.local import local_padding, local_sizes
from graphflow.spec import format_shape

_POSITIONAL = ("strides", "padding", "data_format", "activation", "use_bias", *WEIGHTS)


class BaseLocallyConnected(WindowLayer):
    """What locally connected layers of every rank share; the arguments are those of `LocallyConnected2D`."""

    dilates = False

    def __init__(self, filters: int, kernel_size: Any, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, _POSITIONAL)
        self.filters = positive(filters, "filters")
        self.implementation = kwargs.pop("implementation", 1)
        super().__init__(kernel_size, **kwargs)
        if self.implementation not in (1, 2, 3):
            raise ArgumentError(f"implementation must be 1, 2 or 3, received {self.implementation!r}.")
        if self.implementation == 1 and self.padding != "valid":
            raise ArgumentError(f"implementation 1 takes padding 'valid' only, received {self.padding!r}.")
        self.kernel: Any = None
        self._gather: Any = None

    def _attrs(self) -> dict[str, Any]:
        return {"size": self.kernel_size, "strides": self.strides, "padding": self.padding}

    def make_weights(self, channels: int, spatial: tuple[int | None, ...]) -> None:
        if None in spatial:
            raise ShapeError(f"All sizes of the input must be known, received spatial sizes {format_shape(spatial)}.")
        sizes = [int(size) for size in spatial if size is not None]
        out = [int(size or 0) for size in local_sizes(self._attrs(), sizes)]
        self.kernel = self.settings.add(self, "kernel", self._kernel_shape(channels, sizes, out))
        if self.use_bias:
            self.bias = self.settings.add(self, "bias", (*out, self.filters))

    def _kernel_shape(self, channels: int, sizes: list[int], out: list[int]) -> tuple[int, ...]:
        """The shape of the kernel; what it takes to bring it into the form of implementation 1 is kept."""
        window = (*self.kernel_size, channels)
        if self.implementation == 1:
            return (math.prod(out), math.prod(window), self.filters)
        first = self.data_format == "channels_first"
        places, inputs = _connections(self._attrs(), sizes, out)
        connected = np.broadcast_to((inputs >= 0)[:, :, None, None], (*inputs.shape, channels, self.filters))
        channel, filters = np.arange(channels)[:, None], np.arange(self.filters)
        area, out_area = math.prod(sizes), math.prod(out)
        inputs, places = inputs[:, :, None, None], places[:, None, None, None]
        flat_input = channel * area + inputs if first else inputs * channels + channel
        flat_output = filters * out_area + places if first else places * self.filters + filters
        if self.implementation == 2:
            index = flat_input * (out_area * self.filters) + flat_output
            shape = (channels, *sizes, self.filters, *out) if first else (*sizes, channels, *out, self.filters)
        else:
            order = np.broadcast_to(flat_output * (area * channels) + flat_input, connected.shape)
            index = np.zeros(connected.shape, np.int64)
            index[connected] = np.argsort(np.argsort(order[connected]))
            shape = (int(connected.sum()),)
        whole = (out_area, math.prod(window), self.filters)
        index = np.where(connected, index, 0).reshape(whole).astype(np.int64)
        self._gather = (index, None if connected.all() else connected.reshape(whole).astype(self.dtype))
        return shape

    def _matrices(self) -> Any:
        """The kernel as (places, window elements * channels, filters), channels innermost."""
        if self._gather is not None:
            index, mask = self._gather
            kernel = ops.take(index, ops.reshape(self.kernel, (-1,)))
            return kernel if mask is None else kernel * mask
        if self.data_format == "channels_last":
            return self.kernel
        places, elements, filters = self.kernel.shape
        area = math.prod(self.kernel_size)
        kernel = ops.reshape(self.kernel, (places, elements // area, area, filters))
        return ops.reshape(ops.transpose(kernel, (0, 2, 1, 3)), (places, elements, filters))

    def _biases(self) -> Any:
        """The bias as (new sizes ..., filters). Keras reshapes it for channels first, it does not transpose it."""
        if self.bias is None or self.data_format == "channels_last":
            return self.bias
        *out, filters = self.bias.shape
        return ops.transpose(ops.reshape(self.bias, (filters, *out)), (*range(1, self.rank + 1), 0))

    def convolve(self, x: Any) -> Any:
        return ops.locally_connected(x, self._matrices(), self._biases(), self.kernel_size, self.strides, self.padding)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "implementation": self.implementation}


def _connections(attrs: dict[str, Any], sizes: list[int], out: list[int]) -> tuple[Any, Any]:
    """The numbers of the outputs, and for each the number of the input under every element of its window, -1: none."""
    before = local_padding(attrs)
    windows = []
    for place in product(*(range(size) for size in out)):
        inputs = []
        for tap in product(*(range(size) for size in attrs["size"])):
            at = [p * s + t - b for p, s, t, b in zip(place, attrs["strides"], tap, before, strict=True)]
            inside = all(0 <= one < size for one, size in zip(at, sizes, strict=True))
            inputs.append(int(np.ravel_multi_index(at, sizes)) if inside else -1)
        windows.append(inputs)
    return np.arange(len(windows)), np.array(windows, np.int64).reshape(len(windows), math.prod(attrs["size"]))


@layer()
class LocallyConnected1D(BaseLocallyConnected):
    """Convolution with a kernel for every step: (batch, steps, channels) to (batch, new steps, filters).

    Args:
        filters: the number of output channels.
        kernel_size, strides: integers.
        padding: "valid", or with implementation 2 and 3 "same".
        data_format: "channels_last" (the default, whatever is configured) or "channels_first".
        activation, use_bias, kernel_initializer, ...: as for `Dense`; the bias is (new steps, filters).
        implementation: 1, 2 or 3, how the kernel is stored; it carries no numbers.

    Raises:
        ArgumentError: a size below 1, an unknown implementation, or one that does not take the padding.
        ShapeError: an input of another rank, with an unknown size, or smaller than the window.

    Source: https://github.com/keras-team/tf-keras, layers/locally_connected
    """

    rank = 1
    default_format = "channels_last"


@layer()
class LocallyConnected2D(BaseLocallyConnected):
    """Convolution with a kernel for every pixel: (batch, height, width, channels) to (batch, new sizes ..., filters).

    Args:
        filters: the number of output channels.
        kernel_size, strides: integers, or pairs (height, width).
        padding, data_format, activation, ...: as for `LocallyConnected1D`; data_format None: the configured one.

    Raises:
        ArgumentError, ShapeError: as `LocallyConnected1D`.

    Source: https://github.com/keras-team/tf-keras, layers/locally_connected

    Example:
        >>> from graphflow.layers import Input, LocallyConnected2D
        >>> LocallyConnected2D(4, 3)(Input(shape=(8, 8, 1))).shape
        (None, 6, 6, 4)
    """

    rank = 2
