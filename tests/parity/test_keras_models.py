"""Whole models in graphflow and in Keras: the order of `layers`, of weights and of names, and the numbers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest
from cases.layers import randomize

import graphflow

pytestmark = pytest.mark.oracle
keras = pytest.importorskip("keras", reason="Keras is the oracle: install the extra [oracle]")

Built = tuple[Any, Any]


def chain(g: Any) -> Built:
    x = g.Input((5,), name="x")
    return x, g.layers.Dense(2, name="c")(g.layers.Dense(3, name="b")(g.layers.Dense(4, name="a")(x)))


def diamond(g: Any) -> Built:
    x = g.Input((5,), name="x")
    stem = g.layers.Dense(4, name="stem")(x)
    right, left = g.layers.Dense(4, name="right")(stem), g.layers.Dense(4, name="left")(stem)
    return x, g.layers.Add(name="sum")([left, right])


def uneven_branches(g: Any) -> Built:
    x = g.Input((5,), name="x")
    short = g.layers.Dense(4, name="short")(x)
    long = g.layers.Dense(4, name="l3")(g.layers.Dense(6, name="l2")(g.layers.Dense(7, name="l1")(x)))
    return x, g.layers.Concatenate(name="join")([short, long])


def two_inputs(g: Any) -> Built:
    b, a = g.Input((4,), name="b"), g.Input((5,), name="a")
    left = g.layers.Dense(3, name="left")(a)
    return [a, b], g.layers.Add(name="sum")([left, g.layers.Dense(3, name="right")(b)])


def late_input(g: Any) -> Built:
    a, late = g.Input((5,), name="a"), g.Input((3,), name="late")
    hidden = g.layers.Dense(3, name="h2")(g.layers.Dense(6, name="h1")(a))
    return [late, a], g.layers.Dense(2, name="out")(g.layers.Concatenate(name="join")([late, hidden]))


def two_outputs(g: Any) -> Built:
    x = g.Input((5,), name="x")
    hidden = g.layers.Dense(6, name="hidden")(x)
    deep = g.layers.Dense(2, name="deep2")(g.layers.Dense(3, name="deep1")(hidden))
    return x, [g.layers.Dense(1, name="shallow")(hidden), deep]


def outputs_reversed(g: Any) -> Built:
    x, outputs = two_outputs(g)
    return x, outputs[::-1]


def shared(g: Any) -> Built:
    a, b = g.Input((5,), name="a"), g.Input((5,), name="b")
    layer = g.layers.Dense(4, name="shared")
    first = g.layers.Dense(4, name="after")(layer(a))
    return [a, b], g.layers.Add(name="sum")([layer(b), first])


def shared_at_two_depths(g: Any) -> Built:
    x = g.Input((4,), name="x")
    layer = g.layers.Dense(4, name="again")
    return x, g.layers.Add(name="sum")([layer(layer(x)), g.layers.Dense(4, name="other")(x)])


def residual_tower(g: Any) -> Built:
    x = g.Input((8, 8, 3), name="x")
    y = g.layers.Conv2D(6, 3, padding="same", name="stem")(x)
    for block in range(3):
        z = g.layers.Conv2D(6, 3, padding="same", activation="relu", name=f"conv{block}a")(y)
        z = g.layers.BatchNormalization(name=f"norm{block}")(z)
        skip = g.layers.Conv2D(6, 1, name=f"skip{block}")(y) if block == 1 else y
        y = g.layers.Activation("relu", name=f"act{block}")(g.layers.Add(name=f"add{block}")([skip, z]))
    return x, g.layers.Dense(4, name="top")(g.layers.GlobalAveragePooling2D(name="pool")(y))


def inception(g: Any) -> Built:
    x = g.Input((9, 9, 4), name="x")
    towers = [
        g.layers.Conv2D(3, 1, activation="relu", name="t1")(x),
        g.layers.Conv2D(4, 3, padding="same", name="t2b")(g.layers.Conv2D(2, 1, name="t2a")(x)),
        g.layers.Conv2D(2, 1, name="t3b")(g.layers.MaxPooling2D(3, strides=1, padding="same", name="t3a")(x)),
    ]
    joined = g.layers.Concatenate(name="join")(towers)
    return x, [g.layers.Flatten(name="flat")(joined), g.layers.GlobalMaxPooling2D(name="max")(towers[1])]


def encoder_decoder(g: Any) -> Built:
    source, target = g.Input((6, 3), name="source"), g.Input((4, 2), name="target")
    encoder = g.layers.LSTM(5, return_state=True, name="encoder")
    _, h, c = encoder(source)
    decoded = g.layers.LSTM(5, return_sequences=True, name="decoder")(target, initial_state=[h, c])
    return [source, target], g.layers.Dense(3, activation="softmax", name="words")(decoded)


def named(g: Any) -> Built:
    a, b = g.Input((5,), name="a"), g.Input((5,), name="b")
    hidden = g.layers.Concatenate(name="join")([b, a])
    outputs = {"z": g.layers.Dense(2, name="zz")(hidden), "m": g.layers.Dense(3, name="mm")(hidden)}
    return [a, b], outputs


def nested(g: Any) -> Built:
    inner_x = g.Input((4,), name="inner_x")
    inner = g.Model(inner_x, g.layers.Dense(3, name="inner_dense")(inner_x), name="inner")
    a, b = g.Input((4,), name="a"), g.Input((4,), name="b")
    tail = g.Sequential([g.layers.Dense(4, activation="relu", name="s1"), g.layers.Dense(2, name="s2")], name="tail")
    return [a, b], tail(g.layers.Add(name="sum")([inner(a), inner(b)]))


BUILDERS: list[Callable[[Any], Built]] = [
    chain,
    diamond,
    uneven_branches,
    two_inputs,
    late_input,
    two_outputs,
    outputs_reversed,
    shared,
    shared_at_two_depths,
    residual_tower,
    inception,
    encoder_decoder,
    named,
    nested,
]


def both(build: Callable[[Any], Built]) -> tuple[Any, Any]:
    ours, theirs = graphflow.Model(*build(graphflow)), keras.Model(*build(keras))
    return ours, theirs


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_layers_weights_and_names_stand_in_keras_order(build: Callable[[Any], Built]) -> None:
    ours, theirs = both(build)
    assert [one.name for one in ours.layers] == [one.name for one in theirs.layers]
    assert [type(one).__name__ for one in ours.layers if one.name != "inner"] == [
        type(one).__name__ for one in theirs.layers if one.name != "inner"
    ]
    assert [one.name for one in ours.weights] == [one.name for one in theirs.weights]
    assert [one.shape for one in ours.weights] == [tuple(one.shape) for one in theirs.weights]
    assert ours.input_names == [one.name for one in theirs.inputs]
    assert ours.output_shape == theirs.output_shape or isinstance(theirs.output_shape, dict)
    assert ours.count_params() == theirs.count_params()


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_the_numbers_are_those_of_keras(build: Callable[[Any], Built]) -> None:
    ours, theirs = both(build)
    randomize(ours)
    theirs.set_weights(ours.get_weights())
    rng = np.random.default_rng(1)
    x = [rng.standard_normal((5, *tensor.shape[1:])).astype("float32") for tensor in ours.inputs]
    actual, expected = ours.predict(x), theirs(x)
    if isinstance(expected, dict):
        assert list(actual) == list(expected)
        actual, expected = list(actual.values()), list(expected.values())
    if not isinstance(expected, (list, tuple)):
        actual, expected = [actual], [expected]
    for one, other in zip(actual, (np.asarray(other) for other in expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


def test_the_shapes_of_a_model_are_those_of_keras() -> None:
    for build in BUILDERS:
        ours, theirs = both(build)
        for name in [one.name for one in ours.layers]:
            mine, other = ours.get_layer(name), theirs.get_layer(name)
            shapes = [tuple(node.outputs[0].shape) for node in other._inbound_nodes]
            assert [tuple(node.output_tensors[0].shape) for node in mine._inbound_nodes][: len(shapes)] == shapes
