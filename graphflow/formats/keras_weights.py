"""Where Keras 3 keeps each weight in `model.weights.h5`.

An object at path P has its variables in P/vars as datasets "0", "1", ...: trainable ones, then the rest. A model's
layers lie under `layers`, named by their class in snake case, counted per container; the count goes on for layers
without weights too. Layers inside a layer lie in groups of their attributes' names (a recurrent layer's weights are in
`cell`), those of a list in one group, named and counted like a model's. An object that was met before is skipped.

`weight_groups` is the one walk of all this; readers and writers both follow it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from graphflow.errors import ModelFormatError
from graphflow.formats.hdf5 import WeightsFile
from graphflow.layers.layer import Layer
from graphflow.models import Model, Sequential
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


RECORDS = frozenset(("_inbound_nodes", "_outbound_nodes", "_network", "_weights", "_chain"))
"""Attributes of a layer that are no layers of its own: its calls, and what `layers` lists."""


_HOLDS_LAYERS = (Layer, list, tuple, dict)


def own_variables(layer: Layer) -> list[Variable]:
    """The variables that belong to a layer itself, in the order files have them."""
    own = [variable for variable in layer._weights if variable.role in ("weight", "statistic")]
    return sorted(own, key=lambda variable: not variable.trainable)


class WeightGroup(NamedTuple):
    """Where one layer's own variables lie.

    Attributes:
        path: of the group, such as "layers/lstm/cell/vars".
        layer: whose variables they are; a model too has a group, though it holds nothing.
        variables: dataset "0", "1", ... in this order.
    """

    path: str
    layer: Layer
    variables: list[Variable]


def weight_groups(
    model: Layer,
    container: Callable[[str], str] = lambda path: CONTAINERS[0],
    tf_keras: bool = False,
    by_graph: bool = False,
) -> Iterator[WeightGroup]:
    """Every object of a model that can have variables, in Keras 3's order, with the place of its variables.

    Args:
        container: from the path of a model inside the file ("" for the outermost) to the name of the group that its
            layers lie in.
        tf_keras: the names are those of tf.keras, whose layers keep the names of their attributes, and where a layer
            that was met before does not count.
        by_graph: models of the user's own classes are named as the functional models that they are.

    Example:
        >>> from graphflow import Sequential
        >>> from graphflow.formats.keras_weights import weight_groups
        >>> from graphflow.layers import LSTM, Dense
        >>> model = Sequential([LSTM(4, input_shape=(None, 3)), Dense(2)])
        >>> [(group.path, len(group.variables)) for group in weight_groups(model) if group.variables]
        [('layers/lstm/cell/vars', 3), ('layers/dense/vars', 2)]
    """
    return _walk(model, "", _Names(container, tf_keras, by_graph), set())


class _Names(NamedTuple):
    """How groups are named; see `weight_groups`."""

    container: Callable[[str], str]
    tf_keras: bool
    by_graph: bool

    def of(self, layer: Layer) -> str:
        if self.by_graph and isinstance(layer, Model):
            return "sequential" if isinstance(layer, Sequential) else "functional"
        return group_name(layer)


def _walk(layer: Layer, path: str, names: _Names, seen: set[int]) -> Iterator[WeightGroup]:
    if id(layer) in seen:
        return
    seen.add(id(layer))
    yield WeightGroup(_join(path, "vars"), layer, own_variables(layer))
    if isinstance(layer, Model):
        yield from _walk_items(layer.layers, _join(path, names.container(path)), names, seen)
    groups = {} if names.tf_keras else NESTED.get(type(layer).__name__, {})
    own = {name: held for name, held in vars(layer).items() if isinstance(held, _HOLDS_LAYERS) and name not in RECORDS}
    for name in sorted(own, key=lambda one: (one.startswith("_"), one)):
        held, inner = own[name], _join(path, groups.get(name, name))
        if isinstance(held, Layer):
            yield from _walk(held, inner, names, seen)
        elif held:
            yield from _walk_items(held, inner, names, seen)


def _walk_items(items: Any, path: str, names: _Names, seen: set[int]) -> Iterator[WeightGroup]:
    """The layers of a list, also of lists inside it, each in a group counted by its class."""
    counts: Counter[str] = Counter()
    for item in items.values() if isinstance(items, dict) else items:
        if isinstance(item, Layer):
            if not (names.tf_keras and id(item) in seen):
                yield from _walk(item, _join(path, _counted(counts, names.of(item))), names, seen)
        elif isinstance(item, (list, tuple, dict)):
            yield from _walk_items(item, _join(path, _counted(counts, "container")), names, seen)


def group_name(layer: Layer) -> str:
    """The name of a layer's group, before it is counted up: its class in snake case."""
    return snake_case(type(layer).__name__ if type(layer).__name__ != "Model" else "Functional")


def _counted(counts: Counter[str], base: str) -> str:
    counts[base] += 1
    return base if counts[base] == 1 else f"{base}_{counts[base] - 1}"


def load_weights(file: WeightsFile, model: Layer, tf_keras: bool = False) -> None:
    """Read all weights of a model; `tf_keras`: see `weight_groups`.

    Raises:
        ModelFormatError: a weight that is missing, of another shape, or one too many; the message names its path.
    """
    for group in weight_groups(model, container_of(file), tf_keras):
        read_group(file, group)


def container_of(file: WeightsFile) -> Callable[[str], str]:
    """What `weight_groups` needs to find the layers in this file, whichever version wrote it."""

    def container(path: str) -> str:
        return next((name for name in CONTAINERS if file.kind(_join(path, name)) == "group"), CONTAINERS[0])

    return container


def read_group(file: WeightsFile, group: WeightGroup) -> None:
    """Read the variables of one object; a group that is missing is an empty one.

    Raises:
        ModelFormatError: another number of arrays, or one of another shape.
    """
    path, layer, variables = group
    found = set(file.keys(path)) if file.kind(path) == "group" else set()
    extra = found - {str(index) for index in range(len(variables))}
    if extra or len(found) != len(variables):
        raise ModelFormatError(
            f"{file.where}: group {path!r} of layer {layer.name!r} ({type(layer).__name__}) must hold "
            f"{len(variables)} arrays, it holds {len(found)}."
        )
    for index, variable in enumerate(variables):
        variable.adopt(file.read(f"{path}/{index}", variable.shape, variable.dtype))


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part)
