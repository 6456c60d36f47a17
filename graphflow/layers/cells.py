"""Cells: one step of a recurrent layer, from (input, states) to (output, states); and stacks of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow import activations, ops
from graphflow.errors import ArgumentError, ShapeError
from graphflow.layers.arguments import name_positional, positive
from graphflow.layers.layer import Layer
from graphflow.layers.nested import build_inner, describe, restore
from graphflow.layers.registry import layer
from graphflow.layers.weights import WeightSettings
from graphflow.spec import format_shape

_WEIGHTS = (
    "kernel_initializer",
    "recurrent_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "recurrent_regularizer",
    "bias_regularizer",
    "kernel_constraint",
    "recurrent_constraint",
    "bias_constraint",
)
_NUMBERLESS = ("implementation", "use_cudnn")


def share(value: Any, name: str) -> float:
    """A share of elements to drop.

    Raises:
        ArgumentError: not a number in [0, 1).
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1:
        raise ArgumentError(f"{name} must be in [0, 1), received {value!r}.")
    return float(value)


class DroppingCell(Layer):
    """What cells share that drop parts of their input and state in training: the same parts in all steps of a call.

    The masks come from a counter that advances once in every call of the recurrent layer.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.dropout = share(kwargs.pop("dropout", 0.0), "dropout")
        self.recurrent_dropout = share(kwargs.pop("recurrent_dropout", 0.0), "recurrent_dropout")
        self.seed = kwargs.pop("seed", None)
        for name in _NUMBERLESS:
            kwargs.pop(name, None)
        super().__init__(**kwargs)
        self.seed_state: Any = None
        if self.dropout or self.recurrent_dropout:
            seed = self.seed
            start = int(np.random.SeedSequence().generate_state(1, np.uint32)[0]) if seed is None else seed
            self.seed_state = self.add_weight(
                (2,), lambda shape, dtype: np.array([start, 0], dtype), "int64", False, "seed", role="seed"
            )

    @property
    def drops(self) -> bool:
        """Whether training drops anything."""
        return self.seed_state is not None

    def dropped(self, x: Any, training: bool | None, recurrent: bool = False) -> Any:
        """An input, or a state, with its mask applied in training."""
        rate = self.recurrent_dropout if recurrent else self.dropout
        if not training or not rate:
            return x
        return ops.dropout(x, rate, self.seed_state + np.array([0, int(recurrent)]))

    def next_masks(self) -> None:
        """Let the next call use other masks."""
        if self.drops:
            self.update(self.seed_state, self.seed_state + np.array([0, 2]))


class UnitsCell(DroppingCell):
    """What the cells of SimpleRNN, LSTM and GRU share."""

    arguments: tuple[str, ...] = ()
    gates = 1
    state_count = 1

    def __init__(self, units: int, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, self.arguments)
        self.settings = WeightSettings(kwargs, kernel="glorot_uniform", recurrent="orthogonal", bias="zeros")
        self.units = positive(units, "units")
        self.activation = activations.get(kwargs.pop("activation", "tanh"))
        if "recurrent_activation" in self.arguments:
            self.recurrent_activation = activations.get(kwargs.pop("recurrent_activation", "sigmoid"))
        self.use_bias = bool(kwargs.pop("use_bias", True))
        super().__init__(**kwargs)
        self.state_size: Any = self.units if self.state_count == 1 else [self.units] * self.state_count
        self.output_size = self.units

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ShapeError(
                f"{type(self).__name__} needs an input of shape (batch, features) with known features, "
                f"received {format_shape(input_shape)}."
            )
        width = self.gates * self.units
        self.kernel = self.settings.add(self, "kernel", (input_shape[-1], width))
        self.recurrent_kernel = self.settings.add(self, "recurrent_kernel", (self.units, width), key="recurrent")
        self.bias: Any = None
        if self.use_bias:
            self.bias = self.settings.add(self, "bias", self._bias_shape(), initializer=self._bias_initializer())

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_initializer(self) -> Any:
        return self.settings.initializers["bias"]

    def get_config(self) -> dict[str, Any]:
        config = {"units": self.units, "activation": activations.serialize(self.activation)}
        if "recurrent_activation" in self.arguments:
            config["recurrent_activation"] = activations.serialize(self.recurrent_activation)
        return {
            **super().get_config(),
            **config,
            "use_bias": self.use_bias,
            **self.settings.get_config(),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }


@layer()
class SimpleRNNCell(UnitsCell):
    """One step of `SimpleRNN`: h = activation(x . kernel + h . recurrent_kernel + bias).

    Call arguments: the input (batch, features), and a list of the state (batch, units).

    Source: https://keras.io/api/layers/recurrent_layers/simple_rnn_cell/
    """

    arguments = ("activation", "use_bias", *_WEIGHTS, "dropout", "recurrent_dropout", "seed")

    def call(self, inputs: Any, states: Any, training: bool | None = None) -> Any:  # type: ignore[override]
        h = ops.dense(self.dropped(inputs, training), self.kernel, self.bias)
        h = self.activation(h + ops.dense(self.dropped(states[0], training, recurrent=True), self.recurrent_kernel))
        return h, [h]


@layer()
class LSTMCell(UnitsCell):
    """One step of `LSTM`.

    Call arguments: the input (batch, features), and a list of the states h and c, each (batch, units).

    Source: https://keras.io/api/layers/recurrent_layers/lstm_cell/
    """

    arguments = (
        "activation",
        "recurrent_activation",
        "use_bias",
        *_WEIGHTS[:3],
        "unit_forget_bias",
        *_WEIGHTS[3:],
        "dropout",
        "recurrent_dropout",
        "seed",
    )
    gates = 4
    state_count = 2

    def __init__(self, units: int, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, self.arguments)
        self.unit_forget_bias = bool(kwargs.pop("unit_forget_bias", True))
        super().__init__(units, **kwargs)

    def _bias_initializer(self) -> Any:
        inner = self.settings.initializers["bias"]
        return forget_bias(inner, self.units) if self.unit_forget_bias else inner

    def call(self, inputs: Any, states: Any, training: bool | None = None) -> Any:  # type: ignore[override]
        h, c = states
        z = ops.dense(self.dropped(inputs, training), self.kernel, self.bias)
        z = z + ops.dense(self.dropped(h, training, recurrent=True), self.recurrent_kernel)
        i, f, candidate, o = ops.split(z, 4, axis=-1)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(candidate)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}


def forget_bias(inner: Any, units: int) -> Any:
    """An initializer of four gates' biases: ones for the forget gate, and what `inner` gives for the others."""

    def start(shape: Any, dtype: str) -> Any:
        value = np.array(inner(shape, dtype=dtype))
        value[units : 2 * units] = 1
        return value

    return start


