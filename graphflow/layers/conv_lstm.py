"""ConvLSTM1D, 2D and 3D: an LSTM whose products are convolutions."""

from __future__ import annotations

from typing import Any

from graphflow import activations, config, ops
from graphflow.errors import ArgumentError, ShapeError
from graphflow.layers.arguments import name_positional, positive
from graphflow.layers.cells import DroppingCell, forget_bias
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.layers.rnn import RNN, StateShape
from graphflow.layers.weights import WeightSettings
from graphflow.ops.array import channels_first, channels_last
from graphflow.registry import serialize, snake_case
from graphflow.spec import format_shape
from graphflow.window import as_padding, as_sizes, output_size

_CELL_ARGUMENTS = (
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "activation",
    "recurrent_activation",
    "use_bias",
    "kernel_initializer",
    "recurrent_initializer",
    "bias_initializer",
    "unit_forget_bias",
    "kernel_regularizer",
    "recurrent_regularizer",
    "bias_regularizer",
    "kernel_constraint",
    "recurrent_constraint",
    "bias_constraint",
    "dropout",
    "recurrent_dropout",
    "seed",
)
_POSITIONAL = (
    *_CELL_ARGUMENTS[:14],
    "activity_regularizer",
    *_CELL_ARGUMENTS[14:17],
    "return_sequences",
    "go_backwards",
    "stateful",
    "dropout",
    "recurrent_dropout",
)


class ConvLSTMCell(DroppingCell):
    """One step of a convolutional LSTM; states have the shape of the output, in the cell's data format."""

    def __init__(self, rank: int, filters: int, kernel_size: Any, **kwargs: Any) -> None:
        self.settings = WeightSettings(kwargs, kernel="glorot_uniform", recurrent="orthogonal", bias="zeros")
        self.rank = rank
        self.filters = positive(filters, "filters")
        self.kernel_size = as_sizes(kernel_size, rank, "kernel_size")
        self.strides = as_sizes(kwargs.pop("strides", 1), rank, "strides")
        self.padding = as_padding(kwargs.pop("padding", "valid"))
        self.data_format = config.as_data_format(kwargs.pop("data_format", None))
        self.dilation_rate = as_sizes(kwargs.pop("dilation_rate", 1), rank, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ArgumentError(
                f"strides above 1 can not go with dilation_rate above 1: {self.strides} and {self.dilation_rate}."
            )
        self.activation = activations.get(kwargs.pop("activation", "tanh"))
        self.recurrent_activation = activations.get(kwargs.pop("recurrent_activation", "hard_sigmoid"))
        self.use_bias = bool(kwargs.pop("use_bias", True))
        self.unit_forget_bias = bool(kwargs.pop("unit_forget_bias", True))
        super().__init__(**kwargs)
        self._state: StateShape | None = None

    @property
    def state_size(self) -> list[StateShape]:
        """The shapes of h and c, known when the input's are."""
        if self._state is None:
            raise ArgumentError("The states of a ConvLSTM have a size only when its input's shape is known.")
        return [self._state, self._state]

    def build(self, input_shape: Any) -> None:
        first = self.data_format == "channels_first"
        if len(input_shape) != self.rank + 2 or None in input_shape[1:]:
            raise ShapeError(
                f"A ConvLSTM needs steps of rank {self.rank + 2} with known sizes but the batch, "
                f"received {format_shape(input_shape)}."
            )
        channels = input_shape[1 if first else -1]
        spatial = input_shape[2:] if first else input_shape[1:-1]
        windows = zip(spatial, self.kernel_size, self.strides, self.dilation_rate, strict=True)
        sizes = [int(output_size(n, k, s, self.padding, d) or 0) for n, k, s, d in windows]
        self._state = StateShape(*((self.filters, *sizes) if first else (*sizes, self.filters)))
        width = 4 * self.filters
        self.kernel = self.settings.add(self, "kernel", (*self.kernel_size, channels, width))
        recurrent = (*self.kernel_size, self.filters, width)
        self.recurrent_kernel = self.settings.add(self, "recurrent_kernel", recurrent, key="recurrent")
        self.bias: Any = None
        if self.use_bias:
            start = self.settings.initializers["bias"]
            start = forget_bias(start, self.filters) if self.unit_forget_bias else start
            self.bias = self.settings.add(self, "bias", (width,), initializer=start)

    def call(self, inputs: Any, states: Any, training: bool | None = None) -> Any:  # type: ignore[override]
        h, c = states
        x, h = self.dropped(inputs, training), self.dropped(h, training, recurrent=True)
        first = self.data_format == "channels_first"
        if first:
            x, h, c = channels_last(x), channels_last(h), channels_last(c)
        z = ops.conv(x, self.kernel, self.bias, self.strides, self.padding, self.dilation_rate)
        z = z + ops.conv(h, self.recurrent_kernel, None, 1, "same")
        i, f, candidate, o = ops.split(z, 4, axis=-1)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(candidate)
        h = self.recurrent_activation(o) * self.activation(c)
        if first:
            h, c = channels_first(h), channels_first(c)
        return h, [h, c]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "activation": activations.serialize(self.activation),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "use_bias": self.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            **self.settings.get_config(),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }


