"""Every layer class: shapes, weights, configuration, data formats, training, and layers of the user's own."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from cases.layers import CASES, NO_CASE, LayerCase

import graphflow
from graphflow import Input, Model, activations, ops
from graphflow.layers import Add, BatchNormalization, Concatenate, Conv2D, Dense, Layer, registry
from graphflow.layers.nest import leaves, transform
from graphflow.layers.registry import LAYERS
from graphflow.spec import spec_of


def ids(case: LayerCase) -> str:
    return case.name


def single_or_list(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items


def test_every_class_has_a_case_or_a_reason() -> None:
    classes = {cls.__name__ for cls in LAYERS.classes.values()}
    assert {case.layer for case in CASES} | set(NO_CASE) == classes


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_described_shapes_are_those_of_the_results(case: LayerCase) -> None:
    layer = case.make()
    tensors = case.symbolic()
    described = list(leaves(case.call(layer, tensors)))
    results = list(leaves(case.model(layer).predict(case.arrays())))
    assert len(results) == len(described)
    for tensor, array in zip(described, results, strict=True):
        assert tensor.dtype == array.dtype.name
        assert tensor.shape[0] is None
        assert tensor.shape[1:] == array.shape[1:]
        assert array.shape[0] == case.inputs[0].shape[0]
    wanted = [(None, *one.shape[1:]) for one in case.inputs]
    merging = case.layer in ("Add", "Concatenate")
    shapes = layer.compute_output_shape(wanted if merging or len(wanted) > 1 else wanted[0])
    several = isinstance(shapes, list)
    assert (shapes if several else [shapes]) == [tensor.shape for tensor in described]


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_a_layer_computes_the_same_on_arrays_symbolically_and_on_its_reference(case: LayerCase) -> None:
    layer = case.make()
    model = case.model(layer)
    by_model = list(leaves(model.predict(case.arrays())))
    by_layer = list(leaves(case.call(layer, case.arrays())))
    with graphflow.knobs(reference=True, passes_off="all"):
        reference = list(leaves(Model(model.inputs, model.outputs).predict(case.arrays())))
    assert any(np.abs(array).sum() > 0 for array in by_model) or by_model[0].size == 0
    for actual, other, expected in zip(by_model, by_layer, reference, strict=True):
        largest = np.abs(expected).max(initial=0.0)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-5 * largest)
        np.testing.assert_allclose(other, expected, rtol=0, atol=2e-5 * largest)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_a_configuration_makes_an_equal_layer(case: LayerCase) -> None:
    layer = case.make()
    model = case.model(layer)
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.name == layer.name
    assert repr(again.get_config()) == repr(config)
    for key, value in case.config.items():
        assert key in config
        if key == "use_bias":
            assert config[key] is value
    twin = Model(tensors := case.symbolic(), case.call(again, tensors))
    assert [variable.shape for variable in again.weights] == [variable.shape for variable in layer.weights]
    assert [variable.name for variable in again.weights] == [variable.name for variable in layer.weights]
    again.set_weights(layer.get_weights())
    pairs = zip(leaves(model.predict(case.arrays())), leaves(twin.predict(case.arrays())), strict=True)
    for expected, actual in pairs:
        np.testing.assert_array_equal(actual, expected)


FORMATTED = [
    case
    for case in CASES
    if case.config.get("data_format") == "channels_last"
    and case.layer != "Flatten"  # it orders its elements by the format on purpose
    and case.config.get("activation") != "softmax"  # it looks along the last axis in either format
]


@pytest.mark.parametrize("case", FORMATTED, ids=ids)
def test_both_data_formats_are_one_computation(case: LayerCase) -> None:
    last = case.make()
    first = case.make(data_format="channels_first")
    (array,) = case.arrays()
    moved = np.moveaxis(array, -1, 1)
    expected = case.model(last).predict(array)
    tensor = Input(moved.shape[1:])
    model = Model(tensor, first(tensor))
    first.set_weights(last.get_weights())
    actual = model.predict(moved)
    if expected.ndim > 2:
        expected = np.moveaxis(expected, -1, 1)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_weights_are_named_and_refuse_what_does_not_fit(case: LayerCase) -> None:
    layer = case.make(name="it")
    case.model(layer)
    before = layer.get_weights()
    assert [variable.path for variable in layer.weights] == [f"it/{variable.name}" for variable in layer.weights]
    assert layer.count_params() == sum(array.size for array in before)
    with pytest.raises(ValueError, match=f"'it' has {len(before)} weights, received {len(before) + 1}"):
        layer.set_weights([*before, np.zeros(1)])
    if before:
        wrong = [*before[:-1], np.zeros((*before[-1].shape, 2))]
        with pytest.raises(ValueError, match=f"it/{layer.weights[-1].name}"):
            layer.set_weights(wrong)
    for one, kept in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, kept)


@pytest.mark.parametrize("cls", sorted({case.layer for case in CASES}))
def test_a_class_takes_only_arguments_it_knows(cls: str) -> None:
    case = next(case for case in CASES if case.layer == cls)
    with pytest.raises(TypeError, match="kernal_size"):
        case.make(kernal_size=3)
    assert inspect.getdoc(LAYERS.classes[cls])


def test_first_weights_are_taken_from_the_weights_argument() -> None:
    kernel, bias = np.full((3, 2), 2.0, "float32"), np.ones(2, "float32")
    layer = Dense(2, weights=[kernel, bias])
    np.testing.assert_array_equal(layer(np.ones((1, 3), "float32")), [[7.0, 7.0]])


def test_trainable_and_other_weights_are_told_apart() -> None:
    layer = BatchNormalization()
    layer(Input((3,)))
    assert [variable.name for variable in layer.trainable_weights] == ["gamma", "beta"]
    assert [variable.name for variable in layer.non_trainable_weights] == ["moving_mean", "moving_variance"]
    layer.trainable = False
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 4


def test_the_batch_s_own_statistics_are_used_in_training(rng: np.random.Generator) -> None:
    x = rng.normal(3, 2, (64, 5)).astype("float32")
    layer = BatchNormalization(momentum=0.5)
    tensor = Input((5,))
    model = Model(tensor, layer(tensor))
    y = model(x, training=True)
    np.testing.assert_allclose(y, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean.value, 0.5 * x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.value, 0.5 + 0.5 * x.var(0), rtol=1e-5)
    np.testing.assert_allclose(
        model(x), (x - layer.moving_mean.value) / np.sqrt(layer.moving_variance.value + 1e-3), rtol=1e-4, atol=1e-5
    )


def test_dropout_acts_in_training_only(rng: np.random.Generator) -> None:
    x = np.ones((40, 30), "float32")
    tensor = Input((30,))
    model = Model(tensor, graphflow.layers.Dropout(0.5, seed=11)(tensor))
    np.testing.assert_array_equal(model.predict(x), x)
    first, second = model(x, training=True), model(x, training=True)
    assert set(np.unique(first)) == {np.float32(0), np.float32(2)}
    assert not np.array_equal(first, second)
    assert abs((first == 0).mean() - 0.5) < 0.05


def test_a_user_s_activation_is_kept_and_called() -> None:
    def twice(x: Any) -> Any:
        return ops.multiply(x, 2.0)

    layer = Dense(3, activation=twice, kernel_initializer="ones")
    assert layer.get_config()["activation"] is twice
    np.testing.assert_array_equal(layer(np.ones((1, 4), "float32")), [[8, 8, 8]])
    assert activations.get({"class_name": "function", "config": "relu"}) is activations.relu


def test_a_user_s_layer_is_built_once_and_traced_like_any_other(rng: np.random.Generator) -> None:
    class Scale(Layer):
        builds = 0

        def build(self, input_shape: Any) -> None:
            Scale.builds += 1
            self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")

        def call(self, inputs: Any) -> Any:
            return inputs * self.factor + np.float32(1)

    layer = Scale()
    a, b = Input((3,)), Input((3,))
    model = Model([a, b], Add()([layer(a), layer(b)]))
    layer.set_weights([np.array([1.0, 2.0, 3.0])])
    x, y = rng.standard_normal((2, 5, 3)).astype("float32")
    np.testing.assert_allclose(model.predict([x, y]), (x + y) * [1, 2, 3] + 2, rtol=1e-5, atol=1e-6)
    assert Scale.builds == 1
    assert [node.op.name for node in model.graph().nodes].count("opaque") == 0


def test_former_names_lead_to_the_classes_of_today() -> None:
    assert LAYERS.classes["Convolution2D"] is Conv2D
    assert LAYERS.classes["MaxPool1D"] is graphflow.layers.MaxPooling1D
    assert registry.LAYERS.find("Concatenate") is Concatenate
    assert transform(lambda leaf: spec_of(leaf).shape, [np.ones((2, 3))]) == [(2, 3)]


def test_asking_for_a_shape_leaves_the_layer_as_it_was() -> None:
    layer = Dense(3)
    assert layer.compute_output_shape((None, 5)) == (None, 3)
    assert layer(Input((4,))).shape == (None, 3)
    assert layer.kernel.shape == (4, 3)
    assert Conv2D(8, 3, padding="same").compute_output_shape((None, None, 28, 1)) == (None, None, 28, 8)
