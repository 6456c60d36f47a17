"""Recurrent layers side by side: which ones, in what order, in memory of their own, and always with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases.layers import randomize
from hypothesis import given, settings
from hypothesis import strategies as st

import graphflow
from graphflow import Input, Model, ops
from graphflow import layers as L
from graphflow.inspect import explain, profile
from graphflow.kernels import isa
from graphflow.layers.nest import leaves
from graphflow.runtime import Session
from graphflow.runtime.plan import Plan


def tagger(x: Any) -> Any:
    return L.Dense(3)(L.Bidirectional(L.LSTM(9, return_sequences=True))(x))


def deep(x: Any) -> Any:
    for units in (5, 7):
        x = L.Bidirectional(L.GRU(units, return_sequences=True), merge_mode="ave")(x)
    return L.Bidirectional(L.SimpleRNN(4))(x)


def of_one_input(x: Any) -> Any:
    return L.Concatenate()([L.GRU(6)(x) for _ in range(5)])


def one_behind_another(x: Any) -> Any:
    return L.LSTM(6)(L.LSTM(6, return_sequences=True)(x))


def unlike(x: Any) -> Any:
    return L.Concatenate()([L.LSTM(6)(x), L.LSTM(7)(x), L.GRU(6)(x), L.LSTM(6, return_sequences=True)(x)[:, 2]])


def across(x: Any) -> Any:
    """The second of three alike depends on something that was written after the first, which something else needs."""
    first = L.LSTM(6, return_sequences=True)(x)
    second = L.LSTM(6, return_sequences=True)(ops.tanh(L.Dense(4)(x)))
    joined = L.Add()([first, second])
    third = L.LSTM(6, return_sequences=True)(L.Conv1D(4, 1)(ops.exp(x)))
    return [L.LSTM(6)(joined), L.LSTM(6)(third), joined * third]


GROUPS: dict[Callable[..., Any], tuple[list[int], list[int]]] = {
    tagger: ([2], [2]),
    deep: ([2, 2, 2], [2, 2, 2]),
    of_one_input: ([2, 2], [4]),
    one_behind_another: ([], []),
    unlike: ([], []),
    across: ([2, 2], [2, 3]),
}
"""Models, and how many run side by side on two threads and on four."""


def made(build: Callable[..., Any], steps: int = 6) -> Model:
    x = Input((steps, 4), name="x")
    model = Model(x, build(x))
    randomize(model)
    return model


def session_of(model: Model, threads: int) -> Session:
    return Session(model.graph()).with_threads(threads)


def groups(plan: Plan) -> list[tuple[Any, ...]]:
    return list({id(one.group): one.group for one in plan.nodes if one.group is not None}.values())


@pytest.mark.parametrize("build", GROUPS, ids=lambda build: build.__name__)
def test_what_runs_side_by_side(build: Callable[..., Any]) -> None:
    model = made(build)
    assert groups(session_of(model, 1).plan([(4, 6, 4)])) == []
    for threads, sizes in zip((2, 4), GROUPS[build], strict=True):
        plan = session_of(model, threads).plan([(4, 6, 4)])
        assert sorted(len(one) for one in groups(plan)) == sizes
        check_plan(plan)
        for group in groups(plan):
            first = min(one.first_step for one in group)
            assert plan.program.steps[first, 5] == len(group)
        assert sorted(plan.program.steps[:, 5].tolist())[::-1][: len(sizes)] == sizes[::-1]


def check_plan(plan: Plan) -> None:
    """Nodes come after what they take, those of a group together; what is in use at one time lies apart."""
    position = {one: index for index, one in enumerate(plan.nodes)}
    maker = {value: one for one in plan.nodes for value in one.node.outputs}
    for one in plan.nodes:
        for value in one.node.inputs:
            other = maker.get(value)  # type: ignore[arg-type]
            assert other is None or (position[other] < position[one] and (one.group is None or other not in one.group))
    for group in groups(plan):
        places = sorted(position[one] for one in group)
        assert places == list(range(places[0], places[0] + len(group)))
        for one in group:
            for value in (*one.node.inputs, *one.node.outputs):
                held = plan.storage.of[value] if value is not None else None
                if held is not None and held.kind == "arena":
                    assert held.first <= places[0] and held.last >= places[-1]
    blocks = plan.storage.arena
    for i, one in enumerate(blocks):
        for other in blocks[:i]:
            apart = one.last < other.first or other.last < one.first
            assert apart or one.index + one.size <= other.index or other.index + other.size <= one.index


@pytest.mark.parametrize("name", isa.available())
@pytest.mark.parametrize("build", GROUPS, ids=lambda build: build.__name__)
def test_rows_have_the_same_bits_on_any_number_of_threads_in_any_batch(build: Callable[..., Any], name: str) -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((67, 130, 4)).astype("float32")
    with graphflow.knobs(isa=name):
        model = made(build, 130)
        whole = session_of(model, 1).run([x])
        with graphflow.knobs(reference=True, passes_off="all"):
            expected = list(leaves(Session(model.graph()).run([x[:5]])))
        for actual, wanted in zip(whole, expected, strict=True):
            np.testing.assert_allclose(actual[:5], wanted, atol=1e-5 * np.abs(wanted).max())
        for threads in (1, 2, 3, 4):
            session = session_of(model, threads)
            for start, split in ((0, 67), (0, 1), (3, 2), (8, 8), (20, 33)):
                for actual, wanted in zip(session.run([x[start : start + split]]), whole, strict=True):
                    np.testing.assert_array_equal(actual, wanted[start : start + split])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_graphs_of_recurrent_layers(data: st.DataObject) -> None:
    draw = data.draw
    given_values = [Input((5, 3), name="a"), Input((5, 3), name="b")]
    values = list(given_values)
    for _ in range(draw(st.integers(1, 9))):
        x = values[draw(st.integers(0, len(values) - 1))]
        kind = draw(st.sampled_from(("lstm", "gru", "both", "add", "opaque", "tanh", "flip")))
        if kind in ("lstm", "gru"):
            made_of = (L.LSTM if kind == "lstm" else L.GRU)(3, return_sequences=True, go_backwards=draw(st.booleans()))
            values.append(made_of(x))
        elif kind == "both":
            values.append(L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode="sum")(x))
        elif kind == "add":
            values.append(L.Add()([x, values[draw(st.integers(0, len(values) - 1))]]))
        elif kind == "opaque":
            values.append(L.Lambda(lambda v: np.asarray(v) * 2, output_shape=(5, 3))(x))
        else:
            values.append(ops.flip(x, 1) if kind == "flip" else ops.tanh(x))
    results = draw(st.lists(st.integers(2, len(values) - 1), min_size=1, max_size=3, unique=True))
    model = Model(given_values, [ops.concatenate([values[at] for at in results]), values[results[0]]])
    randomize(model)
    arrays = [np.random.default_rng(seed).standard_normal((7, 5, 3)).astype("float32") for seed in (1, 2)]
    one = session_of(model, 1).run(arrays)
    for threads in (2, 3):
        session = session_of(model, threads)
        for actual, wanted in zip(session.run(arrays), one, strict=True):
            np.testing.assert_array_equal(actual, wanted)
        plan = session.plan([(7, 5, 3)] * 2)
        check_plan(plan)
        opaque = [planned.node for planned in plan.nodes if planned.node.op.effect != "pure"]
        assert opaque == [node for node in session.graph.ordered() if node.op.effect != "pure" and node in opaque]


def test_large_recurrent_matrices_are_shared_by_all_threads() -> None:
    x = Input((3, 4))
    model = Model(x, L.Bidirectional(L.LSTM(257))(x))
    assert groups(session_of(model, 2).plan([(1, 3, 4)])) == []


@pytest.mark.parametrize(("kind", "units"), [(L.LSTM, 100), (L.GRU, 120), (L.SimpleRNN, 190)])
def test_a_layer_alone_is_divided_by_units_where_rows_are_too_few(kind: Any, units: int) -> None:
    x = Input((9, 5))
    model = Model(x, kind(units)(x))
    rows = np.random.default_rng(4).standard_normal((20, 9, 5)).astype("float32")
    whole = session_of(model, 1).run([rows])[0]
    for threads in (2, 3, 4):
        session = session_of(model, threads)
        for batch in (20, 1, 3, 2, 4):
            np.testing.assert_array_equal(session.run([rows[:batch]])[0], whole[:batch])
            plan = session.plan([(batch, 9, 5)])
            assert plan.pool is session.plan([(20, 9, 5)]).pool
            items, shared = plan.program.steps[-1, [2, 4]].tolist()
            assert shared or batch == 1
            assert (items > 1) if batch < threads else (items <= batch)


def test_explain_says_what_runs_at_the_same_time() -> None:
    found = explain(session_of(made(tagger, 200), 4))
    one, other = (choice for choice in found.choices if choice.op == "lstm")
    assert one.beside == (other.layer,) and other.beside == (one.layer,)
    assert one.threads == other.threads == (2,)
    assert str(found).count("at the same time as") == 2
    assert all(not choice.beside for choice in found.choices if choice.op != "lstm")


def test_profile_parts_the_time_among_those_that_run_at_the_same_time() -> None:
    found = profile(session_of(made(tagger, 100), 2))
    one, other = (row for row in found.steps if row.op == "lstm")
    assert 0.2 < one.seconds / other.seconds < 5
    assert all(row.seconds > 0 for row in found.steps if row.kernel != "concatenate")
