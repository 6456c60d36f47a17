"""A plan scaled to a smaller batch has the numbers of one that was made for it, and gives its answers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from cases.layers import CASES as LAYERS
from cases.layers import LayerCase
from cases.models import MODELS
from cases.ops import CASES as OPS
from cases.problem import OpCase
from test_ops import one_node

from graphflow import Input, Model
from graphflow.kernels import isa
from graphflow.layers import Dense
from graphflow.ops.shape import RESHAPE_TO
from graphflow.runtime import Session
from graphflow.runtime.bindings import Bindings
from graphflow.runtime.plan import Plan, make_plan, scaled_plan
from graphflow.runtime.scale import Size, Trace, holds
from graphflow.runtime.schedule import Schedule

BATCHES = ((9, (8, 1)), (70, (33,)))


def numbers(plan: Plan) -> tuple[Any, ...]:
    program = plan.program
    return program.steps.tolist(), program.slots.tolist(), program.moving.tolist(), [str(one) for one in plan.results]


def plans(graph: Any, batch: int, set_of: Any, threads: int) -> Plan:
    shapes = [(batch, *value.spec.shape[1:]) for value in graph.inputs]
    return make_plan(Schedule(graph), shapes, Bindings(), set_of, threads)


def compare(graph: Any, set_of: Any, threads: int) -> Counter[str]:
    """Scale plans of a graph and compare them with fresh ones; how many were scaled, and how many made anew."""
    seen: Counter[str] = Counter()
    for batch, smaller in BATCHES:
        plan = plans(graph, batch, set_of, threads)
        for other in smaller:
            scaled = scaled_plan(plan, other)
            seen["scaled" if scaled is not None else "anew"] += 1
            if scaled is not None:
                fresh = plans(graph, other, set_of, threads)
                steps, slots, moving, results = numbers(scaled)
                assert (slots, moving, results) == numbers(fresh)[1:]
                rows = [[*row[:4], row[4] and fresh.program.threads > 1, row[5]] for row in steps]
                assert rows == numbers(fresh)[0]
                assert scaled.arena_bytes >= fresh.arena_bytes
                assert {v: str(s) for v, s in scaled.specs.items()} == {v: str(s) for v, s in fresh.specs.items()}
    return seen


def is_batched(graph: Any) -> bool:
    shapes = [value.spec.shape for value in graph.inputs]
    return bool(shapes) and all(shape and shape[0] is None and None not in shape[1:] for shape in shapes)


@pytest.mark.parametrize("name", isa.available())
def test_plans_of_all_ops_scale(name: str) -> None:
    seen: dict[str, Counter[str]] = {}
    for case in OPS:
        graph, _ = one_node(case)
        if is_batched(graph) and plannable(graph, case) and not is_empty(case):
            for threads in (1, 2):
                seen.setdefault(case.op, Counter()).update(compare(graph, isa.available()[name], threads))
    assert len(seen) > 60
    anew = {op for op, count in seen.items() if count["anew"]}
    assert anew <= MADE_ANEW, anew - MADE_ANEW


def is_empty(case: OpCase) -> bool:
    """Whether an operand has no elements: then a step may be left out, and there is nothing to scale."""
    return any(one is not None and 0 in one.shape for one in case.inputs)


MADE_ANEW = {"scan", "flip", RESHAPE_TO.name}
"""Ops whose plans do not all scale: a body has a plan of its own, a batch that is turned round is read from its end,
and shapes that are computed decide everything."""


def plannable(graph: Any, case: OpCase) -> bool:
    """Whether any batch fits: a case may tie two inputs' first sizes together."""
    try:
        plans(graph, 9, None, 1)
        plans(graph, 70, None, 1)
    except Exception:
        return False
    return True


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_plans_of_all_layers_scale(case: LayerCase) -> None:
    session = case.model(case.make()).session()
    if is_batched(session.graph) and not session.graph.updates:
        seen = compare(session.graph, isa.current(), 2)
        assert seen["scaled"] == 3 or any("body" in node.attrs for node in session.graph.nodes)


def feeds(graph: Any, batch: int) -> list[Any]:
    rng = np.random.default_rng(5)
    shapes = [(batch, *(size or 6 for size in value.spec.shape[1:])) for value in graph.inputs]
    return [rng.integers(0, 5, s).astype(value.spec.dtype) for s, value in zip(shapes, graph.inputs, strict=True)]


def test_a_session_runs_smaller_batches_in_the_memory_of_the_largest() -> None:
    for build, shape in MODELS.values():
        x = Input(shape)
        model = Model(x, build(x))
        session = model.session()
        large = feeds(session.graph, 11)
        before = session.run(large)
        for batch in (10, 3, 11, 1, 7):
            part = [array[:batch] for array in large]
            for array, whole, alone in zip(session.run(part), before, Session(model.graph()).run(part), strict=True):
                np.testing.assert_array_equal(array, whole[:batch])
                np.testing.assert_array_equal(array, alone)


def test_smaller_batches_share_one_context() -> None:
    x = Input((6,))
    session = Model(x, Dense(3)(x)).session()
    for batch in (32, 5, 17, 32, 1):
        session.run([np.zeros((batch, 6), "float32")])
    assert len({id(session.plan([(batch, 6)]).pool) for batch in (32, 5, 17, 1)}) == 1
    assert len(session.plan([(32, 6)]).pool) == 1


def test_sizes_compute_like_the_numbers_they_stand_for() -> None:
    trace = Trace(12)
    n = trace.size(3)
    made = (-(-n // 5) * 2 + 7, n % 4, (n - 1) * n, 100 // n, 100 % n, max(2, n), n / 2, n - n, 2.0 * n)
    for batch in (12, 11, 5, 2):
        k = 3 * batch
        wanted = (-(-k // 5) * 2 + 7, k % 4, (k - 1) * k, 100 // k, 100 % k, max(2, k), k / 2, 0, 2.0 * k)
        trace.values = trace.atoms_of(batch)
        assert [one.value if isinstance(one, Size) else one for one in made] == list(wanted)
    assert not trace.lost


def test_a_comparison_is_a_guard() -> None:
    trace = Trace(12)
    assert trace.size(3) > 30
    assert trace.size(2) == 24
    assert holds(trace.guards, trace.atoms_of(12))
    assert not holds(trace.guards, trace.atoms_of(11))


@pytest.mark.parametrize("use", [int, float, str, range, list(range(99)).__getitem__])
def test_a_size_that_becomes_a_number_is_noticed(use: Any) -> None:
    trace = Trace(12)
    use(trace.size(3))
    assert trace.lost
