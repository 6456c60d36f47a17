"""`explain`: what each pass did to which layer, and which kernel computes each node and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

from graphflow.inspect.data import Report
from graphflow.inspect.memory import all_nodes
from graphflow.inspect.subject import Subject, layer_name
from graphflow.inspect.table import sized, table
from graphflow.kernels.table import rows_of
from graphflow.passes import PIPELINE
from graphflow.runtime.budget import winograd_bytes
from graphflow.runtime.plan import Plan, PlannedNode
from graphflow.runtime.session import Session

BY_PLACE = {"arena": "arena", "output": "the caller's output", "input": "the caller's input", "bound": "weights"}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a pass did.

    Attributes:
        rule: the name of the pass.
        layer: the path of the layer it happened to.
        what: what happened.
        into: the path of the layer that it is computed with since, "" where it was joined to none.
    """

    rule: str
    layer: str
    what: str
    into: str


@dataclass(frozen=True, slots=True)
class Choice:
    """How one node is computed.

    Attributes:
        layer, op: the node.
        kernel: its kernel's name; None where its NumPy reference computes it, or where there is nothing to compute.
        order: the name of the kernel's chain of operations; equal order, equal bits.
        why: what decided it.
        others: every other kernel of the op, with the reason why it was not taken.
        steps: the compiled steps it takes; threads: how many share each of them.
        in_place: whether its result takes the place of an operand.
        result: where its first output lies.
        packed: the arrays made of weights beforehand.
        body: of a scan: how the nodes of its step are computed.
        beside: the layers that are computed at the same time, each on a share of the threads.
    """

    layer: str
    op: str
    kernel: str | None
    order: str
    why: str
    others: tuple[tuple[str, str], ...]
    steps: tuple[str, ...]
    threads: tuple[int, ...]
    in_place: bool
    result: str
    packed: tuple[str, ...]
    body: tuple[Choice, ...]
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation(Report):
    """What became of a model.

    Attributes:
        model, input_shapes: what was planned.
        isa: the instruction set in use, "" for references only; threads: that share a run; precision: of sums.
        winograd: bytes that Winograd's weights take beyond direct ones; `graphflow.config` can bound it.
        nodes_before, nodes_after: of the graph as described and as tuned; planned: of those, the ones left to run.
        passes: every pass in order, with the number of its changes.
        changes: what they did, to the graph and then to the bodies of its scans.
        choices: what computes each node, in the order of the run.
    """

    model: str
    input_shapes: dict[str, tuple[int, ...]]
    isa: str
    threads: int
    precision: str
    winograd: int
    nodes_before: int
    nodes_after: int
    planned: int
    passes: tuple[tuple[str, int], ...]
    changes: tuple[Change, ...]
    choices: tuple[Choice, ...]

    ROWS: ClassVar[str] = "choices"

    def of(self, path: str) -> tuple[tuple[Change, ...], tuple[Choice, ...]]:
        """What happened to a layer, and what computes it; of a nested model, to all its layers."""

        def inside(name: str) -> bool:
            return name == path or name.startswith(f"{path}/")

        return (
            tuple(one for one in self.changes if inside(one.layer)),
            tuple(one for one in self.choices if inside(one.layer)),
        )

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {shape}" for name, shape in self.input_shapes.items())
        used = f"{self.isa} kernels" if self.isa else "references only"
        lines = [
            f"{self.model}: {shown}",
            f"{self.nodes_before} nodes as described; {self.nodes_after} tuned, {self.planned} of them in every run; "
            f"{used}, threads: {self.threads}, precision: {self.precision}",
            *((f"Winograd's weights: {sized(self.winograd)} beyond direct ones",) if self.winograd else ()),
            "",
        ]
        if self.changes:
            rows = [(one.rule, one.layer, one.what) for one in self.changes]
            lines += [table(("pass", "layer", "what it did"), rows, "<<<"), ""]
        chosen = [
            (("  " * depth) + one.layer, one.op, one.kernel or "-", _threads(one), _reason(one))
            for depth, one in _all(self.choices)
        ]
        lines.append(table(("layer", "op", "kernel", "threads", "why"), chosen, "<<<><"))
        return "\n".join(lines)


def _all(choices: tuple[Choice, ...], depth: int = 0) -> list[tuple[int, Choice]]:
    return [pair for one in choices for pair in ((depth, one), *_all(one.body, depth + 1))]


def _threads(one: Choice) -> str:
    return str(max(one.threads)) if one.threads else "-"


