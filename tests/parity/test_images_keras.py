"""Images of random sizes against TensorFlow, and the layers that resize them against Keras 2 and 3."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest

import graphflow
from graphflow import layers
from graphflow.layers.era import era
from graphflow.ops.resample import METHODS, resample

pytestmark = pytest.mark.oracle
tf = pytest.importorskip("tensorflow", reason="TensorFlow is the oracle: install the extra [oracle]")


def assert_close(ours: Any, theirs: Any) -> None:
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_random_sizes_as_tensorflow_has_them(method: str, antialias: bool) -> None:
    rng = np.random.default_rng(METHODS.index(method))
    for _ in range(60):
        given, size = rng.integers(1, 40, 2), rng.integers(1, 40, 2)
        x = rng.normal(size=(2, *given, 2)).astype("float32")
        ours = resample(x, [int(one) for one in size], (1, 2), method, antialias)
        assert_close(ours, tf.image.resize(x, size, method, antialias=antialias))


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic"])
def test_large_images_pick_the_elements_that_tensorflow_picks(method: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(12):
        given, size = rng.integers(300, 1500, 2), rng.integers(200, 900, 2)
        x = rng.normal(size=(1, *given, 1)).astype("float32")
        assert_close(resample(x, [int(one) for one in size], (1, 2), method), tf.image.resize(x, size, method))


def models(make: Any, oracle: str, shape: tuple[int | None, ...], dtype: str = "float32") -> tuple[Any, Any]:
    """A model of one layer, with the rules of an oracle, here and there."""
    theirs = pytest.importorskip(oracle, reason=f"{oracle} is the oracle: install the extra [oracle]")
    with era("keras3" if oracle == "keras" else "keras2"):
        x = graphflow.Input(shape, dtype=dtype)
        ours = graphflow.Model(x, make(layers)(x))
    y = theirs.Input(shape, dtype=dtype)
    return ours, theirs.Model(y, make(theirs.layers)(y))


LAYERS: dict[str, Any] = {
    "stretch": lambda k: k.Resizing(6, 5),
    "crop": lambda k: k.Resizing(6, 5, crop_to_aspect_ratio=True),
    "nearest": lambda k: k.Resizing(7, 3, interpolation="nearest"),
    "center": lambda k: k.CenterCrop(6, 5),
}


@pytest.mark.parametrize("oracle", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", LAYERS)
def test_images_of_sizes_that_are_not_known_beforehand(name: str, oracle: str) -> None:
    ours, theirs = models(LAYERS[name], oracle, (None, None, 3))
    rng = np.random.default_rng(1)
    for given in ((9, 8), (4, 13), (6, 5), (12, 10), (3, 4)):
        x = rng.normal(size=(2, *given, 3)).astype("float32")
        assert_close(ours.predict(x, verbose=0), theirs(x, training=False))


@pytest.mark.parametrize("oracle", ["keras", "tf_keras"])
@pytest.mark.parametrize("dtype", ["uint8", "int32"])
@pytest.mark.parametrize("name", [*LAYERS, "flip", "contrast", "brightness", "zoom"])
def test_integers_become_what_they_become_in_keras(name: str, dtype: str, oracle: str) -> None:
    more = {
        "flip": lambda k: k.RandomFlip(),
        "contrast": lambda k: k.RandomContrast(0.1),
        "brightness": lambda k: k.RandomBrightness(0.1),
        "zoom": lambda k: k.RandomZoom(0.1),
    }
    ours, theirs = models({**LAYERS, **more}[name], oracle, (9, 8, 3), dtype)
    x = np.random.default_rng(2).integers(0, 256, (2, 9, 8, 3)).astype(dtype)
    found, expected = ours.predict(x, verbose=0), theirs(x, training=False)
    assert found.dtype == np.asarray(expected).dtype
    assert_close(found.astype("float64"), np.asarray(expected).astype("float64"))
