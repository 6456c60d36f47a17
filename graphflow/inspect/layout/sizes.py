"""Sizes of all groups, from the inside out: a group that is open is a box around its members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphflow.inspect.graphs.data import GraphData
from graphflow.inspect.layout.arrange import Arranged, arrange
from graphflow.inspect.layout.nets import Inside, nets_of
from graphflow.inspect.layout.rows import Filled, Size, fill
from graphflow.inspect.layout.tree import Group


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
        members = [turned(member_size(layout, member), down) for member in group.members]
        held = inside[group]
        made = arrange([across for across, _ in members], held.nets, len(held.entries), len(held.exits))
        layout.arranged[group] = made
        layout.filled[group] = fill(made, members, group is not root, down)
        layout.sizes[group] = closed_sizes.get(group, turned(layout.filled[group].size, down))
    return layout


def member_size(layout: Layout, member: int | Group) -> Size:
    """Width and height of a node, or of a group as it is drawn."""
    return layout.sizes[member] if isinstance(member, Group) else layout.node_sizes[member]


def turned(size: Size, down: bool) -> Size:
    """From width and height to across and along, or back."""
    return size if down else (size[1], size[0])