def _reason(one: Choice) -> str:
    return f"{one.why}; at the same time as {', '.join(one.beside)}" if one.beside else one.why


def explain(model: Any, input_shapes: Any = None) -> Explanation:
    """What the passes did to a model, and how each of its nodes is computed.

    Args:
        model: a model, Session or Graph.
        input_shapes: a shape, shapes in the order of the inputs, or by name, batch included; by default as described,
            with a batch of 1.

    Returns:
        Changes and choices; `str()` of it is two tables.

    Raises:
        ArgumentError: an axis other than the batch whose size is not said.
        ShapeError: shapes that do not fit.

    Example:
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import explain
        >>> from graphflow.layers import Dense, ReLU
        >>> x = Input((16,))
        >>> found = explain(Model(x, ReLU(name="relu")(Dense(4, name="dense")(x))))
        >>> found.changes[0]
        Change(rule='fuse_epilogue', layer='relu', what='relu joined dense of dense', into='dense')
        >>> [one.kernel for one in found.choices]
        ['gemm_f32']
    """
    subject = Subject(model, input_shapes)
    session = subject.session
    plan = session.plan(subject.shapes)
    journals = [session.journal, *(one.body.journal for one in plan.nodes if one.body is not None)]
    records = [record for journal in journals for record in journal.records]
    counts = Counter(one.rule for one in records)
    return Explanation(
        subject.name,
        subject.named_shapes,
        session._isa.name if session._isa is not None else "",
        plan.program.threads,
        session.precision,
        winograd_bytes(all_nodes(plan)),
        len(subject.graph),
        len(session.graph),
        len(plan.nodes),
        tuple((one.__name__, counts[one.__name__]) for one in dict.fromkeys(PIPELINE)),
        tuple(Change(one.rule, "/".join(one.origin), one.what, "/".join(one.into)) for one in records),
        choices_of(session, plan),
    )


def choices_of(session: Session, plan: Plan) -> tuple[Choice, ...]:
    """How each node of a plan is computed."""
    return tuple(_choice(session, plan, planned) for planned in plan.nodes)


def _choice(session: Session, plan: Plan, planned: PlannedNode) -> Choice:
    node, layout = planned.node, planned.layout
    held = plan.storage.of.get(node.outputs[0]) if node.outputs else None
    places = [plan.storage.of.get(value) for value in node.inputs if value is not None]
    return Choice(
        layer_name(node),
        node.op.name,
        None if planned.kernel is None else planned.kernel.name,
        "" if planned.kernel is None else planned.kernel.order,
        _why(planned, session),
        _others(planned),
        tuple(step.leaf for step in layout.steps) if layout is not None else (),
        _shares(plan, planned),
        layout is not None and held is not None and any(held is one for one in places),
        BY_PLACE[held.kind] if held is not None else "",
        tuple(pack.name for pack in layout.packs) if layout is not None else (),
        choices_of(session, planned.body.plan) if planned.body is not None else (),
        tuple(layer_name(one.node) for one in planned.group or () if one is not planned),
    )


def _why(planned: PlannedNode, session: Session) -> str:
    if planned.reason == "view":
        return "nothing to compute: the same memory in another shape"
    if session._isa is None:
        return "the knob `reference` is set"
    if planned.body is not None:
        return "a loop in Python over the plan of its body"
    if planned.kernel is None:
        return planned.reason
    if planned.layout is not None and not planned.layout.steps:
        return "nothing to copy: its operands are computed where they lie in it"
    if planned.reason:
        return f"the first that takes it; {planned.reason}"
    return "the first that takes it" if len(rows_of(planned.node.op.name)) > 1 else "the only kernel of this op"


def _others(planned: PlannedNode) -> tuple[tuple[str, str], ...]:
    """Every kernel of the op that was not taken, and why."""
    if planned.call is None:
        return ()
    return tuple(
        (row.name, row.refuses(planned.call) or "it would take it, but comes later in the table")
        for row in rows_of(planned.node.op.name)
        if row is not planned.kernel
    )


def _shares(plan: Plan, planned: PlannedNode) -> tuple[int, ...]:
    """How many threads share each compiled step of a node."""
    if planned.layout is None:
        return ()
    rows = plan.program.steps[planned.first_step : planned.first_step + len(planned.layout.steps)]
    share = plan.program.threads // len(planned.group or (planned,))
    return tuple(share if row[4] else 1 for row in rows.tolist())
