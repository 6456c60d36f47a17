"""Models as objects: chains that grow and shrink, names, configurations, penalties, and models inside models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.layers import randomize
from cases.models import MODELS, as_list, data, make

import graphflow
from graphflow import Input, Model, Sequential, ops
from graphflow.errors import ArgumentError, GraphError, ModelFormatError, UnsupportedError
from graphflow.layers import (
    LSTM,
    Activation,
    Add,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    InputLayer,
    Lambda,
    Layer,
)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"mixed"}))
def test_a_configuration_makes_an_equal_model(name: str) -> None:
    model = make(name)
    again = Model.from_config(model.get_config())
    assert [one.name for one in again.operations] == [one.name for one in model.operations]
    assert [variable.path for variable in again.weights] == [variable.path for variable in model.weights]
    again.set_weights(model.get_weights())
    x = data(name)
    for actual, expected in zip(as_list(again.predict(x)), as_list(model.predict(x)), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_a_chain_is_a_model_and_its_configuration_makes_it_again() -> None:
    model = Sequential(
        [Input((6,), name="start"), Dense(4, activation="relu", name="a"), Dense(2, name="b")], name="chain"
    )
    randomize(model)
    config = model.get_config()
    assert [one["config"]["name"] for one in config["layers"]] == ["start", "a", "b"]
    again = Sequential.from_config(config)
    assert again.name == "chain"
    again.set_weights(model.get_weights())
    x = np.random.default_rng(0).standard_normal((3, 6)).astype("float32")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert [one.name for one in model.layers] == ["a", "b"]
    assert (model.input_shape, model.output_shape) == ((None, 6), (None, 2))
    assert model.count_params() == 6 * 4 + 4 + 4 * 2 + 2


@pytest.mark.parametrize(
    "first",
    [
        lambda: Dense(3, input_shape=(5,)),
        lambda: Dense(3, input_dim=5),
        lambda: Dense(3, batch_input_shape=(None, 5)),
        lambda: InputLayer((5,)),
    ],
)
def test_a_chain_takes_its_input_shape_from_its_first_layer(first: Any) -> None:
    model = Sequential([first(), Dense(3)])
    assert model.built
    assert model.input_shape == (None, 5)
    assert model.predict(np.zeros((2, 5))).shape == (2, 3)


def test_a_chain_without_a_shape_is_built_by_its_first_input() -> None:
    model = Sequential([Flatten(), Dense(3)])
    assert not model.built
    with pytest.raises(ArgumentError, match="no input yet"):
        _ = model.output_shape
    assert model.predict(np.zeros((2, 4, 5))).shape == (2, 3)
    assert model.layers[1].kernel.shape == (20, 3)
    called = Sequential([Dense(3)])
    assert called(Input((7,))).shape == (None, 3)
    built = Sequential([Dense(3)])
    built.build((None, 4))
    assert built.output_shape == (None, 3)


def test_a_chain_grows_and_shrinks() -> None:
    model = Sequential(name="chain")
    model.add(Dense(4, input_shape=(6,)))
    x = np.ones((2, 6), "float32")
    first = model.predict(x)
    model.add(Activation("tanh"))
    np.testing.assert_allclose(model.predict(x), np.tanh(first), rtol=1e-5, atol=1e-6)
    assert isinstance(model.pop(), Activation)
    np.testing.assert_array_equal(model.predict(x), first)
    with pytest.raises(ArgumentError, match="several"):
        Sequential([LSTM(2, return_state=True, input_shape=(3, 2))])
    with pytest.raises(ArgumentError, match="only be the first"):
        model.add(Input((3,)))


def test_the_flatten_of_the_documents_orders_its_elements_by_the_format() -> None:
    last = Sequential([Conv2D(64, 3, input_shape=(3, 32, 32), padding="same"), Flatten()])
    assert [one.output_shape for one in last.layers] == [(None, 3, 32, 64), (None, 6144)]
    first = {"data_format": "channels_first"}
    model = Sequential([Conv2D(64, 3, input_shape=(3, 32, 32), padding="same", **first), Flatten(**first)])
    assert [one.output_shape for one in model.layers] == [(None, 64, 32, 32), (None, 65536)]


def test_the_configured_image_format_is_what_layers_default_to() -> None:
    graphflow.config.set_image_data_format("channels_first")
    try:
        assert Conv2D(4, 3)(Input((3, 8, 8))).shape == (None, 4, 6, 6)
        assert graphflow.layers.MaxPooling1D()(Input((8, 3))).shape == (None, 4, 3)
    finally:
        graphflow.config.set_image_data_format("channels_last")
    with pytest.raises(ArgumentError, match="image_data_format"):
        graphflow.config.set_image_data_format("nchw")


def test_layers_are_found_by_name_and_index() -> None:
    model = make("conv_bn_relu")
    assert model.get_layer(index=1) is model.layers[1]
    assert model.get_layer(model.layers[-1].name) is model.layers[-1]
    for wrong in ({"index": 9}, {"name": "x", "index": 0}, {}):
        with pytest.raises(ArgumentError):
            model.get_layer(**wrong)


def test_output_names_are_unique() -> None:
    x = Input((6, 2))
    model = Model(x, [*LSTM(3, return_state=True, name="memory")(x), Dense(2, name="d")(x)])
    assert model.output_names == ["memory", "memory_1", "memory_2", "d"]
    assert len(set(Model(x, {"a": x, "b": [x, x]}).output_names)) == 3


def test_unused_branches_are_not_part_of_a_model() -> None:
    x, other = Input((4,)), Input((3,))
    hidden = Dense(5, name="hidden")(x)
    Add()([Dense(5)(other), hidden])
    model = Model(x, Dense(2, name="out")(hidden))
    assert [one.name for one in model.layers[1:]] == ["hidden", "out"]
    head = Model(hidden, model.outputs[0])
    given = np.random.default_rng(0).standard_normal((3, 5)).astype("float32")
    np.testing.assert_allclose(head.predict(given), given @ model.get_layer("out").kernel.value, rtol=1e-5, atol=1e-6)


def test_a_model_is_called_with_other_inputs_and_shares_its_weights() -> None:
    model = make("conv_bn_relu")
    x = Input((5, 12, 3))
    other = Model(x, model(x))
    assert other.output_shape == (None, 5, 12, 7)
    assert other.get_layer("conv_bn_relu") is model
    given = np.random.default_rng(0).standard_normal((2, 5, 12, 3)).astype("float32")
    before = other.predict(given)
    randomize(model, 77)
    assert np.abs(other.predict(given) - before).max() > 1e-3


def test_a_user_s_class_is_found_by_its_own_name() -> None:
    class Twice(Layer):
        def call(self, inputs: Any) -> Any:
            return inputs * 2

    x = Input((3,))
    model = Model(x, Twice(name="twice")(x))
    config = model.get_config()
    for one in config["layers"]:
        one.pop("class", None)
    with pytest.raises(ModelFormatError, match=r"'Twice' of layer 'twice'.*custom_objects"):
        Model.from_config(config)
    again = Model.from_config(config, custom_objects={"Twice": Twice})
    np.testing.assert_array_equal(again.predict(np.ones((1, 3))), [[2, 2, 2]])


def test_a_configuration_with_a_missing_tensor_or_a_cycle_is_refused() -> None:
    x = Input((3,), name="x")
    config = Model(x, Dense(2, name="b")(Dense(3, name="a")(x))).get_config()
    history = config["layers"][1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"]
    assert history == ["x", 0, 0]
    history[:] = ["b", 0, 0]
    with pytest.raises(GraphError, match="cycle"):
        Model.from_config(config)
    history[:] = ["gone", 0, 0]
    with pytest.raises(ModelFormatError, match="'gone'"):
        Model.from_config(config)


def test_compiling_is_recorded_and_training_refused() -> None:
    model = make("dense_bn")
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    assert model.compiled_with == {"optimizer": "adam", "loss": "mse", "metrics": ["mae"]}
    with pytest.raises(UnsupportedError, match="fit"):
        model.fit(np.zeros((1, 6)), np.zeros((1, 9)))


def test_penalties_of_layers_and_models_are_summed_up() -> None:
    x = Input((3,))
    layer = Dense(
        2, kernel_initializer="ones", kernel_regularizer=graphflow.regularizers.l2(0.5), bias_regularizer="l1"
    )
    model = Model(x, layer(x))
    assert [float(one) for one in layer.losses] == [3.0, 0.0]
    assert float(sum(model.losses)) == 3.0


def test_logistic_regression_of_the_documents() -> None:
    a, b = Input((3,)), Input((3,))
    model = Model(input=[a, b], output=Dense(1, activation="sigmoid")(ops.concatenate([a, b])))
    y = model.predict([np.ones((4, 3)), np.zeros((4, 3))])
    assert y.shape == (4, 1)
    assert ((y > 0) & (y < 1)).all()


def test_an_embedding_is_the_first_layer_with_its_length() -> None:
    model = Sequential([Embedding(9, 4, input_length=5), Lambda(lambda v: ops.mean(v, 1))])
    assert model.input_shape == (None, 5)
    ids = np.array([[1, 2, 3, 4, 5]])
    np.testing.assert_allclose(model.predict(ids), model.get_weights()[0][ids].mean(1), rtol=1e-5)


def test_an_inner_model_called_in_training_trains_there_only() -> None:
    entry = Input((50,))
    inner = Model(entry, Dropout(0.5, seed=1)(entry))
    x = Input((50,))
    ones = np.ones((4, 50), "float32")
    always, never = Model(x, inner(x, training=True)), Model(x, inner(x, training=False))
    assert 0 < (always.predict(ones, verbose=0) == 0).sum() < ones.size
    assert np.array_equal(never(ones, training=True), ones)
    assert np.array_equal(Model(x, inner(x)).predict(ones, verbose=0), ones)
