"""Consecutive batches in one call: what `run` gives for each, whatever way they take."""

import numpy as np
import pytest

from graphflow import Input, Model
from graphflow.errors import DataError
from graphflow.layers import Dense, Embedding, Flatten

RNG = np.random.default_rng(5)


def two_outputs() -> Model:
    x = Input((6,), name="x")
    y = Dense(9, activation="relu")(x)
    return Model(x, [Dense(3, activation="softmax")(y), y + 1.0])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [1, 4, 8, 23, 40])
def test_batches_give_what_runs_give(rows: int, threads: int) -> None:
    session = two_outputs().session().with_threads(threads)
    x = RNG.standard_normal((rows, 6)).astype("float32")
    whole = session.run([x])
    for _ in range(2):
        parts = session.run_batches([x], 4)
        for index, expected in enumerate(whole):
            assert np.array_equal(np.concatenate([part[index] for part in parts]), expected)


def test_whole_batches_take_one_call() -> None:
    session = two_outputs().session()
    x = RNG.standard_normal((40, 6)).astype("float32")
    session.run([x[:4]])
    assert [len(part[0]) for part in session.run_batches([x], 4)] == [40]
    assert [len(part[0]) for part in session.run_batches([x[:39]], 4)] == [36, 3]
    assert [len(part[0]) for part in session.run_batches([x], 5)] == [5, 35]


def test_rows_of_another_kind_take_the_long_way() -> None:
    session = two_outputs().session()
    x = RNG.standard_normal((40, 6)).astype("float32")
    session.run([x[:4]])
    wide = session.run_batches([x.astype("float64")], 4)
    strided = session.run_batches([np.repeat(x, 2, axis=1)[:, ::2]], 4)
    expected = session.run([x])[0]
    for parts in (wide, strided):
        assert len(parts) == 10
        assert np.array_equal(np.concatenate([part[0] for part in parts]), expected)


def test_no_rows() -> None:
    parts = two_outputs().session().run_batches([np.zeros((0, 6), "float32")], 4)
    assert [one.shape for one in parts[0]] == [(0, 3), (0, 9)]


def test_new_weights_hold_from_the_next_call_on() -> None:
    model = two_outputs()
    session = model.session()
    x = RNG.standard_normal((16, 6)).astype("float32")
    session.run_batches([x], 4)
    model.set_weights([one * 2 for one in model.get_weights()])
    made = np.concatenate([part[0] for part in session.run_batches([x], 4)])
    assert np.array_equal(made, model.session().run([x])[0])


def test_a_failing_batch_names_its_row_and_the_session_goes_on() -> None:
    x = Input((2,), dtype="int32")
    session = Model(x, Flatten()(Embedding(5, 3)(x))).session()
    good = RNG.integers(0, 5, (12, 2)).astype("int32")
    expected = session.run([good])[0]
    session.run([good[:4]])
    bad = good.copy()
    bad[9, 1] = 7
    with pytest.raises(DataError, match="7"):
        session.run_batches([bad], 4)
    assert np.array_equal(np.concatenate([part[0] for part in session.run_batches([good], 4)]), expected)
