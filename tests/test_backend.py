"""`graphflow.backend`: every function against NumPy, on arrays and inside models, and what asks or sets something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cases.backend import IMAGES, NO_PROBLEM, PROBLEMS, Array, Problem, X

import graphflow
from graphflow import Input, Model
from graphflow import backend as K
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError, UnsupportedError
from graphflow.layers import Dense, Lambda, Layer
from graphflow.layers.tensor import KerasTensor
from graphflow.variable import Variable


@pytest.fixture(autouse=True)
def settings_as_they_were() -> Iterator[None]:
    before = K.floatx(), K.epsilon(), K.image_data_format()
    yield
    K.set_floatx(before[0])
    K.set_epsilon(before[1])
    K.set_image_data_format(before[2])


def check(actual: Any, problem: Problem) -> Array:
    """Hold an answer to NumPy's: shape, kind of dtype, and numbers."""
    actual, expected = np.asarray(actual), np.asarray(problem.answer(*problem.inputs))
    assert actual.shape == expected.shape
    assert actual.dtype.kind == expected.dtype.kind
    largest = np.abs(expected.astype(np.float64)).max(initial=0.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * largest)
    return actual


def ids(problem: Problem) -> str:
    return problem.id


def inputs_of(problem: Problem) -> list[KerasTensor]:
    return [Input(array.shape[1:], dtype=array.dtype.name) for array in problem.inputs]


def test_every_function_has_a_problem_or_a_reason() -> None:
    assert {problem.name for problem in PROBLEMS} | set(NO_PROBLEM) == set(K.__all__)
    assert not {problem.name for problem in PROBLEMS} & set(NO_PROBLEM)
    assert len({problem.id for problem in PROBLEMS}) == len(PROBLEMS)


def test_names_are_sorted_there_and_documented() -> None:
    assert list(K.__all__) == sorted(set(K.__all__))
    for name in K.__all__:
        assert getattr(K, name).__doc__


@pytest.mark.parametrize("problem", PROBLEMS, ids=ids)
def test_arrays_give_numpys_answer(problem: Problem) -> None:
    before = [array.copy() for array in problem.inputs]
    check(problem.ask(K, *problem.inputs), problem)
    for array, kept in zip(problem.inputs, before, strict=True):
        np.testing.assert_array_equal(array, kept)


@pytest.mark.parametrize("problem", PROBLEMS, ids=ids)
def test_variables_give_numpys_answer(problem: Problem) -> None:
    answer = problem.ask(K, *(Variable(array) for array in problem.inputs))
    check(answer.numpy() if isinstance(answer, Variable) else answer, problem)


@pytest.mark.parametrize("problem", PROBLEMS, ids=ids)
def test_a_lambda_of_it_gives_numpys_answer(problem: Problem) -> None:
    tensors = inputs_of(problem)
    output = Lambda(lambda xs: problem.ask(K, *xs))(tensors)
    actual = check(Model(tensors, output).predict_on_batch(list(problem.inputs)), problem)
    assert output.dtype == actual.dtype.name
    assert len(output.shape) == actual.ndim
    assert all(a is None or a == b for a, b in zip(output.shape, actual.shape, strict=True))


@pytest.mark.parametrize("problem", PROBLEMS, ids=ids)
def test_symbolic_tensors_outside_layers_give_numpys_answer(problem: Problem) -> None:
    tensors = inputs_of(problem)
    output = problem.ask(K, *tensors)
    if isinstance(output, KerasTensor):
        check(Model(tensors, output).predict_on_batch(list(problem.inputs)), problem)


def test_shape_arithmetic_takes_no_step_of_a_plan() -> None:
    x = Input((4, 5))
    y = Lambda(lambda x: K.reshape(x, K.concatenate([K.shape(x)[:1], K.shape(x)[1:2] * 5], axis=0)))(x)
    assert y.shape == (None, 20)
    model = Model(x, Dense(3)(y))
    assert model.predict(X).shape == (3, 3)
    plan = model.session().plan([(3, 4, 5)])
    assert [(planned.node.op.name, planned.reason == "view") for planned in plan.nodes] == [
        ("reshape_to", True),
        ("dense", False),
    ]


