"""Layers around a layer: TimeDistributed and Bidirectional."""

from __future__ import annotations

from typing import Any

from graphflow import ops
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError
from graphflow.layers.layer import Layer
from graphflow.layers.nest import leaves, transform
from graphflow.layers.nested import build_inner, describe, inner_layer, restore
from graphflow.layers.registry import layer
from graphflow.layers.rnn import without_carried_mask
from graphflow.ops.shape import reshape_to, sizes
from graphflow.spec import format_shape, spec_of

MERGE_MODES = ("concat", "sum", "mul", "ave", None)


@layer()
class TimeDistributed(Layer):
    """A layer applied to every step by itself: (batch, steps, ...) to (batch, steps, ...).

    Args:
        layer: what takes one step, (batch, ...). Steps are computed as rows of one batch.

    A mask (batch, steps) is passed on; one with more axes also reaches a layer that takes a mask.

    Raises:
        ShapeError: an input without a time axis.

    Source: https://keras.io/api/layers/recurrent_layers/time_distributed/

    Example:
        >>> from graphflow.layers import Conv2D, Input, TimeDistributed
        >>> TimeDistributed(Conv2D(64, 3))(Input((10, 32, 32, 3))).shape
        (None, 10, 30, 30, 64)
    """

    supports_masking = True

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        self.layer = inner_layer(layer, "TimeDistributed")
        super().__init__(**kwargs)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 3:
            raise ShapeError(
                f"TimeDistributed needs an input of shape (batch, steps, ...) with at least one more axis, "
                f"received {format_shape(input_shape)}."
            )
        build_inner(self.layer, (input_shape[0], *input_shape[2:]))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        options: dict[str, Any] = {}
        takes = self.layer._call_takes()
        if "training" in takes:
            options["training"] = training
        if mask is not None and "mask" in takes and len(spec_of(mask).shape) > 2:
            options["mask"] = _rows(mask)
        outputs = self.layer(_rows(inputs), **options)
        batch, steps = sizes(inputs)[:2]
        return transform(lambda one: reshape_to(one, (batch, steps, *sizes(one)[1:])), outputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None and len(spec_of(mask).shape) > 2:
            return ops.any(mask, tuple(range(2, len(spec_of(mask).shape))))
        return mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": describe(self.layer)}


def _rows(x: Any) -> Any:
    """(batch, steps, ...) to (batch * steps, ...)."""
    batch, steps, *rest = sizes(x)
    return reshape_to(x, (batch * steps, *rest))


@layer()
class Bidirectional(Layer):
    """A recurrent layer over the sequence forwards, and another over it backwards.

    Args:
        layer: the forward layer, of which a copy is taken; a recurrent layer, or one with its attributes.
        merge_mode: how the outputs join: "concat" along the last axis, "sum", "mul", "ave", or None: both, in a list.
        weights: initial values, those of the forward layer first.
        backward_layer: another layer for the way back; by default like the forward one.

    Outputs of the way back are put in the order of the input. With return_state the final states of the forward layer
    follow the output, then those of the backward one.

    Call arguments: `mask` (batch, steps), masked steps put out zeros when sequences are returned; `initial_state`,
    those of the forward layer, then those of the backward one.

    Raises:
        ArgumentError: an unknown merge_mode; layers that go in the same direction, or differ in what they return.

    Source: https://keras.io/api/layers/recurrent_layers/bidirectional/

    Example:
        >>> from graphflow.layers import LSTM, Bidirectional, Input
        >>> Bidirectional(LSTM(8, return_sequences=True))(Input((10, 4))).shape
        (None, 10, 16)
    """

    supports_masking = True

    def __init__(
        self, layer: Any, merge_mode: Any = "concat", weights: Any = None, backward_layer: Any = None, **kwargs: Any
    ) -> None:
        if merge_mode not in MERGE_MODES:
            raise ArgumentError(
                f"merge_mode must be one of 'concat', 'sum', 'mul', 'ave', None, received {merge_mode!r}."
            )
        given = inner_layer(layer, "Bidirectional")
        _check_recurrent(given)
        self.forward_layer: Any = _copied(given, f"forward_{given.name.removeprefix('forward_')}")
        if backward_layer is None:
            name = f"backward_{given.name.removeprefix('backward_')}"
            self.backward_layer: Any = _copied(given, name, go_backwards=not self.forward_layer.go_backwards)
        else:
            self.backward_layer = inner_layer(backward_layer, "Bidirectional", "backward_layer")
            _check_recurrent(self.backward_layer)
        kwargs.pop("num_constants", None)
        super().__init__(weights=weights, **kwargs)
        self.merge_mode = merge_mode
        self._check_layers()
        for one in (self.forward_layer, self.backward_layer):
            if hasattr(one, "zero_output_for_mask"):
                one.zero_output_for_mask = one.return_sequences
        self.return_sequences = bool(self.forward_layer.return_sequences)
        self.return_state = bool(self.forward_layer.return_state)
        self.stateful = bool(self.forward_layer.stateful)

    def _check_layers(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ArgumentError(
                "The forward and the backward layer must go in opposite directions, "
                f"received go_backwards={forward.go_backwards} for both."
            )
        for name in ("return_sequences", "return_state", "stateful"):
            first, second = getattr(forward, name), getattr(backward, name)
            if first != second:
                raise ArgumentError(
                    f"The forward and the backward layer must have the same {name}, received {first} and {second}."
                )

    def build(self, input_shape: Any) -> None:
        first = input_shape[0] if isinstance(input_shape, list) else input_shape
        build_inner(self.forward_layer, first)
        build_inner(self.backward_layer, first)

    def __call__(self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any) -> Any:
        if isinstance(inputs, (list, tuple)):
            inputs, *rest = inputs
            initial_state = (rest or None) if initial_state is None else initial_state
        if initial_state is not None:
            kwargs["initial_state"] = list(initial_state)
        if constants is not None:
            kwargs["constants"] = list(constants)
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
        mask = mask if masked else None
        halves: list[Any] = [None, None]
        if initial_state is not None:
            count = len(initial_state)
            if count % 2:
                raise ArgumentError(f"initial_state must hold the states of both layers, received {count} in all.")
            halves = [initial_state[: count // 2], initial_state[count // 2 :]]
        made = []
        for one, states in zip((self.forward_layer, self.backward_layer), halves, strict=True):
            options = {"mask": mask, "training": training, "initial_state": states, "constants": constants}
            made.append(one(inputs, **{name: value for name, value in options.items() if value is not None}))
        states = [state for outputs in made for state in outputs[1:]] if self.return_state else []
        forward, backward = (outputs[0] if self.return_state else outputs for outputs in made)
        if self.return_sequences:
            backward = ops.flip(backward, 1)
        merged = self._merge(forward, backward)
        if not states:
            return merged
        return [*merged, *states] if self.merge_mode is None else [merged, *states]

    def _merge(self, forward: Any, backward: Any) -> Any:
        if self.merge_mode is None:
            return [forward, backward]
        if self.merge_mode == "concat":
            return ops.concatenate([forward, backward], -1)
        if self.merge_mode == "mul":
            return forward * backward
        total = forward + backward
        return total if self.merge_mode == "sum" else total / 2.0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        sequence = next(iter(leaves(mask)), None) if self.return_sequences else None
        outputs = [sequence] * (2 if self.merge_mode is None else 1)
        if self.return_state:
            states = [len(list(leaves(one.state_size))) for one in (self.forward_layer, self.backward_layer)]
            return [*outputs, *[None] * sum(states)]
        return outputs if self.merge_mode is None else sequence

    def reset_states(self, states: Any = None) -> None:
        """Set the states of both layers, to zeros by default; `states`: those of the forward layer first."""
        flat = None if states is None else list(leaves(states))
        half = 0 if flat is None else len(flat) // 2
        self.forward_layer.reset_states(None if flat is None else flat[:half])
        self.backward_layer.reset_states(None if flat is None else flat[half:])

    reset_state = reset_states

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": describe(self.forward_layer),
            "backward_layer": describe(self.backward_layer),
        }


def _check_recurrent(one: Layer) -> None:
    for name in ("go_backwards", "return_sequences", "return_state", "stateful"):
        if not hasattr(one, name):
            raise ArgumentTypeError(f"Bidirectional takes recurrent layers, {one!r} has no {name!r}.")


def _copied(one: Layer, name: str, **changes: Any) -> Any:
    """An equal layer with weights of its own, under another name."""
    described = describe(one)
    return restore({**described, "config": {**described["config"], "name": name, **changes}})
