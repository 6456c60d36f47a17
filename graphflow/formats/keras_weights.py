"""Where Keras 3 keeps each weight in `model.weights.h5`.

An object at path P has its variables in P/vars as datasets "0", "1", ...: trainable ones, then the rest. A model's
layers lie under `layers`, named by their class in snake case, counted per container; the count goes on for layers
without weights too.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from graphflow.errors import ModelFormatError
from graphflow.formats.hdf5 import WeightsFile
from graphflow.layers.layer import Layer
from graphflow.models import Model
from graphflow.registry import snake_case
from graphflow.variable import Variable

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
"""The groups of a model's layers: Keras 3's, and that of tf.keras 2.12 and 2.13."""

INNER: dict[str, str] = {"LSTM": "cell"}
"""Layers whose own weights Keras keeps in an inner object."""


NESTED: dict[str, dict[str, str]] = {
    "MultiHeadAttention": {
        "_query_dense": "query_dense",
        "_key_dense": "key_dense",
        "_gate_dense": "_gate_dense",
        "_value_dense": "value_dense",
        "_output_dense": "output_dense",
    }
}
"""Layers made of layers: the attribute that holds each, and the group where Keras keeps its weights."""


def own_variables(layer: Layer) -> list[Variable]:
    """The variables that belong to a layer itself, in the order files have them."""
    own = [variable for variable in layer._weights if variable.role in ("weight", "statistic")]
    return sorted(own, key=lambda variable: not variable.trainable)


def load_weights(file: WeightsFile, model: Model) -> None:
    """Read all weights of a model.

    Raises:
        ModelFormatError: a weight that is missing, of another shape, or one too many; the message names its path.
    """
    _load_model(file, model, "")


def _load_model(file: WeightsFile, model: Model, path: str) -> None:
    container = next((name for name in CONTAINERS if file.kind(_join(path, name)) == "group"), CONTAINERS[0])
    counts: Counter[str] = Counter()
    for layer in model.layers:
        base = snake_case(type(layer).__name__ if type(layer).__name__ != "Model" else "Functional")
        counts[base] += 1
        name = base if counts[base] == 1 else f"{base}_{counts[base] - 1}"
        inner = _join(path, container, name)
        if isinstance(layer, Model):
            _load_model(file, layer, inner)
        else:
            _load_layer(file, layer, inner)


def _load_layer(file: WeightsFile, layer: Layer, path: str) -> None:
    held = INNER.get(type(layer).__name__)
    group = _join(path, held, "vars") if held else _join(path, "vars")
    variables = own_variables(layer)
    found = set(file.keys(group)) if file.kind(group) == "group" else set()
    extra = found - {str(index) for index in range(len(variables))}
    if extra or len(found) != len(variables):
        raise ModelFormatError(
            f"{file.where}: group {group!r} of layer {layer.name!r} ({type(layer).__name__}) must hold "
            f"{len(variables)} arrays, it holds {len(found)}."
        )
    for index, variable in enumerate(variables):
        variable.adopt(file.read(f"{group}/{index}", variable.shape, variable.dtype))
    _load_nested(file, layer, path)


def _load_nested(file: WeightsFile, layer: Layer, path: str) -> None:
    for name, group in NESTED.get(type(layer).__name__, {}).items():
        if hasattr(layer, name):
            _load_layer(file, getattr(layer, name), _join(path, group))


def _join(*parts: Any) -> str:
    return "/".join(part for part in parts if part)
