"""`RNN`: a cell walked along the time axis; and what all recurrent layers share: states, masks, sequences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ArgumentError, ShapeError, UnsupportedError
from graphflow.layers.cells import StackedRNNCells, call_cell, check_cell
from graphflow.layers.layer import Layer
from graphflow.layers.nest import leaves, transform
from graphflow.layers.nested import build_inner, describe
from graphflow.layers.registry import layer
from graphflow.layers.tensor import KerasTensor, infer_only
from graphflow.ops.dispatch import tracing
from graphflow.registry import serialize
from graphflow.spec import TensorSpec, format_shape, spec_of
from graphflow.variable import Variable

_FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")


class StateShape:
    """The shape of a state that is no vector, without the batch: a leaf of `state_size`."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = sizes

    def as_list(self) -> list[int]:
        return list(self.sizes)

    def __repr__(self) -> str:
        return f"StateShape{self.sizes}"


def state_shape(leaf: Any) -> tuple[int, ...]:
    """The shape of one state, without the batch, from a leaf of `state_size`.

    Raises:
        ArgumentError: neither a positive integer nor a shape.
    """
    if hasattr(leaf, "as_list"):
        return tuple(int(size) for size in leaf.as_list())
    if not isinstance(leaf, (int, np.integer)) or isinstance(leaf, bool) or leaf < 1:
        raise ArgumentError(f"state_size must be a positive integer or a nest of them, received {leaf!r}.")
    return (int(leaf),)


def zero_rows(x: Any, shape: tuple[int, ...], dtype: str) -> Any:
    """Zeros of shape (batch, *shape), with the batch of x."""
    empty = ops.cast(ops.flatten(x[:, :0]), dtype)
    zeros = ops.pad(empty, ((0, 0), (0, math.prod(shape))))
    return zeros if len(shape) == 1 else ops.reshape(zeros, (-1, *shape))


def _spread(live: Any, like: Any) -> Any:
    """A mask (batch,) with axes of one for the rest of like's."""
    for _ in range(len(spec_of(like).shape) - 1):
        live = ops.expand_dims(live, -1)
    return live


