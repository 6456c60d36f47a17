"""Where tensors leave and reach boxes, and by which points their lines go."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphflow.inspect.layout.arrange import Net
from graphflow.inspect.layout.distances import BAND_GAP, PORT_GAP
from graphflow.inspect.layout.rows import links_of
from graphflow.inspect.layout.sizes import Layout, member_size, turned
from graphflow.inspect.layout.tree import Group

Point = tuple[float, float]


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


def wire_of(layout: Layout, group: Group, net: Net, left: float, top: float) -> Wire:
    """The lines of one tensor in an open group, whose left upper corner is given."""
    made, filled = layout.arranged[group], layout.filled[group]
    wire = Wire(net.key)

    def at(across: float, along: float) -> Point:
        x, y = turned((across, along), layout.down)
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
    across, along = turned(member_size(layout, member), layout.down)
    y = filled.top[row] + (filled.height[row] + (-along if arrives else along)) / 2
    if isinstance(member, Group) and member in layout.open:
        inner = layout.inside[member]
        port = (inner.entries if arrives else inner.exits)[key]
        within = layout.arranged[member]
        x += within.x[port] + layout.filled[member].shift[within.row[port]] - across / 2
    return x, y
