"""Every layer of the cases, the small models, and networks as clients write them, as graphs and back, and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from cases import models as small
from cases.layers import CASES
from clients import CLIENTS
from clients.weights import images, random_weights

from graphflow import Input, Model, backend, layers, models, utils
from graphflow.inspect import from_networkx, to_dot, to_html, to_networkx, to_svg

FAMILIES = sorted({case.layer for case in CASES})


def assert_comes_back(model: Any, arrays: list[Any], *levels: str) -> None:
    expected = small.as_list(model.predict(arrays))
    for level in levels or ("layer", "op"):
        again = from_networkx(to_networkx(model, level))
        for found, wanted in zip(small.as_list(again.predict(arrays)), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.fixture(autouse=True)
def format_as_it_was() -> Iterator[None]:
    before = backend.image_data_format()
    yield
    backend.set_image_data_format(before)


@pytest.mark.parametrize("family", FAMILIES)
def test_layers(family: str) -> None:
    cases = [case for case in CASES if case.layer == family]
    for case in cases[:: max(len(cases) // 4, 1)]:
        assert_comes_back(case.model(), case.arrays())


@pytest.mark.parametrize("name", small.MODELS)
def test_small_models(name: str) -> None:
    model = small.make(name)
    assert_comes_back(model, [small.data(name)])
    ElementTree.fromstring(to_svg(model, "plan"))
    assert len(to_html(model)) > len(to_dot(model)) > 0


@pytest.mark.parametrize("name", CLIENTS)
def test_networks_of_clients(name: str) -> None:
    backend.set_image_data_format("channels_last")
    model = CLIENTS[name](backend=backend, layers=layers, models=models, utils=utils)
    model.set_weights(random_weights([array.shape for array in model.get_weights()]))
    assert_comes_back(model, [images(model)[:1]])
    ElementTree.fromstring(to_svg(model))


def test_a_tensor_that_is_held_comes_back() -> None:
    x = Input((6,), name="x")
    held = Input(tensor=np.arange(6, dtype="float32"), name="held")
    assert_comes_back(Model(x, x + held), [np.ones((2, 6), "float32")])
    assert_comes_back(Model(x, x), [np.ones((2, 6), "float32")])


def test_dicts_of_inputs_and_outputs_come_back() -> None:
    a, b = Input((2,), name="a"), Input((2,), name="b")
    outputs = {"sum": a + b, "parts": [a * 2, b * 3]}
    model = Model({"first": a, "second": b}, outputs, name="nested")
    again = from_networkx(to_networkx(model))
    rows = {"first": np.ones((1, 2), "float32"), "second": np.full((1, 2), 5, "float32")}
    found, expected = again.predict(rows), model.predict(rows)
    assert list(found) == list(expected)
    np.testing.assert_array_equal(found["parts"][1], expected["parts"][1])
    np.testing.assert_array_equal(found["sum"], expected["sum"])
