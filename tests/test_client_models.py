"""Networks written as clients write them, given graphflow's modules: built, run, cut, and in both data formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from clients import CLIENTS
from clients.weights import images, random_weights

import graphflow
from graphflow import backend, layers, models, utils

SHAPES: dict[str, tuple[int, int, int]] = {"densenet": (33, 40, 3), "resnet": (35, 32, 3), "separable": (24, 21, 3)}


@pytest.fixture(autouse=True)
def format_as_it_was() -> Iterator[None]:
    before = backend.image_data_format()
    backend.clear_session()
    yield
    backend.set_image_data_format(before)


def built(name: str, data_format: str = "channels_last") -> Any:
    backend.set_image_data_format(data_format)
    model = CLIENTS[name](backend=backend, layers=layers, models=models, utils=utils)
    model.set_weights(random_weights([array.shape for array in model.get_weights()]))
    return model


def assert_close(actual: Any, expected: Any) -> None:
    assert actual.shape == expected.shape
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_builds_and_runs(name: str) -> None:
    model = built(name)
    assert model.input_shape == (None, *SHAPES[name])
    x = images(model)
    probabilities = model.predict(x, batch_size=2)
    assert probabilities.shape == (3, model.output_shape[1])
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert np.ptp(probabilities, axis=0).max() > 0.01
    assert model.count_params() == utils.count_params(model.weights)
    with graphflow.knobs(reference=True, passes_off="all"):
        reference = models.Model(model.inputs, model.output).predict(x)
    assert_close(probabilities, reference)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_gives_the_same_in_both_data_formats(name: str) -> None:
    last, first = built(name), built(name, "channels_first")
    x = images(last)
    assert first.input_shape[1:] == tuple(np.moveaxis(x[0], -1, 0).shape)
    assert [array.shape for array in first.get_weights()] == [array.shape for array in last.get_weights()]
    assert_close(first.predict(np.ascontiguousarray(np.moveaxis(x, -1, 1))), last.predict(x))


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_is_cut_before_its_last_layer(name: str) -> None:
    model = built(name)
    cut = models.Model(model.inputs, model.layers[-2].output)
    x = images(model)
    features = cut.predict(x)
    assert features.ndim == 2
    kernel, bias = model.layers[-1].get_weights()
    powers = np.exp(features @ kernel + bias - (features @ kernel + bias).max(1, keepdims=True))
    assert_close(model.predict(x), powers / powers.sum(1, keepdims=True))


def test_a_client_may_be_given_its_input() -> None:
    x = layers.Input((35, 32, 3))
    model = CLIENTS["resnet"](backend, layers, models, utils, input_tensor=x * 2.0)
    assert model.inputs == [x]
    model.set_weights(random_weights([array.shape for array in model.get_weights()]))
    rows = images(model)
    assert_close(model.predict(rows), built("resnet").predict(rows * 2))
