"""Whole models in HDF5 (`.h5`, `.hdf5`): Keras 1, Keras 2, tf.keras, and Keras 3's legacy writer.

/                 attributes model_config, training_config (JSON), keras_version, backend
/model_weights    attribute layer_names; a group for each layer, see `keras_h5_weights`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphflow.errors import ModelFormatError
from graphflow.formats.hdf5 import WeightsFile, open_h5
from graphflow.formats.json_text import parse_json
from graphflow.formats.keras_describe import describe_model
from graphflow.formats.keras_description import Description, Reading, build, wrong_shape_is_a_bad_file
from graphflow.formats.keras_h5_layouts import Stored
from graphflow.formats.keras_h5_weights import load_weights
from graphflow.formats.limits import Limits
from graphflow.registry import custom_object_scope

WEIGHTS = "model_weights"


def describe_file(path: str, limits: Limits) -> Description:
    """What a file says, without building it."""
    with open_h5(path, limits=limits) as file:
        return _described(file, limits)


def read_model(path: str, custom: Mapping[str, Any] | None, compile: bool, limits: Limits) -> Any:
    """Read a model; the arguments are those of `load_model`."""
    with open_h5(path, limits=limits) as file:
        with custom_object_scope(custom):
            described = _described(file, limits)
            model = build(described)
        load_weights(file, model, WEIGHTS, stored_by(described), described.model)
    if compile:
        model.compiled_with = described.compiled_with
    return model


def stored_by(described: Description) -> Stored:
    """How the version that wrote a file stored its weights."""
    mirrored = described.backend == "theano" and described.era != "keras3"
    return Stored(described.weights_layout == "keras1", described.era == "keras3", mirrored)


def _described(file: WeightsFile, limits: Limits) -> Description:
    config = _json(file, "model_config", limits)
    if not isinstance(config, dict):
        inner = "layer_names" if file.kind(WEIGHTS) is None else WEIGHTS
        raise ModelFormatError(
            f"{file.where}: this HDF5 file holds weights alone ({inner!r}), or none: there is no attribute "
            "'model_config'. Build the model and call its load_weights(path)."
        )
    where = f"{file.where}, attribute 'model_config'"
    version = _attribute(file, "keras_version") or config.get("keras_version")
    reading = Reading(where, version if isinstance(version, str) else None, _attribute(file, "backend"), limits)
    with wrong_shape_is_a_bad_file(where):
        model = describe_model(config, reading)
    if reading.backend == "theano" and not reading.is_modern:
        reading.quirk("theano")
    training = _json(file, "training_config", limits)
    if isinstance(training, dict) and "optimizer_config" in training:
        training = {"optimizer": training["optimizer_config"]} | {
            key: value for key, value in training.items() if key != "optimizer_config"
        }
    label = "Keras 3 legacy (.h5)" if reading.is_modern else f"Keras {reading.numbers[0]} (.h5)"
    return reading.finish(label, model, training)


def _attribute(file: WeightsFile, name: str) -> str | None:
    """An attribute of the file; versions that gave it to the weights alone have it there."""
    found = file.text("/", name)
    if found is None and file.kind(WEIGHTS) == "group":
        found = file.text(WEIGHTS, name)
    return found


def _json(file: WeightsFile, name: str, limits: Limits) -> Any:
    text = file.text("/", name)
    return None if text is None else parse_json(text.encode(), f"{file.where}, attribute {name!r}", limits)
