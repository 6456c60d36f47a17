"""Heights of one group's rows, and their bands: long rows of rows are broken where only one tensor goes on.

A drawing has two directions: "along" the way of the tensors (downwards, or to the right) and "across" it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from graphflow.inspect.layout.arrange import Arranged, Net
from graphflow.inspect.layout.distances import (
    BAND_BEGUN,
    BAND_GAP,
    BAND_LEAST,
    BAND_SHAPE,
    BAND_SPARE,
    HEADER,
    MOST_SLANT,
    PADDING,
    PORT_GAP,
    ROW_GAP,
    SLANT,
)

Size = tuple[float, float]


@dataclass(slots=True)
class Filled:
    """A group with heights: where its rows are, in its own coordinates.

    Attributes:
        top, height: of each row, along.
        band, shift: of each row: which band it is in, and what is added to the coordinates of its items.
        right: the far end of each band, across.
        size: across and along, with the border.
    """

    top: list[float]
    height: list[float]
    band: list[int]
    shift: list[float]
    right: list[float]
    size: Size = (0.0, 0.0)


def fill(made: Arranged, members: Sequence[Size], border: bool, down: bool) -> Filled:
    """Heights and bands of a group's rows.

    Args:
        members: sizes, across and along.
        border: whether there is a frame with a title around it.
    """
    count = len(made.rows)
    height = [0.0] * count
    for item, (_, along) in enumerate(members):
        height[made.row[item]] = max(height[made.row[item]], along)
    gap = _gaps(made, len(members), count)
    lowest = [min((made.x[one] - _half(one, members) for one in items), default=0.0) for items in made.rows]
    highest = [max((made.x[one] + _half(one, members) for one in items), default=0.0) for items in made.rows]
    first = (HEADER + PADDING / 2 if down else PADDING) if border else 0.0
    side = (PADDING, PADDING if down else HEADER + PADDING / 2) if border else (0.0, 0.0)
    starts = [0, *_bands(height, gap, made.crossed, lowest, highest), count]
    filled = Filled([0.0] * count, height, [0] * count, [0.0] * count, [])
    across, deepest = side[1], first
    for band, (start, end) in enumerate(pairwise(starts)):
        low, high = min(lowest[start:end], default=0.0), max(highest[start:end], default=0.0)
        now = first
        for row in range(start, end):
            now += gap[row] if row > start else 0.0
            filled.top[row], filled.band[row], filled.shift[row] = now, band, across - low
            now += height[row]
        across += high - low
        filled.right.append(across)
        across += BAND_GAP
        deepest = max(deepest, now)
    filled.size = (across - BAND_GAP + side[0], deepest + (PADDING if border else 0.0))
    return filled


def _half(item: int, members: Sequence[Size]) -> float:
    return members[item][0] / 2 if item < len(members) else 0.0


def _gaps(made: Arranged, members: int, count: int) -> list[float]:
    """The distance before each row: more where lines go far to the side."""
    slant = [0.0] * (count + 1)
    for net in made.nets:
        for source, target in links_of(net, made.row):
            row = made.row[target]
            if row - made.row[source] == 1:
                slant[row] = max(slant[row], abs(made.x[source] - made.x[target]))
    gap = [ROW_GAP + min(SLANT * one, MOST_SLANT) for one in slant[:count]]
    for row, items in enumerate(made.rows):
        if items and min(items) >= members:
            neighbours = made.rows[row + 1 : row + 2] if row == 0 else [items]
            if neighbours:
                at = row + 1 if row == 0 else row
                if at < count:
                    gap[at] = min(gap[at], PORT_GAP + min(SLANT * slant[at], MOST_SLANT))
    return gap


def links_of(net: Net, row: Sequence[int]) -> list[tuple[int, int]]:
    """The lines of a net, as pairs of items."""
    way = [net.source, *net.bends]
    ends = [(way[0] if net.far else way[row[target] - row[net.source] - 1], target) for target in net.targets]
    return [*pairwise(way), *ends]


def _bands(
    height: Sequence[float],
    gap: Sequence[float],
    crossed: Sequence[int],
    lowest: Sequence[float],
    highest: Sequence[float],
) -> list[int]:
    """The rows that begin a further band.

    The drawing as a whole wanders to the side, so it is wider than its bands: their mean width is taken once they are
    known, and they are made again.
    """
    width = max(highest, default=0.0) - min(lowest, default=0.0)
    found = _breaks(height, gap, crossed, width)
    if not found:
        return found
    bands = pairwise([0, *found, len(height)])
    widths = [max(highest[start:end]) - min(lowest[start:end]) for start, end in bands]
    return _breaks(height, gap, crossed, sum(widths) / len(widths))


def _breaks(height: Sequence[float], gap: Sequence[float], crossed: Sequence[int], width: float) -> list[int]:
    """The rows that begin a further band, if bands are so wide."""
    total = sum(height) + sum(gap[1:])
    most = max(BAND_LEAST, (total * (width + BAND_GAP) * BAND_SHAPE) ** 0.5)
    if total <= BAND_SPARE * most:
        return []
    allowed = [row for row in range(1, len(height)) if crossed[row] <= 1 and height[row]]
    found: list[int] = []
    now, start = 0.0, 0
    for row, following in pairwise([*allowed, len(height)]):
        now += sum(height[start:row]) + sum(gap[start:row])
        piece = sum(height[row:following]) + sum(gap[row:following])
        start = row
        if now > BAND_LEAST * BAND_BEGUN and now + piece > most:
            found.append(row)
            now = 0.0
    return found
