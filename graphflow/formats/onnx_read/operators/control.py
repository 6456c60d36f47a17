"""Control flow: what shapes decide is folded away, short loops are written out, and the rest runs on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.onnx_read.definitions import GraphDef
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.known import UnknownValueError, dimension, value_of
from graphflow.ops.operands import as_axis, shape_of

MOST_WRITTEN_OUT = 20_000
"""Nodes that a loop in a graph may be written out as; a longer one runs on arrays."""


@operator("If")
def if_(node: Call, condition: Any, *, then_branch: GraphDef, else_branch: GraphDef) -> Any:
    chosen = bool(value_of(condition, "The condition").reshape(-1)[0])
    return tuple(node.run(then_branch if chosen else else_branch))


def _check_size(body: GraphDef, steps: int, operands: Sequence[Any]) -> None:
    count = sum(len(one.nodes) for one in body.walk())
    if count * steps > MOST_WRITTEN_OUT and any(hasattr(one, "builder") for one in operands):
        raise UnknownValueError(f"A loop of {steps:,} steps of {count} nodes is not written out.")


def _stacked(parts: list[Any], axis: int = 0) -> Any:
    if not parts:
        raise UnsupportedError("A loop without steps whose outputs are collected: their shape is not known.")
    if len(parts) > 64 and all(isinstance(one, np.ndarray) for one in parts):
        return np.stack(parts, axis)
    return ops.stack(parts, axis)


@operator("Loop")
def loop(node: Call, most: Any, condition: Any, *states: Any, body: GraphDef) -> Any:
    limit = None if most is None else int(value_of(most, "How often a loop runs").reshape(-1)[0])
    going = condition is None or bool(value_of(condition, "The condition of a loop").reshape(-1)[0])
    count = len(states)
    collected: list[list[Any]] = [[] for _ in range(len(body.outputs) - 1 - count)]
    current, step = list(states), 0
    while going and (limit is None or step < limit):
        _check_size(body, step + 1, current)
        results = node.run(body, [np.asarray(step, np.int64), np.asarray(True), *current])
        going = bool(value_of(results[0], "The condition of a loop").reshape(-1)[0])
        current = results[1 : 1 + count]
        for held, one in zip(collected, results[1 + count :], strict=True):
            held.append(one)
        step += 1
    gathered = []
    for index, held in enumerate(collected):
        declared = body.outputs[1 + count + index]
        if held or not node.wants(count + index):
            gathered.append(_stacked(held) if held else None)
        elif declared.shape is None or None in declared.shape:
            raise UnsupportedError(f"A loop without steps collects {declared.name!r}, whose shape is not declared.")
        else:
            gathered.append(np.zeros((0, *declared.shape), declared.dtype))
    return (*current, *gathered)


def _flags(given: Any, count: int, what: str) -> tuple[int, ...]:
    flags = tuple(given) if given else (0,) * count
    if len(flags) != count or not set(flags) <= {0, 1}:
        raise ModelFormatError(f"{what} must be {count} times 0 or 1, received {flags}.")
    return flags


@operator("Scan", since=9)
def scan(
    node: Call,
    *operands: Any,
    body: GraphDef,
    num_scan_inputs: int,
    scan_input_axes: Any = None,
    scan_input_directions: Any = None,
    scan_output_axes: Any = None,
    scan_output_directions: Any = None,
) -> Any:
    count = len(operands) - num_scan_inputs
    states, walked = list(operands[:count]), list(operands[count:])
    outputs = len(body.outputs) - count
    axes = [
        as_axis(axis, len(shape_of(x))) for axis, x in zip(scan_input_axes or (0,) * len(walked), walked, strict=True)
    ]
    backward = _flags(scan_input_directions, len(walked), "scan_input_directions")
    prepends = _flags(scan_output_directions, outputs, "scan_output_directions")
    steps = dimension(walked[0], axes[0])
    _check_size(body, steps, operands)
    collected: list[list[Any]] = [[] for _ in range(outputs)]
    for step in range(steps):
        slices = []
        for x, axis, back in zip(walked, axes, backward, strict=True):
            at = steps - 1 - step if back else step
            slices.append(ops.getitem(x, (*(slice(None),) * axis, at)))
        results = node.run(body, [*states, *slices])
        states = results[:count]
        for held, one in zip(collected, results[count:], strict=True):
            held.append(one)
    made = []
    for held, axis, back in zip(collected, scan_output_axes or (0,) * outputs, prepends, strict=True):
        rank = len(shape_of(held[0])) + 1 if held else 1
        made.append(_stacked(held[::-1] if back else held, as_axis(axis, rank)))
    return (*states, *made)


@operator("Scan", since=8)
def scan_of_batches(
    node: Call,
    lengths: Any,
    *operands: Any,
    body: GraphDef,
    num_scan_inputs: int,
    directions: Any = None,
) -> Any:
    """Version 8 walked axis 1 of every sample on its own, with states and outputs of their own."""
    if lengths is not None:
        raise UnsupportedError("Scan of version 8 with sequence lengths is not supported.")
    rows = []
    for row in range(dimension(operands[0], 0)):
        given = [ops.getitem(x, row) for x in operands]
        rows.append(scan(node, *given, body=body, num_scan_inputs=num_scan_inputs, scan_input_directions=directions))
    return tuple(ops.stack(parts, 0) for parts in zip(*rows, strict=True))
