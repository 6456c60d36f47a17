"""The tensors inside each group: an edge between groups goes out through exits, across, and in through entries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from graphflow.inspect.graphs.data import GraphData
from graphflow.inspect.layout.arrange import Net
from graphflow.inspect.layout.tree import Group

Key = tuple[int, int]


@dataclass(slots=True)
class Inside:
    """What happens inside one group: its nets, and the tensors that come in and go out, in order, with their items.

    The items of the nets count the members first, then the entries, then the exits.
    """

    nets: list[Net] = field(default_factory=list)
    entries: dict[Key, int] = field(default_factory=dict)
    exits: dict[Key, int] = field(default_factory=dict)


def nets_of(data: GraphData, root: Group) -> dict[Group, Inside]:
    """The nets of every group."""
    place = {node.id: index for index, node in enumerate(data.nodes)}
    chains = _chains(root, len(data.nodes))
    found: dict[Group, dict[Key, tuple[int | None, dict[int | None, None]]]] = {one: {} for one in root.walk()}
    for edge in data.edges:
        source, target = place[edge.source], place[edge.target]
        key = source, edge.output
        for group, start, end in _steps(chains[source], chains[target]):
            found[group].setdefault(key, (start, {}))[1][end] = None
    return {group: _numbered(group, keys) for group, keys in found.items()}


def _chains(root: Group, count: int) -> list[tuple[tuple[Group, int], ...]]:
    """For each node, the groups it is in, the outermost first, each with the member that it is in there."""
    chains: list[tuple[tuple[Group, int], ...]] = [()] * count
    waiting: list[tuple[Group, tuple[tuple[Group, int], ...]]] = [(root, ())]
    while waiting:
        group, chain = waiting.pop()
        for index, member in enumerate(group.members):
            own = (*chain, (group, index))
            if isinstance(member, Group):
                waiting.append((member, own))
            else:
                chains[member] = own
    return chains


def _steps(
    source: tuple[tuple[Group, int], ...], target: tuple[tuple[Group, int], ...]
) -> Iterator[tuple[Group, int | None, int | None]]:
    """A tensor's way as (group, from which member, to which); None is the group's border."""
    depth = 0
    while source[depth][1] == target[depth][1] and source[depth][0] is target[depth][0]:
        depth += 1
    for group, member in reversed(source[depth + 1 :]):
        yield group, member, None
    yield source[depth][0], source[depth][1], target[depth][1]
    for group, member in target[depth + 1 :]:
        yield group, None, member


def _numbered(group: Group, keys: dict[Key, tuple[int | None, dict[int | None, None]]]) -> Inside:
    inside = Inside()
    items = count(len(group.members))
    inside.entries = {key: next(items) for key, (start, _) in keys.items() if start is None}
    inside.exits = {key: next(items) for key, (_, ends) in keys.items() if None in ends}
    for key, (start, ends) in keys.items():
        source = inside.entries[key] if start is None else start
        inside.nets.append(Net(key, source, [inside.exits[key] if end is None else end for end in ends]))
    return inside
