"""The order of the nodes and the size of the arena: as small as the largest live set, and smaller orders are found."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphflow
from graphflow import Input, Model
from graphflow import layers as L
from graphflow.ir.graph import Graph, Node
from graphflow.ops.array import CONCATENATE
from graphflow.ops.registry import OpDef
from graphflow.runtime import Session
from graphflow.runtime.memory import Lifetime, _in_time, lower_bound, place
from graphflow.runtime.order import _Sizes, orders
from graphflow.samples import digits
from graphflow.spec import TensorSpec

WITHIN = 1.05
NEVER = st.just(False)
NOTED = OpDef("noted", CONCATENATE.infer, CONCATENATE.reference, effect="opaque")


def joined(
    shapes: list[tuple[list[int], int]], wanted: list[int], noted: Sequence[bool] = ()
) -> tuple[Graph, list[Node]]:
    """A graph of nodes of any sizes: each takes values by number (0 is the input) and makes one of so many floats."""
    graph = Graph()
    values = [graph.add_input(TensorSpec((None, 16), "float32"), "x")]
    nodes = []
    for taken, size in shapes:
        inputs = [values[index] for index in taken]
        op = NOTED if len(nodes) < len(noted) and noted[len(nodes)] else CONCATENATE
        nodes.append(graph.add(op, inputs, {"axis": 1}, [TensorSpec((None, size), "float32")]))
        values.append(nodes[-1].outputs[0])
    for index in wanted:
        graph.add_output(values[index + 1], f"y{index}")
    return graph, nodes


@st.composite
def graphs(draw: st.DrawFn, noted: st.SearchStrategy[bool] = NEVER) -> tuple[Graph, list[Node]]:
    count = draw(st.integers(1, 12))
    shapes = [
        (draw(st.lists(st.integers(0, at), min_size=1, max_size=3, unique=True)), 16 * draw(st.integers(1, 9)))
        for at in range(count)
    ]
    return joined(
        shapes,
        draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=2, unique=True)),
        [draw(noted) for _ in shapes],
    )


def respects_edges(order: list[Node]) -> bool:
    at = {node: index for index, node in enumerate(order)}
    return all(
        at[value.node] < at[node]
        for node in order
        for value in node.inputs
        if value is not None and value.node is not None
    )


@given(graphs())
def test_every_order_respects_the_edges_and_the_last_needs_least(made: tuple[Graph, list[Node]]) -> None:
    graph, nodes = made
    found = orders(nodes, graph.results())
    assert found[0] == nodes
    sizes = _Sizes(nodes, graph.results())
    for order in found:
        assert respects_edges(order)
        assert set(order) == set(nodes) and len(order) == len(nodes)
    peaks = [sizes.peak(order) for order in found]
    assert peaks == sorted(set(peaks), reverse=True)


@st.composite
def trees(draw: st.DrawFn) -> tuple[Graph, list[Node]]:
    """Every value is taken once."""
    count = draw(st.integers(1, 6))
    loose: list[int] = []
    shapes = []
    for at in range(1, count + 1):
        number = draw(st.integers(0, min(3, len(loose)))) if at < count else len(loose)
        taken = [loose.pop(draw(st.integers(0, len(loose) - 1))) for _ in range(number)] or [0]
        shapes.append((taken, 16 * draw(st.integers(1, 9))))
        loose.append(at)
    return joined(shapes, [count - 1])


@given(trees())
def test_no_order_of_a_tree_needs_less(made: tuple[Graph, list[Node]]) -> None:
    graph, nodes = made
    sizes = _Sizes(nodes, graph.results())
    least = min(sizes.peak(order) for order in permutations(nodes) if respects_edges(list(order)))
    whole = sizes.peak(orders(nodes, graph.results())[-1])
    assert whole == least


def test_the_peak_is_what_the_steps_hold() -> None:
    graph, nodes = joined([([0], 16), ([0], 32), ([1, 2], 48), ([3], 64)], [3])
    sizes = _Sizes(nodes, graph.results())
    assert sizes.peak(nodes) == 4 * (16 + 32 + 48)
    assert sizes.peak([nodes[1], nodes[0], nodes[2], nodes[3]]) == 4 * (16 + 32 + 48)


@given(graphs(st.booleans()))
def test_nodes_with_effects_keep_their_order(made: tuple[Graph, list[Node]]) -> None:
    graph, nodes = made
    opaque = [node for node in nodes if node.op is NOTED]
    for order in orders(nodes, graph.results()):
        assert [node for node in order if node.op is NOTED] == opaque


def skips(x: Any) -> Any:
    """As in wavenet: one sum of what every block leaves, which was written last."""
    left = []
    for _ in range(6):
        x = L.Conv1D(32, 2, padding="causal", activation="tanh")(x)
        left.append(L.Conv1D(32, 1)(x))
    return L.GlobalAveragePooling1D()(L.Add()(left))


def test_what_was_written_first_and_needed_last_runs_last() -> None:
    x = Input((256, 32))
    session = Model(x, skips(x)).session()
    plan = session.plan([(1, 256, 32)])
    assert plan.arena_bytes <= 4 * 256 * 32 * 4
    assert [one.node for one in plan.nodes] != list(session._schedule.order)


def residual(x: Any) -> Any:
    x = L.MaxPooling2D(2)(L.Conv2D(16, 3, padding="same")(x))
    for filters in (8, 16):
        y = L.Conv2D(filters, 1, activation="relu")(x)
        y = L.Conv2D(filters, 3, padding="same", activation="relu")(y)
        x = L.Conv2D(4 * filters, 1)(x) + L.Conv2D(4 * filters, 1)(y)
        x = L.Activation("relu")(x)
    return L.GlobalAveragePooling2D()(x)


def inverted(x: Any) -> Any:
    for filters, stride in ((4, 2), (6, 2), (6, 1), (8, 1)):
        y = L.Conv2D(6 * x.shape[-1], 1, activation="relu6")(x)
        y = L.DepthwiseConv2D(3, stride, padding="same", activation="relu6")(y)
        y = L.Conv2D(filters, 1)(y)
        x = x + y if x.shape == y.shape else y
    return L.Flatten()(x)


def dense(x: Any) -> Any:
    for _ in range(3):
        for _ in range(4):
            y = L.Conv2D(16, 1, activation="relu")(L.ReLU()(x))
            x = L.Concatenate()([x, L.Conv2D(8, 3, padding="same")(y)])
        x = L.AveragePooling2D(2)(L.Conv2D(x.shape[-1] // 2, 1)(x))
    return L.GlobalMaxPooling2D()(x)


def towers(x: Any) -> Any:
    for filters in (8, 16):
        a = L.Conv2D(filters, 1, activation="relu")(x)
        b = L.Conv2D(filters, 5, padding="same")(L.Conv2D(filters // 2, 1)(x))
        c = L.Conv2D(filters, 3, padding="same")(L.Conv2D(filters, 3, padding="same")(L.Conv2D(filters, 1)(x)))
        d = L.Conv2D(filters, 1)(L.AveragePooling2D(3, 1, padding="same")(x))
        x = L.Concatenate()([a, b, c, d])
    return L.GlobalAveragePooling2D()(x)


def across(x: Any) -> Any:
    kept = []
    for filters in (4, 8, 16):
        x = L.Conv2D(filters, 3, padding="same", activation="relu")(x)
        kept.append(x)
        x = L.MaxPooling2D(2)(x)
    for filters, skip in zip((16, 8, 4), reversed(kept), strict=True):
        x = L.Conv2DTranspose(filters, 2, strides=2)(x)
        x = L.Conv2D(filters, 3, padding="same", activation="relu")(L.Concatenate()([skip, x]))
    return L.Conv2D(1, 1)(x)


def arena_and_bound(session: Session, shapes: list[tuple[int, ...]]) -> tuple[int, int]:
    plan = session.plan(shapes)
    found = [Lifetime(one.first, one.last, one.size) for one in plan.storage.arena]
    for i, one in enumerate(plan.storage.arena):
        assert one.index + one.size <= plan.arena_bytes
        for other in plan.storage.arena[:i]:
            if one.first <= other.last and other.first <= one.last and one.size and other.size:
                assert one.index + one.size <= other.index or other.index + other.size <= one.index
    return plan.arena_bytes, lower_bound(found)


@pytest.mark.parametrize("precision", ["default", "strict"])
@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("body", [residual, inverted, dense, towers, across])
def test_arenas_are_as_large_as_what_lives_at_one_time(body: Any, batch: int, precision: str) -> None:
    x = Input((32, 32, 3))
    with graphflow.knobs(precision=precision):
        session = Session(Model(x, body(x)).graph())
    used, least = arena_and_bound(session, [(batch, 32, 32, 3)])
    assert 0 < least <= used <= WITHIN * least


def test_the_sample_has_an_arena_of_the_least_size() -> None:
    session = graphflow.load_model(digits.MODEL).session()
    used, least = arena_and_bound(session, [(32, 8, 8, 1)])
    assert used == least


def test_long_lives_first_is_better_than_first_come() -> None:
    given = [Lifetime(0, 3, 640), Lifetime(1, 2, 128), Lifetime(3, 9, 64), Lifetime(4, 5, 704), Lifetime(6, 9, 768)]
    assert _in_time(given)[1] > place(given)[1] == lower_bound(given)


def test_what_has_too_many_neighbours_is_placed_in_time() -> None:
    given = [Lifetime(index, 400, 64 * (1 + index % 7)) for index in range(400)]
    given += [Lifetime(401, 401 + index % 3, 640) for index in range(3)]
    assert place(given) == _in_time(given)
