"""`compare`: the first layer at which two models, or two forms or settings of one, differ, and by how much.

Both are run on the same inputs with every value kept (`trace`), and as they always run. Values are matched

    by name     where both have a value of a name and shape
    by place    where both have the same shapes in the same order under other names
    by value    else, such as with a file of another system: with whatever the other computes that is equal
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from graphflow.errors import ArgumentError
from graphflow.inspect.data import Report
from graphflow.inspect.diff import diff
from graphflow.inspect.subject import Subject, kept_settings, subject_for
from graphflow.inspect.table import table
from graphflow.inspect.trace import Named, named_values, watching
from graphflow.knobs import knobs
from graphflow.models import Model
from graphflow.runtime.session import Session

Array = np.ndarray[Any, Any]

TOLERANCE = 1e-5
"""Of the largest finite absolute value."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A value of the first model beside its counterpart.

    Attributes:
        name: of the value, or of an output; other: of its counterpart, "" where there is none.
        layer: that gave it. kind: "value" or "output".
        matched: "name", "place", "value", or "" where there is no counterpart.
        shape: of the array.
        largest: the largest absolute difference; relative: over the largest finite absolute value of the first.
        at: where it is. equal: whether it is within the tolerance; NaN and infinity equal themselves.
    """

    name: str
    other: str
    layer: str
    kind: str
    matched: str
    shape: tuple[int, ...]
    largest: float | None
    relative: float | None
    at: tuple[int, ...]
    equal: bool


@dataclass(frozen=True, slots=True)
class Comparison(Report):
    """How two models differ on the same inputs; true where their outputs are equal within the tolerance.

    Attributes:
        first, second: what was compared; tolerance: relative to the largest value.
        rows: the values in the order of the first model, then the outputs.
        cause: what differs in the layer of the first difference, where both models have layers.
    """

    first: str
    second: str
    tolerance: float
    rows: tuple[Compared, ...]
    cause: tuple[str, ...]

    COMPUTED: ClassVar[tuple[str, ...]] = ("same", "culprit", "largest")

    @property
    def outputs(self) -> tuple[Compared, ...]:
        """The rows of the outputs."""
        return tuple(one for one in self.rows if one.kind == "output")

    @property
    def same(self) -> bool:
        """Whether all outputs, and all values that have a counterpart, are equal within the tolerance."""
        return all(one.equal for one in self.rows if one.kind == "output" or one.matched in ("name", "place"))

    @property
    def unmatched(self) -> tuple[Compared, ...]:
        """The values for which the other computes nothing equal: it does without them, or they differ."""
        return tuple(one for one in self.rows if not one.matched)

    @property
    def largest(self) -> float:
        """The largest relative difference of an output."""
        return max((one.relative if one.relative is not None else float("inf") for one in self.outputs), default=0.0)

    @property
    def culprit(self) -> Compared | None:
        """The first value that differs: everything before it is equal."""
        if self.same:
            return None
        values = [one for one in self.rows if one.kind == "value"]
        for one in values:
            if not one.equal and one.matched in ("name", "place"):
                return one
        equal = [index for index, one in enumerate(values) if one.equal]
        after = values[equal[-1] + 1 :] if equal else values
        return next((one for one in (*after, *self.outputs) if not one.equal), None)

    def __bool__(self) -> bool:
        return self.same

    def __str__(self) -> str:
        found = self.culprit
        lines = [f"{self.first} and {self.second}, within {self.tolerance:g} of the largest value"]
        if found is None:
            lines.append(f"equal; the outputs differ by up to {self.largest:.3g} of the largest value")
            if self.unmatched:
                first = self.unmatched[0].name
                lines.append(f"{len(self.unmatched)} values have no counterpart, the first is {first!r}")
        elif found.kind == "output":
            lines.append(f"every layer alone is equal, but the output {found.name!r} differs: a pass or a plan does it")
        else:
            lines.append(f"the first difference is at {found.name!r}: {_apart(found)}")
            lines += [f"  {one}" for one in self.cause]
        titles = ("value", "counterpart", "by", "shape", "largest", "relative", "")
        rows = [
            (one.name, one.other, one.matched, one.shape, _short(one.largest), _short(one.relative), _mark(one, found))
            for one in self.rows
        ]
        return "\n".join([*lines, "", table(titles, rows, "<<<<>><")])


def _mark(one: Compared, found: Compared | None) -> str:
    return "<- first" if one is found else "" if one.equal else "differs" if one.matched else "not matched"


def _apart(one: Compared) -> str:
    if one.largest is None:
        return f"the other computes nothing of shape {one.shape}"
    return f"it differs by up to {one.largest:.4g} ({one.relative:.3g} of the largest value) at {one.at}"


def _short(number: float | None) -> str:
    return "-" if number is None else f"{number:.3g}"


def compare(
    first: Any,
    second: Any = None,
    inputs: Any = None,
    input_shapes: Any = None,
    tolerance: float = TOLERANCE,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Comparison:
    """Run two models on the same inputs and find the first layer at which they differ.

    Args:
        first: a model, Session or Graph.
        second: another; by default the first itself, under other settings.
        inputs: arrays as the first model takes them; by default made up from `seed`. The second model takes the same
            arrays in the order of its inputs.
        input_shapes: of the made-up inputs, as for `flops`.
        tolerance: how far values may differ, relative to the largest finite absolute value of the first.
        settings: knobs for the second model alone: {"reference": True}, {"isa": "avx2"}, {"precision": "strict"}, ...

    Returns:
        Every value beside its counterpart; `str()` of it is a table, and it is true where the outputs are equal.

    Raises:
        ArgumentError: neither a second model nor settings, or models whose inputs differ in number.

    Example:
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import compare
        >>> from graphflow.layers import Dense
        >>> x = Input((3,))
        >>> second = Dense(2, kernel_initializer="zeros", name="second")
        >>> a = Model(x, second(Dense(4, name="first")(x)))
        >>> b = Model.from_config(a.get_config())
        >>> b.set_weights(a.get_weights())
        >>> bool(compare(a, b))
        True
        >>> _ = b.get_layer("second").bias.assign([0.0, 0.5])
        >>> found = compare(a, b)
        >>> found.culprit.name, found.culprit.largest, found.cause
        ('second', 0.5, ('weight bias: 1 numbers, by up to 0.5',))
    """
    if second is None and not settings:
        raise ArgumentError("compare needs a second model, or settings under which the first is run again.")
    subject = subject_for(first, inputs, input_shapes)
    arrays = subject.arrays(inputs, seed)
    other = subject if second is None else _other(second, arrays)
    within = knobs(**settings) if settings else nullcontext()
    layers = subject.graph.calls or not other.graph.calls
    a = _run(subject, arrays, "layer", nullcontext())
    b = _run(other, arrays, "layer" if layers and (other.graph.calls or not subject.graph.calls) else "op", within)
    matches = _matches(a[0], b[0], tolerance)
    rows = [_row(one, array, match, tolerance) for (one, array), match in zip(a[0], matches, strict=True)]
    rows += _outputs(a[1], b[1], tolerance)
    shown = ", ".join(f"{key}={value}" for key, value in (settings or {}).items())
    named = f"{other.name} with {shown}" if shown else other.name
    found = Comparison(subject.name, named, tolerance, tuple(rows), ())
    return found if found.same else Comparison(*_with_cause(found, first, second))


def _with_cause(found: Comparison, first: Any, second: Any) -> tuple[Any, ...]:
    cause: list[str] = []
    culprit = found.culprit
    if culprit is not None and isinstance(first, Model) and isinstance(second, Model):
        for one in diff(first, second).of(culprit.layer):
            if one.largest is not None:
                cause.append(f"weight {one.what}: {one.changed:,} numbers, by up to {one.largest:.4g}")
            elif one.kind != "renamed":
                cause.append(f"{one.kind} {one.what}: {one.before} and {one.after}".replace(" :", ":"))
    return found.first, found.second, found.tolerance, found.rows, tuple(cause)


Values = list[tuple[Named, Array]]


def _other(second: Any, arrays: Sequence[Array]) -> Subject:
    return Subject(second, [array.shape for array in arrays])


def _run(
    subject: Subject, arrays: Sequence[Array], level: str, settings: AbstractContextManager[Any]
) -> tuple[Values, list[tuple[str, Array]]]:
    """Every value, each layer alone; and the outputs as the model always gives them."""
    graph = subject.graph
    wanted = named_values(graph, level)
    with kept_settings(subject.session), settings:
        usual = Session(watching(graph, graph.outputs)).run(list(arrays))
        with knobs(passes_off="all"):
            every = Session(watching(graph, [one.value for one in wanted])).run(list(arrays))
    return list(zip(wanted, every, strict=True)), list(zip(graph.output_names, usual, strict=True))


def _matches(a: Values, b: Values, tolerance: float) -> list[tuple[str, Named, Array] | None]:
    """The counterpart of each value of the first model, and how it was found."""
    by_name = {one.name: (one, array) for one, array in b}
    named = [one.name in by_name and by_name[one.name][1].shape == array.shape for one, array in a]
    if not all(named) and [array.shape for _, array in a] == [array.shape for _, array in b]:
        return [("place", *pair) for pair in b]
    found: list[tuple[str, Named, Array] | None] = []
    taken = {one.name for (one, _), hit in zip(a, named, strict=True) if hit}
    free = [pair for pair in b if pair[0].name not in taken]
    free += [(one, turned) for one, array in free for turned in _turned(array)]
    for (one, array), hit in zip(a, named, strict=True):
        if hit:
            found.append(("name", *by_name[one.name]))
            continue
        apart = [(_relative(array, other)[1], one, other) for one, other in free if other.shape == array.shape]
        nearest = min(apart, key=lambda one: one[0], default=None)
        found.append(None if nearest is None else ("value" if nearest[0] <= tolerance else "", *nearest[1:]))
    return found


def _turned(array: Array) -> list[Array]:
    """A value with channels first as it is with channels last, and the other way round."""
    return [np.moveaxis(array, 1, -1), np.moveaxis(array, -1, 1)] if array.ndim > 2 else []


def _relative(a: Array, b: Array) -> tuple[float, float, tuple[int, ...]]:
    """The largest absolute difference, the same over the largest value, and where it is."""
    if not a.size:
        return 0.0, 0.0, ()
    x, y = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(all="ignore"):
        apart = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
    apart = np.where(np.isnan(apart), np.inf, apart)
    at = tuple(int(index) for index in np.unravel_index(int(apart.argmax()), apart.shape))
    largest = float(apart[at])
    scale = float(np.abs(x[np.isfinite(x)]).max(initial=0.0))
    return largest, largest / scale if scale else largest, at


def _row(one: Named, array: Array, match: tuple[str, Named, Array] | None, tolerance: float) -> Compared:
    if match is None:
        return Compared(one.name, "", one.layer, "value", "", array.shape, None, None, (), False)
    how, other, counterpart = match
    largest, relative, at = _relative(array, counterpart)
    name = other.name if how else ""
    return Compared(one.name, name, one.layer, "value", how, array.shape, largest, relative, at, relative <= tolerance)


def _outputs(a: Sequence[tuple[str, Array]], b: Sequence[tuple[str, Array]], tolerance: float) -> list[Compared]:
    if len(a) != len(b):
        raise ArgumentError(f"The models have {len(a)} and {len(b)} outputs.")
    rows = []
    for (name, array), (other, counterpart) in zip(a, b, strict=True):
        if array.shape != counterpart.shape:
            rows.append(Compared(name, other, name, "output", "place", array.shape, None, None, (), False))
            continue
        largest, relative, at = _relative(array, counterpart)
        equal = relative <= tolerance
        rows.append(Compared(name, other, name, "output", "place", array.shape, largest, relative, at, equal))
    return rows
