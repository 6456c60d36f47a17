"""Kernels for normalisation by statistics of the sample itself."""

from __future__ import annotations

import math
from typing import Any

from graphflow.kernels.layout import Call, KernelDef, Layout, Step, not_float32, operand, result

SCRATCH_FLOATS = 4096
"""About how many channels of a group normalisation one item takes."""


def _lay_layer_norm(call: Call) -> Layout:
    shape: Any = call.outputs[0].shape
    first = len(shape) - call.attrs["last"]
    rows, n = math.prod(shape[:first]), math.prod(shape[first:])
    fields = {
        "x": operand(0),
        "scale": None if call.inputs[1] is None else operand(1),
        "shift": None if call.inputs[2] is None else operand(2),
        "y": result(),
        "rows": rows,
        "n": n,
        "rms": int(call.attrs["rms"]),
        "epsilon": call.attrs["epsilon"],
    }
    return Layout([Step("layer_norm_f32", fields, rows, 0.4 * rows * n)], in_place=(0,))


def _lay_group_norm(call: Call) -> Layout:
    shape: Any = call.outputs[0].shape
    batch, pixels, channels, groups = shape[0], math.prod(shape[1:-1]), shape[-1], call.attrs["groups"]
    width = channels // groups
    block = max(1, min(groups, SCRATCH_FLOATS // max(width, 1)))
    if batch < call.threads:
        block = max(1, min(block, -(-groups // (2 * call.threads))))
    fields = {
        "x": operand(0),
        "scale": None if call.inputs[1] is None else operand(1),
        "shift": None if call.inputs[2] is None else operand(2),
        "y": result(),
        "batch": batch,
        "pixels": pixels,
        "channels": channels,
        "groups": groups,
        "block": block,
        "epsilon": call.attrs["epsilon"],
    }
    items = batch * -(-groups // block) if pixels else 0
    work = 0.5 * batch * pixels * channels
    return Layout([Step("group_norm_f32", fields, items, work, scratch=12 * block * width)])


ROWS = (
    KernelDef("layer_norm_f32", "layer_norm", "row", not_float32, _lay_layer_norm),
    KernelDef("group_norm_f32", "group_norm", "pixels", not_float32, _lay_group_norm),
)
