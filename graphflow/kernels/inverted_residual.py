"""Kernels of inverted residual blocks: one that keeps to the cache, and the three convolutions one after another.

Both compute every element by the same chain of operations, so which one is taken changes no bit; `FEWEST_PIXELS`
says where the first one pays.
"""

from __future__ import annotations

import math
from typing import Any

from graphflow.kernels.convolution import Window, conv_step, depthwise_step
from graphflow.kernels.layout import (
    Call,
    KernelDef,
    Layout,
    Pack,
    Ref,
    Step,
    act_fields,
    dimension,
    not_float32,
    operand,
    result,
)
from graphflow.kernels.packing import pack_panels
from graphflow.kernels.products import FLOPS_PER_NS
from graphflow.ops.conv import conv_padding
from graphflow.ops.inverted_residual import depthwise_input, parts

X, EXPAND, EXPAND_BIAS, DEPTHWISE, DEPTHWISE_BIAS, PROJECT, BIAS, RESIDUAL = range(8)

FEWEST_PIXELS = {"avx512": 100, "avx2": 400, "base": 400}
"""From how many output pixels on a block is faster as one; below, what it expands stays in the cache anyway, and its
rows are too few to be divided among threads."""

PANEL_BYTES = 40 * 1024
"""How large the ring of one panel of hidden channels may be: it should stay in the first-level cache."""

BAND_PIXELS = 112
"""About how many output pixels a band has, where the ring allows it."""


def _refuse(call: Call) -> str | None:
    for index, what in ((EXPAND, "expands"), (DEPTHWISE, "convolves"), (PROJECT, "projects")):
        if not call.known[index]:
            return f"the kernel that {what} is computed during the run"
    residual = call.inputs[RESIDUAL]
    if residual is not None and residual.shape != call.outputs[0].shape:
        return "the residual is broadcast"
    return not_float32(call)


def _refuse_fused(call: Call) -> str | None:
    reason = _refuse(call)
    if reason is not None:
        return reason
    least = FEWEST_PIXELS[call.isa.name]
    pixels = math.prod(dimension(size) for size in call.outputs[0].shape[1:-1])
    return f"{pixels} pixels of an image, of fewer than {least}, stay in the cache anyway" if pixels < least else None


def _window(call: Call) -> Window:
    x, kernel = call.inputs[X], call.inputs[DEPTHWISE]
    assert x is not None and kernel is not None
    attrs = parts(call.attrs, dimension(kernel.shape[-1]))[1]
    shape: Any = depthwise_input(call.attrs, x, call.inputs[EXPAND]).shape
    taps: Any = kernel.shape[:2]
    out: Any = call.outputs[0].shape[1:-1]
    before = tuple(first for first, _ in conv_padding(attrs, shape, taps))
    return Window(shape[1:-1], out, taps, attrs["strides"], attrs["dilation"], before, (1, 1), out)


def _optional(call: Call, index: int) -> Ref | None:
    return None if call.inputs[index] is None else operand(index)


def _packs(call: Call) -> list[Pack]:
    """The panels of the projection, then those of the expansion, if there is one."""
    isa = call.isa
    packs = [Pack(f"panels {isa.name}", (index,), lambda w: pack_panels(w[0, 0], isa)) for index in (PROJECT, EXPAND)]
    return packs if call.inputs[EXPAND] is not None else packs[:1]


