"""Winograd's minimal filtering for 3x3 convolutions of stride 1: the rule of when it is chosen, weights and blocks.

F(4x4, 3x3) makes 16 outputs with 36 multiplications for each pair of channels instead of 144, F(2x2, 3x3) makes 4 with
16 instead of 36; both add the work of their transforms, and more weights to read. Their price is accuracy: the error is
relative to the largest pixels nearby. Against float64, for normal pixels behind a ReLU and He weights (`direct` is one
chain of 9 * in_c sums, which is why F(2x2) with its shorter chains does better):

               largest error / largest output        root mean square, relative
    in_c       64       256      512                 64       256      512
    direct     7.7e-7   1.2e-6   1.8e-6              3.0e-7   5.9e-7   8.3e-7
    F(2x2)     2.9e-7   6.6e-7   7.2e-7              2.2e-7   4.3e-7   5.9e-7
    F(4x4)     1.3e-6   2.8e-6   3.3e-6              6.7e-7   1.2e-6   1.7e-6

`graphflow.config.set_precision("strict")` leaves them out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from graphflow.kernels.isa import Isa
from graphflow.kernels.layout import Array, Call, KernelDef, Layout, Pack, Ref, Step, operand, pack_panels, result
from graphflow.kernels.products import EPILOGUES, FLOPS_PER_NS, STRIDED, epilogue_fields, refuse_weights
from graphflow.ops.conv import conv_padding

POINTS = {4: (0.0, 0.75, -0.75, 1.5, -1.5), 2: (0.0, 1.0, -1.0)}
BOUND_FLOATS = 16
"""Floats before the transformed weights, of which the first is the bound of `winograd.h`; it keeps them on a line."""
MOST_SCRATCH = 12 << 20


class Costs(NamedTuple):
    """Guesses of one thread's times on an instruction set, in nanoseconds.

    Args:
        product: one multiply-add of a long product.
        start: starting and ending an element of a product, in multiply-adds.
        weight: reading a weight that is in no cache of the core.
        transform: both transforms of a tile, for one channel of the input or the output, by the tile's side.
    """

    product: float
    start: float
    weight: float
    transform: dict[int, float]


COSTS = {
    "avx512": Costs(0.0118, 6.0, 0.18, {2: 1.5, 4: 5.5}),
    "avx2": Costs(0.0225, 4.0, 0.2, {2: 1.7, 4: 7.5}),
    "base": Costs(0.0750, 4.0, 0.2, {2: 3.5, 4: 15.0}),
}
WORTH = 0.9
"""The largest part of the direct kernel's time that is worth the loss of accuracy."""


def _tiles(out: tuple[int, int], tile: int) -> int:
    return -(-out[0] // tile) * -(-out[1] // tile)


def cost(tile: int, in_c: int, out_c: int, out: tuple[int, int], isa: Isa) -> float:
    """The guessed time of one image for each pair of channels; tile 0 is the direct kernel."""
    guess = COSTS[isa.name]
    if tile == 0:
        return 9 * (guess.weight + math.prod(out) * guess.product * (1 + guess.start / (9 * in_c)))
    products = guess.weight + _tiles(out, tile) * guess.product * (1 + guess.start / in_c)
    return (tile + 2) ** 2 * products + _tiles(out, tile) * guess.transform[tile] * (1 / in_c + 1 / out_c)


def best_tile(in_c: int, out_c: int, out: tuple[int, int], isa: Isa) -> int:
    """4, 2, or 0 for the direct kernel: the static rule, on the layer's shape for one image alone."""
    two, four = (cost(tile, in_c, out_c, out, isa) for tile in (2, 4))
    if min(two, four) > WORTH * cost(0, in_c, out_c, out, isa):
        return 0
    return 2 if two <= four else 4


def _sizes(call: Call) -> tuple[int, int, tuple[int, int]]:
    kernel: Any = call.inputs[1]
    out: Any = call.outputs[0].shape
    return kernel.shape[2], kernel.shape[3], out[1:3]


def _refuse(tile: int) -> Callable[[Call], str | None]:
    def refuses(call: Call) -> str | None:
        kernel, attrs = call.inputs[1], call.attrs
        if kernel is None or kernel.shape[:-2] != (3, 3) or attrs["groups"] != 1:
            return "not a 3x3 convolution of one group"
        if max(attrs["strides"]) > 1 or max(attrs["dilation"]) > 1:
            return "strided or dilated"
        if call.precision == "strict":
            return "the precision is strict"
        if 0 in call.outputs[0].shape[1:] or kernel.shape[2] == 0:
            return "no elements"
        reason = refuse_weights(call)
        if reason is not None:
            return reason
        best = best_tile(*_sizes(call), call.isa)
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
    """(3, 3, in_c, out_c) to the bound and, chunk by chunk of columns, the panels of each frequency."""
    matrix = weight_transform(tile)
    parts, largest = [np.zeros(BOUND_FLOATS, np.float32)], 1.0
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, kernel.shape[3], chunk):
            part = kernel[..., start : start + chunk].astype(np.float64)
            high = [sum(row[i] * part[i] for i in range(3)) for row in matrix]
            for p, q in np.ndindex(tile + 2, tile + 2):
                frequency = sum(matrix[q, j] * high[p][j] for j in range(3))
                largest = np.maximum(largest, np.abs(frequency).sum(0).max())
                parts.append(pack_panels(frequency.astype(np.float32), isa))
            largest = np.maximum(largest, np.abs(part).sum((0, 1, 2)).max())
        parts[0][0] = 4.0 * _growth(tile) * largest
    return np.concatenate(parts)


