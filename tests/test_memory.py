"""Where buffers lie: what lives at one time never overlaps, and nothing that is still needed is written over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.models import MODELS, as_list, data, make
from hypothesis import given
from hypothesis import strategies as st

import graphflow
from graphflow import Input, Model, ops
from graphflow.kernels import isa
from graphflow.knobs import knobs
from graphflow.layers import Activation, Add, Conv2D, Dense
from graphflow.runtime import Session
from graphflow.runtime.memory import ALIGNMENT, Lifetime, lower_bound, place

Array = np.ndarray[Any, Any]


@st.composite
def lifetimes(draw: st.DrawFn) -> list[Lifetime]:
    found = []
    for _ in range(draw(st.integers(0, 24))):
        first = draw(st.integers(0, 20))
        found.append(Lifetime(first, first + draw(st.integers(0, 8)), draw(st.integers(0, 1000))))
    return found


@given(lifetimes())
def test_buffers_that_live_together_never_overlap(given: list[Lifetime]) -> None:
    offsets, top = place(given)
    assert len(offsets) == len(given)
    for i, (one, at) in enumerate(zip(given, offsets, strict=True)):
        assert at % ALIGNMENT == 0
        assert 0 <= at <= at + one.size <= top
        for other, elsewhere in zip(given[:i], offsets[:i], strict=True):
            if one.first <= other.last and other.first <= one.last and one.size and other.size:
                assert at + one.size <= elsewhere or elsewhere + other.size <= at
    assert lower_bound(given) <= top <= sum(-(-max(one.size, 1) // ALIGNMENT) * ALIGNMENT for one in given)


def test_the_lower_bound_is_the_most_that_is_live_at_once() -> None:
    assert lower_bound([]) == 0
    assert lower_bound([Lifetime(0, 3, 64), Lifetime(2, 5, 128), Lifetime(4, 4, 640)]) == 768
    assert place([Lifetime(0, 1, 64), Lifetime(1, 2, 64), Lifetime(2, 3, 64)])[1] == 128


@pytest.mark.parametrize("length", [2, 5, 40])
def test_a_chain_needs_two_buffers_however_long_it_is(length: int) -> None:
    x = y = Input((1000,))
    for _ in range(length):
        y = Dense(1000, use_bias=False)(y)
    session = Model(x, y).session()
    session.run([np.zeros((4, 1000), "float32")])
    (used,) = session.arena_bytes.values()
    assert used <= 2 * 4 * 1000 * 4 + 4 * ALIGNMENT


def test_elementwise_chains_run_in_place() -> None:
    x = y = Input((1000,))
    for name in ("tanh", "relu", "sigmoid", "elu", "softplus", "tanh", "relu"):
        y = Activation(name)(y)
    session = Model(x, y).session()
    session.run([np.zeros((4, 1000), "float32")])
    assert max(session.arena_bytes.values()) <= 4 * 1000 * 4 + ALIGNMENT


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_product_takes_the_place_of_what_is_added_to_it(kernel: int) -> None:
    x = Input((8, 8, 32))
    first = Conv2D(32, 1, activation="relu")(x)
    y = Add()([Conv2D(32, kernel, padding="same")(Conv2D(32, 1)(first)), first])
    for _ in range(2):
        y = Conv2D(32, 1)(y)
    session = Model(x, y).session()
    image = np.random.default_rng(0).random((2, 8, 8, 32), dtype="float32")
    (result,) = session.run([image])
    (used,) = session.arena_bytes.values()
    assert used <= 2 * 2 * 8 * 8 * 32 * 4 + 4 * ALIGNMENT
    with knobs(reference=True):
        np.testing.assert_allclose(result, Model(x, y).session().run([image])[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_product_never_takes_the_place_of_what_it_still_reads(kernel: int) -> None:
    x = Input((9, 9, 32))
    first = Conv2D(32, 1, activation="relu")(x)
    y = Conv2D(32, 1)(Add()([Conv2D(32, kernel, padding="same")(first), first]))
    image = np.random.default_rng(1).random((2, 9, 9, 32), dtype="float32")
    (result,) = Model(x, y).session().run([image])
    with knobs(reference=True):
        np.testing.assert_allclose(result, Model(x, y).session().run([image])[0], rtol=1e-5, atol=1e-6)


UNARY = (
    ops.tanh,
    ops.relu,
    ops.square,
    ops.negative,
    ops.sigmoid,
    lambda x: ops.reshape(x, (-1, 6)),
    lambda x: x + 0.5,
)
UNARY_ODD = (lambda x: ops.reshape(ops.reshape(x, (-1, 2, 3)), (-1, 6)), lambda x: x * np.arange(6, dtype="float32"))
BINARY = (ops.add, ops.multiply, ops.subtract, ops.maximum, lambda a, b: ops.concatenate([a, b], 1)[:, 3:9])


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[tuple[int, int, int, int]], list[int]]:
    """Steps (kind, function, first operand, second operand) on all values before, and which values leave the model."""
    length = draw(st.integers(1, 14))
    steps = [
        (draw(st.integers(0, 1)), draw(st.integers(0, 8)), draw(st.integers(0, n + 1)), draw(st.integers(0, n + 1)))
        for n in range(length)
    ]
    outputs = draw(st.lists(st.integers(2, length + 1), min_size=1, max_size=4))
    return steps, outputs


def interpret(steps: list[tuple[int, int, int, int]], values: list[Any]) -> list[Any]:
    unary = (*UNARY, *UNARY_ODD)
    for kind, function, first, second in steps:
        if kind:
            values.append(unary[function % len(unary)](values[first]))
        else:
            values.append(BINARY[function % len(BINARY)](values[first], values[second]))
    return values


@given(programs())
def test_nothing_that_is_still_needed_is_written_over(
    program: tuple[list[tuple[int, int, int, int]], list[int]],
) -> None:
    steps, wanted = program
    a, b = Input((6,)), Input((6,))
    values = interpret(steps, [a, b])
    outputs = [values[index] for index in wanted]
    model = Model([a, b], outputs)
    rng = np.random.default_rng(len(steps))
    x, y = rng.uniform(-1, 1, (2, 3, 6)).astype("float32")
    kept = x.copy(), y.copy()
    with np.errstate(all="ignore"):
        expected = [interpret(steps, [x, y])[index] for index in wanted]
    with graphflow.knobs(passes_off="all"):
        plain = Session(model.graph()).run([x, y])
    for actual in (Session(model.graph()).run([x, y]), plain):
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-5)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(y, kept[1])


@pytest.mark.parametrize("name", MODELS)
def test_results_lie_in_memory_of_their_own(name: str) -> None:
    model = make(name)
    x = data(name)
    first = as_list(model.predict_on_batch(x))
    kept = [array.copy() for array in first]
    model.predict_on_batch(x * -3)
    model.predict_on_batch(np.full_like(x, np.nan))
    for array, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(array, before)
        assert not np.shares_memory(array, x)
        array[...] = 7
    for one, other in zip(as_list(model.predict_on_batch(x)), kept, strict=True):
        np.testing.assert_array_equal(one, other)
    for i, one in enumerate(first):
        assert not any(np.shares_memory(one, other) for other in first[:i])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("isa_name", isa.available())
def test_no_row_sees_what_another_holds(name: str, isa_name: str) -> None:
    with graphflow.knobs(isa=isa_name):
        model = make(name)
        x = data(name, 6)
        clean = [array.copy() for array in as_list(model.predict_on_batch(x))]
        poisoned = x.copy()
        poisoned[2], poisoned[5] = np.nan, np.inf
        for array, expected in zip(as_list(model.predict_on_batch(poisoned)), clean, strict=True):
            np.testing.assert_array_equal(array[[0, 1, 3, 4]], expected[[0, 1, 3, 4]])
        for array, expected in zip(as_list(model.predict_on_batch(x)), clean, strict=True):
            np.testing.assert_array_equal(array, expected)
