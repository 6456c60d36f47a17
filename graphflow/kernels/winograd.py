"""Winograd's minimal filtering for 3x3 and d x 3 x 3 convolutions of stride 1: when it is chosen, weights and blocks.

F(4x4, 3x3) makes 16 outputs with 36 multiplications for each pair of channels instead of 144, F(2x2, 3x3) makes 4 with
16 instead of 36; both add the work of their transforms, and more weights to read. Volumes are transformed slice by
slice, and the taps of the depth are summed between the transforms. The price is accuracy: the error is relative to the
largest pixels nearby. Against float64, for normal pixels behind a ReLU and He weights (`direct` is one chain of
9 * in_c or 27 * in_c sums, which is why F(2x2) with its shorter chains does better):

                     largest error / largest output       root mean square, relative
    3x3, in_c        64       256      512                64       256      512
    direct           7.7e-7   1.2e-6   1.8e-6             3.0e-7   5.9e-7   8.3e-7
    F(2x2)           2.9e-7   6.6e-7   7.2e-7             2.2e-7   4.3e-7   5.9e-7
    F(4x4)           1.3e-6   2.8e-6   3.3e-6             6.7e-7   1.2e-6   1.7e-6

    3x3x3, in_c      64       128      256                64       128      256
    direct           9.9e-7   1.6e-6   2.1e-6             4.7e-7   6.6e-7   9.4e-7
    F(2x2)           4.2e-7   6.2e-7   9.3e-7             3.6e-7   4.9e-7   6.9e-7
    F(4x4)           1.9e-6   2.9e-6   3.8e-6             1.1e-6   1.5e-6   2.0e-6

`graphflow.config.set_precision("strict")` leaves them out, `set_winograd_memory` bounds what their weights take.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphflow.kernels.isa import Isa
from graphflow.kernels.layout import Array, Call, KernelDef, Layout, Pack, Ref, Step, dimension, operand, result
from graphflow.kernels.packing import pack_panels, packed_memory, panel_floats
from graphflow.kernels.products import (
    EPILOGUES,
    FLOPS_PER_NS,
    RESIDUAL,
    STRIDED,
    epilogue_fields,
    refuse_weights,
    spatial_fields,
)
from graphflow.ops.conv import conv_padding

POINTS = {4: (0.0, 0.75, -0.75, 1.5, -1.5), 2: (0.0, 1.0, -1.0)}
BOUND_FLOATS = 16
"""Floats before the transformed weights, of which the first is the bound of `winograd.h`; it keeps them on a line."""
MOST_SCRATCH = 12 << 20
CACHE = 1 << 20
"""Bytes of both buffers that stay in the second-level cache of a core."""
FEWEST_PLACES = 7
"""Places that a block of many slices has; fewer make short products at the ends of the volume."""


class Costs(NamedTuple):
    """Guesses of one thread's times on an instruction set, in nanoseconds.

    Args:
        product: one multiply-add of a long product.
        start: starting and ending an element of a product, in multiply-adds.
        weight: reading a weight that is in no cache of the core.
        transform: both transforms of a tile, for one channel of the input or the output, by the tile's side.
        channels: the fewest of the input with which it pays, as most of a vector would be empty with fewer.
    """

    product: float
    start: float
    weight: float
    transform: dict[int, float]
    channels: int


COSTS = {
    "avx512": Costs(0.0118, 6.0, 0.18, {2: 1.5, 4: 5.5}, 8),
    "avx2": Costs(0.0225, 4.0, 0.2, {2: 1.7, 4: 7.5}, 3),
    "base": Costs(0.0750, 4.0, 0.2, {2: 3.5, 4: 15.0}, 3),
}
LEFT_OUT = {
    "strict": "the precision is strict",
    "bounded": "winograd_memory leaves no place for its weights",
}
"""Precisions that leave them out, and why."""
WORTH = 0.9
"""The largest part of the direct kernel's time that is worth the loss of accuracy."""


