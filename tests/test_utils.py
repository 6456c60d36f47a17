"""`graphflow.utils` and `graphflow.saving`: what clients take from them, and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphflow import Input, Model, activations, constraints, initializers, regularizers, saving, utils
from graphflow.errors import ArgumentError, ArgumentTypeError, DataError, UnsupportedError
from graphflow.layers import Add, Dense, Layer
from graphflow.models.forwards import FORWARDS
from graphflow.samples import digits


@pytest.fixture(autouse=True)
def nothing_stays_registered() -> Iterator[None]:
    before = dict(utils.get_custom_objects())
    yield
    utils.get_custom_objects().clear()
    utils.get_custom_objects().update(before)


class Scale(Layer):
    def __init__(self, by: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by = by

    def call(self, inputs: Any) -> Any:
        return inputs * self.by

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "by": self.by}


@pytest.mark.parametrize("module", [utils, saving], ids=lambda module: module.__name__)
def test_public_names_are_sorted_there_and_documented(module: Any) -> None:
    assert module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name).__doc__


def test_source_inputs_are_found_once_and_in_order() -> None:
    a, b, unused = Input((3,)), Input((3,)), Input((3,))
    hidden = Dense(3)(a)
    total = Add()([hidden, b, Dense(3)(hidden)])
    assert utils.get_source_inputs(total) == [a, b]
    assert utils.get_source_inputs(a) == [a]
    assert utils.layer_utils.get_source_inputs(unused) == [unused]
    layer = total._keras_history.layer
    assert utils.get_source_inputs(total, layer, 0) == [a, b]
    array = np.zeros(3)
    assert utils.get_source_inputs(array) is array


def test_source_inputs_of_a_long_chain() -> None:
    x = tensor = Input((1,))
    for _ in range(3000):
        tensor = tensor + 1.0
    assert utils.get_source_inputs(tensor) == [x]


def test_parameters_are_counted_once() -> None:
    layer = Dense(4)
    layer(Input((3,)))
    assert utils.count_params(layer.weights) == 16
    assert utils.count_params([*layer.weights, layer.kernel]) == 16
    assert utils.layer_utils.count_params(layer.weights) == 16


def test_classes_become_rows() -> None:
    np.testing.assert_array_equal(utils.to_categorical([0, 2, 1]), np.eye(3)[[0, 2, 1]])
    assert utils.to_categorical([0, 2, 1]).dtype == np.float32
    np.testing.assert_array_equal(utils.to_categorical([[1], [0]], 4, "int32"), np.eye(4)[[1, 0]])
    assert utils.to_categorical(np.zeros((2, 3)), 5).shape == (2, 3, 5)
    assert utils.to_categorical([]).shape == (0, 0)
    with pytest.raises(ArgumentError, match=r"\[0, 3\), received 3"):
        utils.to_categorical([0, 3], 3)
    with pytest.raises(ArgumentError, match="received -1"):
        utils.to_categorical([0, -1])


def test_arrays_are_divided_by_their_norms(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    x[1] = 0
    expected = x / np.maximum(np.sqrt((x**2).sum(1, keepdims=True)), 1e-30)
    np.testing.assert_allclose(utils.normalize(x), expected)
    np.testing.assert_allclose(utils.normalize(x, axis=0, order=1), x / np.abs(x).sum(0))


def test_files_are_found_where_they_are(tmp_path: Path) -> None:
    file = tmp_path / "a weight.h5"
    file.write_bytes(b"numbers")
    assert utils.get_file("any", str(file)) == str(file)
    assert utils.get_file(origin=file.as_uri()) == str(file)
    md5, sha256 = (hashlib.new(name, b"numbers").hexdigest() for name in ("md5", "sha256"))
    assert utils.get_file(origin=str(file), md5_hash=md5) == str(file)
    assert utils.get_file(origin=str(file), file_hash=sha256) == str(file)
    assert utils.get_file(origin=str(file), file_hash=md5.upper(), hash_algorithm="md5") == str(file)
    with pytest.raises(DataError, match=f"whose md5 is 00, received {md5}"):
        utils.get_file(origin=str(file), md5_hash="00")
    with pytest.raises(DataError, match="sha256"):
        utils.get_file(origin=str(file), file_hash="0" * 64)
    with pytest.raises(ArgumentError, match="sha1"):
        utils.get_file(origin=str(file), file_hash=md5, hash_algorithm="sha1")


def test_files_of_the_network_must_be_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://example.org/models/weights.h5"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(UnsupportedError, match=f"no network connections. Download {url} to {tmp_path}/models/mine.h5"):
        utils.get_file("mine.h5", url, cache_subdir="models")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.h5").write_bytes(b"numbers")
    assert utils.get_file("mine.h5", url, cache_subdir="models") == str(tmp_path / "models" / "mine.h5")
    assert utils.get_file("mine.h5", cache_subdir="models", cache_dir=str(tmp_path)).endswith("models/mine.h5")
    with pytest.raises(FileNotFoundError, match=r"nothing\.h5"):
        utils.get_file(origin=str(tmp_path / "nothing.h5"))
    with pytest.raises(UnsupportedError, match="archives"):
        utils.get_file("a.zip", url, extract=True)
    with pytest.raises(ArgumentError, match="origin"):
        utils.get_file()


def test_the_users_objects_are_known_by_name() -> None:
    assert "Scale" not in utils.get_custom_objects()
    with saving.custom_object_scope({"Scale": Scale}, {"other": activations.relu}):
        assert saving.get_registered_object("Scale") is Scale
        assert saving.get_registered_object("other") is activations.relu
    with saving.CustomObjectScope({"Scale": Scale}):
        assert saving.get_registered_object("Scale") is Scale
    assert saving.get_registered_object("Scale") is None
    utils.get_custom_objects()["Scale"] = Scale
    assert saving.get_registered_object("Scale") is Scale
    utils.get_custom_objects().clear()
    assert saving.get_registered_object("Scale", {"Scale": 1}, {"Scale": 2}) == 1
    assert saving.get_registered_object("Scale", None, {"Scale": 2}) == 2

    assert saving.get_registered_name(Scale) == "Scale"
    assert saving.register_keras_serializable("mine")(Scale) is Scale
    assert saving.get_registered_name(Scale) == "mine>Scale"
    assert saving.get_registered_object("mine>Scale") is Scale
    saving.register_keras_serializable(name="double")(test_the_users_objects_are_known_by_name)
    assert saving.get_registered_name(test_the_users_objects_are_known_by_name) == "Custom>double"
    with pytest.raises(ArgumentError, match="get_config"):
        saving.register_keras_serializable()(Path)


@pytest.mark.parametrize(
    "item",
    [
        Dense(3, activation="tanh", use_bias=False),
        initializers.get("he_normal"),
        regularizers.get("l2"),
        constraints.get("non_neg"),
        initializers.get({"class_name": "Constant", "config": {"value": 3.0}}),
    ],
    ids=lambda item: type(item).__name__,
)
def test_objects_become_plain_data_and_back(item: Any) -> None:
    data = json.loads(json.dumps(saving.serialize_keras_object(item)))
    again = saving.deserialize_keras_object(data)
    assert type(again) is type(item)
    assert again.get_config() == item.get_config()
    nested = saving.deserialize_keras_object({"a": [data, 1, None, "text"]})["a"]
    assert type(nested[0]) is type(item)
    assert nested[1:] == [1, None, "text"]
    for key in ("module", "registered_name"):
        data.pop(key)
    assert type(utils.deserialize_keras_object(data)) is type(item)


def test_models_and_users_layers_become_data_and_back(rng: np.random.Generator) -> None:
    saving.register_keras_serializable("mine")(Scale)
    x = Input((3,))
    model = Model(x, Scale(3.0)(x))
    data = saving.serialize_keras_object(model)
    again = saving.deserialize_keras_object(data)
    rows = rng.standard_normal((2, 3)).astype("float32")
    np.testing.assert_array_equal(again.predict(rows), rows * 3)
    described = saving.serialize_keras_object(Scale(4.0))
    assert described["registered_name"] == "mine>Scale"
    assert saving.deserialize_keras_object(described).by == 4.0
    utils.get_custom_objects().clear()
    with pytest.raises(ArgumentError, match=r"Unknown class 'Scale'\. Pass it as custom_objects="):
        saving.deserialize_keras_object(described)
    assert saving.deserialize_keras_object(described, {"Scale": Scale}).by == 4.0


def test_functions_become_names_and_back() -> None:
    data = saving.serialize_keras_object(activations.relu)
    assert data["config"] == "relu"
    assert saving.deserialize_keras_object(data) is activations.relu
    assert utils.deserialize_keras_object("f", {"f": activations.tanh}) is activations.tanh
    assert isinstance(utils.deserialize_keras_object("Scale", custom_objects={"Scale": Scale}), Scale)
    with pytest.raises(ArgumentError, match="Unknown loss: 'f'"):
        utils.deserialize_keras_object("f", printable_module_name="loss")
    with pytest.raises(ArgumentTypeError, match="get_config"):
        saving.serialize_keras_object(object())


def test_load_model_leads_to_the_formats() -> None:
    assert saving.load_model(digits.MODEL).output_shape == (None, 10)


def test_drawing_is_forwarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORWARDS, "plot_model", ("graphflow.formats", "load_model"))
    assert utils.plot_model(digits.MODEL).output_shape == (None, 10)