@layer()
class GRUCell(UnitsCell):
    """One step of `GRU`.

    Call arguments: the input (batch, features), and a list of the state (batch, units).

    Source: https://keras.io/api/layers/recurrent_layers/gru_cell/
    """

    arguments = (
        "activation",
        "recurrent_activation",
        "use_bias",
        *_WEIGHTS,
        "dropout",
        "recurrent_dropout",
        "reset_after",
        "seed",
    )
    gates = 3

    def __init__(self, units: int, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, self.arguments)
        self.reset_after = bool(kwargs.pop("reset_after", True))
        super().__init__(units, **kwargs)

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def call(self, inputs: Any, states: Any, training: bool | None = None) -> Any:  # type: ignore[override]
        h, units = states[0], self.units
        outer, inner = (self.bias, None) if self.bias is None or not self.reset_after else (self.bias[0], self.bias[1])
        x_z, x_r, x_h = ops.split(ops.dense(self.dropped(inputs, training), self.kernel, outer), 3, axis=-1)
        seen = self.dropped(h, training, recurrent=True)
        if self.reset_after:
            h_z, h_r, h_h = ops.split(ops.dense(seen, self.recurrent_kernel, inner), 3, axis=-1)
            product = self.recurrent_activation(x_r + h_r) * h_h
        else:
            gates = ops.dense(seen, self.recurrent_kernel[:, : 2 * units])
            h_z, h_r = ops.split(gates, 2, axis=-1)
            reset = self.recurrent_activation(x_r + h_r)
            product = ops.dense(reset * seen, self.recurrent_kernel[:, 2 * units :])
        z = self.recurrent_activation(x_z + h_z)
        h = z * h + (1.0 - z) * self.activation(x_h + product)
        return h, [h]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reset_after": self.reset_after}


def check_cell(cell: Any) -> Any:
    """A cell, also from its description.

    Raises:
        ArgumentError: it has no `call` or no `state_size`.
    """
    made = restore(cell)
    for name in ("call", "state_size"):
        if not hasattr(type(made), name) and not hasattr(made, name):
            raise ArgumentError(
                f"A cell must have {'a' if name == 'call' else 'an attribute'} {name!r}, {made!r} has none."
            )
    return made


def output_size(cell: Any) -> Any:
    """How many features a cell puts out: its `output_size`, else its first state's size."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size[0] if isinstance(cell.state_size, (list, tuple)) else cell.state_size
    return size


def call_cell(cell: Any, inputs: Any, states: list[Any], **options: Any) -> tuple[Any, Any]:
    """Call a cell with those of the options that it takes."""
    call = cell if isinstance(cell, Layer) else cell.call
    takes = cell._call_takes() if isinstance(cell, Layer) else frozenset(_parameters(call))
    kept = {name: value for name, value in options.items() if value is not None and name in takes}
    output, made = call(inputs, states, **kept)
    return output, made


def _parameters(function: Any) -> Sequence[str]:
    import inspect

    return list(inspect.signature(function).parameters)


@layer()
class StackedRNNCells(Layer):
    """Cells on top of each other, as one cell: each takes the output of the one below.

    Args:
        cells: from the lowest up.

    `state_size` is a list of one entry per cell, in order. Constants reach the cells that take them.

    Source: https://keras.io/api/layers/recurrent_layers/stacked_rnn_cell/
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Any) -> None:
        if not isinstance(cells, (list, tuple)) or not cells:
            raise ArgumentError(f"StackedRNNCells takes a list of at least one cell, received {cells!r}.")
        self.cells = [check_cell(cell) for cell in cells]
        super().__init__(**kwargs)

    @property
    def state_size(self) -> list[Any]:
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        return output_size(self.cells[-1])

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            build_inner(cell, input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def call(self, inputs: Any, states: Any, constants: Any = None, training: bool | None = None) -> Any:  # type: ignore[override]
        made = []
        for cell, held in zip(self.cells, states, strict=True):
            several = isinstance(held, (list, tuple))
            given = list(held) if several else [held]
            inputs, new = call_cell(cell, inputs, given, constants=constants, training=training)
            new = list(new) if isinstance(new, (list, tuple)) else [new]
            made.append(new if several else new[0])
        return inputs, made

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cells": [describe(cell) for cell in self.cells]}
