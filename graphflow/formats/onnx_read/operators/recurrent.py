"""LSTM, GRU and RNN: one op for each direction where it means the same, else a scan of the standard's equations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.activation import Numbers, activate
from graphflow.ops.known import dimension
from graphflow.ops.operands import dtype_of

DIRECTIONS: dict[str, tuple[bool, ...]] = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
"""Whether each direction goes backwards."""

ACTIVATIONS: dict[str, tuple[int, Callable[[float, float], Numbers], float, float]] = {
    "relu": (0, lambda a, b: ("relu", 0.0, 0.0, 0.0), 0.0, 0.0),
    "tanh": (0, lambda a, b: ("tanh", 0.0, 0.0, 0.0), 0.0, 0.0),
    "sigmoid": (0, lambda a, b: ("sigmoid", 0.0, 0.0, 0.0), 0.0, 0.0),
    "softsign": (0, lambda a, b: ("softsign", 0.0, 0.0, 0.0), 0.0, 0.0),
    "softplus": (0, lambda a, b: ("softplus", 0.0, 0.0, 0.0), 0.0, 0.0),
    "elu": (1, lambda a, b: ("elu", a, 0.0, 0.0), 1.0, 0.0),
    "leakyrelu": (1, lambda a, b: ("relu_general", a, math.inf, 0.0), 0.01, 0.0),
    "hardsigmoid": (2, lambda a, b: ("hard_sigmoid", a, b, 0.0), 0.2, 0.5),
    "affine": (2, lambda a, b: ("affine", a, b, 0.0), 1.0, 0.0),
}
"""How many numbers each takes, its row of `ops.activation`, and the numbers' defaults."""


def _activations(names: Any, default: tuple[str, ...], count: int, alphas: Any, betas: Any) -> list[list[Numbers]]:
    """The activations of each direction."""
    given = tuple(names) if names else default * count
    alphas, betas = list(alphas or ()), list(betas or ())
    if len(given) != len(default) * count:
        raise ModelFormatError(f"{len(default) * count} activations are needed, received {given}.")
    found = []
    for name in given:
        if name.lower() not in ACTIVATIONS:
            raise UnsupportedError(f"The activation {name!r} is not supported; there are {', '.join(ACTIVATIONS)}.")
        takes, make, alpha, beta = ACTIVATIONS[name.lower()]
        alpha = alphas.pop(0) if takes >= 1 and alphas else alpha
        beta = betas.pop(0) if takes >= 2 and betas else beta
        found.append(make(alpha, beta))
    return [found[index : index + len(default)] for index in range(0, len(found), len(default))]


