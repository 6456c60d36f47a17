"""The same layer in graphflow and in Keras, with the same arguments and random weights: the same numbers."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest
from cases.layers import CASES, LayerCase, randomize
from parity.rows import ROWS

import graphflow
from graphflow import layers

pytestmark = pytest.mark.oracle
keras = pytest.importorskip("keras", reason="Keras is the oracle: install the extra [oracle]")

Array = np.ndarray[Any, Any]
COMPARED = [case for case in CASES if case.in_keras]

BOTH_FORMATS = (
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
)
"""Layers whose channels_first form TensorFlow computes on a CPU; for others the transposed result stands for it."""


def as_list(outputs: Any) -> list[Array]:
    return [np.asarray(one) for one in outputs] if isinstance(outputs, (list, tuple)) else [np.asarray(outputs)]


def assert_equal(actual: Any, expected: Any) -> None:
    """Equal to 1e-5 of the largest output."""
    actual, expected = as_list(actual), as_list(expected)
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        assert one.shape == other.shape
        largest = np.abs(other).max(initial=0.0)
        assert largest > 0
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * largest)


def keras_call(case: LayerCase, weights: list[Array], arrays: list[Array]) -> Any:
    """What Keras computes, in its own format where TensorFlow can."""
    config = dict(case.config)
    moved = config.get("data_format") == "channels_first" and case.layer not in BOTH_FORMATS
    if moved:
        config["data_format"] = "channels_last"
        arrays = [np.moveaxis(array, 1, -1) for array in arrays]
    layer = getattr(keras.layers, case.layer)(**config)
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    given = tensors if len(tensors) > 1 else tensors[0]
    mode = {"training": False} if case.layer.startswith("Random") else {}
    layer(given, **mode)
    if weights:
        layer.set_weights(weights)
    outputs = layer(given, **mode)
    return np.moveaxis(np.asarray(outputs), -1, 1) if moved else outputs


@pytest.mark.parametrize("case", COMPARED, ids=lambda case: case.name)
def test_a_layer_computes_what_keras_computes(case: LayerCase) -> None:
    layer = case.make()
    model = case.model(layer)
    arrays = case.arrays()
    assert_equal(model.predict(arrays), keras_call(case, layer.get_weights(), arrays))


@pytest.mark.parametrize(
    "cls", sorted({case.layer for case in CASES if hasattr(keras.layers, case.layer)} - {"Lambda"})
)
def test_every_layer_class_is_compared(cls: str) -> None:
    assert any(case.layer == cls for case in COMPARED) or any(row.layer == cls for row in ROWS)


OTHER_NAMES = {(f"DepthwiseConv{rank}D", "kernel"): "depthwise_kernel" for rank in (1, 2)}
"""Keras 2's names, where Keras 3 has others; docs/choices.md."""


@pytest.mark.parametrize("cls", sorted({case.layer for case in COMPARED}))
def test_weights_have_keras_names_and_order(cls: str) -> None:
    case = next(case for case in COMPARED if case.layer == cls)
    if case.config.get("data_format") == "channels_first":
        return
    ours, theirs = case.make(), getattr(keras.layers, cls)(**case.config)
    case.model(ours)
    theirs(case.arrays() if len(case.inputs) > 1 else case.arrays()[0])
    stateless = [variable for variable in theirs.weights if "seed" not in variable.name]
    assert [(variable.name, variable.shape) for variable in ours.weights] == [
        (OTHER_NAMES.get((cls, variable.name), variable.name), tuple(variable.shape)) for variable in stateless
    ]


@pytest.mark.parametrize("cls", sorted({case.layer for case in COMPARED}))
def test_configurations_have_the_keys_and_values_of_keras(cls: str) -> None:
    case = next(case for case in COMPARED if case.layer == cls)
    ours, theirs = case.make(name="it").get_config(), getattr(keras.layers, cls)(**case.config, name="it").get_config()
    for key in set(ours) & set(theirs) - {"dtype"}:
        value = theirs[key]
        if isinstance(value, (int, float, str, bool, tuple)) or value is None:
            assert ours[key] == value, key