def blocks(tiles: int, tile: int, in_c: int, out_c: int, chunk: int, threads: int) -> tuple[int, int, int]:
    """How many tiles and columns one item takes, and how many tiles at most in a smaller batch.

    More tiles read the weights less often, fewer keep the buffers in the cache. Threads share tiles if there are
    enough, else columns, which costs transforming the input again.
    """
    most = min(112, max(28, in_c // 3), max(14, MOST_SCRATCH // (4 * (tile + 2) ** 2 * (in_c + chunk))))
    count = max(1, (2 * tiles + most) // (2 * most))
    if count > threads:
        count = -(-count // threads) * threads
    across = 1 if count >= threads else -(-threads // count)
    chunks = -(-out_c // chunk)
    if across > chunks:
        count, across = min(threads, tiles), 1
    return -(-tiles // count), -(-chunks // across) * chunk, min(tiles, most * 3 // 2 + 1)


def _lay(tile: int) -> Callable[[Call], Layout]:
    def lay(call: Call) -> Layout:
        x: Any = call.inputs[0]
        isa = call.isa
        in_c, out_c, out = _sizes(call)
        batch, height, width = x.shape[:3]
        tiles = batch * _tiles(out, tile)
        chunk = 128 if out_c >= 256 else min(64, -(-out_c // isa.tile_n) * isa.tile_n)
        block_m, block_n, most = blocks(max(1, tiles), tile, in_c, out_c, chunk, call.threads)
        (pad_h, _), (pad_w, _) = conv_padding(call.attrs, x.shape, (3, 3))
        fields = {
            "x": operand(0),
            "kernel": operand(1),
            "w": Ref("packed", 0, 4 * BOUND_FLOATS),
            "bound": Ref("packed", 0),
            "y": result(),
            "batch": batch,
            "in_c": in_c,
            "out_c": out_c,
            "in_h": height,
            "in_w": width,
            "out_h": out[0],
            "out_w": out[1],
            "pad_h": pad_h,
            "pad_w": pad_w,
            "ldx": in_c,
            "ldr": out_c,
            "ldy": out_c,
            "tile": tile,
            "chunk": chunk,
            "block_m": block_m,
            "block_n": block_n,
            **epilogue_fields(call, 2, 3),
        }
        row = -(-in_c // isa.vector) * isa.vector
        step = Step(
            leaf="winograd_f32",
            fields=fields,
            items=-(-tiles // block_m) * -(-out_c // block_n),
            nanoseconds=2.0 * tiles * (tile + 2) ** 2 * in_c * out_c / FLOPS_PER_NS[isa.name],
            scratch=4 * ((tile + 2) ** 2 * (most * (row + chunk) + 32) + 10 * row + most),
        )
        name = f"winograd {tile} {chunk} {isa.name}"
        return Layout([step], [Pack(name, (1,), lambda w: transform_weights(w, tile, chunk, isa))])

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
