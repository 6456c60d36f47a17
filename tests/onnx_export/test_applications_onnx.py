"""Networks of keras.applications, read from .keras files: as ONNX they give Keras' numbers, and are transposed once."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest

import graphflow
from graphflow.formats.onnx_write import to_onnx
from onnx_export.runtime import ALLOWED, difference, outputs_of

pytestmark = pytest.mark.oracle

NETWORKS = {
    "ResNet50": ("resnet", 176),
    "MobileNetV2": ("mobilenet_v2", 155),
    "EfficientNetB0": ("efficientnet", 312),
    "DenseNet121": ("densenet", 428),
}
"""The module of each, and how many nodes it has, its classifier left out, whose softmax would hide small numbers."""


def lively(variable: Any, rng: np.random.Generator) -> Any:
    """Weights that let numbers of one size through: kernels by the inputs of an output, the rest near what it was."""
    shape = tuple(variable.shape)
    if "kernel" in variable.name:
        inputs = np.prod(shape[:-2]) if "depthwise" in variable.path else np.prod(shape[:-1])
        return rng.standard_normal(shape) * np.sqrt(2 / inputs)
    if variable.name in ("gamma", "beta", "moving_mean", "moving_variance", "bias"):
        return variable.numpy() + rng.uniform(-0.1, 0.1, shape)
    return variable.numpy()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_keras(name: str, tmp_path: Path) -> None:
    keras: Any = pytest.importorskip("keras", reason="Keras is the oracle: install the extra [oracle]")
    theirs = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), classes=10)
    rng = np.random.default_rng(0)
    theirs.set_weights([lively(variable, rng) for variable in theirs.weights])
    theirs = keras.Model(theirs.inputs, theirs.layers[-2].output)
    theirs.save(tmp_path / "model.keras")
    module, count = NETWORKS[name]
    prepared = getattr(keras.applications, module).preprocess_input(rng.uniform(0, 255, (2, 64, 64, 3)))
    images = np.asarray(prepared, "float32")
    ours = graphflow.load_model(tmp_path / "model.keras")
    proto = to_onnx(ours)
    expected = theirs.predict(images, verbose=0)
    assert np.ptp(expected) > 0.1
    assert difference(outputs_of(proto, {ours.input_names[0]: images}), [expected]) <= ALLOWED
    kinds = Counter(node.op_type for node in proto.graph.node)
    assert (sum(kinds.values()), kinds["Transpose"]) == (count, 1)
