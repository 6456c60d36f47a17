"""`memory`: a plan's arena over time: what lives where and when, and what else a run needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from graphflow.inspect.data import Report
from graphflow.inspect.subject import Subject, layer_name
from graphflow.inspect.table import sized, table
from graphflow.ir.graph import Graph, Value
from graphflow.runtime.budget import winograd_bytes
from graphflow.runtime.memory import ALIGNMENT, Lifetime, lower_bound
from graphflow.runtime.plan import Plan, PlannedNode
from graphflow.runtime.session import Session
from graphflow.runtime.storage import nbytes

BAR = 30
"""Columns of the bar that shows how full the arena is."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the arena.

    Attributes:
        offset, size: bytes; the size is rounded up to the alignment of 64.
        first, last: the first and the last node that needs it, as positions among `Memory.steps`.
        holds: the values that lie there, by layer and op; "work" for what a kernel needs besides.
    """

    offset: int
    size: int
    first: int
    last: int
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemoryStep:
    """The arena while one node runs.

    Attributes:
        live: bytes in use, `blocks` pieces.
        reach: the end of the highest piece in use.
    """

    layer: str
    op: str
    live: int
    blocks: int
    reach: int


@dataclass(frozen=True, slots=True)
class Memory(Report):
    """What one run at a time needs, in bytes.

    Attributes:
        model, input_shapes: what was planned.
        peak: the arena, as the executor allocates it for each run that takes place at the same time.
        scale: how many times larger the batch is that the arena was laid out for: after a run of a large batch, smaller
            ones take the same memory; else 1.
        lower_bound: the most that is in use at one time; no arena could be smaller.
        unshared: what the arena would take if nothing shared memory.
        scratch: of all threads together.
        inputs, outputs: arrays of the caller, not in the arena.
        weights: numbers in variables and constants; bound: copies of them, folded or packed for kernels.
        winograd: what of `bound` is due to Winograd's method, which `precision` "strict" would not take.
        winograd_most: the bound of it, None where there is none; see `graphflow.config.set_winograd_memory`.
        bodies: arenas of the bodies of scans, by layer.
        steps, blocks: the arena over time, and its pieces.
    """

    model: str
    input_shapes: dict[str, tuple[int, ...]]
    peak: int
    scale: int
    lower_bound: int
    unshared: int
    scratch: int
    inputs: int
    outputs: int
    weights: int
    bound: int
    winograd: int
    winograd_most: int | None
    bodies: dict[str, int]
    steps: tuple[MemoryStep, ...]
    blocks: tuple[Block, ...]

    ROWS: ClassVar[str] = "steps"

    def at(self, step: int) -> tuple[Block, ...]:
        """The pieces that are in use while a node runs, by place."""
        return tuple(one for one in self.blocks if one.first <= step <= one.last)

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {shape}" for name, shape in self.input_shapes.items())
        rows = [(one.layer, one.op, sized(one.live), one.blocks, self._bar(one.live)) for one in self.steps]
        figures = (
            ("arena", self.peak, f"at least {sized(self.lower_bound)} are needed at one time"),
            ("without sharing", self.unshared, ""),
            ("scratch", self.scratch, ""),
            ("inputs", self.inputs, ""),
            ("outputs", self.outputs, ""),
            ("weights", self.weights, ""),
            ("bound", self.bound, "weights folded or packed for kernels"),
            ("winograd", self.winograd, f"of them, for Winograd's method{self._most()}"),
            *((f"body of {name}", size, "") for name, size in self.bodies.items()),
        )
        return "\n".join(
            [
                f"{self.model}: {shown}" + self._in_larger(),
                table(("layer", "op", "live", "pieces", "of the arena"), rows, "<<>><"),
                "",
                table(("memory", "bytes", "", ""), [(a, f"{b:,}", sized(b), c) for a, b, c in figures], "<>><"),
            ]
        )

    def _most(self) -> str:
        return "" if self.winograd_most is None else f"; at most {self.winograd_most:,} in this session"

    def _in_larger(self) -> str:
        return "" if self.scale == 1 else f", in the memory of a batch {self.scale} times as large"

    def _bar(self, live: int) -> str:
        return "#" * round(BAR * live / self.peak) if self.peak else ""


def memory(model: Any, input_shapes: Any = None) -> Memory:
    """The memory that running a model takes.

    Args:
        model: a model, Session or Graph.
        input_shapes: a shape, shapes in the order of the inputs, or by name, batch included; by default as described,
            with a batch of 1.

    Returns:
        The arena over time, and what lives in it; `str()` of it is a table.

    Raises:
        ArgumentError: an axis other than the batch whose size is not said.
        ShapeError: shapes that do not fit.

    Example:
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import memory
        >>> from graphflow.layers import Dense
        >>> x = Input((16,))
        >>> found = memory(Model(x, Dense(4)(Dense(8, name="inner")(x))))
        >>> found.peak, found.blocks[0].holds
        (64, ('inner: dense',))
    """
    subject = Subject(model, input_shapes)
    session = subject.session
    plan = session.plan(subject.shapes)
    blocks = _blocks(plan)
    arena = plan.storage.arena
    specs = plan.specs
    own = [one.size for one in arena]
    return Memory(
        subject.name,
        subject.named_shapes,
        plan.arena_bytes,
        _scale(plan),
        lower_bound([Lifetime(one.first, one.last, one.size) for one in arena]),
        sum(map(_aligned, own)),
        plan.program.scratch * plan.program.threads,
        sum(nbytes(specs[value]) for value in session.graph.inputs),
        sum(nbytes(spec) for spec in plan.results),
        _weights(subject.graph),
        bound_bytes(session, plan),
        winograd_bytes(all_nodes(plan)),
        session.winograd_memory,
        {layer_name(one.node): one.body.plan.arena_bytes for one in plan.nodes if one.body is not None},
        tuple(_steps(plan, blocks)),
        blocks,
    )


def _scale(plan: Plan) -> int:
    held = {id(one) for one in plan.storage.arena}
    own = [
        (storage.size, nbytes(plan.specs[value]))
        for value, storage in plan.storage.of.items()
        if id(storage) in held and value in plan.specs
    ]
    return min((size // needed for size, needed in own if needed), default=1)


def _aligned(size: int) -> int:
    return -(-max(size, 1) // ALIGNMENT) * ALIGNMENT


def _blocks(plan: Plan) -> tuple[Block, ...]:
    holds: dict[int, list[str]] = {id(one): [] for one in plan.storage.arena}
    for value, storage in plan.storage.of.items():
        if id(storage) in holds and value.node is not None:
            holds[id(storage)].append(f"{layer_name(value.node)}: {value.node.op.name}")
    for planned in plan.nodes:
        for storage in planned.work:
            holds[id(storage)].append(f"{layer_name(planned.node)}: work")
    found = [
        Block(one.index, _aligned(one.size), one.first, one.last, tuple(dict.fromkeys(holds[id(one)])))
        for one in plan.storage.arena
    ]
    return tuple(sorted(found, key=lambda one: (one.first, one.offset)))


def _steps(plan: Plan, blocks: tuple[Block, ...]) -> Iterator[MemoryStep]:
    """The arena at each node: pieces enter and leave as the nodes go by."""
    entering: dict[int, list[Block]] = {}
    for block in blocks:
        entering.setdefault(block.first, []).append(block)
    live: list[Block] = []
    for step, planned in enumerate(plan.nodes):
        live = [one for one in live if one.last >= step] + entering.get(step, [])
        reach = max((one.offset + one.size for one in live), default=0)
        size = sum(one.size for one in live)
        yield MemoryStep(layer_name(planned.node), planned.node.op.name, size, len(live), reach)


def _weights(graph: Graph) -> int:
    """Bytes of the variables and constants of a graph."""
    arrays = {id(variable): variable.value for variable in graph.variables()}
    for node in graph.nodes:
        for value in node.inputs:
            if value is not None and value.kind == "constant":
                arrays[id(value)] = np.asarray(value.payload)
    return sum(array.nbytes for array in arrays.values())


def bound_bytes(session: Session, plan: Plan) -> int:
    """Bytes of the arrays that were made of weights for a plan and its bodies, which all its runs share."""
    found: dict[int, int] = {}
    plans = [plan]
    while plans:
        one = plans.pop()
        plans += [planned.body.plan for planned in one.nodes if planned.body is not None]
        for key in one.bound:
            if key in one.known:
                continue
            array = session._bindings.array(key)
            if not any(value is not None and _is_own(value, array) for value in key[0]):
                found[id(array)] = array.nbytes
    return sum(found.values())


def all_nodes(plan: Plan) -> Iterator[PlannedNode]:
    """The nodes of a plan and of the bodies in it."""
    for planned in plan.nodes:
        yield planned
        if planned.body is not None:
            yield from all_nodes(planned.body.plan)


def _is_own(value: Value, array: Any) -> bool:
    """Whether an array is a variable's or constant's own memory."""
    given = value.payload if value.kind == "constant" else value.payload.value if value.kind == "variable" else None
    return given is not None and np.may_share_memory(given, array)
