"""Where everything is drawn: positions, from the outside in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from graphflow.inspect.layout.distances import MARGIN
from graphflow.inspect.layout.rows import Size
from graphflow.inspect.layout.sizes import Layout, member_size, turned
from graphflow.inspect.layout.tree import Group
from graphflow.inspect.layout.wires import Wire, wire_of


class Box(NamedTuple):
    """A rectangle: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float


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
            across, along = turned(member_size(layout, member), down)
            row = made.row[item]
            at = (made.x[item] + filled.shift[row] - across / 2, filled.top[row] + (filled.height[row] - along) / 2)
            x, y = turned(at, down)
            box = Box(left + x, top + y, *turned((across, along), down))
            if isinstance(member, Group):
                groups[member] = box
                if member in layout.open:
                    waiting.append((member, box.x, box.y))
            else:
                boxes[member] = box
        wires += [wire_of(layout, group, net, left, top) for net in layout.inside[group].nets]
    order = {group: index for index, group in enumerate(layout.root.walk())}
    groups = dict(sorted(groups.items(), key=lambda pair: order[pair[0]]))
    return Drawing((width + 2 * MARGIN, height + 2 * MARGIN), boxes, groups, layout.open, wires, down)
