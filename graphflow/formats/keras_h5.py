"""Whole models in HDF5 (`.h5`, `.hdf5`): Keras 1, Keras 2, tf.keras, and Keras 3's legacy writer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphflow.errors import UnsupportedError
from graphflow.formats.limits import Limits


def read_model(path: str, custom: Mapping[str, Any] | None, compile: bool, limits: Limits) -> Any:
    """Read a model; the arguments are those of `load_model`."""
    raise UnsupportedError(
        f"{path}: whole models in HDF5 (.h5, .hdf5) are not read yet. Open it in Keras and save it as .keras."
    )
