"""Which arrays of an `.h5` file belong to which layer, in the layouts of Keras 1, Keras 2 and Keras 3's legacy writer.

    /model_weights                         attribute layer_names
    /model_weights/<layer>                 attribute weight_names; an array at each of these names

The order is that of `weight_names`: trainable weights, then the rest. An inner model's layers, and those that wrappers
hold, are flattened into the one group, trainable weights of all of them first. `keras_h5_layouts` has the shapes in
which versions stored the weights of one layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from graphflow.errors import ModelFormatError
from graphflow.formats.hdf5 import WeightsFile
from graphflow.formats.keras_description import name_of
from graphflow.formats.keras_h5_layouts import Stored, layout_of
from graphflow.formats.limits import shown
from graphflow.layers.layer import Layer
from graphflow.models import Model, Sequential
from graphflow.variable import Variable

Slot = tuple[Layer, Variable]
ROLES = ("weight", "statistic")
TOP_LEVEL = "top_level_model_weights"


def load_weights(
    file: WeightsFile,
    model: Any,
    root: str,
    stored: Stored | None = None,
    described: dict[str, Any] | None = None,
) -> None:
    """Read all weights of a model from the groups that bear its layers' names.

    Args:
        root: the group of `layer_names`, "model_weights" or "/".
        stored: how the version that wrote the file stored weights.
        described: the model's description, which says in which order inner models list their layers; by default the
            order is that of `model.layers`.

    Raises:
        ModelFormatError: a weight that is missing, of another shape, or one too many; the message names its place.
    """
    stored = stored or Stored()
    order = order_of(model, described) if described is not None else {}
    names = file.texts(root, "layer_names")
    if names is None:
        raise ModelFormatError(f"{file.where}, {shown(root)}: there is no attribute 'layer_names'.")
    _check_top_level(file, root)
    layers = [one for one in order.get(id(model), model.layers) if any(True for _ in slots(one, order, stored))]
    filled = [name for name in names if weight_names(file, root, name)]
    by_name = {one.name: one for one in layers}
    if set(filled) != set(by_name) and len(filled) != len(layers):
        missing, extra = sorted(set(by_name) - set(filled)), sorted(set(filled) - set(by_name))
        raise ModelFormatError(
            f"{file.where}, {shown(root)}: the weights are not those of the model: "
            f"layers without weights in the file: {shown(', '.join(missing) or 'none')}; "
            f"weights without a layer: {shown(', '.join(extra) or 'none')}."
        )
    pairs = zip(filled, layers, strict=True) if set(filled) != set(by_name) else ((n, by_name[n]) for n in filled)
    for name, layer in pairs:
        load_layer(file, f"{root}/{name}", layer, order, stored)


def weight_names(file: WeightsFile, root: str, layer: str) -> list[str]:
    """The names of a layer's arrays inside its group."""
    return file.texts(f"{root}/{layer}", "weight_names") or []


def load_layer(
    file: WeightsFile,
    group: str,
    layer: Layer,
    order: dict[int, list[Layer]] | None = None,
    stored: Stored | None = None,
) -> None:
    """Read the weights of one layer, or of one inner model, from its group.

    Raises:
        ModelFormatError: another number of arrays, or one of another shape; nothing of the layer is changed then.
    """
    stored, order = stored or Stored(), order or {}
    paths = [f"{group}/{name}" for name in file.texts(group, "weight_names") or []]
    shapes = [file.info(path).shape for path in paths]
    made: list[tuple[Variable, np.ndarray[Any, Any]]] = []
    at = 0
    for owner, variables in blocks(slots(layer, order, stored)):
        layout = layout_of(owner, variables, shapes[at:], stored)
        if len(paths) - at < len(layout.shapes):
            raise _wrong_count(file, group, layer, paths, order, stored)
        places = list(zip(paths[at:], layout.shapes, strict=False))
        if layout.convert is None:
            values = [file.read(*place, one.dtype) for place, one in zip(places, variables, strict=True)]
        else:
            values = layout.convert([file.read(*place) for place in places])
        made += zip(variables, values, strict=True)
        at += len(layout.shapes)
    if at != len(paths):
        raise _wrong_count(file, group, layer, paths, order, stored)
    for variable, value in made:
        variable.adopt(np.asarray(value, variable.dtype, order="C"))