def band_rows(window: Window, panel: int) -> int:
    """How many output rows a band has.

    Args:
        panel: how many hidden channels are made at once.
    """
    reach = (window.kernel[0] - 1) * window.dilation[0] + 1
    rows = max(1, round(BAND_PIXELS / max(window.out[1], 1)))
    row_bytes = 4 * panel * max(window.size[1], 1)
    fitting = (PANEL_BYTES // row_bytes - reach) // window.strides[0] + 1
    return max(1, min(rows, fitting, window.out[0]))


def strip_rows(batch: int, out_h: int, threads: int) -> int:
    """How many output rows an item has: all of an image, unless there are too few images to keep the threads busy.

    A strip begins with rows that the strip above has expanded, too: so there are as few as threads.
    """
    if threads == 1 or batch >= 2 * threads or batch == threads:
        return max(out_h, 1)
    return max(1, -(-out_h // threads))


def _lay_fused(call: Call) -> Layout:
    x, expand, depthwise, y = call.inputs[X], call.inputs[EXPAND], call.inputs[DEPTHWISE], call.outputs[0]
    assert x is not None and depthwise is not None
    isa, window = call.isa, _window(call)
    batch, in_c = dimension(y.shape[0]), dimension(x.shape[-1])
    hidden, out_c = dimension(depthwise.shape[-1]), dimension(y.shape[-1])
    rows = band_rows(window, min(hidden, isa.tile_n))
    strip = strip_rows(batch, window.out[0], call.threads)
    depth = (rows - 1) * window.strides[0] + (window.kernel[0] - 1) * window.dilation[0] + 1
    ring = 0 if expand is None else depth * window.size[1] * hidden
    pixels, inside = window.out[0] * window.out[1], window.size[0] * window.size[1]
    flops = 2.0 * pixels * hidden * (window.kernel[0] * window.kernel[1] + out_c)
    flops += 0 if expand is None else 2.0 * inside * hidden * in_c
    first, middle, last = parts(call.attrs, hidden)
    step = Step(
        leaf="inverted_residual_f32",
        fields={
            "x": operand(X),
            "w_expand": None if expand is None else Ref("packed", 1),
            "bias_expand": _optional(call, EXPAND_BIAS),
            "w_depthwise": operand(DEPTHWISE),
            "bias_depthwise": _optional(call, DEPTHWISE_BIAS),
            "w": Ref("packed", 0),
            "bias": _optional(call, BIAS),
            "residual": _optional(call, RESIDUAL),
            "y": result(),
            "batch": batch,
            "in_c": in_c,
            "hidden": hidden,
            "out_c": out_c,
            **_plane(window),
            "ldx": in_c,
            "ldr": out_c,
            "ldy": out_c,
            "strip": strip,
            "rows": rows,
            **act_fields(first["activation"], "expand_act"),
            **act_fields(middle["activation"], "depthwise_act"),
            **act_fields(last["activation"]),
        },
        items=batch * -(-window.out[0] // strip) if window.out[1] else 0,
        nanoseconds=batch * flops / FLOPS_PER_NS[isa.name],
        scratch=4 * (ring + rows * window.out[1] * hidden),
    )
    return Layout([step], _packs(call))


def _plane(window: Window) -> dict[str, int]:
    """The fields of a window in two dimensions."""
    sizes = {
        "in": window.size,
        "out": window.out,
        "kernel": window.kernel,
        "stride": window.strides,
        "dilation": window.dilation,
        "pad": window.before,
    }
    return {f"{name}_{axis}": size for name, pair in sizes.items() for axis, size in zip("hw", pair, strict=True)}


def _pointwise_window(size: tuple[int, ...]) -> Window:
    ones, zeros = (1, 1), (0, 0)
    return Window(size, size, ones, ones, ones, zeros, ones, size)


def _lay_separate(call: Call) -> Layout:
    x, expand, depthwise, y = call.inputs[X], call.inputs[EXPAND], call.inputs[DEPTHWISE], call.outputs[0]
    assert x is not None and depthwise is not None
    window, batch = _window(call), dimension(y.shape[0])
    in_c, hidden, out_c = dimension(x.shape[-1]), dimension(depthwise.shape[-1]), dimension(y.shape[-1])
    first, middle, last = parts(call.attrs, hidden)
    steps: list[Step] = []
    work = [4 * batch * window.out[0] * window.out[1] * hidden]
    source = operand(X)
    if expand is not None:
        work.append(4 * batch * window.size[0] * window.size[1] * hidden)
        fields = {"bias": _optional(call, EXPAND_BIAS), "residual": None, **act_fields(first["activation"])}
        step = conv_step(call, _pointwise_window(window.size), 1, in_c, hidden, Ref("packed", 1), 0, fields)
        source = step.fields["y"] = Ref("work", 1)
        steps.append(step)
    fields = {
        "x": source,
        "w": operand(DEPTHWISE),
        "bias": _optional(call, DEPTHWISE_BIAS),
        "residual": None,
        "y": Ref("work", 0),
        **act_fields(middle["activation"]),
    }
    steps.append(depthwise_step(call, window, hidden, hidden, fields))
    fields = {
        "bias": _optional(call, BIAS),
        "residual": _optional(call, RESIDUAL),
        **act_fields(last["activation"]),
    }
    step = conv_step(call, _pointwise_window(window.out), 1, hidden, out_c, Ref("packed", 0), 0, fields)
    step.fields["x"] = Ref("work", 0)
    steps.append(step)
    return Layout(steps, _packs(call), work)


GAPS = frozenset((X, RESIDUAL))
ORDER = "fma k, fma taps, fma k"

ROWS = (
    KernelDef("inverted_residual_nhwc_f32", "inverted_residual", ORDER, _refuse_fused, _lay_fused, strided=GAPS),
    KernelDef("inverted_residual_separate_f32", "inverted_residual", ORDER, _refuse, _lay_separate, strided=GAPS),
)
