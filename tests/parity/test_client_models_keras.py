"""The same client code with tf_keras' modules and with graphflow's: the same layers, weights and outputs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest
from clients import CLIENTS
from clients.weights import images, random_weights

from graphflow import backend, layers, models, utils

pytestmark = pytest.mark.oracle
tf_keras = pytest.importorskip("tf_keras", reason="tf_keras is the oracle: install the extra [oracle]")


@pytest.fixture(autouse=True)
def format_as_it_was() -> Iterator[None]:
    before = backend.image_data_format()
    yield
    backend.set_image_data_format(before)


def both(name: str, data_format: str) -> tuple[Any, Any]:
    """The client's model of tf_keras, channels last since TensorFlow convolves no others on a CPU, and of graphflow."""
    tf_keras.backend.clear_session()
    backend.clear_session()
    tf_keras.backend.set_image_data_format("channels_last")
    theirs = CLIENTS[name](tf_keras.backend, tf_keras.layers, tf_keras.models, tf_keras.utils)
    backend.set_image_data_format(data_format)
    ours = CLIENTS[name](backend, layers, models, utils)
    weights = random_weights([array.shape for array in theirs.get_weights()])
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return theirs, ours


def assert_same(actual: Any, expected: Any) -> None:
    """Equal to 1e-5 of the largest."""
    assert actual.shape == expected.shape
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("name", CLIENTS)
def test_the_same_client_gives_the_same_outputs(name: str, data_format: str) -> None:
    theirs, ours = both(name, data_format)
    assert [type(one).__name__ for one in ours.layers] == [type(one).__name__ for one in theirs.layers]
    assert [one.name for one in ours.layers[1:]] == [one.name for one in theirs.layers[1:]]
    x = images(theirs)
    given = x if data_format == "channels_last" else np.ascontiguousarray(np.moveaxis(x, -1, 1))
    assert_same(ours.predict(given), theirs.predict(x, verbose=0))
    cut_theirs = tf_keras.models.Model(theirs.inputs, theirs.layers[-2].output)
    cut_ours = models.Model(ours.inputs, ours.layers[-2].output)
    assert_same(cut_ours.predict(given), cut_theirs.predict(x, verbose=0))