def slots(layer: Layer, order: dict[int, list[Layer]], stored: Stored) -> Iterator[Slot]:
    """The weights of a layer with the layers they belong to, in the order of files."""
    if stored.is_modern:
        everything = list(_all(layer, order, True))
        found = [slot for slot, trained in everything if trained] + [
            slot for slot, trained in everything if not trained
        ]
    else:
        found = [*_trained(layer, order), *_untrained(layer, order)]
    return iter(dict.fromkeys(found))


def blocks(items: Iterator[Slot]) -> Iterator[tuple[Layer, list[Variable]]]:
    """Neighbouring weights of one layer together."""
    for _, group in groupby(items, key=lambda slot: id(slot[0])):
        held = list(group)
        yield held[0][0], [variable for _, variable in held]


def _all(layer: Layer, order: dict[int, list[Layer]], trained: bool) -> Iterator[tuple[Slot, bool]]:
    """Keras 3: own weights, trained ones first, then those of the layers inside."""
    trained = trained and layer.trainable
    for wanted in (True, False):
        for variable in _own(layer, wanted):
            yield (layer, variable), trained and wanted
    for inner in _inner(layer, order):
        yield from _all(inner, order, trained)


def _trained(layer: Layer, order: dict[int, list[Layer]]) -> Iterator[Slot]:
    """Keras 2's `trainable_weights`."""
    if layer.trainable:
        yield from ((layer, variable) for variable in _own(layer, True))
        for inner in _inner(layer, order):
            yield from _trained(inner, order)


def _untrained(layer: Layer, order: dict[int, list[Layer]]) -> Iterator[Slot]:
    """Keras 2's `non_trainable_weights`."""
    inner = _inner(layer, order)
    if layer.trainable:
        yield from ((layer, variable) for variable in _own(layer, False))
        for one in inner:
            yield from _untrained(one, order)
        return
    yield from ((layer, variable) for wanted in (True, False) for variable in _own(layer, wanted))
    if isinstance(layer, Model):
        for one in inner:
            yield from _trained(one, order)
        for one in inner:
            yield from _untrained(one, order)
        return
    for one in inner:
        yield from _trained(one, order)
        yield from _untrained(one, order)


def _own(layer: Layer, trainable: bool) -> list[Variable]:
    return [one for one in layer._weights if one.role in ROLES and one.trainable is trainable]


def _inner(layer: Layer, order: dict[int, list[Layer]]) -> list[Layer]:
    if isinstance(layer, Model):
        return order.get(id(layer), layer.layers)
    return layer._sublayers()


def order_of(layer: Any, described: dict[str, Any]) -> dict[int, list[Layer]]:
    """The layers of a model, and of all models inside it, in a file's order, by the model's id."""
    found: dict[int, list[Layer]] = {}
    items = (described.get("config") or {}).get("layers")
    if isinstance(layer, Model) and isinstance(items, list):
        held = {one.name: one for one in layer.operations}
        if not isinstance(layer, Sequential):
            found[id(layer)] = [held[name_of(item)] for item in items if name_of(item) in held]
        for item in items:
            if name_of(item) in held:
                found.update(order_of(held[name_of(item)], item))
        return found
    for key in ("layer", "backward_layer"):
        inner = getattr(layer, key, None)
        item = (described.get("config") or {}).get(key)
        if isinstance(inner, Layer) and isinstance(item, dict):
            found.update(order_of(inner, item))
    return found


def _check_top_level(file: WeightsFile, root: str) -> None:
    path = f"{root}/{TOP_LEVEL}"
    if file.kind(path) == "group" and file.texts(path, "weight_names"):
        raise ModelFormatError(
            f"{file.where}, {shown(path)}: weights of the model itself, outside any layer, are unknown."
        )


def _wrong_count(
    file: WeightsFile, group: str, layer: Layer, paths: Sequence[str], order: dict[int, list[Layer]], stored: Stored
) -> ModelFormatError:
    wanted = len(list(slots(layer, order, stored)))
    return ModelFormatError(
        f"{file.where}, {shown(group)}: layer {shown(layer.name)} ({type(layer).__name__}) has {wanted} weights, "
        f"the file holds {len(paths)} arrays for it."
    )
