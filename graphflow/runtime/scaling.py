"""How a plan for one batch serves a smaller one: the same kernels, the same places, and arguments for the new batch.

What a kernel laid out is kept with sizes that know how they scale (`scale`). A smaller batch needs no more memory in
any buffer, so everything stays where it is; what changes is numbers in slots. Where a kernel would decide something
else for the new batch, it lays out that step anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphflow.errors import GraphflowError
from graphflow.ir.graph import Value
from graphflow.kernels.layout import Call, Layout, Step
from graphflow.runtime.program import slot_of, step_row
from graphflow.runtime.scale import Guard, Size, Trace, evaluate, holds, plain
from graphflow.runtime.schedule import Schedule
from graphflow.runtime.shapes import Concrete
from graphflow.spec import Shape, TensorSpec

if TYPE_CHECKING:
    from graphflow.runtime.plan import PlannedNode


Varying = list[tuple[int, str, Size]]


class NodeScaling:
    """The layout of one node with sizes that know how they scale.

    Attributes:
        call: what it was laid out for.
        layout: None where the sizes can not be followed, so that the node is laid out anew for each batch.
        guards: the comparisons on which it rests.
        varying: for each of the layout's steps the slots that depend on the batch, from its first one on, what kind
            they are, and how they depend.
        places: for each of its steps that does anything, its index, the row and the first slot in the program.
    """

    __slots__ = ("call", "guards", "layout", "places", "varying")

    def __init__(self, call: Call, layout: Layout | None, guards: list[Guard], varying: list[Varying]) -> None:
        self.call = call
        self.layout = layout
        self.guards = guards
        self.varying = varying
        self.places: list[tuple[int, int, int]] = []

    def of(self, call: Call) -> NodeScaling:
        """That of another node whose call is laid out in the same way."""
        return NodeScaling(call, self.layout, self.guards, self.varying)


class Scaling:
    """How everything in a plan depends on the batch.

    Args:
        batch: that of the plan.
        dimensions: of each value whose shape depends on the batch, how large each dimension is per sample; 0 for one
            that does not depend on it.
    """

    def __init__(self, batch: int, dimensions: dict[Value, tuple[int, ...]]) -> None:
        self.trace = Trace(batch)
        self.dimensions = dimensions
        self._by_spec: dict[tuple[TensorSpec, tuple[int, ...]], TensorSpec] = {}

    @property
    def batch(self) -> int:
        return self.trace.batch

    def _sized(self, spec: TensorSpec, value: Value | None) -> TensorSpec:
        per_sample = None if value is None else self.dimensions.get(value)
        if per_sample is None:
            return spec
        sizes = (self.trace.size(k) if k else size for size, k in zip(spec.shape, per_sample, strict=True))
        return TensorSpec(tuple(sizes), spec.dtype)  # type: ignore[arg-type]

    def spec(self, value: Value, spec: TensorSpec, batch: int) -> TensorSpec:
        """The spec of a value for another batch; `spec` is that of the plan."""
        per_sample = self.dimensions.get(value)
        if per_sample is None:
            return spec
        shape = tuple(k * batch if k else size for size, k in zip(spec.shape, per_sample, strict=True))
        return TensorSpec(shape, spec.dtype)

    def lay(self, planned: PlannedNode, call: Call) -> Layout:
        """A kernel's layout of a call, remembered as it scales."""
        node = planned.node
        inputs = [
            None if spec is None else self._sized(spec, value)
            for spec, value in zip(call.inputs, node.inputs, strict=True)
        ]
        outputs = [self._sized(spec, value) for spec, value in zip(call.outputs, node.outputs, strict=True)]
        self.trace.begin()
        try:
            traced = planned.lay(call._replace(inputs=tuple(inputs), outputs=tuple(outputs)))
        except (TypeError, ZeroDivisionError):
            self.trace.lost = True
        if self.trace.lost or any(_offset_varies(step) for step in traced.steps):
            planned.scaling = NodeScaling(call, None, [], [])
            return planned.lay(call)
        planned.scaling = NodeScaling(call, traced, self.trace.guards, [_varying(step) for step in traced.steps])
        steps = [_resolved(step) for step in traced.steps]
        return Layout(steps, traced.packs, [plain(size) for size in traced.work], traced.in_place)


def _offset_varies(step: Step) -> bool:
    return any(isinstance(getattr(value, "offset", 0), Size) for value in step.fields.values())


def _varying(step: Step) -> Varying:
    from graphflow.kernels._leaf import FIELDS

    given = ((at, kind, step.fields[name]) for at, (name, kind) in enumerate(FIELDS[step.leaf]))
    return [(at, kind, size) for at, kind, size in given if isinstance(size, Size)]


def _resolved(step: Step) -> Step:
    """A step with plain numbers."""
    fields = {name: plain(value) for name, value in step.fields.items()}
    return Step(step.leaf, fields, plain(step.items), plain(step.nanoseconds), plain(step.limit), plain(step.scratch))


