"""Layers that Keras keeps beside its model applications: ConvNeXt's and Inception-ResNet's."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model
from graphflow.errors import ArgumentError, ModelFormatError, ShapeError, UnsupportedError
from graphflow.layers import Layer
from graphflow.layers.applications import CustomScaleLayer, LayerScale, StochasticDepth


def small() -> Model:
    x = Input((2, 3), name="x")
    y = LayerScale(0.5, 3, name="scale")(x)
    y = StochasticDepth(0.2, name="drop")(y)
    return Model(x, CustomScaleLayer(2.0, name="sum")([x, y]))


X = np.arange(12, dtype="float32").reshape(2, 2, 3)


def rewritten(path: Path, module: str | None) -> Path:
    """The same file with another module for its LayerScale."""
    changed = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                config = json.loads(data)
                (layer,) = (one for one in config["config"]["layers"] if one["class_name"] == "LayerScale")
                layer["module"] = module
                data = json.dumps(config).encode()
            target.writestr(name, data)
    return changed


def test_what_they_compute() -> None:
    model = small()
    np.testing.assert_array_equal(model.predict(X, verbose=0), X + 2 * (X * np.float32(0.5)))
    model.get_layer("scale").set_weights([np.array([1, 2, 3], "float32")])
    np.testing.assert_array_equal(model.predict(X, verbose=0), X + 2 * (X * np.array([1, 2, 3], "float32")))


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_files_bring_them_back(tmp_path: Path, ending: str) -> None:
    model, path = small(), tmp_path / f"model.{ending}"
    model.get_layer("scale").set_weights([np.array([1, 2, 3], "float32")])
    model.save(path)
    back = graphflow.load_model(path)
    assert [type(one) for one in back.layers[1:]] == [LayerScale, StochasticDepth, CustomScaleLayer]
    assert back.get_layer("drop").drop_path_rate == 0.2
    np.testing.assert_array_equal(back.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize(
    "module", ["keras.src.applications.convnext", "keras.applications.convnext", "tf_keras.src.applications.convnext"]
)
def test_every_keras_module_is_known(tmp_path: Path, module: str) -> None:
    small().save(tmp_path / "model.keras")
    back = graphflow.load_model(rewritten(tmp_path / "model.keras", module))
    assert type(back.get_layer("scale")) is LayerScale


@pytest.mark.parametrize("module", [None, "models.convnext", "keras.src.applications.resnet", "keras.layers"])
def test_a_class_of_that_name_from_elsewhere_is_the_users(tmp_path: Path, module: str | None) -> None:
    class Mine(Layer):
        def __init__(self, init_values: float, projection_dim: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.gamma = self.add_weight((projection_dim,), "zeros")

        def call(self, inputs: Any) -> Any:
            return inputs + self.gamma

    Mine.__name__ = "LayerScale"  # files name the group of weights by it
    small().save(tmp_path / "model.keras")
    changed = rewritten(tmp_path / "model.keras", module)
    with pytest.raises(ModelFormatError, match="layer class 'LayerScale' of layer 'scale'"):
        graphflow.load_model(changed)
    back = graphflow.load_model(changed, custom_objects={"LayerScale": Mine})
    assert type(back.get_layer("scale")) is Mine


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_users_class_of_that_name_is_written_as_the_users(tmp_path: Path, ending: str) -> None:
    class Doubling(Layer):
        def call(self, inputs: Any) -> Any:
            return inputs * 2

    Doubling.__name__ = "LayerScale"
    x = Input((2, 3), name="x")
    Model(x, Doubling(name="scale")(x)).save(path := tmp_path / f"model.{ending}")
    with pytest.raises(ModelFormatError, match="LayerScale"):
        graphflow.load_model(path)
    back = graphflow.load_model(path, custom_objects={"LayerScale": Doubling})
    np.testing.assert_array_equal(back.predict(X, verbose=0), X * 2)


def test_what_they_refuse() -> None:
    with pytest.raises(ShapeError, match=r"projection_dim 3 must be the number of channels"):
        LayerScale(1.0, 3)(Input((2, 4)))
    with pytest.raises(ArgumentError, match=r"drop_path_rate must be in \[0, 1\), received 1"):
        StochasticDepth(1)
    with pytest.raises(ArgumentError, match="two inputs, received 3"):
        CustomScaleLayer(1.0)([Input((2,)), Input((2,)), Input((2,))])
    with pytest.raises(UnsupportedError, match="drops samples in training"):
        small()(X, training=True)


@pytest.mark.oracle
def test_files_come_and_go_through_keras(tmp_path: Path) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    from keras.src.applications import convnext, inception_resnet_v2

    x = keras.Input((2, 3))
    y = convnext.StochasticDepth(0.2)(convnext.LayerScale(0.5, 3)(x))
    theirs = keras.Model(x, inception_resnet_v2.CustomScaleLayer(2.0)([x, y]))
    theirs.layers[1].set_weights([np.array([1, 2, 3], "float32")])
    theirs.save(tmp_path / "theirs.keras")
    ours = graphflow.load_model(tmp_path / "theirs.keras")
    expected = theirs.predict(X, verbose=0)
    np.testing.assert_allclose(ours.predict(X, verbose=0), expected, rtol=1e-6)
    ours.save(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras")
    assert [type(one).__module__ for one in again.layers[1:]] == [
        "keras.src.applications.convnext",
        "keras.src.applications.convnext",
        "keras.src.applications.inception_resnet_v2",
    ]
    np.testing.assert_array_equal(again.predict(X, verbose=0), expected)
