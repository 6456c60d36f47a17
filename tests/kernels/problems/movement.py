"""Random movement: joining, cutting, turning, borders, repetition; and masks that bools are folded into."""

from __future__ import annotations

from typing import Any

from graphflow.ops.band import FAR
from problems.draw import VECTORS, Draw
from problems.elements import LENGTHS
from problems.problem import Family, Problem, case

TYPES = ("float32", "float32", "int32", "int64", "bool", "uint8", "float64", "float16")


def _shape(draw: Draw, most: int = 5) -> tuple[int, ...]:
    rank = draw.below(most)
    return (draw.batch(6), *(draw.around(LENGTHS, 60) if draw.chance(0.25) else draw.below(6, 1) for _ in range(rank)))


def concatenate(draw: Draw, kernel: str) -> Problem:
    shape, dtype = _shape(draw), draw.pick(TYPES)
    axis = draw.below(len(shape))
    pieces = []
    for _ in range(draw.below(5, 1)):
        size = draw.around(VECTORS, 30, 0.05)
        pieces.append(draw.x(*shape[:axis], size, *shape[axis + 1 :], dtype=dtype, batch=axis > 0))
    return Problem(case("concatenate", pieces, axis=axis), None, axis > 0)


def split(draw: Draw, kernel: str) -> Problem:
    shape = _shape(draw)
    axis = draw.below(len(shape))
    sizes = tuple(draw.around(VECTORS, 30, 0.05) for _ in range(draw.below(5, 1)))
    x = draw.x(*shape[:axis], sum(sizes), *shape[axis + 1 :], dtype=draw.pick(TYPES), batch=axis > 0)
    return Problem(case("split", (x,), axis=axis, sizes=sizes), None, axis > 0)


def transpose(draw: Draw, kernel: str) -> Problem:
    shape = _shape(draw, 7) if draw.chance(0.5) else tuple(draw.around((4, 8, 16), 70) for _ in range(draw.below(4, 1)))
    axes = tuple(draw.rng.permutation(len(shape)).tolist())
    if draw.chance(0.5):
        axes = (0, *(axis for axis in axes if axis))
    return Problem(case("transpose", (draw.x(*shape, dtype=draw.pick(TYPES)),), axes=axes), None, axes[0] == 0)


def flip(draw: Draw, kernel: str) -> Problem:
    shape = _shape(draw, 7)
    axes = tuple(axis for axis in range(len(shape)) if draw.chance(0.5))
    return Problem(case("flip", (draw.x(*shape, dtype=draw.pick(TYPES)),), axes=axes), None, 0 not in axes)


def _key(draw: Draw, size: int) -> Any:
    if size and draw.chance(0.25):
        return draw.below(2 * size) - size
    ends = [None if draw.chance(0.4) else draw.below(2 * size + 3) - size - 1 for _ in range(2)]
    return (*ends, draw.pick((None, 1, 2, 3, -1, -2)))


def getitem(draw: Draw, kernel: str) -> Problem:
    shape = _shape(draw, 6)
    key = ((None, None, None), *(_key(draw, size) for size in shape[1:]))
    if draw.chance(0.2):
        key = (_key(draw, shape[0]), *key[1:])
    return Problem(
        case("getitem", (draw.x(*shape, dtype=draw.pick(TYPES)),), key=key), None, key[0] == (None, None, None)
    )


def pad(draw: Draw, kernel: str) -> Problem:
    shape, dtype = _shape(draw), draw.pick(TYPES)
    amounts = tuple((draw.below(4), draw.below(4)) if draw.chance(0.5) else (0, 0) for _ in shape)
    if draw.chance(0.7):
        amounts = ((0, 0), *amounts[1:])
    value = draw.pick((0, 1, 7)) if dtype != "bool" else draw.chance(0.5)
    if dtype.startswith("float"):
        value = draw.pick((0.0, -1.5, float("inf"), float("-inf")))
    return Problem(
        case("pad", (draw.x(*shape, dtype=dtype),), amounts=amounts, value=value), None, amounts[0] == (0, 0)
    )


def repeat(draw: Draw, kernel: str) -> Problem:
    shape = _shape(draw, 6)
    axis = draw.below(len(shape))
    x = draw.x(*shape, dtype=draw.pick(TYPES))
    return Problem(case("repeat", (x,), repeats=draw.below(5, 1), axis=axis), None, axis > 0)


def band(draw: Draw, kernel: str) -> Problem:
    rows, columns = (draw.around(LENGTHS, 90) for _ in range(2))
    low = draw.pick((-FAR, -2, -1, 0, 1, draw.below(20) - 10))
    high = draw.pick((FAR, 0, 1, draw.below(20) - 5))
    inputs = (draw.x(2, rows, batch=False), draw.x(columns, 1, batch=False))
    return Problem(case("band", inputs, row_axis=1, column_axis=0, low=low, high=high), None, False)


def hold(draw: Draw, kernel: str) -> Problem:
    shape = _shape(draw)
    first = draw.below(len(shape))
    axes = tuple(range(first, draw.below(len(shape) + 1, first + 1)))
    return Problem(case(kernel, (draw.x(*shape, dtype="bool"),), axes=axes, keepdims=draw.chance(0.5)), None, first > 0)


FAMILIES = {
    "concatenate": Family(concatenate),
    "split": Family(split),
    "transpose": Family(transpose),
    "flip": Family(flip),
    "getitem": Family(getitem),
    "pad": Family(pad),
    "repeat": Family(repeat),
    "band": Family(band),
    "any": Family(hold),
    "all": Family(hold),
}