class _Layer:
    """What all three have in common: directions, layouts, lengths."""

    def __init__(self, x: Any, w: Any, direction: str, layout: int, lengths: Any) -> None:
        if direction not in DIRECTIONS:
            raise UnsupportedError(f"direction={direction!r} is not supported; there are {', '.join(DIRECTIONS)}.")
        self.backward = DIRECTIONS[direction]
        self.layout = layout
        self.x = x if layout else ops.transpose(x, (1, 0, 2))
        if dimension(w, 0) != len(self.backward):
            raise ModelFormatError(f"{direction!r} needs weights of {len(self.backward)} directions.")
        self.mask: Any = None
        if lengths is not None:
            steps = np.arange(dimension(self.x, 1))
            self.mask = ops.less(steps, ops.expand_dims(ops.cast(lengths, "int64"), 1))

    def state(self, states: Any, index: int) -> Any:
        """The initial state of one direction, (batch, units), or None."""
        if states is None:
            return None
        return ops.getitem(states, (slice(None), index) if self.layout else index)

    def outputs(self, rows: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Those of the node, from (sequence, *final states) of each direction in the order of time."""
        whole = ops.stack([row[0] for row in rows], 2)
        y = whole if self.layout else ops.transpose(whole, (1, 2, 0, 3))
        finals = [
            ops.stack(list(parts), 1 if self.layout else 0) for parts in zip(*(row[1:] for row in rows), strict=True)
        ]
        return (y, *finals)

    def in_time(self, made: tuple[Any, ...], index: int) -> tuple[Any, ...]:
        """Outputs of a direction that went backwards, turned round."""
        return (ops.flip(made[0], 1), *made[1:]) if self.backward[index] else made


def _gates(weights: Any, index: int, count: int, order: Sequence[int]) -> Any:
    """The weights of one direction as (from, gates in our order)."""
    parts = ops.split(ops.getitem(weights, index), count, 0)
    return ops.transpose(ops.concatenate([parts[one] for one in order], 0) if count > 1 else parts[0])


def _bias(b: Any, index: int, count: int, order: Sequence[int]) -> tuple[Any, Any]:
    """The biases of input and recurrence of one direction."""
    if b is None:
        return None, None
    parts = ops.split(ops.getitem(b, index), 2 * count, 0)
    return tuple(  # type: ignore[return-value]
        ops.concatenate([parts[first + one] for one in order], 0) if count > 1 else parts[first] for first in (0, count)
    )


def _sum(first: Any, second: Any) -> Any:
    return None if first is None else ops.add(first, second)


def _refuse(clip: Any) -> None:
    if clip is not None:
        raise UnsupportedError("The attribute clip of recurrent operators is not supported.")


@operator("LSTM", since=7)
def lstm(
    node: Call,
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    lengths: Any = None,
    h0: Any = None,
    c0: Any = None,
    p: Any = None,
    *,
    activation_alpha: Any = None,
    activation_beta: Any = None,
    activations: Any = None,
    clip: Any = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    input_forget: int = 0,
    layout: int = 0,
) -> Any:
    _refuse(clip)
    layer = _Layer(x, w, direction, layout, lengths)
    chosen = _activations(
        activations, ("Sigmoid", "Tanh", "Tanh"), len(layer.backward), activation_alpha, activation_beta
    )
    order = (0, 2, 3, 1)  # from i, o, f, c to i, f, c, o
    rows = []
    for index, (gate, inner, outer) in enumerate(chosen):
        kernel, recurrent = _gates(w, index, 4, order), _gates(r, index, 4, order)
        bias = _sum(*_bias(b, index, 4, order))
        states = (layer.state(h0, index), layer.state(c0, index))
        if p is None and inner == outer and not input_forget:
            options = {"mask": layer.mask, "return_sequences": True, "go_backwards": layer.backward[index]}
            made = ops.lstm(layer.x, kernel, recurrent, bias, inner, gate, states, zero_output_for_mask=True, **options)
        else:
            peep = None if p is None else ops.split(ops.getitem(p, index), 3, 0)
            made = _general_lstm(
                layer, index, kernel, recurrent, bias, states, peep, (gate, inner, outer), bool(input_forget)
            )
        rows.append(layer.in_time(made, index))
    return layer.outputs(rows)


def _general_lstm(
    layer: _Layer,
    index: int,
    kernel: Any,
    recurrent: Any,
    bias: Any,
    states: tuple[Any, Any],
    peep: Any,
    chosen: tuple[Numbers, Numbers, Numbers],
    coupled: bool,
) -> tuple[Any, ...]:
    """With peepholes (input, output, forget), coupled gates, or three activations: the equations, step by step."""
    gate, inner, outer = chosen
    units = dimension(recurrent, 0)
    projected = ops.dense(layer.x, kernel, bias)
    zeros = ops.multiply(ops.getitem(projected, (slice(None), 0, slice(0, units))), np.asarray(0, dtype_of(projected)))
    before = [zeros if one is None else one for one in states]

    def step(z: Any, *rest: Any) -> tuple[Any, Any]:
        live, (h, c) = (None, rest) if layer.mask is None else (rest[0], rest[1:])
        i, f, g, o = ops.split(ops.add(z, ops.dense(h, recurrent)), 4, -1)
        if peep is not None:
            i, f = ops.add(i, ops.multiply(peep[0], c)), ops.add(f, ops.multiply(peep[2], c))
        i, f = activate(gate, i), activate(gate, f)
        f = ops.subtract(np.asarray(1, dtype_of(i)), i) if coupled else f
        new_c = ops.add(ops.multiply(f, c), ops.multiply(i, activate(inner, g)))
        o = o if peep is None else ops.add(o, ops.multiply(peep[1], new_c))
        new_h = ops.multiply(activate(gate, o), activate(outer, new_c))
        if live is None:
            return [new_h], [new_h, new_c]
        live = ops.cast(live, "bool")
        nothing = np.asarray(0, dtype_of(new_h))
        return [ops.where(live, new_h, nothing)], [ops.where(live, new_h, h), ops.where(live, new_c, c)]

    sequences = [projected]
    if layer.mask is not None:
        sequences.append(ops.expand_dims(ops.cast(layer.mask, "int32"), -1))
    outputs, finals = ops.scan(step, sequences, before, reverse=layer.backward[index])
    return (outputs[0], *finals)


@operator("GRU", since=7)
def gru(
    node: Call,
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    lengths: Any = None,
    h0: Any = None,
    *,
    activation_alpha: Any = None,
    activation_beta: Any = None,
    activations: Any = None,
    clip: Any = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
    linear_before_reset: int = 0,
) -> Any:
    _refuse(clip)
    layer = _Layer(x, w, direction, layout, lengths)
    chosen = _activations(activations, ("Sigmoid", "Tanh"), len(layer.backward), activation_alpha, activation_beta)
    order, rows = (0, 1, 2), []
    for index, (gate, inner) in enumerate(chosen):
        ours, theirs = _bias(b, index, 3, order)
        bias = None
        if ours is not None:
            bias = ops.stack([ours, theirs], 0) if linear_before_reset else ops.add(ours, theirs)
        made = ops.gru(
            layer.x,
            _gates(w, index, 3, order),
            _gates(r, index, 3, order),
            bias,
            inner,
            gate,
            (layer.state(h0, index),),
            mask=layer.mask,
            return_sequences=True,
            go_backwards=layer.backward[index],
            zero_output_for_mask=True,
            reset_after=bool(linear_before_reset),
        )
        rows.append(layer.in_time(made, index))
    return layer.outputs(rows)


@operator("RNN", since=7)
def rnn(
    node: Call,
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    lengths: Any = None,
    h0: Any = None,
    *,
    activation_alpha: Any = None,
    activation_beta: Any = None,
    activations: Any = None,
    clip: Any = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
) -> Any:
    _refuse(clip)
    layer = _Layer(x, w, direction, layout, lengths)
    names = activations or ("Tanh",) * len(layer.backward)
    chosen = _activations(
        names[: len(layer.backward)], ("Tanh",), len(layer.backward), activation_alpha, activation_beta
    )
    rows = []
    for index, (inner,) in enumerate(chosen):
        made = ops.simple_rnn(
            layer.x,
            _gates(w, index, 1, (0,)),
            _gates(r, index, 1, (0,)),
            _sum(*_bias(b, index, 1, (0,))),
            inner,
            (layer.state(h0, index),),
            mask=layer.mask,
            return_sequences=True,
            go_backwards=layer.backward[index],
            zero_output_for_mask=True,
        )
        rows.append(layer.in_time(made, index))
    return layer.outputs(rows)
