"""What is in what: nested models, layers and repeated blocks as intervals of a graph's nodes.

The nodes stand in an order in which each comes after those it depends on. A group is an interval of that order, so no
path leaves it and comes back, and what remains when groups are drawn as boxes has no cycles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphflow.inspect.graphs.data import GraphData


@dataclass(slots=True, eq=False)
class Group:
    """Nodes that stand together.

    Attributes:
        title: what it is called: a model's or layer's name, or what its members' names begin with.
        kind: "graph", "model" (a nested model), "layer" (the ops of one), "run" (equal blocks), "block" (one of them).
        start, end: the interval of node positions.
        members: positions of nodes, and groups, in order.
    """

    title: str
    kind: str
    start: int
    end: int = 0
    members: list[int | Group] = field(default_factory=list)

    @property
    def groups(self) -> list[Group]:
        """The members that are groups."""
        return [one for one in self.members if isinstance(one, Group)]

    def walk(self) -> Iterator[Group]:
        """This group and all inside, the outer before the inner."""
        stack = [self]
        while stack:
            one = stack.pop()
            yield one
            stack.extend(reversed(one.groups))


def bounds(member: int | Group) -> tuple[int, int]:
    """The interval of a member."""
    return (member.start, member.end) if isinstance(member, Group) else (member, member + 1)


def group_tree(data: GraphData, least: int = 1) -> Group:
    """The groups that the nodes' paths tell, in one that holds everything.

    Args:
        least: groups of fewer nodes are dissolved.
    """
    kind = "model" if data.level == "layer" else "layer"
    root = Group(data.name, "graph", 0, len(data.nodes))
    stack: list[Group] = [root]
    path: list[str] = []
    for position, node in enumerate(data.nodes):
        same = 0
        while same < min(len(path), len(node.path)) and path[same] == node.path[same]:
            same += 1
        for group in stack[same + 1 :]:
            group.end = position
        del stack[same + 1 :], path[same:]
        for name in node.path[same:]:
            title = name[len(path[-1]) + 1 :] if path else name
            group = Group(data.groups.get(name, title) if kind == "layer" else title, kind, position)
            stack[-1].members.append(group)
            stack.append(group)
            path.append(name)
        stack[-1].members.append(position)
    for group in stack[1:]:
        group.end = len(data.nodes)
    for group in list(root.walk()):
        group.members = [one for member in group.members for one in _kept(member, least)]
    return root


def _kept(member: int | Group, least: int) -> list[int | Group]:
    """A member itself, or the members of a group that is too small."""
    while isinstance(member, Group) and len(member.members) == 1 and isinstance(member.members[0], Group):
        member = member.members[0]
    if isinstance(member, Group) and member.end - member.start < least:
        return list(range(member.start, member.end))
    return [member]
