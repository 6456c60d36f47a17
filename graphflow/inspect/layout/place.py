"""Where everything is drawn: sizes from the inside out, positions from the outside in.

A drawing has two directions: "along" the way of the tensors (downwards, or to the right) and "across" it. A group that
is open is a box around its members; long rows of rows are broken into bands that stand side by side, where only one
tensor goes from one to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from graphflow.inspect.graphs.data import GraphData
from graphflow.inspect.layout.arrange import Arranged, Net, arrange
from graphflow.inspect.layout.nets import Inside, nets_of
from graphflow.inspect.layout.tree import Group

ROW_GAP, PORT_GAP, SLANT, MOST_SLANT = 26.0, 16.0, 0.045, 70.0
BAND_GAP, BAND_LEAST, BAND_SHAPE = 46.0, 1500.0, 0.7
HEADER, PADDING = 26.0, 14.0
MARGIN = 24.0

Size = tuple[float, float]
Point = tuple[float, float]


class Box(NamedTuple):
    """A rectangle: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float


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


@dataclass(slots=True)
class Link:
    """A line between two rows: points of a curve, or of a line with corners from one band to the next."""

    points: list[Point]
    kind: str


@dataclass(slots=True)
class Wire:
    """A tensor as it is drawn inside one group: its lines, and where arrows end."""

    key: tuple[int, int]
    links: list[Link] = field(default_factory=list)
    ends: list[Point] = field(default_factory=list)


@dataclass(slots=True)
class Drawing:
    """A placed graph.

    Attributes:
        boxes: of the nodes that are seen, by position; groups: of the groups that are seen, the outer first.
        open: which groups show what is in them.
        wires: the tensors.
        down: whether tensors go downwards, else to the right.
    """

    size: Size
    boxes: dict[int, Box]
    groups: dict[Group, Box]
    open: set[Group]
    wires: list[Wire]
    down: bool


@dataclass(slots=True)
class Layout:
    """Everything that is known before it is decided what is open: the groups, their nets and rows."""

    root: Group
    inside: dict[Group, Inside]
    arranged: dict[Group, Arranged]
    filled: dict[Group, Filled]
    sizes: dict[Group, Size]
    node_sizes: Sequence[Size]
    open: set[Group]
    down: bool


def lay_out(
    data: GraphData,
    root: Group,
    node_sizes: Sequence[Size],
    closed_sizes: dict[Group, Size],
    down: bool = True,
) -> Layout:
    """Give every group its rows and sizes.

    Args:
        node_sizes: width and height of each node.
        closed_sizes: of the groups that are drawn as one box; all others are open.
        down: whether tensors go downwards, else to the right.
    """
    inside = nets_of(data, root)
    groups = list(root.walk())
    layout = Layout(root, inside, {}, {}, {}, node_sizes, {one for one in groups if one not in closed_sizes}, down)
    for group in reversed(groups):
        members = [_turned(_member_size(layout, member), down) for member in group.members]
        held = inside[group]
        made = arrange([across for across, _ in members], held.nets, len(held.entries), len(held.exits))
        layout.arranged[group] = made
        layout.filled[group] = fill(made, members, group is not root, down)
        layout.sizes[group] = closed_sizes.get(group, _turned(layout.filled[group].size, down))
    return layout


def _member_size(layout: Layout, member: int | Group) -> Size:
    return layout.sizes[member] if isinstance(member, Group) else layout.node_sizes[member]


def _turned(size: Size, down: bool) -> Size:
    return size if down else (size[1], size[0])


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
    if total <= 1.3 * most:
        return []
    allowed = [row for row in range(1, len(height)) if crossed[row] <= 1 and height[row]]
    found: list[int] = []
    now, start = 0.0, 0
    for row, following in pairwise([*allowed, len(height)]):
        now += sum(height[start:row]) + sum(gap[start:row])
        piece = sum(height[row:following]) + sum(gap[row:following])
        start = row
        if now > BAND_LEAST / 4 and now + piece > most:
            found.append(row)
            now = 0.0
    return found


