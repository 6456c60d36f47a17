"""Recurrent layers as single operations, so that kernels see the whole sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphflow.errors import ShapeError
from graphflow.ops.activation import Numbers, compute
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import cast_to, dtype_of, pair
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape, merge_dimension

Step = Callable[[Array, tuple[Array, ...]], tuple[Array, tuple[Array, ...]]]


def _check_sequence(
    name: str, gates: int, x: TensorSpec, kernel: TensorSpec, recurrent: TensorSpec, states: Any, mask: Any
) -> int:
    """The rules that all of them share; returns the number of units."""
    units = recurrent.shape[0]
    if units is None or kernel.shape[1:] != (gates * units,) or recurrent.shape != (units, gates * units):
        raise ShapeError(
            f"{name} kernels must have shapes (features, {gates} * units) and (units, {gates} * units), "
            f"received {format_shape(kernel.shape)} and {format_shape(recurrent.shape)}."
        )
    if x.rank != 3:
        raise ShapeError(
            f"A recurrent layer needs an input of shape (batch, steps, features), received {format_shape(x.shape)}."
        )
    merge_dimension(x.shape[2], kernel.shape[0], "The input's features and the kernel's rows")
    for state in states:
        if state is not None:
            if state.rank != 2 or state.shape[1] not in (None, units):
                raise ShapeError(f"A state must have shape (batch, {units}), received {format_shape(state.shape)}.")
            merge_dimension(x.shape[0], state.shape[0], "The batch of the input and of a state")
    if mask is not None:
        if mask.rank != 2:
            raise ShapeError(f"A mask must have shape (batch, steps), received {format_shape(mask.shape)}.")
        merge_dimension(x.shape[1], mask.shape[1], "The steps of the input and of the mask")
    return units


def _result_specs(attrs: Attrs, x: TensorSpec, units: int, states: int) -> tuple[TensorSpec, ...]:
    state = x.with_shape((x.shape[0], units))
    sequence = x.with_shape((x.shape[0], x.shape[1], units)) if attrs["sequences"] else state
    return (sequence, *(state,) * states)


def _over_steps(
    attrs: Attrs, projected: Array, states: tuple[Array, ...], mask: Array | None, step: Step
) -> tuple[Array, ...]:
    """`step` from (projected input, states) to (output, states), over all steps, masked ones left out.

    The output of step t is row t of what is returned; with the attribute `flip`, which `fold_flip` sets, row t from the
    end.
    """
    batch, steps = projected.shape[:2]
    output = np.zeros_like(states[0])
    outputs = np.empty((batch, steps, states[0].shape[1]), states[0].dtype)
    for t in range(steps):
        at = steps - 1 - t if attrs["reverse"] else t
        new_output, new_states = step(projected[:, at], states)
        if mask is None:
            output, states = new_output, new_states
        else:
            live = mask[:, at, None]
            states = tuple(np.where(live, new, old) for new, old in zip(new_states, states, strict=True))
            output = np.where(live, new_output, 0 if attrs["zero_output"] else output)
        outputs[:, steps - 1 - t if attrs.get("flip") else t] = output
    return (outputs if attrs["sequences"] else output, *states)


def _project(x: Array, kernel: Array, bias: Array | None) -> Array:
    projected: Array = np.einsum("btk,kn->btn", x, kernel)
    return projected if bias is None else np.asarray(projected + bias)


def _start(x: Array, units: int, state: Array | None) -> Array:
    return np.zeros((x.shape[0], units), x.dtype) if state is None else state


def _options(
    x: Any,
    activation: Numbers,
    initial_state: Any,
    mask: Any,
    return_sequences: bool,
    go_backwards: bool,
    zero_output_for_mask: bool,
) -> tuple[Attrs, list[Any], Any]:
    """Attributes, states and mask as the ops take them."""
    attrs = {
        "activation": activation,
        "sequences": bool(return_sequences),
        "reverse": bool(go_backwards),
        "zero_output": bool(zero_output_for_mask),
    }
    states = [None if state is None else cast_to(state, dtype_of(x)) for state in initial_state]
    return attrs, states, None if mask is None else cast_to(mask, "bool")


def _infer_lstm(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, kernel, recurrent, _, h0, c0, mask = specs
    units = _check_sequence("LSTM", 4, x, kernel, recurrent, (h0, c0), mask)
    return _result_specs(attrs, x, units, 2)


def _lstm_reference(
    attrs: Attrs, x: Array, kernel: Array, recurrent: Array, bias: Any, h0: Any, c0: Any, mask: Any
) -> tuple[Array, ...]:
    def step(z: Array, states: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        h, c = states
        i, f, candidate, o = np.split(z + np.einsum("bk,kn->bn", h, recurrent), 4, axis=1)
        i, f, o = (compute(attrs["gate"], part) for part in (i, f, o))
        c = f * c + i * compute(attrs["activation"], candidate)
        h = o * compute(attrs["activation"], c)
        return h, (h, c)

    units = recurrent.shape[0]
    states = (_start(x, units, h0), _start(x, units, c0))
    return _over_steps(attrs, _project(x, kernel, bias), states, mask, step)


LSTM = define("lstm", _infer_lstm, _lstm_reference, single=False, tolerance=1e-4)


def lstm(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    activation: Numbers,
    recurrent_activation: Numbers,
    initial_state: Any = (None, None),
    mask: Any = None,
    return_sequences: bool = False,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Any, Any, Any]:
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), gates in the order i, f, c, o as Keras has them.

    Args:
        x: (batch, steps, features).
        kernel: (features, 4 units); recurrent_kernel: (units, 4 units); bias: (4 units,) or None.
        activation, recurrent_activation: rows of `graphflow.ops.activation`.
        initial_state: h and c, each (batch, units) or None for zeros.
        mask: (batch, steps), true where a step counts; a masked step keeps the state and repeats the output.

    Returns:
        The output, (batch, steps, units) or of the final step (batch, units); the final h; the final c.

    Raises:
        ShapeError: sizes that do not fit.
    """
    x, kernel = pair(x, kernel)
    attrs, states, mask = _options(
        x, activation, initial_state, mask, return_sequences, go_backwards, zero_output_for_mask
    )
    attrs["gate"] = recurrent_activation
    h: tuple[Any, Any, Any] = apply(LSTM, (x, kernel, recurrent_kernel, bias, *states, mask), attrs)
    return h


