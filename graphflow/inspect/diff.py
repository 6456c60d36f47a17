"""`diff`: how two models differ in structure and weights, without running them.

Layers are matched by their paths; those that are left over are matched in order where everything but the name is
equal, and are said to be renamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from hashlib import sha256
from itertools import zip_longest
from types import CodeType
from typing import Any, ClassVar

import numpy as np

from graphflow.inspect.data import Report
from graphflow.inspect.subject import graph_of, layer_name, name_of
from graphflow.inspect.table import table
from graphflow.ir.body import Body
from graphflow.ir.graph import Graph
from graphflow.layers.layer import Layer
from graphflow.layers.op_call import OpCall
from graphflow.models import Model
from graphflow.spec import format_shape

Array = np.ndarray[Any, Any]

SKIPPED = frozenset(("name", "layers", "input_layers", "output_layers", "build_config"))
"""Parts of a configuration that are compared layer by layer."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        kind: "added", "removed", "renamed", "class", "config", "inputs", "weight".
        layer: its path in the first model; in the second, where it is only there.
        what: the part that differs: a key of the configuration, a weight.
        before, after: as text.
        largest: of a weight, the largest absolute difference; changed: how many of its numbers differ.
    """

    kind: str
    layer: str
    what: str
    before: str
    after: str
    largest: float | None = None
    changed: int | None = None


@dataclass(frozen=True, slots=True)
class Diff(Report):
    """The differences of two models; empty where there are none.

    Attributes:
        first, second: the models' names.
        level: "layer" where both have layers, else "op".
        same_layers: how many layers are equal.
        rows: the differences, in the order of the first model.
    """

    first: str
    second: str
    level: str
    same_layers: int
    rows: tuple[Difference, ...]

    ROWS: ClassVar[str] = "rows"

    def __bool__(self) -> bool:
        return bool(self.rows)

    def of(self, layer: str) -> tuple[Difference, ...]:
        """The differences of one layer."""
        return tuple(one for one in self.rows if one.layer == layer)

    def __str__(self) -> str:
        head = f"{self.first} and {self.second}, by {self.level}: {self.same_layers} layers are equal"
        if not self.rows:
            return f"{head}, and no other is there."
        rows = [(one.kind, one.layer, one.what, one.before, one.after, _numbers(one)) for one in self.rows]
        return f"{head}\n" + table(("difference", "layer", "part", "first", "second", ""), rows, "<<<<<<")


def _numbers(one: Difference) -> str:
    return "" if one.largest is None else f"{one.changed:,} numbers, by up to {one.largest:.4g}"


@dataclass(slots=True)
class Facts:
    """What is compared of one layer."""

    path: str
    kind: str
    config: dict[str, Any]
    inputs: tuple[str, ...]
    weights: list[tuple[str, Array]]

    def forms(self) -> tuple[str, str]:
        """Everything but names and numbers; and of that, what is left without the configuration."""
        shapes = [weight.shape for _, weight in self.weights]
        config = sorted((key, repr(value)) for key, value in self.config.items())
        return repr((self.kind, config, shapes)), repr((self.kind, shapes))


def diff(first: Any, second: Any) -> Diff:
    """How two models differ: layers added, removed, renamed or configured otherwise, and weights that changed.

    Args:
        first, second: models, Sessions or Graphs; where both have layers, layers are compared, else ops by the names of
            the nodes they came from.

    Returns:
        The differences; `str()` of it is a table, and it is false where there are none.

    Raises:
        ArgumentTypeError: something else than models.

    Example:
        >>> from graphflow import Sequential
        >>> from graphflow.inspect import diff
        >>> from graphflow.layers import Dense
        >>> a = Sequential([Dense(2, input_shape=(3,), kernel_initializer="zeros", name="d")])
        >>> b = Sequential([Dense(2, "relu", input_shape=(3,), kernel_initializer="zeros", name="d")])
        >>> _ = b.layers[0].bias.assign([0.0, 0.5])
        >>> [(one.kind, one.what, one.before, one.after, one.largest) for one in diff(a, b).rows]
        [('config', 'activation', 'linear', 'relu', None), ('weight', 'bias', '(2,)', '(2,)', 0.5)]
    """
    layered = isinstance(first, Model) and isinstance(second, Model)
    read = _of_model if layered else _of_graph
    a, b = list(read(first)), list(read(second))
    pairs = _matched(a, b)
    taken = {id(other) for _, other in pairs if other is not None}
    renamed = {one.path: other.path for one, other in pairs if other is not None}
    rows: list[Difference] = []
    same = 0
    for one, other in pairs:
        found = list(_compared(one, other, renamed))
        rows += found
        same += not found
    rows += [Difference("added", one.path, "", "", one.kind) for one in b if id(one) not in taken]
    return Diff(name_of(first), name_of(second), "layer" if layered else "op", same, tuple(rows))


def _matched(a: Sequence[Facts], b: Sequence[Facts]) -> list[tuple[Facts, Facts | None]]:
    """Each layer of the first model and its counterpart."""
    by_path = {one.path: one for one in b}
    found: dict[int, Facts] = {id(one): by_path[one.path] for one in a if one.path in by_path}
    for form in (0, 1):
        taken = {id(one) for one in found.values()}
        rest_a, rest_b = [one for one in a if id(one) not in found], [one for one in b if id(one) not in taken]
        matcher = SequenceMatcher(
            None, [one.forms()[form] for one in rest_a], [one.forms()[form] for one in rest_b], autojunk=False
        )
        for start, other, size in matcher.get_matching_blocks():
            found.update((id(rest_a[start + i]), rest_b[other + i]) for i in range(size))
    return [(one, found.get(id(one))) for one in a]


def _compared(one: Facts, other: Facts | None, renamed: Mapping[str, str]) -> Iterator[Difference]:
    if other is None:
        yield Difference("removed", one.path, "", one.kind, "")
        return
    if one.path != other.path:
        yield Difference("renamed", one.path, "", one.path, other.path)
    if one.kind != other.kind:
        yield Difference("class", one.path, "", one.kind, other.kind)
    for key in [*one.config, *(key for key in other.config if key not in one.config)]:
        before, after = one.config.get(key), other.config.get(key)
        if repr(before) != repr(after):
            yield Difference("config", one.path, key, _shown(before), _shown(after))
    if tuple(renamed.get(name, name) for name in one.inputs) != other.inputs:
        yield Difference("inputs", one.path, "", ", ".join(one.inputs), ", ".join(other.inputs))
    for mine, its in zip_longest(one.weights, other.weights, fillvalue=("", None)):
        yield from _weight(one.path, mine[0] or its[0], mine[1], its[1])


def _weight(layer: str, name: str, before: Array | None, after: Array | None) -> Iterator[Difference]:
    old, new = ("" if one is None else format_shape(one.shape) for one in (before, after))
    if before is None or after is None or before.shape != after.shape:
        yield Difference("weight", layer, name, old, new)
        return
    unequal = ~((before == after) | ((before != before) & (after != after)))
    if unequal.any():
        with np.errstate(all="ignore"):
            apart = np.abs(before[unequal].astype(np.float64) - after[unequal].astype(np.float64))
        yield Difference("weight", layer, name, old, new, float(apart.max()), int(unequal.sum()))


def _shown(value: Any) -> str:
    """A part of a configuration in a few words; of a serialised object, its class."""
    if isinstance(value, dict) and "class_name" in value:
        config = value.get("config") or {}
        inner = config if isinstance(config, dict) else {"": config}
        shown = ", ".join(f"{key}={item}" for key, item in inner.items() if item is not None and key != "name")
        return f"{value['class_name']}({shown})" if shown else str(value["class_name"])
    return str(value)


def _of_model(model: Model, prefix: str = "") -> Iterator[Facts]:
    """The layers of a model and of the models in it, each after what it holds."""
    nodes = set(model._network.nodes)
    entering = {id(tensor): f"input {index}" for index, tensor in enumerate(model._network.inputs)}
    for one in model.operations:
        path = f"{prefix}{one.name}"
        nested = isinstance(one, Model)
        if isinstance(one, Model):
            yield from _of_model(one, f"{path}/")
        calls = [node for node in one._inbound_nodes if node in nodes]
        inputs = [
            entering.get(id(tensor)) or f"{prefix}{tensor._keras_history.layer.name}"
            for node in calls
            for tensor in node.input_tensors
            if tensor._keras_history is not None
        ]
        weights = [] if nested else [(weight.path.removeprefix(f"{one.name}/"), weight.value) for weight in one.weights]
        yield Facts(path, _kind(one), _config(one), tuple(inputs), weights)


def _kind(one: Layer) -> str:
    return f"op {one.op.name}" if isinstance(one, OpCall) else type(one).__name__


def _config(one: Layer) -> dict[str, Any]:
    if isinstance(one, OpCall):
        return {key: _attr(value) for key, value in {**one.attrs, "held": one.held}.items()}
    config = one.get_config()
    return {key: _attr(value) for key, value in config.items() if key not in SKIPPED}


def _of_graph(model: Any) -> Iterator[Facts]:
    """The nodes of an operation graph, joined by the layer or file node they came from."""
    graph: Graph = model if isinstance(model, Graph) else graph_of(model)
    groups: dict[str, list[Any]] = {}
    for node in graph.ordered():
        groups.setdefault(layer_name(node), []).append(node)
    for path, nodes in groups.items():
        config: dict[str, Any] = {}
        weights: list[tuple[str, Array]] = []
        inputs: dict[str, None] = {}
        for index, node in enumerate(nodes):
            config.update((f"{index}.{node.op.name}.{key}", _attr(value)) for key, value in node.attrs.items())
            for place, value in enumerate(node.inputs):
                if value is None:
                    continue
                if value.kind in ("variable", "constant"):
                    array = value.payload if value.kind == "constant" else value.payload.value
                    weights.append((f"{index}.{node.op.name}.{place}", np.asarray(array)))
                elif value.kind == "input":
                    inputs[value.name] = None
                elif layer_name(value.node) != path:
                    inputs[layer_name(value.node)] = None
        yield Facts(path, "+".join(node.op.name for node in nodes), config, tuple(inputs), weights)


def _attr(value: Any) -> Any:
    """A part of a configuration as what can be compared: functions by what they do, bodies by their ops."""
    if isinstance(value, Body):
        return [(node.op.name, {key: _attr(one) for key, one in node.attrs.items()}) for node in value.order]
    if isinstance(value, dict):
        return {key: _attr(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_attr, value)) if type(value) in (list, tuple) else value
    code = getattr(value, "__code__", None)
    if code is not None:
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        text = repr((_code(code), value.__defaults__, value.__kwdefaults__, held))
        return f"{value.__qualname__} {sha256(text.encode()).hexdigest()[:8]}"
    return value


def _code(code: CodeType) -> Any:
    """What a function does, without where it stands."""
    consts = [_code(one) if isinstance(one, CodeType) else one for one in code.co_consts]
    return code.co_code, code.co_names, consts
