"""Where Keras 3 keeps each weight in `model.weights.h5`.

An object at path P has its variables in P/vars as datasets "0", "1", ...: trainable ones, then the rest. A model's
layers lie under `layers`, named by their class in snake case, counted per container; the count goes on for layers
without weights too. Layers inside a layer lie in groups of their attributes' names (a recurrent layer's weights are in
`cell`), those of a list in one group, named and counted like a model's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from graphflow.errors import ModelFormatError
from graphflow.formats.hdf5 import WeightsFile
from graphflow.layers.layer import Layer
from graphflow.models import Model
from graphflow.registry import snake_case
from graphflow.variable import Variable

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
"""The groups of a model's layers: Keras 3's, and that of tf.keras 2.12 and 2.13."""

NESTED: dict[str, dict[str, str]] = {
    "MultiHeadAttention": {
        "_query_dense": "query_dense",
        "_key_dense": "key_dense",
        "_gate_dense": "_gate_dense",
        "_value_dense": "value_dense",
        "_output_dense": "output_dense",
    }
}
"""Layers made of layers whose groups have other names than the attributes: the attribute of each, and its group."""


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
    _load_container(file, model.layers, _join(path, container), set())


def _load_container(file: WeightsFile, layers: Iterable[Layer], path: str, seen: set[int]) -> None:
    counts: Counter[str] = Counter()
    for layer in layers:
        base = snake_case(type(layer).__name__ if type(layer).__name__ != "Model" else "Functional")
        counts[base] += 1
        name = base if counts[base] == 1 else f"{base}_{counts[base] - 1}"
        _load_any(file, layer, _join(path, name), seen)


def _load_any(file: WeightsFile, layer: Layer, path: str, seen: set[int]) -> None:
    if id(layer) in seen:
        return
    seen.add(id(layer))
    if isinstance(layer, Model):
        _load_model(file, layer, path)
    else:
        _load_layer(file, layer, path, seen)


def _load_layer(file: WeightsFile, layer: Layer, path: str, seen: set[int]) -> None:
    group = _join(path, "vars")
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
    _load_nested(file, layer, path, seen)


def _load_nested(file: WeightsFile, layer: Layer, path: str, seen: set[int]) -> None:
    """The layers that attributes hold, in Keras' order: public names first, each sorted."""
    groups = NESTED.get(type(layer).__name__, {})
    for name in sorted(vars(layer), key=lambda one: (one.startswith("_"), one)):
        held, inner = vars(layer)[name], _join(path, groups.get(name, name))
        if isinstance(held, Layer):
            _load_any(file, held, inner, seen)
        elif isinstance(held, (list, tuple, dict)):
            items = held.values() if isinstance(held, dict) else held
            _load_container(file, [item for item in items if isinstance(item, Layer)], inner, seen)


def _join(*parts: Any) -> str:
    return "/".join(part for part in parts if part)