def _infer_gru(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, kernel, recurrent, bias, h0, mask = specs
    units = _check_sequence("GRU", 3, x, kernel, recurrent, (h0,), mask)
    wanted = (2, 3 * units) if attrs["reset_after"] else (3 * units,)
    if bias is not None and bias.shape != wanted:
        raise ShapeError(
            f"The bias of a GRU with reset_after={attrs['reset_after']} must have shape {format_shape(wanted)}, "
            f"received {format_shape(bias.shape)}."
        )
    return _result_specs(attrs, x, units, 1)


def _gru_reference(
    attrs: Attrs, x: Array, kernel: Array, recurrent: Array, bias: Any, h0: Any, mask: Any
) -> tuple[Array, ...]:
    units = recurrent.shape[0]
    after = attrs["reset_after"]
    inner = bias[1] if after and bias is not None else np.zeros(3 * units, x.dtype)

    def step(x_t: Array, states: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        (h,) = states
        gates = x_t[:, : 2 * units] + (np.einsum("bk,kn->bn", h, recurrent[:, : 2 * units]) + inner[: 2 * units])
        z, r = np.split(compute(attrs["gate"], gates), 2, axis=1)
        product = np.einsum("bk,kn->bn", h if after else r * h, recurrent[:, 2 * units :]) + inner[2 * units :]
        candidate = compute(attrs["activation"], x_t[:, 2 * units :] + (r * product if after else product))
        h = z * h + (1 - z) * candidate
        return h, (h,)

    outer = bias[0] if after and bias is not None else bias
    return _over_steps(attrs, _project(x, kernel, outer), (_start(x, units, h0),), mask, step)


GRU = define("gru", _infer_gru, _gru_reference, single=False, tolerance=1e-4)


def gru(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    activation: Numbers,
    recurrent_activation: Numbers,
    initial_state: Any = (None,),
    mask: Any = None,
    return_sequences: bool = False,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
    reset_after: bool = True,
) -> tuple[Any, Any]:
    """Gated recurrent unit (Cho et al., 2014), gates in the order z (update), r (reset), h as Keras has them.

    Args:
        x: (batch, steps, features).
        kernel: (features, 3 units); recurrent_kernel: (units, 3 units).
        bias: None, (3 units,), or with reset_after (2, 3 units): of the input and of the recurrent product.
        activation, recurrent_activation: rows of `graphflow.ops.activation`.
        initial_state: h, (batch, units) or None for zeros, in a list.
        mask: (batch, steps), true where a step counts; a masked step keeps the state and repeats the output.
        reset_after: whether the reset gate is applied after the product with the recurrent kernel, or before.

    Returns:
        The output, (batch, steps, units) or of the final step (batch, units); the final h.

    Raises:
        ShapeError: sizes that do not fit.
    """
    x, kernel = pair(x, kernel)
    attrs, states, mask = _options(
        x, activation, initial_state, mask, return_sequences, go_backwards, zero_output_for_mask
    )
    attrs.update(gate=recurrent_activation, reset_after=bool(reset_after))
    h: tuple[Any, Any] = apply(GRU, (x, kernel, recurrent_kernel, bias, *states, mask), attrs)
    return h


def _infer_rnn(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, kernel, recurrent, _, h0, mask = specs
    units = _check_sequence("Recurrent", 1, x, kernel, recurrent, (h0,), mask)
    return _result_specs(attrs, x, units, 1)


def _rnn_reference(
    attrs: Attrs, x: Array, kernel: Array, recurrent: Array, bias: Any, h0: Any, mask: Any
) -> tuple[Array, ...]:
    def step(z: Array, states: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        h = compute(attrs["activation"], z + np.einsum("bk,kn->bn", states[0], recurrent))
        return h, (h,)

    return _over_steps(attrs, _project(x, kernel, bias), (_start(x, recurrent.shape[0], h0),), mask, step)


RNN = define("rnn", _infer_rnn, _rnn_reference, single=False, tolerance=1e-4)


def simple_rnn(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    activation: Numbers,
    initial_state: Any = (None,),
    mask: Any = None,
    return_sequences: bool = False,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Any, Any]:
    """h_t = activation(x_t . kernel + h_(t-1) . recurrent_kernel + bias) (Elman, 1990).

    Args:
        x: (batch, steps, features).
        kernel: (features, units); recurrent_kernel: (units, units); bias: (units,) or None.
        activation: a row of `graphflow.ops.activation`.
        initial_state: h, (batch, units) or None for zeros, in a list.
        mask: (batch, steps), true where a step counts; a masked step keeps the state and repeats the output.

    Returns:
        The output, (batch, steps, units) or of the final step (batch, units); the final h.

    Raises:
        ShapeError: sizes that do not fit.
    """
    x, kernel = pair(x, kernel)
    attrs, states, mask = _options(
        x, activation, initial_state, mask, return_sequences, go_backwards, zero_output_for_mask
    )
    h: tuple[Any, Any] = apply(RNN, (x, kernel, recurrent_kernel, bias, *states, mask), attrs)
    return h