ZEROS = np.array([[3, 1, 0, 0], [2, 0, 5, 0], [1, 2, 3, 4], [0, 0, 0, 4]])


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("zeros", [False, True])
def test_masks_reach_recurrent_layers_as_in_keras(sequences: bool, backwards: bool, zeros: bool) -> None:
    settings = {"return_sequences": sequences, "go_backwards": backwards, "zero_output_for_mask": zeros}
    assert_equal(
        *both_sequential(
            lambda library: [
                library.layers.Embedding(6, 3, mask_zero=True),
                library.layers.Dense(4, activation="tanh"),
                library.layers.LSTM(5, **settings),
            ],
            ZEROS,
        )
    )


def both_sequential(make: Any, x: Array) -> tuple[Any, Any]:
    """The outputs of one chain in both libraries, with the same weights."""
    ours, theirs = graphflow.Sequential(make(graphflow)), keras.Sequential(make(keras))
    ours.build((None, *x.shape[1:]))
    theirs(x)
    randomize(ours)
    theirs.set_weights(ours.get_weights())
    return ours.predict(x), theirs(x)


@pytest.mark.parametrize(
    "tail", [["GlobalAveragePooling1D"], ["Dropout", "GlobalAveragePooling1D"], ["BatchNormalization", "LSTM"]]
)
def test_masks_reach_their_users_through_other_layers(tail: list[str]) -> None:
    arguments: dict[str, Any] = {"Dropout": (0.5,), "LSTM": (4,)}

    def make(library: Any) -> list[Any]:
        embedding = library.layers.Embedding(6, 3, mask_zero=True)
        return [embedding, *(getattr(library.layers, name)(*arguments.get(name, ())) for name in tail)]

    assert_equal(*both_sequential(make, ZEROS))


@pytest.mark.parametrize("steps", [1, 6])
def test_states_given_and_returned_are_those_of_keras(steps: int) -> None:
    rng = np.random.default_rng(steps)
    x, h, c = rng.standard_normal((3, steps, 2)), rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    x, h, c = (array.astype("float32") for array in (x, h, c))
    ours, theirs = layers.LSTM(4, return_state=True, name="it"), keras.layers.LSTM(4, return_state=True)
    actual_inputs = [graphflow.Input((steps, 2)), graphflow.Input((4,)), graphflow.Input((4,))]
    model = graphflow.Model(actual_inputs, ours(actual_inputs[0], initial_state=actual_inputs[1:]))
    randomize(ours)
    theirs(x)
    theirs.set_weights(ours.get_weights())
    assert_equal(model.predict([x, h, c]), theirs(x, initial_state=[h, c]))


def test_a_stateful_layer_continues_as_keras_does() -> None:
    ours = layers.LSTM(4, stateful=True)
    theirs = keras.layers.LSTM(4, stateful=True)
    x = np.random.default_rng(0).standard_normal((2, 9, 3)).astype("float32")
    tensor = graphflow.Input(batch_shape=(2, 3, 3))
    model = graphflow.Model(tensor, ours(tensor))
    randomize(ours)
    theirs.build((2, 3, 3))
    theirs.set_weights(ours.get_weights())
    for start in (0, 3, 6):
        assert_equal(model.predict(x[:, start : start + 3]), theirs(x[:, start : start + 3]))


@pytest.mark.parametrize(
    "name", ["GlorotUniform", "HeNormal", "TruncatedNormal", "Orthogonal", "LecunUniform", "VarianceScaling"]
)
def test_initial_values_have_keras_spread(name: str) -> None:
    shape = (3, 3, 40, 60)
    ours = graphflow.initializers.get({"class_name": name, "config": {"seed": 1}})(shape)
    theirs = np.asarray(getattr(keras.initializers, name)(seed=1)(shape))
    assert abs(ours.std() / theirs.std() - 1) < 0.02
    assert abs(np.abs(ours).max() / np.abs(theirs).max() - 1) < (0.2 if name == "Orthogonal" else 0.02)


@pytest.mark.parametrize("penalty", ["l1", "l2", "L1L2"])
def test_penalties_and_constraints_are_those_of_keras(penalty: str) -> None:
    x = np.random.default_rng(0).standard_normal((4, 5)).astype("float32")
    ours, theirs = graphflow.regularizers.get(penalty), keras.regularizers.get(penalty)
    assert_equal(np.asarray(ours(x)) + 1, np.asarray(theirs(x)) + 1)
    for name in ("max_norm", "non_neg", "unit_norm", "min_max_norm"):
        assert_equal(np.asarray(graphflow.constraints.get(name)(x)), np.asarray(keras.constraints.get(name)(x)))
