"""LSTM, and what recurrent layers share: states, masks, sequences, stateful runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import activations, ops
from graphflow.errors import ArgumentError, ShapeError, UnsupportedError
from graphflow.layers.arguments import name_positional, positive
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.layers.weights import WeightSettings
from graphflow.ops.activation import Numbers
from graphflow.spec import format_shape, spec_of
from graphflow.variable import Variable

_POSITIONAL = (
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
    "activity_regularizer",
    "kernel_constraint",
    "recurrent_constraint",
    "bias_constraint",
    "dropout",
    "recurrent_dropout",
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
)


class Recurrent(Layer):
    """What recurrent layers share."""

    supports_masking = True
    state_sizes: tuple[int, ...] = ()

    def __init__(self, **kwargs: Any) -> None:
        self.return_sequences = bool(kwargs.pop("return_sequences", False))
        self.return_state = bool(kwargs.pop("return_state", False))
        self.go_backwards = bool(kwargs.pop("go_backwards", False))
        self.stateful = bool(kwargs.pop("stateful", False))
        self.unroll = bool(kwargs.pop("unroll", False))
        self.zero_output_for_mask = bool(kwargs.pop("zero_output_for_mask", False))
        for name in ("implementation", "use_cudnn", "time_major"):
            if kwargs.pop(name, None) is True and name == "time_major":
                raise UnsupportedError("time_major=True is not supported: give (batch, steps, features).")
        super().__init__(**kwargs)
        self.states: list[Variable] = []

    def __call__(self, inputs: Any, *args: Any, initial_state: Any = None, **kwargs: Any) -> Any:
        if isinstance(inputs, (list, tuple)) and initial_state is None and len(inputs) > 1:
            inputs, *initial_state = inputs
        if initial_state is not None:
            states = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
            kwargs["initial_state"] = states
        return super().__call__(inputs, *args, **kwargs)

    def _make_states(self, batch: int | None) -> None:
        if batch is None:
            raise ArgumentError(
                "A stateful recurrent layer needs a fixed batch size: give batch_input_shape to the first layer of a "
                "Sequential, or batch_shape to Input."
            )
        self.states = [
            self.add_weight((batch, size), "zeros", trainable=False, name=f"state_{index}", role="state")
            for index, size in enumerate(self.state_sizes)
        ]

    def _starting_states(self, inputs: Any, initial_state: Any) -> list[Any]:
        if initial_state is not None:
            if len(initial_state) != len(self.state_sizes):
                raise ArgumentError(
                    f"This layer has {len(self.state_sizes)} states, received {len(initial_state)} in initial_state."
                )
            return list(initial_state)
        if not self.stateful:
            return [None] * len(self.state_sizes)
        batch, wanted = spec_of(inputs).shape[0], self.states[0].shape[0]
        if batch is not None and batch != wanted:
            raise ShapeError(f"This stateful layer continues {wanted} rows, received a batch of {batch}.")
        return list(self.states)

    def _keep_states(self, states: list[Any]) -> None:
        if not self.stateful:
            return
        for variable, value in zip(self.states, states, strict=True):
            self.update(variable, value)

    def reset_states(self, states: Any = None) -> None:
        """Set the states of a stateful layer, to zeros by default.

        Raises:
            ArgumentError: the layer is not stateful, or another number of states.
            ShapeError: a state of another shape.
        """
        if not self.stateful:
            raise ArgumentError(f"Layer {self.name!r} is not stateful.")
        if states is None:
            states = [np.zeros(variable.shape, variable.dtype) for variable in self.states]
        states = list(states) if isinstance(states, (list, tuple)) else [states]
        if len(states) != len(self.states):
            raise ArgumentError(f"Layer {self.name!r} has {len(self.states)} states, received {len(states)}.")
        for variable, value in zip(self.states, states, strict=True):
            variable.assign(value)

    reset_state = reset_states

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        sequence_mask = mask if self.return_sequences else None
        return [sequence_mask] + [None] * len(self.state_sizes) if self.return_state else sequence_mask

    def _result(self, output: Any, states: list[Any]) -> Any:
        self._keep_states(states)
        return [output, *states] if self.return_state else output

    def get_config(self) -> dict[str, Any]:
        names = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def gate(activation: Any, what: str) -> Numbers:
    """An activation as a recurrent kernel applies it.

    Raises:
        UnsupportedError: one that is not a function of each element alone.
    """
    if activation not in activations.GATES:
        raise UnsupportedError(f"{what}={activations.name_of(activation)!r} is not supported in a recurrent layer.")
    return activations.GATES[activation]


@layer()
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997): (batch, steps, features) to (batch, units).

    Args:
        units: the size of the state and the output.
        activation: of the candidate and the output, "tanh".
        recurrent_activation: of the gates, "sigmoid".
        unit_forget_bias: whether the forget gate's bias starts at one.
        return_sequences: (batch, steps, units), the output of every step.
        return_state: also the final h and c.
        go_backwards: from the last step to the first; outputs stay in processing order.
        stateful: row i of a batch continues row i of the batch before; needs a fixed batch size.
        zero_output_for_mask: masked steps put out zeros, and not the previous output.

    Call arguments: `mask` (batch, steps), `initial_state` [h, c], each (batch, units).

    Source: https://keras.io/api/layers/recurrent_layers/lstm/
    """

    def __init__(self, units: int, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, _POSITIONAL)
        self.settings = WeightSettings(kwargs, kernel="glorot_uniform", recurrent="orthogonal", bias="zeros")
        self.units = positive(units, "units")
        self.activation = activations.get(kwargs.pop("activation", "tanh"))
        self.recurrent_activation = activations.get(kwargs.pop("recurrent_activation", "sigmoid"))
        self.use_bias = bool(kwargs.pop("use_bias", True))
        self.unit_forget_bias = bool(kwargs.pop("unit_forget_bias", True))
        self.dropout = float(kwargs.pop("dropout", 0.0))
        self.recurrent_dropout = float(kwargs.pop("recurrent_dropout", 0.0))
        self.seed = kwargs.pop("seed", None)
        super().__init__(**kwargs)
        self.state_sizes = (self.units, self.units)

    def build(self, input_shape: Any) -> None:
        if isinstance(input_shape, list):
            input_shape = input_shape[0]
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ShapeError(
                f"LSTM needs an input of shape (batch, steps, features) with known features, "
                f"received {format_shape(input_shape)}."
            )
        width = 4 * self.units
        self.kernel = self.settings.add(self, "kernel", (input_shape[-1], width))
        self.recurrent_kernel = self.settings.add(self, "recurrent_kernel", (self.units, width), key="recurrent")
        self.bias: Any = None
        if self.use_bias:
            self.bias = self.settings.add(self, "bias", (width,), initializer=self._bias_initializer())
        if self.stateful:
            self._make_states(input_shape[0])

    def _bias_initializer(self) -> Any:
        inner = self.settings.initializers["bias"]
        if not self.unit_forget_bias:
            return inner

        def start(shape: Any, dtype: str) -> Any:
            value = np.array(inner(shape, dtype=dtype))
            value[self.units : 2 * self.units] = 1
            return value

        return start

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None, initial_state: Any = None) -> Any:
        if training and (self.dropout or self.recurrent_dropout):
            raise UnsupportedError("LSTM with dropout or recurrent_dropout in training mode is not supported.")
        output, h, c = ops.lstm(
            inputs,
            self.kernel,
            self.recurrent_kernel,
            self.bias,
            gate(self.activation, "activation"),
            gate(self.recurrent_activation, "recurrent_activation"),
            self._starting_states(inputs, initial_state),
            mask,
            self.return_sequences,
            self.go_backwards,
            self.zero_output_for_mask,
        )
        return self._result(output, [h, c])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "use_bias": self.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
            **self.settings.get_config(),
        }