def draw(layout: Layout) -> Drawing:
    """Positions of everything that is seen."""
    down = layout.down
    boxes: dict[int, Box] = {}
    groups: dict[Group, Box] = {}
    wires: list[Wire] = []
    waiting = [(layout.root, MARGIN, MARGIN)]
    width, height = layout.sizes[layout.root]
    groups[layout.root] = Box(MARGIN, MARGIN, width, height)
    while waiting:
        group, left, top = waiting.pop()
        made, filled = layout.arranged[group], layout.filled[group]
        for item, member in enumerate(group.members):
            across, along = _turned(_member_size(layout, member), down)
            row = made.row[item]
            at = (made.x[item] + filled.shift[row] - across / 2, filled.top[row] + (filled.height[row] - along) / 2)
            x, y = _turned(at, down)
            box = Box(left + x, top + y, *_turned((across, along), down))
            if isinstance(member, Group):
                groups[member] = box
                if member in layout.open:
                    waiting.append((member, box.x, box.y))
            else:
                boxes[member] = box
        wires += [_wire(layout, group, net, left, top) for net in layout.inside[group].nets]
    order = {group: index for index, group in enumerate(layout.root.walk())}
    groups = dict(sorted(groups.items(), key=lambda pair: order[pair[0]]))
    return Drawing((width + 2 * MARGIN, height + 2 * MARGIN), boxes, groups, layout.open, wires, down)


def _wire(layout: Layout, group: Group, net: Net, left: float, top: float) -> Wire:
    made, filled = layout.arranged[group], layout.filled[group]
    wire = Wire(net.key)

    def at(across: float, along: float) -> Point:
        x, y = _turned((across, along), layout.down)
        return left + x, top + y

    for source, target in links_of(net, made.row):
        first, last = made.row[source], made.row[target]
        x0, y0 = _port(layout, group, source, net.key, False)
        x1, y1 = _port(layout, group, target, net.key, True)
        bottom, head = filled.top[first] + filled.height[first], filled.top[last]
        points = [(x0, y0)]
        if filled.band[first] == filled.band[last]:
            kind = "curve"
            middle = (bottom + head) / 2
            points += [(x0, bottom), (x0, middle), (x1, middle), (x1, head)]
        else:
            kind = "corners"
            gutter = filled.right[filled.band[first]] + BAND_GAP / 2
            points += [(x0, bottom + PORT_GAP), (gutter, bottom + PORT_GAP), (gutter, head - PORT_GAP)]
            points += [(x1, head - PORT_GAP)]
        points.append((x1, y1))
        wire.links.append(Link([at(*point) for point in points], kind))
        if target < len(group.members) and not (
            isinstance(group.members[target], Group) and group.members[target] in layout.open
        ):
            wire.ends.append(at(x1, y1))
    return wire


def _port(layout: Layout, group: Group, item: int, key: tuple[int, int], arrives: bool) -> Point:
    """Where a tensor leaves or reaches an item, in the group's coordinates."""
    made, filled = layout.arranged[group], layout.filled[group]
    row, members = made.row[item], group.members
    x = made.x[item] + filled.shift[row]
    if item >= len(members):
        entries = len(layout.inside[group].entries)
        if item < len(members) + entries:
            return x, 0.0
        if item < len(members) + entries + len(layout.inside[group].exits):
            return x, filled.size[1]
        return x, filled.top[row] + filled.height[row]
    member = members[item]
    across, along = _turned(_member_size(layout, member), layout.down)
    y = filled.top[row] + (filled.height[row] + (-along if arrives else along)) / 2
    if isinstance(member, Group) and member in layout.open:
        inner = layout.inside[member]
        keys = inner.entries if arrives else inner.exits
        port = len(member.members) + (0 if arrives else len(inner.entries)) + keys.index(key)
        within = layout.arranged[member]
        x += within.x[port] + layout.filled[member].shift[within.row[port]] - across / 2
    return x, y
