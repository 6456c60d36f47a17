"""Files of graphflow opened by Keras 3 and by tf_keras, and what those write opened here again."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from formats.random_models import Made, models
from formats.round_trips import assert_same_outputs, assert_same_weights
from hypothesis import given, settings

import graphflow

pytestmark = pytest.mark.oracle

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _calls(config: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Of Keras 3's configuration what says the structure: names, classes, calls, places of inputs and outputs."""
    found: dict[str, Any] = {path: [config.get("input_layers"), config.get("output_layers")]}
    for one in config["layers"]:
        name = one.get("name") or one["config"]["name"]
        found[f"{path}/{name}"] = [one["class_name"], _plain(one.get("inbound_nodes"))]
        if "layers" in one["config"]:
            found |= _calls(one["config"], f"{path}/{name}")
    return found


def _plain(nodes: Any) -> Any:
    """Inbound nodes without what Keras fills in: masks, and training=False."""
    dropped = ("mask", "training")
    return [{**node, "kwargs": {k: v for k, v in node["kwargs"].items() if k not in dropped}} for node in nodes or ()]


@settings(max_examples=200)
@given(made=models(masks=False))
def test_keras_3_opens_a_random_model_and_writes_it_back(made: Made) -> None:
    import keras

    expected = made.model.predict(made.inputs, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "model.keras", Path(folder) / "again.keras"
        made.model.save(path)
        theirs = keras.models.load_model(path)
        with zipfile.ZipFile(path) as archive:
            written = json.loads(archive.read("config.json"))
        theirs.save(again)
        with zipfile.ZipFile(again) as archive:
            rewritten = json.loads(archive.read("config.json"))
        back = graphflow.load_model(again)
    ours, back_again = _calls(written["config"]), _calls(rewritten["config"])
    assert list(ours) == [name for name in back_again if name in ours]  # Keras adds the masks of embeddings as ops
    for name in ours:
        assert ours[name] == back_again[name], name
    assert_same_outputs(_run(theirs, made), expected)
    assert_same_weights(back, made.model)
    assert_same_outputs(back.predict(made.inputs, verbose=0), expected, exact=True)
    keras.utils.clear_session()


@settings(max_examples=200)
@given(made=models(nested=False))
def test_tf_keras_opens_a_random_model_and_writes_it_back(made: Made) -> None:
    import tf_keras

    expected = made.model.predict(made.inputs, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "model.h5", Path(folder) / "again.h5"
        made.model.save(path)
        theirs = tf_keras.models.load_model(path)
        theirs.save(again)
        back = graphflow.load_model(again)
    assert [one.name for one in theirs.layers] == [one.name for one in made.model.operations]
    assert_same_outputs(_run(theirs, made), expected)
    assert_same_weights(back, made.model)
    assert_same_outputs(back.predict(made.inputs, verbose=0), expected, exact=True)
    tf_keras.backend.clear_session()


def _run(model: Any, made: Made) -> Any:
    arrays = [made.inputs[tensor.name.split(":")[0]] for tensor in model.inputs]
    return model(arrays if len(arrays) > 1 else arrays[0], training=False)
