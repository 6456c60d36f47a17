"""`trace`: every value on the way from inputs to outputs, by name.

    layer level    what each call of each layer gave: `conv`, `inner/dense`, `shared#1` (its second call), `lstm[2]`
    op level       what each op gave: `inner/dense:relu`

The values are those of the model as it was described: nothing is folded or fused, so that each layer's own result is
there to be seen. The states of a stateful model stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from graphflow.errors import ArgumentError, nearest
from graphflow.inspect.data import Report, frame, plain
from graphflow.inspect.subject import Subject, kept_settings, layer_name, subject_for
from graphflow.inspect.table import table
from graphflow.ir.graph import Graph, Value
from graphflow.knobs import knobs
from graphflow.runtime.session import Session

Array = np.ndarray[Any, Any]
LEVELS = ("layer", "op")


@dataclass(frozen=True, slots=True)
class TracedValue:
    """A value of one run.

    Attributes:
        name: of the value, unique; layer: the path of the layer that gave it.
        shape, dtype: of the array.
        least, most, mean: over its finite elements; None where there are none.
        zeros: elements that are 0; strange: elements that are NaN or infinite.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    dtype: str
    least: float | None
    most: float | None
    mean: float | None
    zeros: int
    strange: int


@dataclass(frozen=True, slots=True)
class Trace(Report):
    """All values of one run, in the order in which they were computed; `trace["name"]` is an array.

    Attributes:
        model, level: what was run, and what was looked at.
        rows: of each value, what can be said in numbers. arrays: the values by name; not part of `to_dict`.
    """

    model: str
    level: str
    rows: tuple[TracedValue, ...]
    arrays: dict[str, Array]

    ROWS: ClassVar[str] = "rows"

    def __getitem__(self, name: str) -> Array:
        """The value of a name.

        Raises:
            ArgumentError: there is none.
        """
        if name not in self.arrays:
            raise ArgumentError(f"There is no value {name!r} in this trace.{nearest(name, list(self.arrays))}")
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> list[str]:
        """The names of the values, in order."""
        return list(self.arrays)

    @property
    def strange(self) -> tuple[TracedValue, ...]:
        """The values with elements that are NaN or infinite; the first is where they begin."""
        return tuple(one for one in self.rows if one.strange)

    def to_dict(self) -> dict[str, Any]:
        """The data without the arrays."""
        return {"model": self.model, "level": self.level, "rows": plain(self.rows)}

    def to_frame(self) -> Any:
        """One row a value, as a pandas frame.

        Raises:
            UnsupportedError: pandas is not installed.
        """
        return frame(self.rows)

    def __str__(self) -> str:
        titles = ("value", "shape", "dtype", "least", "most", "mean", "zeros", "NaN, inf")
        rows = [
            (
                one.name,
                one.shape,
                one.dtype,
                _short(one.least),
                _short(one.most),
                _short(one.mean),
                one.zeros,
                one.strange,
            )
            for one in self.rows
        ]
        return f"{self.model}, by {self.level}\n" + table(titles, rows, "<<<>>>>>")


def _short(number: float | None) -> str:
    return "-" if number is None else f"{number:.4g}"


def trace(model: Any, inputs: Any = None, input_shapes: Any = None, level: str = "layer", seed: int = 0) -> Trace:
    """Run a model and keep every value on the way.

    Args:
        model: a model, Session or Graph.
        inputs: an array, a list of arrays or a dict of them by name; by default made up from `seed`.
        input_shapes: of the made-up inputs, as for `flops`.
        level: "layer" or "op".

    Returns:
        The values by name; `str()` of it is a table of their ranges.

    Raises:
        ArgumentError: an unknown level, or inputs that do not fit.

    Example:
        >>> import numpy as np
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import trace
        >>> from graphflow.layers import Dense, ReLU
        >>> x = Input((2,))
        >>> found = trace(Model(x, ReLU(name="relu")(Dense(3, name="dense")(x))), np.ones((1, 2)))
        >>> found.names, bool((np.maximum(found["dense"], 0) == found["relu"]).all())
        (['dense', 'relu'], True)
    """
    if level not in LEVELS:
        raise ArgumentError(f"level must be 'layer' or 'op', received {level!r}.{nearest(level, LEVELS)}")
    subject = subject_for(model, inputs, input_shapes)
    arrays = subject.arrays(inputs, seed)
    found = traced(subject, arrays, level)
    rows = tuple(_row(one, array) for one, array in found)
    return Trace(subject.name, level, rows, {one.name: array for one, array in found})


class Named(NamedTuple):
    """A value of a graph and what it is called."""

    name: str
    layer: str
    value: Value


def traced(subject: Subject, arrays: Sequence[Array], level: str) -> list[tuple[Named, Array]]:
    """Every named value of a run."""
    wanted = named_values(subject.graph, level)
    with kept_settings(subject.session), knobs(passes_off="all"):
        session = Session(watching(subject.graph, [one.value for one in wanted]))
    results = session.run(list(arrays))
    return list(zip(wanted, results, strict=True))


def watching(graph: Graph, values: Sequence[Value]) -> Graph:
    """The same graph with other outputs, and without successors of states."""
    return graph.with_outputs(values, [str(index) for index in range(len(values))])


def named_values(graph: Graph, level: str) -> list[Named]:
    """The values of a level, in order, each with a name of its own."""
    found = _of_ops(graph) if level == "op" else _of_calls(graph) if graph.calls else _of_origins(graph)
    counts: dict[str, int] = {}
    named = []
    for name, layer, values in found:
        again = counts.get(name, 0)
        counts[name] = again + 1
        for index, value in enumerate(values):
            call = f"{name}#{again}" if again else name
            named.append(Named(f"{call}[{index}]" if len(values) > 1 else call, layer, value))
    return named


def _of_ops(graph: Graph) -> Iterator[tuple[str, str, Sequence[Value]]]:
    for node in graph.ordered():
        layer = "/".join(node.origin)
        yield f"{layer}:{node.op.name}" if layer else node.op.name, layer, node.outputs


def _of_calls(graph: Graph) -> Iterator[tuple[str, str, Sequence[Value]]]:
    for origin, values in graph.calls:
        yield "/".join(origin), "/".join(origin), values


def _of_origins(graph: Graph) -> Iterator[tuple[str, str, Sequence[Value]]]:
    """What leaves each run of nodes of one origin."""
    groups: list[list[Any]] = []
    for node in graph.ordered():
        if not groups or layer_name(groups[-1][-1]) != layer_name(node):
            groups.append([])
        groups[-1].append(node)
    for group in groups:
        inside = set(group)
        made = [value for node in group for value in node.outputs]
        leaving = [value for value in made if graph.is_output(value) or any(user not in inside for user in value.uses)]
        yield layer_name(group[0]), layer_name(group[0]), leaving


def _row(one: Named, array: Array) -> TracedValue:
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    numbers = finite.astype(np.float64)
    least, most, mean = (
        (float(numbers.min()), float(numbers.max()), float(numbers.mean())) if numbers.size else (None,) * 3
    )
    zeros = int((array == 0).sum())
    return TracedValue(
        one.name, one.layer, array.shape, array.dtype.name, least, most, mean, zeros, array.size - finite.size
    )