class Shape(NamedTuple):
    """What the rule knows of a layer: channels, taps of the depth (1 for an image), and the output of one sample."""

    in_c: int
    out_c: int
    kernel_d: int
    out: tuple[int, int, int]


def shape_of(in_c: int, out_c: int, out: Sequence[int], kernel_d: int = 1) -> Shape:
    """`out` may be of an image or a volume."""
    depth, height, width = (1,) * (3 - len(out)) + tuple(out)
    return Shape(in_c, out_c, kernel_d, (depth, height, width))


def _places(shape: Shape, tile: int) -> int:
    """The tiles of one slice."""
    return -(-shape.out[1] // tile) * -(-shape.out[2] // tile)


def cost(tile: int, shape: Shape, isa: Isa) -> float:
    """The guessed time of one sample for each pair of channels; tile 0 is the direct kernel."""
    guess, taps = COSTS[isa.name], shape.kernel_d
    if tile == 0:
        k = 9 * taps * shape.in_c
        return 9 * taps * (guess.weight + math.prod(shape.out) * guess.product * (1 + guess.start / k))
    tiles = shape.out[0] * _places(shape, tile)
    products = taps * guess.weight + tiles * guess.product * (taps + guess.start / shape.in_c)
    return (tile + 2) ** 2 * products + tiles * guess.transform[tile] * (1 / shape.in_c + 1 / shape.out_c)


def best_tile(shape: Shape, isa: Isa) -> int:
    """4, 2, or 0 for the direct kernel: the static rule, on the layer's shape for one sample alone."""
    if shape.in_c < COSTS[isa.name].channels:
        return 0
    two, four = (cost(tile, shape, isa) for tile in (2, 4))
    if min(two, four) > WORTH * cost(0, shape, isa):
        return 0
    return 2 if two <= four else 4


def _shape(call: Call) -> Shape:
    kernel: Any = call.inputs[1]
    out: Any = call.outputs[0].shape
    return shape_of(kernel.shape[-2], kernel.shape[-1], out[1:-1], math.prod(kernel.shape[:-4]))


def _refuses_window(kernel: Sequence[int | None] | None, attrs: dict[str, Any]) -> str | None:
    if kernel is None or len(kernel) < 4 or tuple(kernel[-4:-2]) != (3, 3) or attrs["groups"] != 1:
        return "not a 3x3 or d x 3 x 3 convolution of one group"
    return "strided or dilated" if max(attrs["strides"]) > 1 or max(attrs["dilation"]) > 1 else None


class Surplus(NamedTuple):
    """What Winograd's method asks of a layer and gives: bytes beyond the direct weights, nanoseconds of a sample."""

    size: int
    gain: float


def surplus(
    kernel: Sequence[int | None], out: Sequence[int | None], attrs: dict[str, Any], isa: Isa, held: bool, alone: bool
) -> Surplus | None:
    """The surplus of a layer; None where the direct kernel is taken whatever happens.

    Args:
        kernel: the shape of its weights.
        out: the output of one sample without channels. Where a size is open either tile may be chosen, and both
            counted; for the gain it is taken as 64.
        held: whether the weights as they came are kept besides, for pixels that the transforms can not take.
        alone: whether no other layer has these weights, so that the direct panels are not needed.
    """
    if _refuses_window(kernel, attrs) is not None or None in kernel:
        return None
    in_c, out_c, taps = dimension(kernel[-2]), dimension(kernel[-1]), math.prod(map(dimension, kernel[:-4]))
    shape = shape_of(in_c, out_c, [64 if size is None else size for size in out], taps)
    best, fixed = best_tile(shape, isa), None not in out
    if in_c < COSTS[isa.name].channels or (fixed and not best):
        return None
    tiles = (best,) if fixed else tuple(POINTS)
    size = sum(4 * winograd_floats(taps * in_c, out_c, tile, chunk_of(out_c, isa), isa) for tile in tiles)
    size += 4 * 9 * taps * in_c * out_c if held else 0
    size -= 4 * panel_floats(9 * taps * in_c, out_c, isa) if fixed and alone else 0
    return Surplus(max(size, 0), in_c * out_c * (cost(0, shape, isa) - cost(best, shape, isa)))


def _refuse(tile: int) -> Callable[[Call], str | None]:
    def refuses(call: Call) -> str | None:
        kernel = call.inputs[1]
        reason = _refuses_window(None if kernel is None else kernel.shape, call.attrs) or LEFT_OUT.get(call.precision)
        if reason is not None or kernel is None:
            return reason
        if 0 in call.outputs[0].shape[1:] or kernel.shape[-2] == 0:
            return "no elements"
        reason = refuse_weights(call)
        if reason is not None:
            return reason
        best = best_tile(_shape(call), call.isa)
        return None if best == tile else f"{f'{best}x{best} tiles' if best else 'the direct kernel'} should be faster"

    return refuses


def weight_transform(tile: int) -> Array:
    """The (tile + 2, 3) matrix that takes three weights to their frequencies."""
    points = POINTS[tile]
    rows = [[p**i / math.prod(p - q for q in points if q != p) for i in range(3)] for p in points]
    return np.array([*rows, [0.0, 0.0, 1.0]])


def _growth(tile: int) -> float:
    """How much larger than pixels times weights a number on the way can become."""
    points = POINTS[tile]
    ahead = max(math.prod(1.0 + abs(q) for q in points if q != p) for p in points)
    back = max(sum(abs(p) ** i for p in points) + 1.0 for i in range(tile))
    return float(ahead * back) ** 2


def transform_weights(kernel: Array, tile: int, chunk: int, isa: Isa) -> Array:
    """(kernel_d, 3, 3, in_c, out_c) to the bound and, chunk by chunk of columns, the panels of each frequency."""
    matrix = weight_transform(tile)
    in_c, out_c = kernel.shape[0] * kernel.shape[-2], kernel.shape[-1]
    packed, at, largest = packed_memory(winograd_floats(in_c, out_c, tile, chunk, isa)), BOUND_FLOATS, 1.0
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, out_c, chunk):
            part = kernel[..., start : start + chunk].astype(np.float64)
            size = panel_floats(in_c, part.shape[-1], isa)
            for row in matrix:
                high = sum(row[i] * part[:, i] for i in range(3))
                for column in matrix:
                    frequency = sum(column[j] * high[:, j] for j in range(3)).reshape(in_c, -1)
                    largest = np.maximum(largest, np.abs(frequency).sum(0).max())
                    pack_panels(frequency.astype(np.float32), isa, packed[at : at + size])
                    at += size
            largest = np.maximum(largest, np.abs(part).sum((0, 1, 2, 3)).max())
        packed[:BOUND_FLOATS] = 0
        packed[0] = 4.0 * _growth(tile) * largest
    return packed


