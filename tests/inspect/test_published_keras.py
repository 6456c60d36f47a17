"""Counts of published networks as Keras describes them: multiply-adds, and parameters equal to Keras' own."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clients.weights import random_weights

import graphflow
from graphflow.inspect import compare, flops, trace
from graphflow.models import model_from_json

pytestmark = pytest.mark.oracle

NETWORKS = {"VGG16": 15_470_264_320, "ResNet50": 3_857_973_248, "MobileNetV2": 300_774_272}


def without_numbers(config):
    """A configuration whose weights are zeros, so that describing a network costs no random numbers."""
    if isinstance(config, dict):
        return {
            key: {"class_name": "Zeros", "config": {}} if key.endswith("kernel_initializer") else without_numbers(value)
            for key, value in config.items()
        }
    return [without_numbers(one) for one in config] if isinstance(config, list) else config


@pytest.mark.parametrize("name", NETWORKS)
def test_multiply_adds_and_parameters_of_keras_applications(name: str) -> None:
    keras = pytest.importorskip("keras", reason="Keras describes these networks; make parity installs it")
    theirs = getattr(keras.applications, name)(weights=None)
    model = model_from_json(json.dumps(without_numbers(json.loads(theirs.to_json()))))
    found = flops(model)
    assert sum(one.macs or 0 for one in found.ops if one.op in ("conv", "dense")) == NETWORKS[name]
    assert found.params == model.count_params() == theirs.count_params()
    assert not found.unknown


def test_every_layer_gives_what_kerass_layer_gives(rng) -> None:
    keras = pytest.importorskip("keras", reason="Keras is the oracle here; make parity installs it")
    theirs = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35, classes=5)
    model = model_from_json(theirs.to_json())
    weights = random_weights([weight.shape for weight in theirs.get_weights()])
    theirs.set_weights(weights)
    model.set_weights(weights)
    x = rng.standard_normal((2, 32, 32, 3)).astype("float32")
    values = trace(model, x)
    layers = [one for one in theirs.layers if one.name in values.arrays]
    expected = keras.Model(theirs.inputs, [one.output for one in layers]).predict(x, verbose=0)
    assert len(layers) == len(values) > 100
    for layer, array in zip(layers, expected, strict=True):
        difference = np.abs(values[layer.name] - array).max()
        assert difference <= 2e-5 * max(np.abs(array).max(), 1e-30), layer.name


def test_a_fault_in_a_deep_network_is_found_in_its_onnx_form(tmp_path, rng) -> None:
    pytest.importorskip("onnx", reason="onnx writes and reads these files; make parity installs it")
    keras = pytest.importorskip("keras", reason="Keras describes this network; make parity installs it")
    theirs = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35, classes=5)
    model = model_from_json(theirs.to_json())
    weights = random_weights([weight.shape for weight in theirs.get_weights()])
    theirs.set_weights(weights)
    model.set_weights(weights)
    model.export(str(tmp_path / "m.onnx"))
    other = graphflow.load_model(tmp_path / "m.onnx")
    x = rng.standard_normal((2, 32, 32, 3)).astype("float32")
    before = compare(model, other, x)
    assert before.same and not before.unmatched
    kernel = model.get_layer("block_6_project").kernel
    kernel.assign(kernel.numpy() + 1.0)
    found = compare(model, other, x)
    assert found.culprit is not None and found.culprit.layer == "block_6_project", str(found)
    assert found.unmatched[0] is found.culprit