COMPUTED: dict[str, tuple[Any, tuple[int | None, ...]]] = {
    "product": (lambda x: (-1, K.prod(K.shape(x)[1:])), (None, 20)),
    "left over": (lambda x: (K.shape(x)[0], -1), (None, None)),
    "twice": (lambda x: (K.shape(x)[0] * 2, 10), (None, 10)),
    "reversed": (lambda x: K.reverse(K.shape(x), 0), (5, 4, None)),
    "another dtype": (lambda x: (K.cast(K.shape(x)[0], "int64"), 4, 5), (None, 4, 5)),
    "halved": (lambda x: (K.maximum(K.shape(x)[0], 1), K.shape(x)[1] // 2, -1), (None, 2, None)),
    "of a result": (lambda x: K.shape(K.exp(x)), (None, 4, 5)),
    "known": (lambda x: (-1, K.shape(x)[2], K.shape(x)[1]), (None, 5, 4)),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_computed_shapes_are_known_as_far_as_their_parts_are(name: str) -> None:
    target, expected = COMPUTED[name]
    x = Input((4, 5))
    y = Lambda(lambda x: K.reshape(x, target(x)))(x)
    assert y.shape == expected
    assert K.reshape(x, target(x)).shape == expected
    model = Model(x, y)
    with graphflow.knobs(debug=3):
        actual = model.predict_on_batch(X)
    np.testing.assert_array_equal(actual, X.reshape(actual.shape))
    assert [planned.reason for planned in model.session().plan([(3, 4, 5)]).nodes] == ["view"]


def test_plans_for_many_shapes_keep_nothing_of_them_in_the_session() -> None:
    x = Input((None, 2))
    model = Model(x, Lambda(lambda x: x * K.cast(K.shape(x)[1], "float32"))(x))
    for steps in range(1, 60):
        array = np.ones((2, steps, 2), "float32")
        np.testing.assert_array_equal(model.predict_on_batch(array), array * steps)
    assert len(model.session()._bindings._arrays) <= 1


def test_a_shape_that_does_not_fit_is_refused_where_it_is_known() -> None:
    x = Input((None, 4))
    y = K.reshape(x, (K.shape(x)[0], 3, -1))
    assert y.shape == (None, 3, None)
    model = Model(x, y)
    assert model.predict(np.zeros((2, 6, 4), "float32")).shape == (2, 3, 8)
    with pytest.raises(ShapeError, match=r"Can not reshape \(2, 5, 4\) into \(2, 3, -1\)"):
        model.predict(np.zeros((2, 5, 4), "float32"))
    with pytest.raises(ShapeError, match="one -1"):
        K.reshape(x, (-1, K.shape(x)[1], -1))


def test_settings_are_those_of_config() -> None:
    assert K.backend() == "graphflow"
    K.set_floatx("float64")
    assert graphflow.config.floatx() == K.floatx() == "float64"
    assert K.cast_to_floatx([1, 2]).dtype == np.float64
    assert K.constant(1).dtype == np.float64
    K.set_epsilon(1e-5)
    assert K.epsilon() == 1e-5
    K.set_image_data_format("channels_first")
    assert K.normalize_data_format(None) == K.image_data_format() == "channels_first"
    first = np.ascontiguousarray(np.moveaxis(IMAGES, -1, 1))
    assert K.pool2d(first, (2, 2)).shape == (2, 3, 6, 5)
    assert K.conv2d(first, np.zeros((3, 3, 3, 8), "float32")).shape == (2, 8, 5, 4)
    with pytest.raises(ArgumentError, match="channels_middle"):
        K.set_image_data_format("channels_middle")


def test_names_are_counted_and_forgotten() -> None:
    K.reset_uids()
    assert [K.get_uid("a"), K.get_uid("a"), K.get_uid("b"), K.get_uid()] == [1, 2, 1, 1]
    K.reset_uids()
    assert K.get_uid("a") == 1
    K.clear_session()
    assert K.get_uid("a") == 1
    assert [Dense(1).name, Dense(1).name] == ["dense", "dense_1"]
    K.clear_session()
    assert Dense(1).name == "dense"
    with K.name_scope("block") as name:
        assert name == "block"


def test_tensors_are_made_in_floatx_and_in_the_dtype_asked_for() -> None:
    assert K.constant([1, 2]).dtype == np.float32
    np.testing.assert_array_equal(K.constant(3, shape=(2, 2), dtype="int32"), np.full((2, 2), 3))
    np.testing.assert_array_equal(K.constant([1, 2, 3, 4], shape=(2, 2)), [[1, 2], [3, 4]])
    with pytest.raises(ShapeError, match=r"\(2, 2\) takes one element or 4, received 3"):
        K.constant([1, 2, 3], shape=(2, 2))
    np.testing.assert_array_equal(K.arange(4), np.arange(4, dtype="int32"))
    np.testing.assert_array_equal(K.arange(5, 1, -2, "float32"), [5, 3])
    for made, expected in (
        (K.zeros((2, 3)), np.zeros((2, 3))),
        (K.ones((2,), "int32"), np.ones(2)),
        (K.eye(3), np.eye(3)),
    ):
        np.testing.assert_array_equal(K.get_value(made), expected)
    assert K.dtype(K.ones((2,), "int32")) == "int32"
    assert K.dtype(K.variable([1, 2])) == "float32"
    assert K.placeholder((None, 3)).shape == (None, 3)
    assert K.placeholder(ndim=2, dtype="int32").shape == (None, None)
    with pytest.raises(ArgumentError, match="shape or ndim"):
        K.placeholder()


def test_tensors_say_what_they_are() -> None:
    x = Input((4, 5), dtype="int32")
    variable = K.variable(np.zeros((2, 3)))
    assert (K.int_shape(x), K.ndim(x), K.dtype(x)) == ((None, 4, 5), 3, "int32")
    assert (K.int_shape(variable), K.ndim(variable), K.dtype(variable)) == ((2, 3), 2, "float32")
    assert (K.int_shape(X), K.ndim(X), K.dtype(X)) == ((3, 4, 5), 3, "float32")
    assert K.count_params(variable) == 6
    assert K.is_keras_tensor(x)
    assert K.is_keras_tensor(x + 1)
    assert not K.is_keras_tensor(variable)
    with pytest.raises(ValueError, match="ndarray"):
        K.is_keras_tensor(X)
    assert K.is_sparse(Input((4,), sparse=True))
    assert not K.is_sparse(x)
    assert not K.is_sparse(X)


def test_variables_are_read_and_assigned() -> None:
    first, second = K.variable([1.0, 2.0], name="first"), K.zeros((2,))
    K.set_value(first, [3.0, 4.0])
    np.testing.assert_array_equal(K.eval(first), [3, 4])
    K.batch_set_value([(first, [5.0, 6.0]), (second, [7.0, 8.0])])
    np.testing.assert_array_equal(K.batch_get_value([first, second]), [[5, 6], [7, 8]])
    value = K.get_value(first)
    value[:] = 0
    np.testing.assert_array_equal(K.get_value(first), [5, 6])
    with pytest.raises(ShapeError, match="first"):
        K.set_value(first, [1.0, 2.0, 3.0])
    with pytest.raises(ArgumentTypeError, match="no numbers"):
        K.get_value(Input((2,)))


def test_a_variable_in_a_lambda_is_read_at_every_run() -> None:
    scale = K.variable(2.0)
    x = Input((3,))
    model = Model(x, Lambda(lambda x: x * scale)(x))
    ones = np.ones((1, 3), "float32")
    np.testing.assert_array_equal(model.predict(ones), ones * 2)
    K.set_value(scale, 5.0)
    np.testing.assert_array_equal(model.predict(ones), ones * 5)


def test_the_learning_phase_is_that_of_the_call() -> None:
    class Phase(Layer):
        def call(self, inputs: Any, training: Any = None) -> Any:
            return K.in_train_phase(lambda: inputs * 2, inputs, training=training)

    x = np.ones((1, 2), "float32")
    tensor = Input((2,))
    for layer in (Phase(), Lambda(lambda x: K.in_train_phase(x * 2, x))):
        model = Model(tensor, layer(tensor))
        np.testing.assert_array_equal(model.predict(x), x)
        np.testing.assert_array_equal(model(x, training=True), x * 2)
        np.testing.assert_array_equal(layer(x), x)
    assert K.learning_phase() == 0
    with K.learning_phase_scope(1):
        assert K.learning_phase() == 1
        np.testing.assert_array_equal(Phase()(x), x * 2)
    K.set_learning_phase(0)
    with pytest.raises(UnsupportedError, match="training=True"):
        K.set_learning_phase(1)


def test_a_function_runs_part_of_a_model() -> None:
    x = Input((4,))
    hidden = Dense(3, activation="relu")
    model = Model(x, Dense(2)(hidden(x)))
    rows = np.random.default_rng(0).standard_normal((5, 4)).astype("float32")
    both = K.function([model.input], [hidden.output, model.output])([rows])
    np.testing.assert_allclose(both[0], hidden(rows), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(both[1], model.predict(rows))
    with pytest.raises(UnsupportedError, match="updates"):
        K.function([x], [x], updates=[(hidden.kernel, hidden.kernel)])


@pytest.mark.parametrize("name", K.UNSUPPORTED)
def test_names_that_are_not_here_say_so(name: str) -> None:
    assert not hasattr(K, name)
    with pytest.raises(UnsupportedError, match=f"K.{name} is not supported: ."):
        getattr(K, name)


def test_unknown_names_and_arguments_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'men'"):
        K.men  # noqa: B018
    with pytest.raises(ArgumentError, match="pool_mode must be 'max' or 'avg', received 'sum'"):
        K.pool2d(IMAGES, (2, 2), pool_mode="sum")
    with pytest.raises(ShapeError, match="conv1d needs a kernel of 3 axes"):
        K.conv1d(X, np.zeros((3, 3)))
    with pytest.raises(ShapeError, match="vector or have 2 axes"):
        K.bias_add(X, X)
    with pytest.raises(ShapeError, match="rank 2 or more"):
        K.batch_dot(X, np.zeros(3, "float32"))
    with pytest.raises(ShapeError, match="received 5 and 4"):
        K.batch_dot(X, X, axes=(2, 1))
    with pytest.raises(ArgumentError, match="batch axis"):
        K.batch_dot(X, X, axes=0)
    with pytest.raises(ShapeError, match="received 3 and 1"):
        K.switch(X > 0, X[0, 0], X[0, 0])
    with pytest.raises(TypeError, match="integers"):
        K.one_hot(X, 3)
