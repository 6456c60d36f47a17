"""HDF5 files (`.h5`, `.hdf5`) as tf.keras 2 writes them: whole models, and weights alone."""

from __future__ import annotations

import json
import os
from typing import Any

from graphflow.errors import ArgumentError
from graphflow.formats.keras_export import standalone
from graphflow.formats.keras_export_h5 import keras2_config
from graphflow.formats.keras_export_v3 import plain_compile
from graphflow.formats.write_file import whole_file
from graphflow.formats.write_weights import open_to_write, write_keras2_weights, write_names

KERAS_VERSION = "2.15.0"
"""The version whose form is written."""


def write_model(model: Any, path: str | os.PathLike[str], overwrite: bool = True, with_compile: bool = True) -> None:
    """Write a whole model.

    Args:
        model: functional or Sequential, built.
        path: of the file; it appears when it is whole.
        overwrite: whether a file that is there may be replaced.
        with_compile: whether the compile arguments are written, as far as they are plain data.

    Raises:
        ArgumentError: a file that may not be replaced, or a model without weights yet.
        UnsupportedError: something that tf.keras' form can not say; the message names the layer. Nothing is written.
    """
    _check_built(model)
    model = standalone(model)
    config = json.dumps(keras2_config(model))
    compiled = plain_compile(model.compiled_with) if with_compile else None
    with whole_file(path, overwrite) as whole, open_to_write(whole) as file:
        file.attrs["keras_version"] = KERAS_VERSION.encode()
        file.attrs["backend"] = b"tensorflow"
        file.attrs["model_config"] = config.encode()
        if compiled and "optimizer" in compiled:
            file.attrs["training_config"] = json.dumps(_training(compiled)).encode()
        group = file.create_group("model_weights")
        write_keras2_weights(model.layers, group, KERAS_VERSION)
        write_names(group.create_group("top_level_model_weights"), "weight_names", [])


def write_weights(model: Any, path: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write the weights of a model alone, with the layout of Keras 2 at the root.

    Raises:
        ArgumentError: a file that may not be replaced, or a model without weights yet.
    """
    _check_built(model)
    with whole_file(path, overwrite) as whole, open_to_write(whole) as file:
        write_keras2_weights(model.layers, file, KERAS_VERSION)
        write_names(file.create_group("top_level_model_weights"), "weight_names", [])


def _check_built(model: Any) -> None:
    if not model.built:
        raise ArgumentError(f"Model {model.name!r} has no weights to write yet: call it on an input first.")


def _training(compiled: dict[str, Any]) -> dict[str, Any]:
    optimizer = compiled["optimizer"]
    described = {"class_name": optimizer, "config": {}} if isinstance(optimizer, str) else optimizer
    names = ("loss", "metrics", "weighted_metrics", "loss_weights")
    return {**{name: compiled.get(name) for name in names}, "optimizer_config": described}
