"""Running: same row same bits, shapes and weights that change, and many threads on one session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from cases.layers import randomize
from cases.models import MODELS, as_list, data, make

import graphflow
from graphflow import Model, Sequential
from graphflow.kernels import isa
from graphflow.layers import LSTM, Conv2D, Dense, Flatten, MaxPooling2D
from graphflow.runtime import Session

Array = np.ndarray[Any, Any]


def conv_model() -> Model:
    first = Conv2D(24, 3, padding="same", activation="relu", input_shape=(17, 15, 5))
    return Sequential([first, MaxPooling2D(2), Conv2D(33, 3, strides=2), Flatten(), Dense(10)])


def lstm_model() -> Model:
    return Sequential([LSTM(37, return_sequences=True, input_shape=(11, 9)), LSTM(20, activation="relu"), Dense(3)])


def dense_model() -> Model:
    return Sequential([Dense(601, activation="gelu", input_shape=(70,)), Dense(130, activation="tanh"), Dense(1)])


MAKERS: dict[str, Callable[[], Model]] = {"conv": conv_model, "lstm": lstm_model, "dense": dense_model}


def random_input(model: Model, rows: int) -> Array:
    shape = model.input_shape[1:]
    return np.random.default_rng(rows).standard_normal((rows, *shape)).astype("float32")


@pytest.fixture
def thread_count() -> Iterator[Callable[[int | None], None]]:
    yield graphflow.set_num_threads
    graphflow.set_num_threads(None)


@pytest.mark.parametrize("isa_name", isa.available())
@pytest.mark.parametrize("kind", MAKERS)
def test_a_row_has_the_same_bits_in_every_batch_and_number_of_threads(
    kind: str, isa_name: str, thread_count: Callable[[int | None], None]
) -> None:
    with graphflow.knobs(isa=isa_name):
        model = MAKERS[kind]()
        randomize(model)
        x = random_input(model, 67)
        thread_count(1)
        expected = model.predict(x, batch_size=67)
        assert np.unique(expected).size > 60
        for threads in (1, 2):
            thread_count(threads)
            assert model.session().plan([x.shape]).program.threads == threads
            for batch in (1, 2, 3, 7, 16, 33, 67):
                np.testing.assert_array_equal(model.predict(x, batch_size=batch), expected, f"{batch}, {threads}")


def test_kernels_of_all_instruction_sets_agree() -> None:
    for make_model in MAKERS.values():
        model = make_model()
        randomize(model)
        x = random_input(model, 9)
        with graphflow.knobs(reference=True, passes_off="all"):
            (expected,) = Session(model.graph()).run([x])
        for name in isa.available():
            with graphflow.knobs(isa=name):
                (actual,) = Session(model.graph()).run([x])
            np.testing.assert_allclose(actual, expected, rtol=0, atol=3e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", MODELS)
def test_shapes_may_change_from_run_to_run(name: str) -> None:
    model = make(name)
    session = model.session()
    x = data(name, 40)
    whole = as_list(model.predict(x, batch_size=40))
    for rows in (1, 40, 3, 0, 17, 3, *range(1, 40)):
        for actual, expected in zip(session.run([x[:rows]]), whole, strict=True):
            np.testing.assert_array_equal(actual, expected[:rows])
    assert len(session.arena_bytes) <= 32


def test_new_weights_take_effect_in_the_next_run_and_leave_old_results() -> None:
    model = conv_model()
    randomize(model, 1)
    x = random_input(model, 4)
    first = model.predict(x)
    kept, old = first.copy(), model.get_weights()
    randomize(model, 2)
    second = model.predict(x)
    fresh = conv_model()
    fresh.set_weights(model.get_weights())
    np.testing.assert_array_equal(second, fresh.predict(x))
    assert np.abs(second - first).max() > 1e-3
    np.testing.assert_array_equal(first, kept)
    model.set_weights(old)
    np.testing.assert_array_equal(model.predict(x), kept)
    model.layers[0].set_weights([0 * value for value in model.layers[0].get_weights()])
    assert np.abs(model.predict(x) - kept).max() > 1e-3


def test_weights_given_are_copied() -> None:
    model = dense_model()
    weights = [np.ones_like(value) for value in model.get_weights()]
    model.set_weights(weights)
    x = random_input(model, 2)
    expected = model.predict(x)
    for value in (*weights, *model.get_weights()):
        value[...] = -5
    np.testing.assert_array_equal(model.predict(x), expected)


def test_eight_threads_share_a_session() -> None:
    model = conv_model()
    randomize(model)
    x = random_input(model, 24)
    expected = model.predict(x, batch_size=24)
    session = model.session()
    failures: list[Any] = []

    def work(number: int) -> None:
        try:
            for turn in range(25):
                rows = 1 + (number * 7 + turn * 3) % 24
                np.testing.assert_array_equal(session.run([x[:rows]])[0], expected[:rows])
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not failures
    assert not any(worker.is_alive() for worker in workers)


def test_threads_that_share_a_model_may_run_while_weights_change() -> None:
    model = dense_model()
    x = random_input(model, 3)
    states = []
    for seed in (1, 2):
        randomize(model, seed)
        states.append((model.get_weights(), model.predict(x)))
    stop = time.monotonic() + 0.5
    failures: list[Any] = []

    def read() -> None:
        try:
            while time.monotonic() < stop:
                assert np.isfinite(model.session().run([x])[0]).all()
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    while time.monotonic() < stop:
        for weights, _ in states:
            model.set_weights(weights)
    for reader in readers:
        reader.join(30)
    assert not failures
    for weights, expected in states:
        model.set_weights(weights)
        np.testing.assert_array_equal(model.predict(x), expected)


def test_a_repeated_run_is_not_taken_for_one_with_other_data() -> None:
    model = dense_model()
    randomize(model)
    session = model.session()
    x = random_input(model, 8)
    expected = session.run([x])[0].copy()
    wide = np.zeros((16, 140), "float32")
    wide[::2, ::2] = x
    kinds = (x, x.astype("float64"), np.asfortranarray(x), x.astype(">f4"), wide[::2, ::2], x.tolist(), x.copy())
    for _ in range(3):
        for given in kinds:
            for one in (given, x):
                np.testing.assert_array_equal(session.run([one])[0], expected)
    np.testing.assert_array_equal(session.run({session.input_names[0]: x})[0], expected)
    np.testing.assert_array_equal(session.run([x.view("int32")])[0].shape, expected.shape)
    assert np.abs(session.run([x.view("int32")])[0] - expected).max() > 1
    for wrong in (x[:, :5], x[0], x.astype(complex)):
        with pytest.raises(graphflow.errors.GraphflowError, match="Input"):
            session.run([wrong])
    np.testing.assert_array_equal(session.run([x])[0], expected)


@pytest.mark.parametrize("assign", ["set_weights", "assign", "another session's model"])
def test_a_repeated_run_notices_every_way_to_change_a_weight(assign: str) -> None:
    model = dense_model()
    randomize(model)
    x = random_input(model, 8)
    session = model.session()
    before = [session.run([x])[0] for _ in range(3)][-1]
    last = model.layers[-1]
    if assign == "set_weights":
        last.set_weights([value * 0 for value in last.get_weights()])
    elif assign == "assign":
        last.kernel.assign(last.kernel.value * 0)
        last.bias.assign(np.zeros(1))
    else:
        sharing = Model(model.inputs, last.output)
        sharing.session().run([x])
        sharing.set_weights([value * 0 for value in sharing.get_weights()])
    for _ in range(3):
        np.testing.assert_array_equal(session.run([x])[0], 0)
    assert np.abs(before).max() > 0