@layer()
class RNN(Layer):
    """A cell walked along the time axis: (batch, steps, ...) to (batch, units), or (batch, steps, units).

    Args:
        cell: a layer or object with `call(input_at_t, states_at_t)` giving (output, states), `state_size` (an integer
            or a nest of them), optional `output_size`; it takes `constants` and `training` if its `call` names them. A
            list of cells is stacked.
        return_sequences: the outputs of all steps, not of the final one.
        return_state: the output, then the final states; of stacked cells one entry per cell, in order.
        go_backwards: from the last step to the first; outputs stay in processing order.
        stateful: row i of a batch continues row i of the batch before; needs a fixed batch size.
        unroll: one copy of the cell for each step, in place of a loop; needs a known number of steps.
        zero_output_for_mask: masked steps put out zeros, and not the previous output.

    Call arguments: `mask` (batch, steps), true where a step counts; a masked step keeps the states. `initial_state`, a
    tensor or a list, as nested as `state_size`; `constants`, a list of tensors that every step takes.

    Raises:
        ArgumentError: a cell without `call` or `state_size`; a stateful layer without a fixed batch size; unrolling an
            unknown number of steps; another number of states.
        ShapeError: a state of another shape; another batch size than a stateful layer continues.

    Source: https://keras.io/api/layers/recurrent_layers/rnn/
    """

    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("time_major", False):
            raise UnsupportedError("time_major=True is not supported: give (batch, steps, features).")
        for name in ("implementation", "use_cudnn"):
            kwargs.pop(name, None)
        self._constant_count = kwargs.pop("num_constants", None) or 0
        super().__init__(**kwargs)
        self.cell: Any = StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else check_cell(cell)
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.states: list[Variable] = []

    # -- states

    @property
    def state_size(self) -> list[Any]:
        """The cell's, always in a list."""
        size = self.cell.state_size
        return list(size) if isinstance(size, (list, tuple)) else [size]

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each state, flat, without the batch."""
        return [state_shape(leaf) for leaf in leaves(self.state_size)]

    def _nested(self, states: Any) -> list[Any]:
        rest: Iterator[Any] = iter(states)
        nested: list[Any] = transform(lambda leaf: next(rest), self.state_size)
        return nested

    def build(self, input_shape: Any) -> None:
        if isinstance(input_shape, list):
            input_shape = input_shape[0]
        if len(input_shape) < 2:
            raise ShapeError(
                f"{type(self).__name__} needs an input of shape (batch, steps, ...), "
                f"received {format_shape(input_shape)}."
            )
        build_inner(self.cell, (input_shape[0], *input_shape[2:]))
        if self.stateful:
            self._make_states(input_shape[0])

    def _make_states(self, batch: int | None) -> None:
        if batch is None:
            raise ArgumentError(
                "A stateful recurrent layer needs a fixed batch size: give batch_input_shape to the first layer of a "
                "Sequential, or batch_shape to Input."
            )
        self.states = [
            self.add_weight((batch, *shape), "zeros", trainable=False, name=f"state_{index}", role="state")
            for index, shape in enumerate(self.state_shapes)
        ]

    def _starting_states(self, inputs: Any, initial_state: Any) -> list[Any]:
        """The states before the first step, flat; None for zeros."""
        shapes = self.state_shapes
        if initial_state is not None:
            given = list(leaves(initial_state))
            if len(given) != len(shapes):
                raise ArgumentError(f"This layer has {len(shapes)} states, received {len(given)} in initial_state.")
            for state, shape in zip(given, shapes, strict=True):
                self._check_state(state, shape)
            return [ops.cast(state, self.dtype) for state in given]
        if self.stateful:
            batch, wanted = spec_of(inputs).shape[0], self.states[0].shape[0]
            if batch is not None and batch != wanted:
                raise ShapeError(f"This stateful layer continues {wanted} rows, received a batch of {batch}.")
            return list(self.states)
        own = getattr(self.cell, "get_initial_state", None)
        if own is None:
            return [None] * len(shapes)
        return [
            ops.add(zero_rows(inputs, shape, self.dtype), ops.cast(state, self.dtype))
            for state, shape in zip(leaves(_one_row(own)), shapes, strict=True)
        ]

    @staticmethod
    def _check_state(state: Any, shape: tuple[int, ...]) -> None:
        found = spec_of(state).shape
        fits = len(found) == 1 + len(shape) and all(a in (None, b) for a, b in zip(found[1:], shape, strict=True))
        if not fits:
            sizes = ", ".join(map(str, shape))
            raise ShapeError(f"A state must have shape (batch, {sizes}), received {format_shape(found)}.")

    def reset_states(self, states: Any = None) -> None:
        """Set the states of a stateful layer, to zeros by default.

        Args:
            states: an array for each state, flat or nested as `state_size`.

        Raises:
            ArgumentError: the layer is not stateful, or another number of states.
            ShapeError: a state of another shape.
        """
        if not self.stateful:
            raise ArgumentError(f"Layer {self.name!r} is not stateful.")
        if states is None:
            states = [np.zeros(variable.shape, variable.dtype) for variable in self.states]
        states = list(leaves(states))
        if len(states) != len(self.states):
            raise ArgumentError(f"Layer {self.name!r} has {len(self.states)} states, received {len(states)}.")
        for variable, value in zip(self.states, states, strict=True):
            variable.assign(value)

    reset_state = reset_states

    # -- calls

    def __call__(self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any) -> Any:
        if isinstance(inputs, (list, tuple)):
            inputs, *rest = inputs
            if rest and initial_state is None and constants is None:
                count = len(rest) - self._constant_count
                initial_state, constants = rest[:count] or None, rest[count:] or None
        if initial_state is not None:
            kwargs["initial_state"] = (
                list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
            )
        if constants is not None:
            kwargs["constants"] = list(constants) if isinstance(constants, (list, tuple)) else [constants]
            self._constant_count = len(kwargs["constants"])
        return super().__call__(inputs, **kwargs)

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return super()._run(args, without_carried_mask(self, kwargs))

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool | None = None,
        initial_state: Any = None,
        constants: Any = None,
        masked: bool = True,
    ) -> Any:
        mask = next(iter(leaves(mask)), None) if masked else None
        steps = spec_of(inputs).shape[1]
        if self.unroll and not steps:
            raise ArgumentError(f"unroll=True needs a known number of steps, received {steps}.")
        states = self._starting_states(inputs, initial_state)
        output, finals = self.walk(inputs, states, mask, training, constants)
        if self.stateful:
            for variable, value in zip(self.states, finals, strict=True):
                self.update(variable, value)
        return [output, *self._nested(finals)] if self.return_state else output

    def walk(
        self, inputs: Any, states: list[Any], mask: Any, training: bool | None, constants: Any = None
    ) -> tuple[Any, list[Any]]:
        """The output and the final states, by repeating the cell.

        Args:
            states: flat; None for zeros.
            mask: (batch, steps), or None.
        """
        inputs = ops.cast(inputs, self.dtype)
        states = [
            zero_rows(inputs, shape, self.dtype) if state is None else state
            for state, shape in zip(states, self.state_shapes, strict=True)
        ]
        constants = list(constants or ())
        count = len(states)

        def plain(x_t: Any, *parts: Any) -> tuple[list[Any], list[Any]]:
            output, made = self._step(x_t, parts[:count], parts[count:], training)
            return [output], made

        def masked(x_t: Any, live: Any, *parts: Any) -> tuple[list[Any], list[Any]]:
            held, shown = parts[:count], parts[count]
            output, made = self._step(x_t, held, parts[count + 1 :], training)
            output = ops.where(_spread(live, output), output, 0.0 if self.zero_output_for_mask else shown)
            kept = [ops.where(_spread(live, new), new, old) for new, old in zip(made, held, strict=True)]
            return [output], [*kept, output]

        if mask is None:
            outputs, finals = self._repeat(plain, [inputs], states, constants)
        else:
            shown = self._output_spec(inputs, states, constants)
            start = zero_rows(inputs, tuple(int(size or 0) for size in shown.shape[1:]), shown.dtype)
            sequences = [inputs, ops.cast(mask, "bool")]
            outputs, finals = self._repeat(masked, sequences, [*states, start], constants)
        self._next_masks(training)
        return outputs[0], finals[:count]

    def _step(self, x_t: Any, states: Any, constants: Any, training: bool | None) -> tuple[Any, list[Any]]:
        given = list(constants) if constants else None
        output, made = call_cell(self.cell, x_t, self._nested(states), constants=given, training=training)
        if isinstance(output, (list, tuple)):
            raise UnsupportedError("A cell must put out one tensor; several outputs are not supported.")
        return output, list(leaves(made))

    def _repeat(self, step: Any, sequences: list[Any], states: list[Any], constants: list[Any]) -> Any:
        if not self.unroll:
            return ops.scan(step, sequences, states, constants, self.go_backwards, self.return_sequences)
        count = int(spec_of(sequences[0]).shape[1] or 0)
        collected = []
        for t in reversed(range(count)) if self.go_backwards else range(count):
            outputs, states = step(*(x[:, t] for x in sequences), *states, *constants)
            collected.append(outputs[0])
        return [ops.stack(collected, 1) if self.return_sequences else collected[-1]], states

    def _output_spec(self, inputs: Any, states: list[Any], constants: list[Any]) -> TensorSpec:
        """What the cell puts out at each step."""
        spec = spec_of(inputs)
        x_t = KerasTensor(spec.with_shape((spec.shape[0], *spec.shape[2:])))
        with tracing(infer_only):
            held = [KerasTensor(spec_of(state)) for state in states]
            output, _ = self._step(x_t, held, [KerasTensor(spec_of(one)) for one in constants], None)
        return spec_of(output)

    def _next_masks(self, training: bool | None) -> None:
        for cell in getattr(self.cell, "cells", [self.cell]):
            if training and hasattr(cell, "next_masks"):
                cell.next_masks()

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        sequence_mask = next(iter(leaves(mask)), None) if self.return_sequences else None
        return [sequence_mask] + [None] * len(self.state_shapes) if self.return_state else sequence_mask

    # -- configuration

    def flags(self) -> dict[str, Any]:
        """The arguments that all recurrent layers share."""
        return {name: getattr(self, name) for name in _FLAGS}

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), **self.flags(), "cell": describe(self.cell)}
        if self._constant_count:
            config["num_constants"] = self._constant_count
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = serialize(self.activity_regularizer)
        return config


def without_carried_mask(one: Layer, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call, where a layer of a Keras 3 file does not look at the mask that its input carries: when
    it is given initial states, Keras 3 takes a mask only from the argument `mask`."""
    if one.era == "keras3" and kwargs.get("initial_state") is not None and kwargs.get("mask") is None:
        return {**kwargs, "masked": False}
    return kwargs


def _one_row(own: Any) -> Any:
    """What a cell's own `get_initial_state` gives for a batch of one."""
    import inspect

    takes = inspect.signature(own).parameters
    return own(**{name: value for name, value in (("batch_size", 1), ("inputs", None)) if name in takes})
