"""Recurrent layers as single operations, so that kernels see the whole sequence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.errors import ShapeError
from graphflow.ops.activation import Numbers, compute
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import cast_to, dtype_of, pair
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape, merge_dimension


def _check_sequence(x: TensorSpec, kernel: TensorSpec, states: Any, mask: TensorSpec | None, units: int) -> None:
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
    if mask is not None and mask.rank != 2:
        raise ShapeError(f"A mask must have shape (batch, steps), received {format_shape(mask.shape)}.")


def _infer_lstm(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, kernel, recurrent, _, h0, c0, mask = specs
    units = recurrent.shape[0]
    if kernel.shape[1:] != (4 * units,) or recurrent.shape != (units, 4 * units):
        raise ShapeError(
            f"LSTM kernels must have shapes (features, {4 * units}) and ({units}, {4 * units}), "
            f"received {format_shape(kernel.shape)} and {format_shape(recurrent.shape)}."
        )
    _check_sequence(x, kernel, (h0, c0), mask, units)
    state = x.with_shape((x.shape[0], units))
    sequence = x.with_shape((x.shape[0], x.shape[1], units)) if attrs["sequences"] else state
    return (sequence, state, state)


def _lstm_reference(
    attrs: Attrs,
    x: Array,
    kernel: Array,
    recurrent: Array,
    bias: Array | None,
    h0: Array | None,
    c0: Array | None,
    mask: Array | None,
) -> tuple[Array, ...]:
    batch, steps, _ = x.shape
    units = recurrent.shape[0]
    h = np.zeros((batch, units), x.dtype) if h0 is None else h0
    c = np.zeros((batch, units), x.dtype) if c0 is None else c0
    projected = np.einsum("btk,kn->btn", x, kernel)
    if bias is not None:
        projected = projected + bias
    output = np.zeros((batch, units), x.dtype)
    outputs = np.empty((batch, steps, units), x.dtype)
    for t in range(steps):
        at = steps - 1 - t if attrs["reverse"] else t
        z = projected[:, at] + np.einsum("bk,kn->bn", h, recurrent)
        i, f, candidate, o = np.split(z, 4, axis=1)
        i, f, o = (compute(attrs["gate"], part) for part in (i, f, o))
        new_c = f * c + i * compute(attrs["activation"], candidate)
        new_h = o * compute(attrs["activation"], new_c)
        if mask is None:
            h, c, output = new_h, new_c, new_h
        else:
            live = mask[:, at, None]
            h, c = np.where(live, new_h, h), np.where(live, new_c, c)
            output = np.where(live, new_h, 0 if attrs["zero_output"] else output)
        outputs[:, t] = output
    return (outputs if attrs["sequences"] else output).astype(x.dtype, copy=False), h, c


def _lstm_flops(attrs: Attrs, inputs: Any, outputs: Any) -> int:
    x, units = inputs[0], inputs[2].shape[0]
    return int(math.prod(x.shape[:2]) * (8 * units * (x.shape[2] + units) + 30 * units))


LSTM = define("lstm", _infer_lstm, _lstm_reference, single=False, tolerance=1e-4, flops=_lstm_flops)


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
    dtype = dtype_of(x)
    attrs = {
        "activation": activation,
        "gate": recurrent_activation,
        "sequences": bool(return_sequences),
        "reverse": bool(go_backwards),
        "zero_output": bool(zero_output_for_mask),
    }
    states = [None if state is None else cast_to(state, dtype) for state in initial_state]
    mask = None if mask is None else cast_to(mask, "bool")
    h: tuple[Any, Any, Any] = apply(LSTM, (x, kernel, recurrent_kernel, bias, *states, mask), attrs)
    return h
