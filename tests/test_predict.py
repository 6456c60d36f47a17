"""What `predict` takes and gives: arrays of every layout, lists, dicts, files, generators, and nested results."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphflow import Input, Model, Sequential
from graphflow.layers import LSTM, Add, Concatenate, Conv1D, Dense, Embedding, Lambda

Array = np.ndarray[Any, Any]
X = np.random.default_rng(6).standard_normal((70, 6)).astype("float32")
KERNEL = np.random.default_rng(7).standard_normal((6, 3)).astype("float32")
EXPECTED = X.astype("float64") @ KERNEL


@pytest.fixture(scope="module")
def model() -> Model:
    x = Input((6,), name="x")
    return Model(x, Dense(3, use_bias=False, weights=[KERNEL], name="y")(x))


def near(actual: Any, expected: Any = EXPECTED) -> None:
    assert isinstance(actual, np.ndarray)
    assert actual.dtype == np.float32
    assert actual.flags.c_contiguous
    assert actual.flags.writeable
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_arrays_of_every_layout(model: Model) -> None:
    wide = np.zeros((140, 12), "float32")
    wide[::2, ::2] = X
    shifted = np.zeros(70 * 6 * 4 + 1, "uint8")
    unaligned = shifted[1:].view("float32").reshape(70, 6)
    unaligned[...] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    for given in (X, np.asfortranarray(X), X.astype(">f4"), X.astype("float64"), wide[::2, ::2], unaligned, frozen):
        kept = given.copy()
        near(model.predict(given))
        near(model.predict_on_batch(given))
        near(model(given))
        np.testing.assert_array_equal(given, kept)
    near(model.predict(X[::-1]), EXPECTED[::-1])
    near(model.predict(np.broadcast_to(X[:1], (5, 6))), np.broadcast_to(EXPECTED[:1], (5, 3)))
    near(model.predict(X.astype("float16")), X.astype("float16").astype("float64") @ KERNEL)
    near(model.predict(np.round(X).astype("int8")), np.round(X) @ KERNEL)
    near(model.predict(X > 0), (X > 0) @ KERNEL)


def test_lists_are_arrays(model: Model) -> None:
    near(model.predict(X.tolist()))
    near(model.predict([X]))
    near(model.predict((X,)))
    near(model.predict({"x": X}))
    near(model.predict_on_batch(X.tolist()))


def test_memory_mapped_files_are_read_in_batches(model: Model, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    near(model.predict(np.load(tmp_path / "x.npy", mmap_mode="r"), batch_size=16))


class Sliced:
    """Array-like: has a shape and gives slices."""

    def __init__(self) -> None:
        self.shape, self.dtype, self.slices = X.shape, X.dtype, []

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, key: Any) -> Array:
        self.slices.append(key)
        return X[key]


def test_anything_that_can_be_sliced_is_never_read_at_once(model: Model) -> None:
    source = Sliced()
    near(model.predict(source, batch_size=32))
    assert [(one.start, one.stop) for one in source.slices] == [(0, 32), (32, 64), (64, 70)]


@pytest.mark.parametrize("batch", [1, 7, 32, 70, 1000])
def test_batches_of_every_size_give_the_same_rows(model: Model, batch: int) -> None:
    np.testing.assert_array_equal(model.predict(X, batch_size=batch), model.predict(X, batch_size=70))


def batches() -> Iterator[Any]:
    for start in range(0, 70, 25):
        yield X[start : start + 25]


def test_generators_give_batches(model: Model) -> None:
    near(model.predict(batches()))
    near(model.predict((x, np.zeros(len(x))) for x in batches()))
    near(model.predict({"x": x} for x in batches()))
    near(model.predict(batches(), steps=2), EXPECTED[:50])
    taken = batches()
    near(model.predict(taken, steps=1), EXPECTED[:25])
    near(model.predict(taken), EXPECTED[25:])


def test_steps_end_early(model: Model) -> None:
    near(model.predict(X, batch_size=16, steps=2), EXPECTED[:32])
    near(model.predict(X, batch_size=16, steps=99))


@pytest.mark.parametrize("rows", [0, 1])
def test_no_rows_and_one_row(model: Model, rows: int) -> None:
    near(model.predict(X[:rows]), EXPECTED[:rows])
    near(model.predict_on_batch(X[:rows]), EXPECTED[:rows])
    assert model.predict(X[:rows]).shape == (rows, 3)


def test_no_rows_through_every_kind_of_layer() -> None:
    ids = Input((None,), dtype="int32")
    y = LSTM(4, return_sequences=True)(Embedding(5, 3, mask_zero=True)(ids))
    other = Input((9, 2))
    z = Conv1D(4, 3, activation="relu")(other)
    model = Model([ids, other], [y, Concatenate(1)([z, z])])
    first, second = model.predict([np.zeros((0, 7), int), np.zeros((0, 9, 2))])
    assert (first.shape, second.shape) == ((0, 7, 4), (0, 14, 4))
    empty = model.predict([np.zeros((2, 0), int), np.zeros((2, 9, 2))])
    assert (empty[0].shape, empty[1].shape) == ((2, 0, 4), (2, 14, 4))


def test_results_are_nested_as_the_outputs_are() -> None:
    a, b = Input((6,), name="a"), Input((6,), name="b")
    total, left = Add()([a, b]), Dense(3, use_bias=False, weights=[KERNEL])(a)
    by_name = Model({"a": a, "b": b}, {"total": total, "inner": [left, a]})
    for given in ({"a": X, "b": 2 * X}, {"b": 2 * X, "a": X}, [X, 2 * X]):
        found = by_name.predict(given)
        assert list(found) == ["total", "inner"]
        near(found["total"], 3 * X)
        assert isinstance(found["inner"], list)
        near(found["inner"][0])
        near(found["inner"][1], X)
    listed = Model([a, b], [total]).predict([X, X])
    assert isinstance(listed, list)
    near(listed[0], 2 * X)
    pair = Model([a, b], (left, total)).predict([X, X])
    assert isinstance(pair, tuple)
    near(pair[1], 2 * X)
    called = by_name({"a": X, "b": X})
    near(called["inner"][0])


def test_the_keys_of_an_input_dict_may_differ_from_the_layers_names() -> None:
    a, b = Input((6,), name="first"), Input((6,), name="second")
    model = Model({"left": a, "right": b}, a - b)
    near(model.predict({"right": X, "left": 3 * X}), 2 * X)
    near(model.predict({"second": X, "first": 3 * X}), 2 * X)


def test_outputs_that_are_no_rows_are_joined_batch_by_batch() -> None:
    x = Input((6,))
    model = Model(x, Lambda(lambda v: v[:1] * 0 + 1)(x))
    assert model.predict(X, batch_size=32).shape == (3, 6)


def test_an_input_may_be_an_output_and_a_constant() -> None:
    x = Input((6,))
    held = Input(tensor=np.arange(6, dtype="float32"))
    near(Model(x, x).predict(X), X)
    near(Model(x, x + held).predict(X), X + np.arange(6))


def test_one_channel_may_be_left_out() -> None:
    model = Sequential([Conv1D(2, 3, input_shape=(8, 1))])
    rows = np.random.default_rng(0).standard_normal((4, 8)).astype("float32")
    np.testing.assert_array_equal(model.predict(rows), model.predict(rows[..., None]))


def test_sparse_matrices_are_taken_where_the_input_is_sparse() -> None:
    class Matrix:
        shape, dtype = X.shape, X.dtype

        def __getitem__(self, key: Any) -> Any:
            part = Matrix()
            part.rows = X[key]
            part.shape = part.rows.shape
            return part

        def toarray(self) -> Array:
            return getattr(self, "rows", X)

    x = Input((6,), sparse=True)
    near(Model(x, Dense(3, use_bias=False, weights=[KERNEL])(x)).predict(Matrix()))


@pytest.mark.parametrize("verbose", ["auto", 0, 1, 2])
def test_nothing_is_printed_when_there_is_no_terminal(
    model: Model, verbose: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    model.predict(X, batch_size=1, verbose=verbose)
    model.predict(batches(), verbose=verbose)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_sees_a_bar_on_the_error_stream_only(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out, error = Terminal(), Terminal()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", error)
    near(model.predict(X, batch_size=10))
    assert "7/7" in error.getvalue()
    assert out.getvalue() == ""
    error.truncate(0)
    model.predict(X, batch_size=10, verbose=0)
    assert error.getvalue().strip("\0") == ""


def test_embedding_takes_the_integers_that_numpy_makes() -> None:
    model = Sequential()
    model.add(Embedding(1000, 64, input_length=10))
    model.compile("rmsprop", "mse")
    ids = np.random.default_rng(0).integers(1000, size=(32, 10))
    y = model.predict(ids)
    assert y.shape == (32, 10, 64)
    np.testing.assert_array_equal(y, model.get_weights()[0][ids])
    assert model.compiled_with == {"optimizer": "rmsprop", "loss": "mse"}
