"""Layouts: nothing on top of anything, everything inside its group, tensors with the stream, chains straight."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import pytest
from graphs.random_models import models
from hypothesis import given
from hypothesis import strategies as st

from graphflow import Input, Model, Sequential
from graphflow.inspect.graphs import graph_data
from graphflow.inspect.layout import Box, Drawing, Group, draw, find_repeats, group_tree, lay_out
from graphflow.inspect.layout.arrange import Net, arrange
from graphflow.inspect.layout.distances import HEADER
from graphflow.layers import Activation, Add, Dense


def drawn(model: Any, down: bool = True, closed: Any = ()) -> tuple[Any, Group, Drawing]:
    data = graph_data(model, expand_nested=True)
    root = group_tree(data)
    find_repeats(data, root)
    sizes = [(60.0 + 7 * (index % 5), 40.0 + index % 3) for index in range(len(data.nodes))]
    shut = {one: (90.0, 50.0) for one in root.walk() if one.kind in closed}
    return data, root, draw(lay_out(data, root, sizes, shut, down))


def apart(a: Box, b: Box) -> bool:
    return (
        a.x + a.width <= b.x + 0.01
        or b.x + b.width <= a.x + 0.01
        or a.y + a.height <= b.y + 0.01
        or b.y + b.height <= a.y + 0.01
    )


def inside(small: Box, large: Box) -> bool:
    return (
        small.x >= large.x
        and small.y >= large.y + HEADER
        and small.x + small.width <= large.x + large.width
        and small.y + small.height <= large.y + large.height
    )


@given(models(), st.booleans(), st.sets(st.sampled_from(["run", "block", "model"])))
def test_boxes_do_not_overlap_and_stand_in_their_groups(model: Model, down: bool, closed: set[str]) -> None:
    _, root, drawing = drawn(model, down, closed)
    seen = 0
    for group, frame in drawing.groups.items():
        if group not in drawing.open:
            assert not any(group.start <= at < group.end for at in drawing.boxes)
            continue
        boxes = [drawing.groups[one] if isinstance(one, Group) else drawing.boxes[one] for one in group.members]
        assert all(apart(a, b) for a, b in combinations(boxes, 2))
        if group is not root:
            assert all(inside(box, frame) for box in boxes)
        seen += sum(isinstance(one, int) for one in group.members)
    assert seen == len(drawing.boxes) > 0
    width, height = drawing.size
    points = [point for wire in drawing.wires for link in wire.links for point in link.points]
    assert all(-0.01 <= x <= width + 0.01 and -0.01 <= y <= height + 0.01 for x, y in points)


@given(models(), st.booleans())
def test_lines_begin_and_end_at_boxes(model: Model, down: bool) -> None:
    data, _, drawing = drawn(model, down)
    place = {node.id: index for index, node in enumerate(data.nodes)}
    ends = [end for wire in drawing.wires for end in wire.ends]
    starts = [link.points[0] for wire in drawing.wires for link in wire.links]
    for node in {edge.target for edge in data.edges}:
        x, y, width, height = drawing.boxes[place[node]]
        assert is_near((x + width / 2, y) if down else (x, y + height / 2), ends)
    for node in {edge.source for edge in data.edges}:
        x, y, width, height = drawing.boxes[place[node]]
        assert is_near((x + width / 2, y + height) if down else (x + width, y + height / 2), starts)
    reached = [
        (box.x + box.width / 2, box.y) if down else (box.x, box.y + box.height / 2) for box in drawing.boxes.values()
    ]
    assert all(is_near(end, reached) for end in ends)


def is_near(point: tuple[float, float], points: list[tuple[float, float]]) -> bool:
    return any(abs(point[0] - x) + abs(point[1] - y) < 0.01 for x, y in points)


@given(st.data())
def test_any_graph_is_arranged(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 14))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] < pair[1])
    links = data.draw(st.lists(pairs, max_size=30, unique=True)) if count > 1 else []
    nets: dict[int, Net] = {}
    for source, target in links:
        nets.setdefault(source, Net((source, 0), source, [])).targets.append(target)
    widths = [20.0 + 9 * (index % 4) for index in range(count)]
    made = arrange(widths, list(nets.values()), 0, 0)
    assert sorted(item for items in made.rows for item in items) == list(range(len(made.row)))
    for items in made.rows:
        for left, right in pairwise(items):
            both = [(widths[one] if one < count else 6.0) / 2 for one in (left, right)]
            assert made.x[right] - made.x[left] >= sum(both) + 11.99
    assert all(made.row[source] < made.row[target] for source, target in links)
    for net in made.nets:
        assert [made.row[bend] for bend in net.bends] == list(
            range(made.row[net.source] + 1, max(made.row[target] for target in net.targets))
        )


def test_a_chain_beside_a_shortcut_is_straight() -> None:
    x = Input((4,), name="x")
    deep = x
    for index in range(6):
        deep = Dense(4, name=f"d{index}")(deep)
    data = graph_data(Model(x, Add(name="sum")([x, deep])))
    root = group_tree(data)
    drawing = draw(lay_out(data, root, [(80.0, 40.0)] * len(data.nodes), {}))
    middles = {box.x for position, box in drawing.boxes.items() if data.nodes[position].kind == "Dense"}
    assert len(middles) == 1
    bends = [link for wire in drawing.wires for link in wire.links if link.points[0][0] == link.points[-1][0]]
    assert len(bends) >= 9


def test_crossings_are_taken_out() -> None:
    twisted = [Net((index, 0), index, [7 - index]) for index in range(4)]
    made = arrange([30.0] * 8, twisted, 0, 0)
    assert [made.x[index] for index in range(4)] == [made.x[7 - index] for index in range(4)]


def test_long_chains_stand_in_columns() -> None:
    model = Sequential([Input((4,)), *(Dense(4, name=f"d{index}") for index in range(300))])
    data = graph_data(model)
    drawing = draw(lay_out(data, group_tree(data), [(80.0, 40.0)] * len(data.nodes), {}))
    width, height = drawing.size
    assert 0.5 < width / height < 2.5
    assert sum(link.kind == "corners" for wire in drawing.wires for link in wire.links) >= 3


def blocks(count: int) -> Model:
    made = x = Input((4,), name="x")
    for index in range(count):
        deep = Dense(4, name=f"block{index}_a")(made)
        deep = Activation("relu", name=f"block{index}_b")(deep)
        deep = Dense(4, name=f"block{index}_c")(deep)
        made = Add(name=f"block{index}_d")([made, deep])
    return Model(x, Dense(1, name="last")(made))


def test_repeated_blocks_are_found_where_one_tensor_passes() -> None:
    data = graph_data(blocks(7))
    root = group_tree(data)
    find_repeats(data, root)
    (run,) = root.groups
    assert (run.kind, run.title, run.start, run.end) == ("run", "block", 1, 29)
    assert [(one.title, one.end - one.start) for one in run.groups] == [(f"block{index}", 4) for index in range(7)]


def test_towers_and_pairs_are_no_run() -> None:
    inputs = [Input((4,), name=f"x{index}") for index in range(4)]
    towers = [Dense(4, name=f"b{index}")(Dense(4, name=f"a{index}")(x)) for index, x in enumerate(inputs)]
    data = graph_data(Model(inputs, Add(name="sum")(towers)))
    root = group_tree(data)
    find_repeats(data, root)
    assert root.groups == []


@pytest.mark.parametrize("count", [500, 2000])
def test_a_dense_graph_does_not_grow_without_bounds(count: int) -> None:
    nets = [Net((index, 0), index, [index + 1, count - 1]) for index in range(count - 2)]
    nets.append(Net((count - 2, 0), count - 2, [count - 1]))
    made = arrange([30.0] * count, nets, 0, 0)
    assert len(made.row) <= count + 1000 + 8 * count
    assert sum(net.far for net in made.nets) > 0
