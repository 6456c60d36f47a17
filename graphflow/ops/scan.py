"""`scan`: a step that is repeated along the time axis, each step taking the states that the one before left.

The step is a Python function. On arrays it is called once for every step. While anything is traced it is called once,
on stand-ins for one step, and becomes a body: a graph of its own, whose inputs are

    slices of the sequences, states, constants, captures

Captures are what the function took from around it, variables above all; they become operands of the op like the rest,
so a body refers to nothing outside itself. Tracing bodies is the business of `graphflow.ir`, which stands above this
floor: it installs itself here when it is imported. Before that there is nothing that could be traced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from graphflow.errors import DTypeError, ShapeError, UnsupportedError
from graphflow.ops.dispatch import apply, is_tracing
from graphflow.ops.operands import as_operand
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import Shape, TensorSpec, format_shape, merge_dimension, spec_of
from graphflow.variable import Variable


class Body(Protocol):
    """What the op knows of a body."""

    def infer(self, specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]: ...

    def run(self, arrays: Sequence[Array]) -> tuple[Array, ...]: ...


class Traced(NamedTuple):
    """A traced step: its body, the state variables it updates (their values go in after the states and come out after
    them), and the other operands it captured (they go in last)."""

    body: Body
    carried: Sequence[Variable]
    captured: Sequence[Any]


Step = Callable[..., tuple[Sequence[Any], Sequence[Any]]]
Tracer = Callable[[Step, Sequence[TensorSpec], Sequence[int], Sequence[Any]], Traced]

_tracers: list[Tracer] = []


def install_tracer(tracer: Tracer) -> None:
    """Let `tracer` make bodies: from the step, the specs of its arguments, how many of them are sequences and states,
    and the operands that the scan was called on."""
    _tracers[:] = [tracer]


def _time_slice(spec: TensorSpec) -> TensorSpec:
    if spec.rank < 2:
        raise ShapeError(f"A sequence must have shape (batch, steps, ...), received {format_shape(spec.shape)}.")
    return spec.with_shape((spec.shape[0], *spec.shape[2:]))


def _kept(before: TensorSpec, after: TensorSpec) -> TensorSpec:
    """The spec of a state that a step takes and leaves."""
    if before.dtype != after.dtype:
        raise DTypeError(f"A step must keep the dtype of its states: expected {before.dtype}, received {after.dtype}.")
    fits = before.rank == after.rank and all(
        None in pair or pair[0] == pair[1] for pair in zip(before.shape, after.shape, strict=True)
    )
    if not fits:
        shown = format_shape(before.shape), format_shape(after.shape)
        raise ShapeError(f"A step must keep the shape of its states: expected {shown[0]}, received {shown[1]}.")
    return after.with_shape(a if b is None else b for a, b in zip(before.shape, after.shape, strict=True))


def _body_specs(attrs: Attrs, specs: Any) -> tuple[list[TensorSpec], int | None]:
    """The specs of the body's inputs, and the number of steps."""
    count = attrs["sequences"]
    slices = [_time_slice(spec) for spec in specs[:count]]
    steps: int | None = None
    for spec in specs[:count]:
        steps = merge_dimension(steps, spec.shape[1], "The steps of sequences that are walked together")
    return [*slices, *specs[count:]], steps


