"""Losses: penalties of weights and outputs, as numbers on arrays and named outputs in graphs; initial values."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, Sequential, constraints, initializers, ops, regularizers
from graphflow.errors import ArgumentError, ShapeError
from graphflow.layers import ActivityRegularization, Dense, Layer, MultiHeadAttention, PReLU
from graphflow.runtime import Session

X = np.random.default_rng(1).standard_normal((5, 4)).astype("float32")


def dense(units: int = 3, **options: Any) -> Dense:
    layer = Dense(units, bias_initializer="ones", **options)
    layer(X)
    return layer


def test_a_layer_s_losses_are_the_penalties_of_its_weights_and_of_its_last_output() -> None:
    layer = dense(kernel_regularizer="l2", bias_regularizer=regularizers.l1(0.5), activity_regularizer="l1")
    kernel, bias = layer.get_weights()
    output = X @ kernel + bias
    wanted = [0.01 * (kernel**2).sum(), 0.5 * np.abs(bias).sum(), 0.01 * np.abs(output).sum() / 5]
    assert [float(one) for one in layer.losses] == pytest.approx(wanted, rel=1e-5)
    layer(X[:2])
    assert float(layer.losses[2]) == pytest.approx(0.01 * np.abs(output[:2]).sum() / 2, rel=1e-5)
    assert len(layer.losses) == 3
    layer.trainable = False
    assert len(layer.losses) == 1
    layer.clear_losses()
    assert layer.losses == []


class Adds(Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = Dense(2, activity_regularizer="l2", kernel_initializer="ones")

    def call(self, inputs: Any) -> Any:
        y = self.inner(inputs)
        self.add_loss(ops.mean(y) * 3)
        return y


def test_losses_of_inner_layers_and_of_add_loss_are_those_of_the_last_call() -> None:
    layer = Adds()
    for rows in (5, 3, 4):
        y = layer(X[:rows])
        found = sorted(float(one) for one in layer.losses)
        assert found == pytest.approx(sorted([3 * y.mean(), 0.01 * (y**2).sum() / rows]), rel=1e-4)


def make() -> tuple[Model, Dense, Adds]:
    x = Input((4,))
    first = Dense(4, kernel_regularizer="l2", activity_regularizer="l1", name="first")
    adds = Adds(name="adds")
    return Model(x, adds(ActivityRegularization(0.1, name="passes")(first(x)))), first, adds


def test_a_model_s_losses_are_those_of_its_layers() -> None:
    model, first, _ = make()
    assert len(model.losses) == 1
    output = model(X)
    hidden = X @ first.get_weights()[0]
    wanted = [
        0.01 * (first.get_weights()[0] ** 2).sum(),
        0.01 * np.abs(hidden).sum() / 5,
        0.1 * np.abs(hidden).sum() / 5,
        3 * output.mean(),
        0.01 * (output**2).sum() / 5,
    ]
    assert sorted(float(one) for one in model.losses) == pytest.approx(sorted(wanted), rel=1e-4)
    model(X[:2])
    assert len(model.losses) == 5
    np.testing.assert_array_equal(model.predict(X, verbose=0), output)


def test_a_layer_that_gains_or_loses_its_penalty_after_calls_is_noticed() -> None:
    x = Input((4,))
    first = Dense(3)
    model = Model(x, Model(x, first(x))(x))
    output = model(X)
    assert model.losses == []
    first.activity_regularizer = regularizers.l1(0.5)
    np.testing.assert_array_equal(model(X), output)
    assert [float(one) for one in model.losses] == pytest.approx([0.5 * np.abs(output).sum() / 5], rel=1e-5)
    first.activity_regularizer = None
    np.testing.assert_array_equal(model(X), output)
    assert model.losses == []


def test_layers_that_are_added_after_calls_are_noticed() -> None:
    penalised, adds = ActivityRegularization(0.1), Adds()
    model = Sequential([Dense(4, input_shape=(4,))])
    assert model.losses == []
    y = model(X)
    model.add(penalised)
    model(X)
    assert [float(one) for one in model.losses] == pytest.approx([0.1 * np.abs(y).sum() / 5], rel=1e-5)
    model.pop()
    model(X)
    assert model.losses == []
    model.add(adds)
    model(X)
    assert len(model.losses) == 2


def test_calls_do_not_ask_layers_again_that_add_no_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(Dense, "adds_losses", property(lambda self: asked.append(self) or False), raising=False)
    x = Input((4,))
    model = Model(x, Dense(2)(Dense(3)(x)))
    for _ in range(3):
        model(X)
    assert len(asked) == 2
    Dense(3, activity_regularizer="l2")
    model(X)
    assert len(asked) == 4


def test_a_graph_has_losses_as_named_outputs_when_it_is_asked_for_them() -> None:
    model, first, _ = make()
    assert model.graph().output_names == model.output_names
    graph = model.graph(losses=True)
    names = graph.output_names[1:]
    assert (
        names == ["first/kernel/loss", "first/loss", "passes/loss", "dense/loss", "adds/loss"] or len(set(names)) == 5
    )
    assert names[:3] == ["first/kernel/loss", "first/loss", "passes/loss"]
    session = Session(graph)
    for rows in (5, 2):
        found = session.run([X[:rows]])
        model(X[:rows])
        assert sorted(float(one) for one in found[1:]) == pytest.approx(sorted(map(float, model.losses)), rel=1e-5)
    first.set_weights([np.zeros((4, 4)), np.zeros(4)])
    assert [float(one) for one in session.run([X])[1:]] == [0.0] * 5


def test_regularizers_reach_the_weights_of_inner_layers() -> None:
    layer = MultiHeadAttention(2, 3, kernel_regularizer="l2")
    layer(X[:, None], X[:, None])
    kernels = layer.get_weights()[::2]
    assert [float(one) for one in layer.losses] == pytest.approx([0.01 * (one**2).sum() for one in kernels], rel=1e-4)
    prelu = PReLU(alpha_initializer="ones", alpha_regularizer="l1", alpha_constraint="non_neg")
    prelu(X)
    assert float(prelu.losses[0]) == pytest.approx(0.04)
    assert isinstance(prelu.alpha.constraint, constraints.NonNeg)


def test_the_orthogonal_regularizer_means_the_cosines_of_different_rows() -> None:
    matrix = np.random.default_rng(2).standard_normal((4, 3)).astype("float32")
    for mode, rows in (("rows", matrix), ("columns", matrix.T)):
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        pairs = [abs(unit[i] @ unit[j]) for i in range(len(unit)) for j in range(i)]
        found = regularizers.OrthogonalRegularizer(0.3, mode)(matrix)
        assert float(found) == pytest.approx(0.3 * np.mean(pairs), rel=1e-5)
    assert float(regularizers.OrthogonalRegularizer(1.0)(np.eye(5, dtype="float32"))) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ShapeError, match="needs a matrix"):
        regularizers.OrthogonalRegularizer()(np.ones(3, "float32"))
    with pytest.raises(ArgumentError, match="'rows' or 'columns'"):
        regularizers.OrthogonalRegularizer(mode="diagonal")
    for wrong in (-1.0, math.inf, math.nan):
        with pytest.raises(ArgumentError, match="at least 0"):
            regularizers.L2(wrong)


FACTORS: list[tuple[str, dict[str, Any], float, float]] = [
    ("RandomNormal", {"mean": 0.5, "stddev": 0.2}, 0.5, 0.04),
    ("RandomUniform", {"minval": -0.2, "maxval": 0.4}, 0.1, 0.36 / 12),
    ("TruncatedNormal", {"stddev": 0.5}, 0.0, 0.25 * 0.7737),
    ("GlorotUniform", {}, 0.0, 2 / 500),
    ("GlorotNormal", {}, 0.0, 2 / 500),
    ("HeUniform", {}, 0.0, 2 / 300),
    ("HeNormal", {}, 0.0, 2 / 300),
    ("LecunUniform", {}, 0.0, 1 / 300),
    ("LecunNormal", {}, 0.0, 1 / 300),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}, 0.0, 3 / 200),
]


@pytest.mark.parametrize(("name", "config", "mean", "variance"), FACTORS)
def test_initializers_have_the_mean_variance_and_bounds_they_name(
    name: str, config: dict[str, Any], mean: float, variance: float
) -> None:
    make = initializers.REGISTRY.find(name)
    values = make(seed=11, **config)((300, 200), "float32")
    np.testing.assert_array_equal(make(seed=11, **config)((300, 200), "float32"), values)
    assert not np.array_equal(make(seed=12, **config)((300, 200), "float32"), values)
    assert values.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / values.size))
    assert values.var() == pytest.approx(variance, rel=0.03)
    reach = np.abs(values - mean).max()
    if "Uniform" in name:
        assert 0.99 * math.sqrt(3 * variance) < reach <= math.sqrt(3 * variance) * 1.0001
    elif name in ("TruncatedNormal", "GlorotNormal", "HeNormal", "LecunNormal"):
        assert reach <= 2 * math.sqrt(variance) / 0.8796 * 1.0001
    again = type(make(**config)).from_config(make(seed=11, **config).get_config())
    np.testing.assert_array_equal(again((300, 200), "float32"), values)


@pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9), (3, 2, 5)])
def test_orthogonal_matrices_are_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = initializers.Orthogonal(2.0, seed=3)(shape, "float64").reshape(-1, shape[-1])
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_equal_seeds_make_equal_layers() -> None:
    def values(seed: int) -> Any:
        layer = Dense(5, kernel_initializer=initializers.GlorotUniform(seed=seed))
        layer(X)
        return layer.get_weights()[0]

    np.testing.assert_array_equal(values(4), values(4))
    assert not np.array_equal(values(4), values(5))


def test_penalties_of_an_empty_batch_are_no_warning() -> None:
    layer = dense(activity_regularizer="l2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(X[:0])
    assert float(layer.losses[0]) == 0.0
    assert graphflow.Input((3,)).shape == (None, 3)