class ConvLSTM(RNN):
    """What ConvLSTM1D, 2D and 3D share."""

    rank = 0

    def __init__(self, filters: int, kernel_size: Any, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, _POSITIONAL)
        own = {name: kwargs.pop(name) for name in _CELL_ARGUMENTS if name in kwargs}
        name = kwargs.pop("name", None) or Layer._new_name(snake_case(type(self).__name__))
        cell = ConvLSTMCell(self.rank, filters, kernel_size, name=name, dtype=kwargs.get("dtype"), **own)
        super().__init__(cell, name=name, **kwargs)

    def build(self, input_shape: Any) -> None:
        first = input_shape[0] if isinstance(input_shape, list) else input_shape
        if len(first) != self.rank + 3:
            raise ShapeError(
                f"{type(self).__name__} needs an input of rank {self.rank + 3}: (batch, steps, ...), "
                f"received {format_shape(first)}."
            )
        super().build(input_shape)

    def __getattr__(self, name: str) -> Any:
        """The cell's arguments and weights."""
        cell = self.__dict__.get("cell")
        if cell is None or name not in (
            *_CELL_ARGUMENTS,
            "filters",
            "kernel_size",
            "kernel",
            "recurrent_kernel",
            "bias",
        ):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(cell, name)

    def get_config(self) -> dict[str, Any]:
        config = {**self.cell.get_config(), **Layer.get_config(self), **self.flags()}
        return {**config, "activity_regularizer": serialize(self.activity_regularizer)}


@layer()
class ConvLSTM1D(ConvLSTM):
    """`ConvLSTM2D` over sequences: (batch, steps, rows, channels) to (batch, new rows, filters).

    Source: https://keras.io/api/layers/recurrent_layers/conv_lstm1d/
    """

    rank = 1


@layer()
class ConvLSTM2D(ConvLSTM):
    """An LSTM whose products are convolutions, over images: (batch, steps, rows, columns, channels) to (batch, new
    rows, new columns, filters) (Shi et al., 2015).

    Args:
        filters: channels of the states and the output.
        kernel_size, strides, padding, data_format, dilation_rate: of the convolution of the input, as in `Conv2D`; that
            of the state has the same window with padding "same".
        activation: "tanh".
        recurrent_activation: "hard_sigmoid", as in Keras 2; Keras 3 has "sigmoid".
        use_bias, ..., unit_forget_bias, dropout, recurrent_dropout: as in `LSTM`.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.

    Raises:
        ShapeError: an input of another rank, or with unknown spatial sizes.

    Source: https://keras.io/api/layers/recurrent_layers/conv_lstm2d/
    """

    rank = 2


@layer()
class ConvLSTM3D(ConvLSTM):
    """`ConvLSTM2D` over volumes: (batch, steps, ..., channels) with three spatial axes.

    Source: https://keras.io/api/layers/recurrent_layers/conv_lstm3d/
    """

    rank = 3
