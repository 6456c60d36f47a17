"""Kernels of convolutions: dense and grouped, depthwise, transposed and locally connected.

A transposed convolution of stride s is s convolutions of stride 1 in each dimension, one for each phase of the output:
output o = q s + phase is reached by the taps phase, phase + s, ..., read backwards:

    outputs of phase 1 of s = 3     . 1 . . 1 . . 1 . . 1        each its own small kernel, packed once,
    taps of phase 1 of k = 5        . 1 . . 1                    which writes every third pixel
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from graphflow.kernels.isa import Isa
from graphflow.kernels.layout import (
    Array,
    Call,
    KernelDef,
    Layout,
    Pack,
    Ref,
    Step,
    dimension,
    operand,
    result,
)
from graphflow.kernels.packing import pack_panels, packed_memory, panel_floats
from graphflow.kernels.products import (
    EPILOGUES,
    FLOPS_PER_NS,
    RESIDUAL,
    STRIDED,
    column_block,
    epilogue_fields,
    refuse_weights,
    row_block,
    spatial_fields,
)
from graphflow.ops.conv import conv_padding
from graphflow.ops.conv_transpose import transposed_windows
from graphflow.ops.local import local_padding
from graphflow.window import span, transposed_cut

DEPTHWISE_PER_NS = {"avx512": 30.0, "avx2": 20.0, "base": 5.0}
"""A guess of the operations of a depthwise convolution on one thread, which waits for memory more than it computes."""


def pixel_block(out: Sequence[int]) -> int:
    """How many output pixels of a convolution one item takes: whole rows of about a hundred pixels.

    It depends on the layer alone, never on batch or threads, since pixels at a block's edge may be gathered.
    """
    pixels = math.prod(out)
    if len(out) == 1:
        return max(1, min(pixels, 224))
    if pixels <= 200:
        return max(1, pixels)
    return max(1, round(112 / out[-1])) * out[-1]


class Window(NamedTuple):
    """The sizes of a convolution in each spatial dimension; `step`, `full`: how its output lies in a larger one."""

    size: tuple[int, ...]
    out: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    step: tuple[int, ...]
    full: tuple[int, ...]


def _window_fields(window: Window) -> dict[str, int]:
    return {
        **spatial_fields("in", window.size),
        **spatial_fields("out", window.out),
        **spatial_fields("kernel", window.kernel),
        **spatial_fields("stride", window.strides),
        **spatial_fields("pad", window.before, 0),
    }


def conv_step(
    call: Call, window: Window, groups: int, in_c: int, out_c: int, w: Ref, at: int, fields: dict[str, Any]
) -> Step:
    """One run of `conv_f32`.

    Args:
        in_c, out_c: channels of one group.
        w: its packed panels.
        at: the pixel of the output at which it begins.
        fields: those of the epilogue.
    """
    batch = dimension(call.outputs[0].shape[0])
    k, pixels, channels = math.prod(window.kernel) * in_c, math.prod(window.out), groups * out_c
    plain = window.full == window.out == window.size and not any(window.before)
    pointwise = plain and math.prod(window.kernel) == 1 and max(window.strides) == 1
    block_m = row_block(pixels, k, out_c, call.isa) if pointwise else pixel_block(window.out)
    blocks = -(-pixels // block_m) if pixels else 0
    block_n = column_block(max(blocks * groups * batch, 1), out_c, call.isa, call.threads)
    residual = fields["residual"]
    return Step(
        leaf="conv_f32",
        fields={
            "x": operand(0),
            "w": w,
            "y": Ref("out", 0, 4 * at * channels),
            "batch": batch,
            "groups": groups,
            "in_c": in_c,
            "out_c": out_c,
            **_window_fields(window),
            **spatial_fields("dilation", window.dilation),
            **spatial_fields("step", window.step),
            **spatial_fields("full", window.full),
            "ldx": groups * in_c,
            "ldr": channels,
            "ldy": channels,
            "block_m": block_m,
            "block_n": block_n,
            **fields,
            "residual": None if residual is None else residual._replace(offset=4 * at * channels),
        },
        items=batch * groups * blocks * -(-out_c // block_n),
        nanoseconds=2.0 * batch * pixels * k * channels / FLOPS_PER_NS[call.isa.name],
        scratch=0 if pointwise else 4 * block_m * k,
    )


def _pack_groups(kernel: Array, groups: int, isa: Isa) -> Array:
    matrix = kernel.reshape(math.prod(kernel.shape[:-1]), kernel.shape[-1])
    width = kernel.shape[-1] // groups
    floats = groups * panel_floats(len(matrix), width, isa)
    return _joined_panels((matrix[:, g * width : (g + 1) * width] for g in range(groups)), floats, isa)


def _joined_panels(matrices: Iterable[Array], floats: int, isa: Isa) -> Array:
    """The panels of matrices one after another in so many floats, then zeros."""
    joined, at = packed_memory(floats), 0
    for matrix in matrices:
        size = panel_floats(matrix.shape[0], matrix.shape[1], isa)
        pack_panels(matrix, isa, joined[at : at + size])
        at += size
    joined[at:] = 0
    return joined


def _conv_window(call: Call) -> Window:
    x, kernel = call.inputs[0], call.inputs[1]
    assert x is not None and kernel is not None
    shape: Any = x.shape
    out: Any = call.outputs[0].shape[1:-1]
    taps: Any = kernel.shape[:-2]
    before = tuple(first for first, _ in conv_padding(call.attrs, shape, taps))
    attrs = call.attrs
    return Window(shape[1:-1], out, taps, attrs["strides"], attrs["dilation"], before, (1,) * len(taps), out)


def _lay_conv(call: Call) -> Layout:
    kernel, groups = call.inputs[1], call.attrs["groups"]
    assert kernel is not None
    in_c, out_c = dimension(kernel.shape[-2]), dimension(kernel.shape[-1]) // groups
    step = conv_step(call, _conv_window(call), groups, in_c, out_c, Ref("packed", 0), 0, epilogue_fields(call, 2, 3))
    isa = call.isa
    pack = Pack(f"conv panels {isa.name} {groups}", (1,), lambda w: _pack_groups(w, groups, isa))
    return Layout([step], [pack], in_place=RESIDUAL)


def _refuse_depthwise(call: Call) -> str | None:
    kernel = call.inputs[1]
    assert kernel is not None
    if kernel.shape[-2] != 1 or call.attrs["groups"] == 1:
        return "a group has more than one channel, or there is only one group"
    return refuse_weights(call)


def _multipliers_outside(weights: Array, multiplier: int) -> Array:
    """(..., channels * multiplier) as (..., multiplier, channels)."""
    parts = weights.reshape(*weights.shape[:-1], -1, multiplier)
    return np.ascontiguousarray(np.swapaxes(parts, -1, -2))


def depthwise_step(call: Call, window: Window, channels: int, width: int, fields: dict[str, Any]) -> Step:
    """One run of `depthwise_f32`.

    Args:
        channels, width: of its input and of its output.
        fields: its pointers, and those of the epilogue.
    """
    batch = dimension(call.outputs[0].shape[0])
    rows, multiplier = batch * math.prod(window.out[:-1]), width // channels
    flops = 2.0 * rows * window.out[-1] * width * math.prod(window.kernel)
    return Step(
        leaf="depthwise_f32",
        fields={
            "batch": batch,
            "channels": channels,
            "multiplier": multiplier,
            **_window_fields(window),
            **spatial_fields("dilation", window.dilation),
            "ldx": channels,
            "ldr": width,
            "ldy": width,
            **fields,
        },
        items=rows,
        nanoseconds=flops / DEPTHWISE_PER_NS[call.isa.name],
        scratch=4 * window.out[-1] * channels if multiplier > 1 else 0,
    )


def _lay_depthwise(call: Call) -> Layout:
    channels, width = call.attrs["groups"], dimension(call.outputs[0].shape[-1])
    multiplier = width // channels
    packs = [Pack(f"multipliers {multiplier}", (1,), lambda w: _multipliers_outside(w, multiplier))]
    weights = operand(1) if multiplier == 1 else Ref("packed", 0)
    fields = {"x": operand(0), "w": weights, "y": result(), **epilogue_fields(call, 2, 3)}
    step = depthwise_step(call, _conv_window(call), channels, width, fields)
    return Layout([step], packs if multiplier > 1 else [])


class _Phase(NamedTuple):
    """One phase of one dimension: its first output, how many there are, its taps in order, what stands before."""

    first: int
    outputs: int
    taps: tuple[int, ...]
    before: int


def _phases(full: int, cut: int, kernel: int, stride: int, dilation: int) -> list[_Phase]:
    """The phases of a dimension with `full` outputs; a dilated one has stride 1, so one phase with all taps."""
    found = []
    for phase in range(stride):
        first = (phase - cut) % stride
        taps = tuple(range(phase, kernel, stride))[::-1]
        reach = span(len(taps), dilation) if taps else 1
        count = -(-(full - first) // stride)
        if count > 0:
            found.append(_Phase(first, count, taps, reach - 1 - (first + cut) // stride))
    return found


def _refuse_conv_transpose(call: Call) -> str | None:
    if max(call.attrs["strides"]) > 1 and max(call.attrs["dilation"]) > 1:
        return "strided and dilated"
    return refuse_weights(call)


def _lay_conv_transpose(call: Call) -> Layout:
    x, kernel = call.inputs[0], call.inputs[1]
    assert x is not None and kernel is not None
    isa, attrs, shape = call.isa, call.attrs, x.shape
    size: Any = shape[1:-1]
    full: Any = call.outputs[0].shape[1:-1]
    filters, channels = dimension(kernel.shape[-2]), dimension(kernel.shape[-1])
    strides, dilation = attrs["strides"], attrs["dilation"]
    windows = transposed_windows(attrs, size, kernel.shape[:-2])
    every = [
        _phases(out, transposed_cut(*window), dimension(k), s, d)
        for out, window, k, s, d in zip(full, windows, kernel.shape[:-2], strides, dilation, strict=True)
    ]
    ones = (1,) * len(size)
    steps, parts, floats = [], [], 0
    for phases in product(*every):
        taps = tuple(len(phase.taps) for phase in phases)
        window = Window(
            size,
            tuple(phase.outputs for phase in phases),
            taps,
            ones,
            dilation,
            tuple(phase.before for phase in phases),
            strides,
            full,
        )
        at = 0
        for phase, out in zip(phases, full, strict=True):
            at = at * out + phase.first
        fields = epilogue_fields(call, 2, 3)
        steps.append(conv_step(call, window, 1, channels, filters, Ref("packed", 0, 4 * floats), at, fields))
        parts.append(np.ix_(*(phase.taps for phase in phases)))
        floats += panel_floats(math.prod(taps) * channels, filters, isa)

    def pack(weights: Array) -> Array:
        turned = np.swapaxes(weights, -1, -2)
        kept = (turned[part] for part in parts)
        matrices = (one.reshape(math.prod(one.shape[:-1]), filters) for one in kept)
        return _joined_panels(matrices, floats + isa.vector, isa)

    name = f"transposed panels {isa.name} {strides} {[[phase.taps for phase in phases] for phases in every]}"
    return Layout(steps, [Pack(name, (1,), pack)])


def _lay_local(call: Call) -> Layout:
    x, kernel, y = call.inputs[0], call.inputs[1], call.outputs[0]
    assert x is not None and kernel is not None
    isa, attrs = call.isa, call.attrs
    size: Any = x.shape[1:-1]
    out: Any = y.shape[1:-1]
    places, k, filters = (dimension(one) for one in kernel.shape)
    ones = (1,) * len(size)
    window = Window(size, out, attrs["size"], attrs["strides"], ones, local_padding(attrs), ones, out)
    batch = dimension(x.shape[0])
    fields = {
        "x": operand(0),
        "w": Ref("packed", 0),
        "y": result(),
        "batch": batch,
        "channels": dimension(x.shape[-1]),
        "filters": filters,
        **_window_fields(window),
        **epilogue_fields(call, 2, 3),
    }
    floats = places * panel_floats(k, filters, isa)
    pack = Pack(f"local panels {isa.name}", (1,), lambda w: _joined_panels(w, floats, isa))
    nanoseconds = 2.0 * batch * places * k * filters / FLOPS_PER_NS[isa.name] + 4.0 * places * k * filters / 10
    return Layout([Step("local_f32", fields, places if batch else 0, nanoseconds, scratch=4 * isa.tile_m * k)], [pack])


ROWS = (
    KernelDef("depthwise_nhwc_f32", "conv", "fma taps", _refuse_depthwise, _lay_depthwise, EPILOGUES),
    KernelDef("conv_nhwc_f32", "conv", "fma k", refuse_weights, _lay_conv, EPILOGUES, STRIDED),
    KernelDef(
        "conv_transpose_nhwc_f32",
        "conv_transpose",
        "fma taps of a phase",
        _refuse_conv_transpose,
        _lay_conv_transpose,
        EPILOGUES,
        STRIDED,
    ),
    KernelDef(
        "locally_connected_f32",
        "locally_connected",
        "fma k",
        refuse_weights,
        _lay_local,
        EPILOGUES - {"bias"},
    ),
)
