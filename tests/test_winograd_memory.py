"""The bound of what Winograd's weights take: what is stated is what is held, never above it, and by a fixed rule."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphflow
from graphflow import Input, Model, config
from graphflow.errors import ArgumentError
from graphflow.inspect import explain, memory
from graphflow.ir.graph import Graph
from graphflow.kernels.isa import available
from graphflow.layers import Add, BatchNormalization, Conv2D, Conv3D, Dense, Flatten
from graphflow.runtime.session import Session

SHAPE = (2, 20, 18, 24)
FREE = 1 << 60


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    kept = config.winograd_memory()
    yield
    config.set_winograd_memory(kept)


def network(height: int | None = SHAPE[1], shared: bool = True) -> Graph:
    """Weights that are folded, plain, shared by two layers, and some that Winograd does not take."""
    x = Input((height, *SHAPE[2:]))
    first = Conv2D(40, 3, padding="same", activation="relu")(x)
    second = BatchNormalization()(Conv2D(64, 3, padding="same", use_bias=False)(first))
    twice = Conv2D(64, 3, padding="same")
    third = twice(twice(second)) if shared else twice(second)
    last = Conv2D(33, 3, strides=2)(Add()([second, third]))
    return Model(x, Conv2D(3, 1)(last)).graph()


def session(graph: Graph, bound: int | None = None, precision: str = "default", isa: str = "") -> Session:
    with graphflow.knobs(winograd_memory=-2 if bound is None else bound, precision=precision, isa=isa):
        return Session(graph)


def rows(shape: tuple[int, ...] = SHAPE) -> list[Any]:
    return [np.random.default_rng(0).standard_normal(shape).astype(np.float32)]


def held(one: Session, shape: tuple[int, ...] = SHAPE) -> int:
    """Bytes of what a session has bound, but for weights that are used as they are."""
    one.run(rows(shape))
    weights = [variable.value for variable in one.graph.variables()]
    arrays = {id(array): array for array in one._bindings._arrays.values()}
    return sum(array.nbytes for array in arrays.values() if not any(np.may_share_memory(array, w) for w in weights))


def kernels(one: Session, shape: tuple[int, ...] = SHAPE) -> list[str]:
    return [planned.kernel.name for planned in one.plan([shape]).nodes if planned.kernel is not None]


@pytest.mark.parametrize("isa", list(available()))
@pytest.mark.parametrize("shared", [False, True])
def test_what_is_stated_is_what_is_held(isa: str, shared: bool) -> None:
    graph = network(shared=shared)
    strict = session(graph, precision="strict", isa=isa)
    assert memory(strict, [SHAPE]).winograd == explain(strict, [SHAPE]).winograd == 0
    stated = set()
    for bound in (None, 0, 50_000, 200_000, 400_000, 700_000, FREE):
        one = session(graph, bound, isa=isa)
        found = memory(one, [SHAPE])
        assert found.winograd == explain(one, [SHAPE]).winograd == held(one) - held(strict)
        assert found.winograd_most == one.winograd_memory == bound
        assert bound is None or found.winograd <= bound
        stated.add(found.winograd)
    assert len(stated) >= 3


@pytest.mark.parametrize("isa", list(available()))
def test_none_of_it_gives_the_kernels_and_bits_of_strict(isa: str) -> None:
    graph = network()
    strict, none = session(graph, precision="strict", isa=isa), session(graph, 0, isa=isa)
    assert kernels(none) == kernels(strict)
    assert any("winograd" in name for name in kernels(session(graph, isa=isa)))
    np.testing.assert_array_equal(none.run(rows())[0], strict.run(rows())[0])
    assert any("winograd_memory leaves no place" in why for one in explain(none).choices for _, why in one.others)


@pytest.mark.parametrize("isa", list(available()))
def test_plenty_of_it_gives_the_bits_of_no_bound(isa: str) -> None:
    graph = network()
    free, bound = session(graph, isa=isa), session(graph, FREE, isa=isa)
    assert kernels(bound) == kernels(free)
    np.testing.assert_array_equal(bound.run(rows())[0], free.run(rows())[0])


def test_images_of_any_size_stay_below_the_bound_together() -> None:
    graph = network(height=None)
    strict = session(graph, precision="strict")
    for bound in (0, 300_000, 900_000, 2_000_000):
        one = session(graph, bound)
        used = set()
        for height in (4, 9, 20, 45):
            shape = (1, height, *SHAPE[2:])
            used.add(tuple(name for name in kernels(one, shape) if "winograd" in name))
            assert memory(one, [shape]).winograd <= bound
            assert held(one, shape) - held(strict, shape) <= bound
        assert bound < 900_000 or len(used) > 1


def test_bodies_of_loops_take_none() -> None:
    x = Input((3, 12, 12, 16))
    graph = Model(x, graphflow.layers.TimeDistributed(Conv2D(32, 3, padding="same"))(x)).graph()
    shape = (1, 3, 12, 12, 16)
    strict, none = session(graph, precision="strict"), session(graph, 0)
    np.testing.assert_array_equal(none.run(rows(shape))[0], strict.run(rows(shape))[0])
    assert held(none, shape) == held(strict, shape)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_networks(data: st.DataObject) -> None:
    """Stated, bounded, and a row has the same bits in every batch."""
    volume = data.draw(st.booleans())
    sizes = tuple(data.draw(st.lists(st.integers(3, 14), min_size=2 + volume, max_size=2 + volume)))
    x = y = Input((*sizes, data.draw(st.sampled_from([3, 8, 20]))))
    layer: Any = Conv3D if volume else Conv2D
    for _ in range(data.draw(st.integers(1, 4))):
        kernel = (data.draw(st.integers(1, 3)), 3, 3) if volume else data.draw(st.sampled_from([1, 3]))
        y = layer(data.draw(st.integers(1, 70)), kernel, padding="same", activation="relu")(y)
        y = BatchNormalization()(y) if data.draw(st.booleans()) else y
    graph = Model(x, Dense(2)(Flatten()(y))).graph()
    bound = data.draw(st.integers(0, 600_000))
    one, strict = session(graph, bound), session(graph, precision="strict")
    shape = (3, *x.shape[1:])
    assert memory(one, [shape]).winograd == held(one, shape) - held(strict, shape) <= bound
    (given_rows,) = rows(shape)
    (whole,) = one.run([given_rows])
    for at in range(3):
        np.testing.assert_array_equal(one.run([given_rows[at : at + 1]])[0][0], whole[at])


def test_the_layers_that_gain_most_for_a_byte_come_first() -> None:
    x = Input((56, 56, 64))
    y = Conv2D(64, 3, padding="same", name="wide")(x)
    y = Conv2D(64, 3, strides=2, padding="same")(y)
    graph = Model(x, Conv2D(64, 3, padding="same", name="narrow")(y)).graph()

    def taken(bound: int | None) -> list[str]:
        found = explain(session(graph, bound), [(1, 56, 56, 64)])
        return [one.layer for one in found.choices if one.kernel and "winograd" in one.kernel]

    most = memory(session(graph), [(1, 56, 56, 64)]).winograd
    assert taken(None) == ["wide", "narrow"]
    assert taken(most) == ["wide", "narrow"]
    assert taken(most - 1) == ["wide"]


def test_who_keeps_which_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = network()
    config.set_winograd_memory(1000)
    one = Session(graph)
    config.set_winograd_memory(None)
    assert one.winograd_memory == pickle.loads(pickle.dumps(one)).winograd_memory == 1000
    assert one.with_threads(1).winograd_memory == 1000
    monkeypatch.setenv("GRAPHFLOW_WINOGRAD_MEMORY", "0")
    assert Session(graph).winograd_memory == 0
    assert session(graph, 5).winograd_memory == 5
    config.set_winograd_memory(7)
    assert session(graph, None).winograd_memory is None
    with graphflow.knobs(winograd_memory=-1):
        assert Session(graph).winograd_memory == 7
    with graphflow.knobs(winograd_memory=-3), pytest.raises(ArgumentError, match="winograd_memory must be None or"):
        Session(graph)


@pytest.mark.parametrize("value", [-1, 2.5, True, "much"])
def test_other_bounds_are_refused(value: Any) -> None:
    with pytest.raises(ArgumentError, match="winograd_memory must be None or a number of bytes"):
        config.set_winograd_memory(value)
    assert config.winograd_memory() is None