def chunk_of(out_c: int, isa: Isa) -> int:
    """How many columns are transformed and multiplied together."""
    return 128 if out_c >= 256 else min(64, -(-out_c // isa.tile_n) * isa.tile_n)


def winograd_floats(in_c: int, out_c: int, tile: int, chunk: int, isa: Isa) -> int:
    """How many floats the transformed weights have; `in_c` times the taps of the depth."""
    widths = [min(chunk, out_c - start) for start in range(0, out_c, chunk)]
    return BOUND_FLOATS + (tile + 2) ** 2 * sum(panel_floats(in_c, width, isa) for width in widths)


class Blocks(NamedTuple):
    """What one item takes: places, output slices and columns; `most`: places in an item of a smaller batch, at most."""

    places: int
    slices: int
    columns: int
    most: int


def blocks(places: int, shape: Shape, tile: int, chunk: int, threads: int) -> Blocks:
    """How much one item takes, of `places` tiles in each slice of the whole batch.

    More tiles read the weights less often, fewer keep the buffers in the cache. Neighbouring slices share input slices,
    so a block of a volume takes many of them and few places, and all that the cache holds. Threads share blocks if
    there are enough, else columns, which costs transforming the input again.
    """
    in_c, out_c = shape.in_c, shape.out_c
    size = 4 * (tile + 2) ** 2 * (in_c + chunk)
    held = CACHE // size if shape.out[0] > 1 else 0
    most = min(112, max(28, shape.kernel_d * in_c // 3, held), max(14, MOST_SCRATCH // size))
    deep = -(-shape.out[0] // max(1, most // FEWEST_PLACES))
    slices = -(-shape.out[0] // deep)
    most = max(1, most // slices)
    count = max(1, (2 * places + most) // (2 * most))
    if count * deep > threads:
        each = threads // math.gcd(threads, deep)
        count = -(-count // each) * each
    across = 1 if count * deep >= threads else -(-threads // (count * deep))
    chunks = -(-out_c // chunk)
    if across > chunks:
        count, across = min(threads, places), 1
    return Blocks(-(-places // count), slices, -(-chunks // across) * chunk, min(places, most * 3 // 2 + 1))


def _three(sizes: Sequence[int]) -> Sequence[int]:
    return (*(1,) * (3 - len(sizes)), *sizes)


def _lay(tile: int) -> Callable[[Call], Layout]:
    def lay(call: Call) -> Layout:
        x: Any = call.inputs[0]
        kernel: Any = call.inputs[1]
        isa, shape = call.isa, _shape(call)
        in_c, out_c, taps = shape.in_c, shape.out_c, shape.kernel_d
        batch, size = x.shape[0], _three(x.shape[1:-1])
        padding = [before for before, _ in conv_padding(call.attrs, x.shape, kernel.shape[:-2])]
        pad_d, pad_h, pad_w = (*(0,) * (3 - len(padding)), *padding)
        if taps == 1 and pad_d == 0 and shape.out[0] == size[0]:
            batch, size, shape = batch * size[0], (1, *size[1:]), shape._replace(out=(1, *shape.out[1:]))
        places = batch * _places(shape, tile)
        chunk = chunk_of(out_c, isa)
        block = blocks(max(1, places), shape, tile, chunk, call.threads)
        fields = {
            "x": operand(0),
            "kernel": operand(1),
            "w": Ref("packed", 0, 4 * BOUND_FLOATS),
            "bound": Ref("packed", 0),
            "y": result(),
            "batch": batch,
            "in_c": in_c,
            "out_c": out_c,
            **spatial_fields("in", size),
            **spatial_fields("out", shape.out),
            "kernel_d": taps,
            "pad_d": pad_d,
            "pad_h": pad_h,
            "pad_w": pad_w,
            "ldx": in_c,
            "ldr": out_c,
            "ldy": out_c,
            "tile": tile,
            "chunk": chunk,
            "block_d": block.slices,
            "block_m": block.places,
            "block_n": block.columns,
            **epilogue_fields(call, 2, 3),
        }
        row, extent = -(-in_c // isa.vector) * isa.vector, block.slices + taps - 1
        floats = (tile + 2) ** 2 * (block.most * (extent * row + block.slices * chunk) + 32)
        step = Step(
            leaf="winograd_f32",
            fields=fields,
            items=-(-places // block.places) * -(-shape.out[0] // block.slices) * -(-out_c // block.columns),
            nanoseconds=2.0 * places * shape.out[0] * (tile + 2) ** 2 * taps * in_c * out_c / FLOPS_PER_NS[isa.name],
            scratch=4 * (floats + (9 * taps + 1) * row + block.most * extent),
        )
        name = f"winograd {tile} {chunk} {isa.name}"
        pack = Pack(name, (1,), lambda w: transform_weights(w.reshape(-1, *w.shape[-4:]), tile, chunk, isa))
        return Layout([step], [pack], in_place=RESIDUAL)

    return lay


ROWS = tuple(
    KernelDef(
        f"winograd{tile}x{tile}_nhwc_f32",
        "conv",
        f"winograd {tile}x{tile} fma c",
        _refuse(tile),
        _lay(tile),
        EPILOGUES,
        STRIDED,
    )
    for tile in (4, 2)
)
