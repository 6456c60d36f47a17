"""Programs of ops as models: one graph for all sizes, a graph for each set of sizes, or arrays where data decide."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from graphflow import ops
from graphflow.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError, UnsupportedError
from graphflow.models.graph_model import MOST_GRAPHS, GraphModel, ValueSpec
from graphflow.ops.known import static_shape, value_of
from graphflow.variable import Variable

X = ValueSpec("x", (None, 3), "float32")
Y = ValueSpec("y", None, "float32")


class Affine:
    """x w + b: a graph with open sizes can be built."""

    def __init__(self) -> None:
        self.w = Variable(np.arange(6, dtype=np.float32).reshape(3, 2), "w")
        self.b = np.ones(2, np.float32)

    @property
    def variables(self) -> Sequence[Variable]:
        return [self.w]

    def __call__(self, operands: Sequence[Any], scope: Any) -> list[Any]:
        with scope(("block", "product")):
            product = ops.matmul(operands[0], self.w)
        return [ops.add(product, self.b)]


class Rows:
    """Divides by the number of rows: it must know the sizes."""

    variables = ()

    def __call__(self, operands: Sequence[Any], scope: Any) -> list[Any]:
        return [ops.multiply(operands[0], np.float32(1 / static_shape(operands[0])[0]))]


class Positive:
    """Keeps the positive elements: it must see the data."""

    variables = ()

    def __call__(self, operands: Sequence[Any], scope: Any) -> list[Any]:
        kept = value_of(operands[0], "What is positive")
        return [kept[kept > 0]]


class Halving:
    """Halves until the sum is small: as many steps as the data need, and weights before and after."""

    def __init__(self) -> None:
        self.w = Variable(np.eye(3, dtype=np.float32), "w")
        self.variables = [self.w]

    def __call__(self, operands: Sequence[Any], scope: Any) -> list[Any]:
        x = ops.matmul(operands[0], ops.add(self.w, self.w))
        steps = 0
        with scope(("loop",)):
            while value_of(ops.sum(ops.absolute(x))) > 1:
                x, steps = ops.multiply(x, np.float32(0.5)), steps + 1
        return [ops.matmul(x, self.w), np.asarray(steps)]


def data(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)


def test_one_graph_serves_all_sizes() -> None:
    model = GraphModel(Affine(), [X], [Y])
    for rows in (1, 5, 0, 2):
        x = data(rows)
        np.testing.assert_allclose(model(x), x @ model.weights[0].value + 1, rtol=1e-6)
    assert {id(one) for one in model._sessions.values()} == {id(model.session())}
    assert next(node.origin for node in model.graph().nodes) == ("block", "product")
    assert model.count_params() == 6


def test_weights_that_change_are_used() -> None:
    model = GraphModel(Affine(), [X], [Y])
    model(data(2))
    model.weights[0].assign(np.zeros((3, 2)))
    np.testing.assert_array_equal(model(data(2)), np.ones((2, 2)))


def test_a_graph_is_built_for_each_set_of_sizes_where_they_must_be_known() -> None:
    model = GraphModel(Rows(), [X], [Y])
    for rows in (4, 2, 4):
        np.testing.assert_allclose(model(data(rows)), data(rows) / rows, rtol=1e-6)
    assert len(model._sessions) == 2
    with pytest.raises(UnsupportedError, match="not known before"):
        model.graph()
    assert model.graph([(5, 3)]).outputs[0].spec.shape == (5, 3)
    assert model.session([(5, 3)]) is model.session([(5, 3)])
    for rows in range(1, MOST_GRAPHS + 5):
        model(data(rows))
    assert len(model._sessions) == MOST_GRAPHS


def test_what_depends_on_data_runs_on_arrays() -> None:
    model = GraphModel(Positive(), [X], [Y])
    x = data(3)
    np.testing.assert_array_equal(model(x), x[x > 0])
    with pytest.raises(UnsupportedError, match="What is positive depends on data"):
        model.session([(3, 3)])


def test_between_the_places_where_data_decide_segments_are_planned_and_kept() -> None:
    model = GraphModel(Halving(), [X], [Y, ValueSpec("steps", (), "int64")])
    for rows, kept in ((4, 3), (4, 3), (2, 6)):
        y, steps = model(data(rows))
        expected, count = 2 * data(rows), 0
        while np.abs(expected).sum() > 1:
            expected, count = expected / 2, count + 1
        assert steps == count
        assert count > 1
        np.testing.assert_allclose(y, expected, rtol=1e-6)
        assert len(model._segments) == kept
    model.program.w.assign(np.zeros((3, 3)))
    assert model(data(4))[1] == 0


@pytest.mark.parametrize("program", [Affine, Rows, Positive])
def test_pickled_models_give_the_same(program: Any) -> None:
    model = GraphModel(program(), [X], [Y], "mine")
    x = data(4)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again(x), model(x))
    assert again.name == "mine"
    assert again.input_names == ["x"]


def test_predict_joins_batches_whatever_way_the_model_runs() -> None:
    x = data(70)
    model = GraphModel(Affine(), [X], [Y])
    np.testing.assert_array_equal(model.predict(x, batch_size=8), model(x))
    np.testing.assert_array_equal(model.predict(iter([x[:40], x[40:]])), model(x))
    np.testing.assert_array_equal(GraphModel(Positive(), [X], [Y]).predict(x, batch_size=9), x[x > 0])


def test_inputs_that_do_not_fit_are_refused_by_name() -> None:
    model = GraphModel(Affine(), [X], [Y])
    with pytest.raises(ShapeError, match="'x'"):
        model(np.zeros((2, 4), np.float32))
    with pytest.raises(DTypeError, match="'x'"):
        model(np.zeros((2, 3), complex))
    with pytest.raises(ArgumentError, match="missing: x"):
        model({})
    with pytest.raises(ArgumentError, match="1 inputs"):
        model(data(1), data(1))
    with pytest.raises(ArgumentTypeError, match="training"):
        model(data(1), training=True)
    with pytest.raises(ArgumentError, match="1 inputs, received 2"):
        model.graph([(1, 3), (1, 3)])
