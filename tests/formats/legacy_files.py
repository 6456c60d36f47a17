"""Files in the layouts of Keras 1, Keras 2 and tf.keras, written with h5py alone: what those versions can no longer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Array = np.ndarray[Any, Any]
Weights = Mapping[str, Sequence[tuple[str, Array]]]
Config = dict[str, Any]
LIMIT = 64_512
"""The most bytes that Keras puts into one attribute."""


def write_h5(
    path: Path,
    model: Config,
    weights: Weights,
    version: str | None = None,
    backend: str | None = "tensorflow",
    training: Config | None = None,
    as_bytes: bool = True,
) -> Path:
    """A whole model.

    Args:
        model: {"class_name", "config"}.
        weights: for each layer, in order, the names and arrays of its weights.
        version, backend: None: the attribute is left out, as Keras 1 did.
        training: `training_config`.
        as_bytes: whether attributes are bytes, as h5py 2 wrote them, or str.
    """

    def text(value: str) -> Any:
        return value.encode() if as_bytes else value

    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = text(json.dumps(model))
        group = file.create_group("model_weights")
        for name, value in (("keras_version", version), ("backend", backend)):
            if value is not None:
                file.attrs[name] = group.attrs[name] = text(value)
        if training is not None:
            file.attrs["training_config"] = text(json.dumps(training))
        put_names(group, "layer_names", list(weights))
        for layer, arrays in weights.items():
            inner = group.create_group(layer)
            put_names(inner, "weight_names", [name for name, _ in arrays])
            for name, array in arrays:
                inner[name] = array
    return path


def put_names(group: Any, attribute: str, names: Sequence[str]) -> None:
    """A list of names as an attribute, in as many parts as Keras 2 made of it."""
    encoded = [name.encode() for name in names]
    assert all(len(name) <= LIMIT for name in encoded)
    parts = 1
    chunks = np.array_split(np.asarray(encoded), parts)
    while any(chunk.nbytes > LIMIT for chunk in chunks):
        parts += 1
        chunks = np.array_split(np.asarray(encoded), parts)
    if parts == 1:
        group.attrs[attribute] = encoded
        return
    for index, chunk in enumerate(chunks):
        group.attrs[f"{attribute}{index}"] = chunk


def layer(class_name: str, name: str, inbound: Any = (), **config: Any) -> Config:
    """A layer of a functional model."""
    item = {"class_name": class_name, "config": {"name": name, "trainable": True, **config}, "name": name}
    return {**item, "inbound_nodes": list(inbound)}


def step(class_name: str, name: str, **config: Any) -> Config:
    """A layer of a Sequential."""
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}


def given(name: str, *shape: int | None, **config: Any) -> Config:
    """An InputLayer."""
    described = {"name": name, "batch_input_shape": [None, *shape], "dtype": "float32", "sparse": False, **config}
    return {"class_name": "InputLayer", "config": described, "name": name, "inbound_nodes": []}


def functional(name: str, layers: list[Config], inputs: Any, outputs: Any, class_name: str = "Model") -> Config:
    """A functional model."""
    config = {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": class_name, "config": config}


def dense(rng: np.random.Generator, name: str, n: int, m: int) -> tuple[str, list[tuple[str, Array]]]:
    """A Dense layer's weights, under the names of Keras 2."""
    return name, [(f"{name}/kernel:0", normal(rng, n, m)), (f"{name}/bias:0", normal(rng, m))]


def normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.normal(0, 0.5, shape).astype("float32")