def scaling_of(schedule: Schedule, found: Concrete, shapes: Sequence[Shape]) -> Scaling | None:
    """How the shapes of a plan depend on the batch; None where they do not, or not in a way that is certain.

    Args:
        found: the shapes for `shapes`.
    """
    batch = int(shapes[0][0] or 0) if schedule.batched else 0
    if batch < 2 or found.known or any(shape[0] != batch for shape in shapes):
        return None
    try:
        more = Concrete(schedule.graph, schedule.order, [(batch + 1, *shape[1:]) for shape in shapes])
    except GraphflowError:
        return None
    dimensions: dict[Value, tuple[int, ...]] = {}
    for value, spec in found.specs.items():
        other = more.specs[value].shape
        if spec.shape == other:
            continue
        per_sample = []
        for size, larger in zip(spec.shape, other, strict=True):
            each = int(larger or 0) - int(size or 0)
            if each and each * batch != size:
                return None
            per_sample.append(each)
        dimensions[value] = tuple(per_sample)
    return Scaling(batch, dimensions)


class Rescaled:
    """The numbers of a plan for a smaller batch.

    Args:
        nodes: those of the plan.
        batch: smaller than that of the plan.
        program: of the plan.

    Attributes:
        fits: whether the plan can serve this batch.
        rows, slots: of the program for this batch.
    """

    def __init__(self, scaling: Scaling, nodes: Sequence[PlannedNode], batch: int, program: Any) -> None:
        self._threads = program.threads
        self._scratch = program.scratch
        self._leaves = program.steps[:, 0].tolist()
        self._beside = program.steps[:, 5].tolist()
        self._scaling = scaling
        self._batch = batch
        self._values = scaling.trace.atoms_of(batch)
        self._rows: dict[int, Any] = {}
        self._slots: dict[int, int] = {}
        self.fits = all(self._node(planned) for planned in nodes if planned.scaling is not None)
        self.rows, self.slots = program.steps.copy(), program.slots.copy()
        if self._rows:
            self.rows[list(self._rows)] = list(self._rows.values())
        if self._slots:
            self.slots[list(self._slots)] = list(self._slots.values())

    def _node(self, planned: PlannedNode) -> bool:
        own = planned.scaling
        assert own is not None
        values = self._values
        if own.layout is None or not holds(own.guards, values):
            return self._lay_anew(planned, own)
        for index, row, slot in own.places:
            for at, kind, size in own.varying[index]:
                self._slots[slot + at] = slot_of(evaluate(size.constant, size.terms, values), kind)
            step = own.layout.steps[index]
            self._row(row, slot, self._number(step.items), self._number(step.nanoseconds), self._number(step.limit))
        return True

    def _number(self, value: Any) -> Any:
        return evaluate(value.constant, value.terms, self._values) if isinstance(value, Size) else value

    def _row(self, row: int, slot: int, items: int, nanoseconds: float, limit: int | None) -> None:
        made = step_row(self._leaves[row], slot, items, nanoseconds, limit, self._threads)
        self._rows[row] = made._replace(beside=self._beside[row])

    def _lay_anew(self, planned: PlannedNode, own: NodeScaling) -> bool:
        """Lay out a node for this batch; whether the result fits the plan's places."""
        from graphflow.kernels._leaf import FIELDS

        assert planned.layout is not None
        node, call = planned.node, own.call
        spec = self._scaling.spec
        inputs = tuple(
            None if given is None or value is None else spec(value, given, self._batch)
            for given, value in zip(call.inputs, node.inputs, strict=True)
        )
        outputs = tuple(spec(value, made, self._batch) for made, value in zip(call.outputs, node.outputs, strict=True))
        layout, before = planned.lay(call._replace(inputs=inputs, outputs=outputs)), planned.layout
        same = len(layout.steps) == len(before.steps) and all(
            step.leaf == old.leaf and bool(step.items) == bool(old.items) and _pointers(step) == _pointers(old)
            for step, old in zip(layout.steps, before.steps, strict=True)
        )
        packs = [pack.name for pack in layout.packs] == [pack.name for pack in before.packs]
        room = len(layout.work) == len(before.work) and all(
            need <= held for need, held in zip(layout.work, before.work, strict=True)
        )
        if not (same and packs and room) or any(step.scratch > self._scratch for step in layout.steps):
            return False
        for index, row, slot in own.places:
            step = layout.steps[index]
            self._row(row, slot, step.items, step.nanoseconds, step.limit)
            for at, (name, kind) in enumerate(FIELDS[step.leaf], slot):
                if kind in "FI":
                    self._slots[at] = slot_of(step.fields[name], kind)
        return True


def _pointers(step: Step) -> dict[str, Any]:
    """The fields that are pointers, or none."""
    return {name: value for name, value in step.fields.items() if value is None or isinstance(value, tuple)}
