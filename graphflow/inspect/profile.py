"""`profile`: where the time of a run goes, beside what the machine could do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from graphflow.errors import ArgumentError
from graphflow.inspect.counting import count
from graphflow.inspect.data import Report
from graphflow.inspect.roofline import Roofline, roofline
from graphflow.inspect.subject import Subject, layer_name, subject_for
from graphflow.inspect.table import scaled, table
from graphflow.runtime.plan import Plan, PlannedNode
from graphflow.runtime.session import Session

Array = np.ndarray[Any, Any]

SECONDS = 0.5
"""About how long is measured, where no number of repeats is given."""

FEWEST, MOST = 5, 300
WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Timed:
    """The time of one node of the plan, or of all nodes of a layer.

    Attributes:
        layer, op: the node; of a layer, its ops.
        kernel: what computes it: a kernel's name, "reference" or "view".
        seconds: measured; share: of all steps.
        flops, bytes: what it does; None where not known. gflops, gbps: billions a second.
        limit: what bounds it on this machine, "compute" or "memory".
        attainable: seconds in which the machine could do it; None where its cost is not known.
        parts: compiled steps with the seconds each takes.
    """

    layer: str
    op: str
    kernel: str
    seconds: float
    share: float
    flops: int | None
    bytes: int
    gflops: float | None
    gbps: float
    limit: str
    attainable: float | None
    parts: tuple[tuple[str, float], ...]

    @property
    def reached(self) -> float | None:
        """The part of what the machine could do: attainable over measured time."""
        return None if self.attainable is None or not self.seconds else self.attainable / self.seconds


@dataclass(frozen=True, slots=True)
class Profile(Report):
    """Where the time of a run goes.

    Attributes:
        model, input_shapes: what ran.
        repeats: how often. All times but `plain` are means over the third of the runs around the median one.
        total: seconds of a whole run; steps_total: of its steps; plain: of a run that notes no times, the median.
        machine: what it could do.
        layers, steps: the rows, in the order of the run.
    """

    model: str
    input_shapes: dict[str, tuple[int, ...]]
    repeats: int
    total: float
    steps_total: float
    plain: float
    machine: Roofline
    layers: tuple[Timed, ...]
    steps: tuple[Timed, ...]

    ROWS: ClassVar[str] = "layers"

    def slowest(self, number: int = 5) -> tuple[Timed, ...]:
        """The layers that take most of the time, the slowest first."""
        return tuple(sorted(self.layers, key=lambda one: -one.seconds)[:number])

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {shape}" for name, shape in self.input_shapes.items())
        titles = ("layer", "kernel", "time", "share", "FLOPs", "GFLOP/s", "GB/s", "reached", "of")
        rows = [_cells(one) for one in self.layers]
        total = ("total", "", _micro(self.steps_total), "100.0 %", *_rates(self.layers, self.steps_total), "", "")
        return "\n".join(
            [
                f"{self.model}: {shown}",
                f"a run takes {_micro(self.total)}, its steps {_micro(self.steps_total)} ({self.repeats} runs)",
                str(self.machine),
                "",
                table(titles, rows, "<<>>>>>><", total),
            ]
        )


def _cells(one: Timed) -> tuple[str, ...]:
    return (
        one.layer,
        one.kernel,
        _micro(one.seconds),
        f"{100 * one.share:.1f} %",
        scaled(one.flops),
        "?" if one.gflops is None else f"{one.gflops:.1f}",
        f"{one.gbps:.1f}",
        "?" if one.reached is None else f"{100 * one.reached:.0f} %",
        one.limit,
    )


def _rates(rows: Sequence[Timed], seconds: float) -> tuple[str, str, str]:
    flops, moved = sum(one.flops or 0 for one in rows), sum(one.bytes for one in rows)
    speeds = [f"{one / seconds / 1e9:.1f}" if seconds else "-" for one in (flops, moved)]
    return scaled(flops), speeds[0], speeds[1]


def _micro(seconds: float) -> str:
    """A time in microseconds or milliseconds.

    Example:
        >>> _micro(0.0000123), _micro(0.0123)
        ('12.3 µs', '12.3 ms')
    """
    return f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.4g} ms"


def profile(
    model: Any, inputs: Any = None, input_shapes: Any = None, repeats: int | None = None, seed: int = 0
) -> Profile:
    """Measure where the time of a run goes, by layer and by step.

    Plain runs and runs that note the time of each step take turns. The states of a stateful model stay as they are.

    Args:
        model: a model, Session or Graph.
        inputs: an array, a list of arrays or a dict of them by name; by default made up from `seed`.
        input_shapes: of the made-up inputs, as for `flops`.
        repeats: how many runs of each kind; by default as many as take about half a second.

    Returns:
        The times beside what the machine could do; `str()` of it is a table.

    Raises:
        ArgumentError: repeats below 1, or inputs whose sizes are not said.

    Example:
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import profile
        >>> from graphflow.layers import Dense
        >>> x = Input((64,))
        >>> found = profile(Model(x, Dense(64, name="dense")(x)), input_shapes=(32, 64), repeats=3)
        >>> [(one.layer, one.kernel, one.flops) for one in found.layers]
        [('dense', 'gemm_f32', 264192)]
    """
    if repeats is not None and repeats < 1:
        raise ArgumentError(f"repeats must be at least 1, received {repeats!r}.")
    subject = subject_for(model, inputs, input_shapes)
    arrays = subject.arrays(inputs, seed)
    session = subject.session
    measured = _measure(session, arrays, repeats)
    plan, steps = measured.plan, measured.steps
    machine = roofline(session._isa.name if session._isa is not None else "", plan.program.threads)
    total = float(sum(steps))
    rows = tuple(_timed(plan, planned, steps, total, machine) for planned in plan.nodes)
    return Profile(
        subject.name,
        _shapes(subject, arrays),
        measured.repeats,
        measured.whole,
        total,
        measured.plain,
        machine,
        _by_layer(rows, total, machine),
        rows,
    )


def _shapes(subject: Subject, arrays: Sequence[Array]) -> dict[str, tuple[int, ...]]:
    return {value.name: array.shape for value, array in zip(subject.graph.inputs, arrays, strict=True)}


class _Measured(NamedTuple):
    plan: Plan
    repeats: int
    plain: float
    whole: float
    steps: list[float]


def _measure(session: Session, arrays: list[Array], repeats: int | None) -> _Measured:
    """Let runs that note times and plain ones take turns.

    Of the runs that note times, the third around the median one is kept, and averaged: so the steps add up to the run,
    which medians of single steps do not where a machine is shared.
    """
    run = session.timed if session.graph.updates else session.run
    for _ in range(WARM_UP):
        session.timed(arrays)
        once = _seconds(lambda: run(arrays))
    count = repeats or int(min(MOST, max(FEWEST, SECONDS / 2 / max(once, 1e-9))))
    plain, whole, noted = [], [], []
    for _ in range(count):
        plain.append(_seconds(lambda: run(arrays)))
        begun = time.perf_counter()
        plan, times = session.timed(arrays)
        whole.append(time.perf_counter() - begun)
        noted.append(np.diff(times) / 1e9)
    third = max(1, count // 3)
    first = (count - third) // 2
    middle = np.argsort(whole, kind="stable")[first : first + third]
    steps = np.array(noted, np.float64).reshape(count, -1)[middle].mean(axis=0)
    return _Measured(plan, count, float(np.median(plain)), float(np.array(whole)[middle].mean()), steps.tolist())


def _seconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def _timed(
    plan: Plan,
    planned: PlannedNode,
    steps: Sequence[float],
    total: float,
    machine: Roofline,
) -> Timed:
    node = planned.node
    begin = planned.first_step
    leaves = [step.leaf for step in planned.layout.steps if step.items] if planned.layout is not None else []
    names = [] if planned.reason == "view" else leaves if planned.layout is not None else ["Python"]
    parts = tuple(zip(names, steps[begin : begin + len(names)], strict=True))
    cost = count(node, plan.specs)
    moved = cost.bytes_read + cost.weight_bytes + cost.bytes_written
    kernel = planned.kernel.name if planned.kernel is not None else "view" if planned.reason == "view" else "reference"
    row = Timed(layer_name(node), node.op.name, kernel, 0.0, 0.0, cost.flops, moved, None, 0.0, "", None, parts)
    return _rated(row, sum(seconds for _, seconds in parts), total, machine)


def _rated(row: Timed, seconds: float, total: float, machine: Roofline) -> Timed:
    attainable, limit = (None, "") if row.flops is None else machine.seconds(row.flops, row.bytes)
    return replace(
        row,
        seconds=seconds,
        share=seconds / total if total else 0.0,
        gflops=None if row.flops is None else row.flops / seconds / 1e9 if seconds else 0.0,
        gbps=row.bytes / seconds / 1e9 if seconds else 0.0,
        limit=limit,
        attainable=attainable if row.attainable is None else row.attainable,
    )


def _by_layer(rows: Sequence[Timed], total: float, machine: Roofline) -> tuple[Timed, ...]:
    grouped: dict[str, list[Timed]] = {}
    for row in rows:
        grouped.setdefault(row.layer, []).append(row)
    found = []
    for layer, own in grouped.items():
        known = [one.flops for one in own if one.flops is not None]
        bounds = [one.attainable for one in own if one.attainable is not None]
        complete = len(known) == len(own)
        computing = [one.kernel for one in own if one.kernel != "view"] or ["view"]
        joined = Timed(
            layer,
            ", ".join(dict.fromkeys(one.op for one in own)),
            ", ".join(dict.fromkeys(computing)),
            0.0,
            0.0,
            sum(known) if complete else None,
            sum(one.bytes for one in own),
            None,
            0.0,
            "",
            sum(bounds) if complete else None,
            tuple(part for one in own for part in one.parts),
        )
        found.append(_rated(joined, sum(one.seconds for one in own), total, machine))
    return tuple(found)
