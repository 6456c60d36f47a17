"""`.keras` files: a ZIP of `metadata.json`, `config.json` and `model.weights.h5`.

Keras 3 writes them, and tf.keras since 2.12, whose configurations are those of Keras 2 in part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphflow.errors import ModelFormatError
from graphflow.formats.container import Archive, open_archive
from graphflow.formats.hdf5 import open_h5
from graphflow.formats.json_text import parse_json
from graphflow.formats.keras_describe import describe_model
from graphflow.formats.keras_description import Description, Reading, build, wrong_shape_is_a_bad_file
from graphflow.formats.keras_weights import load_weights
from graphflow.formats.limits import Limits
from graphflow.registry import custom_object_scope

WEIGHTS = "model.weights.h5"


def describe_file(path: str, limits: Limits) -> Description:
    """What a file says, without building it."""
    with open_archive(path, limits) as archive:
        return _described(archive, limits)


def read_model(path: str, custom: Mapping[str, Any] | None, compile: bool, limits: Limits) -> Any:
    """Read a model; the arguments are those of `load_model`."""
    with open_archive(path, limits) as archive:
        archive.read_ahead(WEIGHTS)
        with custom_object_scope(custom):
            described = _described(archive, limits)
            model = build(described)
        if WEIGHTS not in archive.names:
            raise ModelFormatError(f"{path}: there is no member {WEIGHTS!r}.")
        content = archive.mapped(WEIGHTS)
        with open_h5(content, archive.place(WEIGHTS), limits, kept=content.flags.writeable) as file:
            load_weights(file, model, tf_keras=described.era == "keras2")
    if compile:
        model.compiled_with = described.compiled_with
    return model


def _described(archive: Archive, limits: Limits) -> Description:
    metadata = _object(archive, "metadata.json", limits)
    config = _object(archive, "config.json", limits)
    version = metadata.get("keras_version")
    where = archive.place("config.json")
    reading = Reading(where, version if isinstance(version, str) else "3", None, limits)
    with wrong_shape_is_a_bad_file(where):
        model = describe_model(config, reading)
    label = "Keras 3 (.keras)" if reading.is_modern else "tf.keras (.keras)"
    return reading.finish(label, model, config.get("compile_config"))


def _object(archive: Archive, name: str, limits: Limits) -> dict[str, Any]:
    value = parse_json(archive.read(name), archive.place(name), limits)
    if not isinstance(value, dict):
        raise ModelFormatError(f"{archive.place(name)}: expected a JSON object, received {type(value).__name__}.")
    return value
