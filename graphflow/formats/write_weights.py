"""Weights in HDF5: Keras 3's layout by the places of objects, and Keras 2's by the names of layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, UnsupportedError
from graphflow.formats.keras_weights import weight_groups
from graphflow.layers.layer import Layer
from graphflow.models import Model
from graphflow.variable import Variable

ATTRIBUTE_BYTES = 64512
"""The largest attribute that Keras writes in one piece."""


def open_to_write(path: Path) -> Any:
    """A new HDF5 file, its arrays aligned so that a reader can map them."""
    import h5py

    return h5py.File(path, "w", alignment_threshold=256, alignment_interval=64)


def write_keras3_weights(model: Any, path: Path, by_graph: bool = False) -> None:
    """Write the weights as Keras 3 does: `model.weights.h5`.

    Args:
        model: built.
        path: of the file.
        by_graph: models of the user's own classes are written as the functional models that they are.

    Raises:
        ArgumentError: a layer that has not been built.
    """
    with open_to_write(path) as file:
        for group_path, layer, variables in weight_groups(model, by_graph=by_graph):
            _check_built(layer)
            group = file.require_group(group_path)
            group.attrs["name"] = layer.name
            for index, variable in enumerate(variables):
                _write(group, str(index), variable)


def write_keras2_weights(layers: Sequence[Layer], group: Any, version: str) -> None:
    """Write the weights as Keras 2 does, into a group: a group for each layer, in order.

    Args:
        layers: the model's.
        group: of h5py, open for writing.
        version: what `keras_version` says.
    """
    group.attrs["backend"] = b"tensorflow"
    group.attrs["keras_version"] = version.encode()
    write_names(group, "layer_names", [layer.name.encode() for layer in layers])
    for layer in layers:
        _check_built(layer)
        inside = group.create_group(layer.name)
        names = _unique([f"{variable.path}:0" for variable in legacy_weights(layer)])
        write_names(inside, "weight_names", [name.encode() for name in names])
        for name, variable in zip(names, legacy_weights(layer), strict=True):
            _write(inside, name, variable)


def legacy_weights(layer: Layer) -> list[Variable]:
    """A layer's weights in the order that HDF5 files of Keras 2 have them: trainable ones, then the rest."""
    return list(dict.fromkeys([*layer.trainable_weights, *layer.non_trainable_weights]))


def write_names(group: Any, name: str, items: Sequence[bytes]) -> None:
    """Write a list of names as an attribute, split as Keras splits it where it is too long for one.

    Raises:
        UnsupportedError: one name alone is too long.
    """
    if any(len(item) > ATTRIBUTE_BYTES for item in items):
        raise UnsupportedError(f"HDF5 attributes hold at most {ATTRIBUTE_BYTES:,} bytes; a name of {name!r} is longer.")
    array = np.asarray(items)
    count = 1
    while any(part.nbytes > ATTRIBUTE_BYTES for part in np.array_split(array, count)):
        count += 1
    if count == 1:
        group.attrs[name] = list(items)
        return
    for index, part in enumerate(np.array_split(array, count)):
        group.attrs[f"{name}{index}"] = part


def _unique(names: list[str]) -> list[str]:
    """Names of one layer's weights; those of layers in inner models can be the same."""
    seen: set[str] = set()
    made = []
    for name in names:
        base, count = name.removesuffix(":0"), 0
        while name in seen:
            count += 1
            name = f"{base}_{count}:0"
        seen.add(name)
        made.append(name)
    return made


def _write(group: Any, name: str, variable: Variable) -> None:
    array = variable.value
    if array.dtype.kind not in "biufc":
        raise UnsupportedError(f"Weight {variable.path!r}: data of type {variable.dtype} are not written.")
    group.create_dataset(name, data=np.ascontiguousarray(array).reshape(array.shape))


def _check_built(layer: Layer) -> None:
    if isinstance(layer, Model) and not layer.built:
        raise ArgumentError(f"Layer {layer.name!r} has no weights to write yet: call the model on an input first.")