def _infer_scan(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    inputs, steps = _body_specs(attrs, specs)
    made = attrs["body"].infer(inputs)
    first, count = attrs["sequences"], attrs["states"]
    outputs = made[: len(made) - count]
    states = [_kept(a, b) for a, b in zip(inputs[first : first + count], made[len(outputs) :], strict=True)]

    def whole(spec: TensorSpec) -> Shape:
        return (spec.shape[0], steps, *spec.shape[1:]) if attrs["collect"] else spec.shape

    return (*(spec.with_shape(whole(spec)) for spec in outputs), *states)


def _scan_reference(attrs: Attrs, *arrays: Array) -> tuple[Array, ...]:
    first, count = attrs["sequences"], attrs["states"]
    sequences, states, rest = arrays[:first], arrays[first : first + count], arrays[first + count :]
    found = [
        np.zeros(spec.shape, spec.dtype)  # type: ignore[type-var]
        for spec in _infer_scan(attrs, [spec_of(array) for array in arrays], ())
    ]
    outputs = found[: len(found) - count]
    steps = sequences[0].shape[1]
    for t in range(steps):
        at = steps - 1 - t if attrs["reverse"] else t
        made = attrs["body"].run((*(np.ascontiguousarray(x[:, at]) for x in sequences), *states, *rest))
        states = made[len(outputs) :]
        for output, one in zip(outputs, made, strict=False):
            if attrs["collect"]:
                output[:, t] = one
            else:
                output[...] = one
    return (*outputs, *states)


SCAN = define("scan", _infer_scan, _scan_reference, single=False, tolerance=1e-4)


def scan(
    step: Step,
    sequences: Sequence[Any],
    states: Sequence[Any],
    constants: Sequence[Any] = (),
    reverse: bool = False,
    collect: bool = True,
) -> tuple[list[Any], list[Any]]:
    """Repeat a step along the time axis.

    Args:
        step: called as step(*slices, *states, *constants), slices of shape (batch, ...); returns a sequence of outputs
            and a sequence of new states, which have the shapes and dtypes of the states.
        sequences: tensors (batch, steps, ...), at least one.
        states: the states before the first step.
        constants: tensors that every step takes.
        reverse: from the last step to the first; outputs stay in processing order.
        collect: outputs of all steps, (batch, steps, ...), or else of the final one, (batch, ...).

    Returns:
        The outputs; the final states.

    Raises:
        ShapeError: sequences of other lengths, or a step that changes the shape of a state.
        DTypeError: a step that changes the dtype of a state.
    """
    sequences, states = [as_operand(x) for x in sequences], [as_operand(x) for x in states]
    constants = [as_operand(x) for x in constants]
    given = [*sequences, *states, *constants]
    if not _tracers or not (is_tracing() or any(hasattr(one, "__gf_apply__") for one in given)):
        return _loop(step, sequences, states, constants, reverse, collect)
    specs = [_time_slice(spec_of(x)) for x in sequences] + [spec_of(x) for x in [*states, *constants]]
    traced = _tracers[0](step, specs, (len(sequences), len(states)), given)
    count = len(states) + len(traced.carried)
    attrs = {
        "body": traced.body,
        "sequences": len(sequences),
        "states": count,
        "reverse": bool(reverse),
        "collect": bool(collect),
    }
    results = list(apply(SCAN, (*sequences, *states, *traced.carried, *constants, *traced.captured), attrs))
    outputs, finals = results[: len(results) - count], results[len(results) - count :]
    for variable, value in zip(traced.carried, finals[len(states) :], strict=True):
        if hasattr(value, "builder"):
            value.builder.update(variable, value)
    return outputs, finals[: len(states)]


def _loop(
    step: Step, sequences: Sequence[Any], states: list[Any], constants: Sequence[Any], reverse: bool, collect: bool
) -> tuple[list[Any], list[Any]]:
    steps = sequences[0].shape[1]
    for x in sequences:
        _time_slice(spec_of(x))
        merge_dimension(steps, x.shape[1], "The steps of sequences that are walked together")
    if not steps:
        raise UnsupportedError("A sequence without steps can only be walked inside a model.")
    collected: list[Sequence[Any]] = []
    for t in range(steps):
        at = steps - 1 - t if reverse else t
        outputs, made = step(*(np.ascontiguousarray(x[:, at]) for x in sequences), *states, *constants)
        for before, after in zip(states, made, strict=True):
            _kept(spec_of(before), spec_of(after))
        states = list(made)
        collected = [*collected, outputs] if collect else [outputs]
    if collect:
        return [np.stack(parts, 1) for parts in zip(*collected, strict=True)], states
    return list(collected[0]), states
