"""What a model is given at run time and refuses: kinds of data, sizes, names, and values outside a table."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, ops
from graphflow.errors import ArgumentError, DataError, DTypeError, GraphflowError, ShapeError
from graphflow.kernels import isa
from graphflow.layers import Add, Conv2D, Dense, Embedding, GlobalMaxPooling1D, Lambda

MODES: dict[str, dict[str, Any]] = {name: {"isa": name} for name in isa.available()} | {
    "reference": {"reference": True}
}


@pytest.fixture(scope="module")
def dense() -> Model:
    x = Input((4,), name="features")
    return Model(x, Dense(2)(x))


def counting(dtype: str) -> Model:
    x = Input((3,), dtype=dtype, name="count")
    return Model(x, Lambda(lambda v: v)(x))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (np.zeros((2, 5)), ShapeError, ("(None, 4)", "(2, 5)")),
        (np.zeros((2, 4, 1)), ShapeError, ("(None, 4)", "(2, 4, 1)")),
        (np.zeros(4), ShapeError, ("(None, 4)", "(4,)")),
        (np.array([["a", "b", "c", "d"]]), DTypeError, ("float32", "<U1")),
        (np.zeros((2, 4), complex), DTypeError, ("float32", "complex128")),
        (np.array([[Decimal(1)] * 4]), DTypeError, ("float32", "object")),
        (np.array([[None, 1, 2, 3]]), DTypeError, ("float32", "object")),
        (np.zeros((2, 4), "datetime64[s]"), DTypeError, ("float32", "datetime64")),
        (np.zeros((2, 4), [("a", "f4")]), DTypeError, ("float32",)),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_no_table_of_numbers_is_refused_by_the_input_s_name(
    dense: Model, given: Any, error: type[GraphflowError], words: tuple[str, ...]
) -> None:
    for call in (dense.predict, dense.predict_on_batch, dense, lambda x: dense.session().run([x])):
        with pytest.raises(error) as caught:
            call(given)
        for word in ("'features'", *words):
            assert word in str(caught.value)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "int8"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.5, 1e30])
def test_integers_take_no_fractions_nan_or_infinity(dtype: str, bad: float) -> None:
    given = np.array([[1.0, 2.0, bad]])
    with pytest.raises(DataError) as caught:
        counting(dtype).predict(given)
    assert "'count'" in str(caught.value)
    assert dtype in str(caught.value)


@pytest.mark.parametrize(
    ("dtype", "given"),
    [
        ("int32", np.full((1, 3), 2**31, "int64")),
        ("int32", np.full((1, 3), -(2**31) - 1, "int64")),
        ("int32", np.full((1, 3), 2.0**31, "float32")),
        ("int32", np.full((1, 3), 2.0**31, "float64")),
        ("int64", np.full((1, 3), 2.0**63, "float64")),
        ("int64", np.full((1, 3), 2**63, "uint64")),
        ("uint8", np.full((1, 3), -1, "int32")),
        ("uint8", np.full((1, 3), 256.0, "float32")),
        ("int8", np.full((1, 3), 200, "uint8")),
    ],
)
def test_integers_take_no_number_that_does_not_fit(dtype: str, given: Any) -> None:
    with pytest.raises(DataError, match=r"do not fit|not a whole number"):
        counting(dtype).predict(given)


def test_the_largest_integers_that_fit_are_taken() -> None:
    np.testing.assert_array_equal(
        counting("int32").predict(np.full((1, 3), 2**31 - 1, "int64")), np.full((1, 3), 2**31 - 1)
    )
    np.testing.assert_array_equal(counting("int32").predict(np.full((1, 3), -(2.0**31))), np.full((1, 3), -(2**31)))
    np.testing.assert_array_equal(counting("uint8").predict(np.full((1, 3), 255.0)), np.full((1, 3), 255))
    np.testing.assert_array_equal(counting("int64").predict(np.ones((1, 3), bool)), np.ones((1, 3)))


def test_missing_and_unknown_names_are_both_listed() -> None:
    a, b = Input((2,), name="left"), Input((2,), name="right")
    model = Model([a, b], Add()([a, b]))
    x = np.zeros((1, 2))
    with pytest.raises(ArgumentError, match="missing: right"):
        model.predict({"left": x})
    with pytest.raises(ArgumentError, match=r"missing: right; unknown: rihgt.*'right'"):
        model.predict({"left": x, "rihgt": x})
    with pytest.raises(ArgumentError, match="unknown: third"):
        model.predict({"left": x, "right": x, "third": x})
    with pytest.raises(ArgumentError, match=r"2 inputs.*left, right.*received 3"):
        model.predict([x, x, x])
    with pytest.raises(ArgumentError, match=r"2 inputs.*left, right.*received 1"):
        model.session().run([x])
    with pytest.raises(ShapeError, match=r"same number of rows, received left: 1, right: 2"):
        model.predict([x, np.zeros((2, 2))])
    with pytest.raises(ShapeError, match="broadcast"):
        model.session().run([np.zeros((3, 2)), np.zeros((2, 2))])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
@pytest.mark.parametrize(("position", "value"), [((0, 0), 7), ((3, 2), -1), ((2, 1), 10_000)])
def test_an_index_outside_the_table_names_position_and_value(
    mode: str, dtype: str, position: tuple[int, int], value: int
) -> None:
    x = Input((3,), dtype=dtype)
    with graphflow.knobs(**MODES[mode]):
        model = Model(x, Embedding(7, 4, name="table")(x))
        good = np.arange(12).reshape(4, 3) % 7
        kept = model.predict_on_batch(good)
        bad = good.copy()
        bad[position] = value
        with pytest.raises(DataError) as caught:
            model.predict_on_batch(bad)
        message = str(caught.value)
        assert f"Index {value} at flat position {position[0] * 3 + position[1]}" in message
        assert "rows 0 to 6" in message
        assert "'table'" in message
        np.testing.assert_array_equal(model.predict_on_batch(good), kept)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [0.5, np.nan, np.inf])
def test_an_index_that_is_not_whole_is_refused(mode: str, value: float) -> None:
    x = Input((3,))
    with graphflow.knobs(**MODES[mode]):
        model = Model(x, Embedding(7, 4, name="table")(x))
        with pytest.raises(DataError, match="flat position 1") as caught:
            model.predict(np.array([[1, value, 2]], "float32"))
    assert "'table'" in str(caught.value)


def test_a_size_that_only_the_run_shows_to_be_wrong_names_the_layer() -> None:
    x = Input((None, None, 1))
    model = Model(x, Conv2D(2, 5, name="window")(x))
    assert model.predict(np.zeros((1, 5, 6, 1))).shape == (1, 1, 2, 2)
    with pytest.raises(ShapeError, match="window of 5") as caught:
        model.predict(np.zeros((1, 4, 9, 1)))
    assert "'window'" in str(caught.value)


def test_an_output_array_that_does_not_fit_is_refused(dense: Model) -> None:
    session = dense.session()
    x = np.zeros((3, 4), "float32")
    out = np.full((3, 2), np.nan, "float32")
    assert session.run([x], out=[out])[0] is out
    np.testing.assert_array_equal(out, 0)
    frozen = np.zeros((3, 2), "float32")
    frozen.flags.writeable = False
    for wrong in (np.zeros((2, 2), "float32"), np.zeros((3, 2)), np.zeros((2, 3), "float32").T, frozen):
        with pytest.raises(ArgumentError, match="writable C-contiguous"):
            session.run([x], out=[wrong])
    with pytest.raises(ArgumentError, match="1 outputs, received 2"):
        session.run([x], out=[out, out])


def test_an_output_array_that_is_an_input_too_is_refused_or_right() -> None:
    x = Input((4,))
    session = Model(x, ops.tanh(x) * 2 + x).session()
    given = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")
    expected = np.tanh(given) * 2 + given
    try:
        (actual,) = session.run([given], out=[given])
    except ArgumentError as error:
        assert "overlap" in str(error)
    else:
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_lists_that_are_no_arrays_are_refused_by_the_input_s_name(dense: Model) -> None:
    with pytest.raises(GraphflowError, match="'features'"):
        dense.predict([[1.0, 2.0, 3.0, 4.0], [1.0]])


def test_a_maximum_over_no_steps_is_refused_by_the_layer_s_name() -> None:
    x = Input((None, 3))
    model = Model(x, GlobalMaxPooling1D(name="pool")(x))
    assert model.predict(np.ones((2, 1, 3))).shape == (2, 3)
    with pytest.raises(ShapeError, match="'pool'"):
        model.predict(np.ones((2, 0, 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"steps": -1}, "steps"),
        ({"verbose": 3}, "verbose"),
        ({"batch_size": True}, "batch_size"),
    ],
)
def test_arguments_of_predict_are_checked(dense: Model, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        dense.predict(np.zeros((2, 4)), **options)


def test_iterators_say_what_is_wrong_with_them(dense: Model) -> None:
    with pytest.raises(TypeError, match="no batches"):
        dense.predict(iter([]))
    with pytest.raises(ArgumentError, match="batch_size can not be given with an iterator"):
        dense.predict(iter([np.zeros((1, 4))]), batch_size=2)
    with pytest.raises(ShapeError, match="'features'"):
        dense.predict(iter([np.zeros((1, 4)), np.zeros((1, 5))]))


def test_unknown_passes_and_instruction_sets_are_named() -> None:
    x = Input((4,))
    y = Dense(2)(x)
    with graphflow.knobs(passes_off="fuse_epilog"), pytest.raises(ArgumentError, match="'fuse_epilogue'"):
        Model(x, y).session()
    with graphflow.knobs(isa="avx1024"), pytest.raises(ArgumentError, match=r"'avx1024'.*base"):
        Model(x, y).predict(np.zeros((1, 4)))
