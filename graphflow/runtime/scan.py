"""How a scan runs: its body has a plan of its own, whose program is run once for every step.

Captured variables and constants are put into a copy of the body as what they are, so that its products find their
weights packed before the run. What else the scan takes enters the body's program as an input; states alternate between
two arrays each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphflow.ir.data import from_data, to_data
from graphflow.ir.graph import Graph, Node
from graphflow.ir.record import Journal
from graphflow.kernels.isa import Isa
from graphflow.passes import tune
from graphflow.runtime.bindings import Bindings
from graphflow.runtime.schedule import Schedule
from graphflow.spec import TensorSpec

if TYPE_CHECKING:
    from graphflow.runtime.plan import Plan

Array = np.ndarray[Any, Any]


def _specialised(node: Node) -> tuple[Graph, list[int], Journal]:
    """A tuned copy of the body that refers to variables and constants itself, which operands it still takes, and what
    the passes did."""
    graph = from_data(to_data(node.attrs["body"].graph))
    first = node.attrs["sequences"] + node.attrs["states"]
    entering = []
    for index, (inner, outer) in enumerate(zip(list(graph.inputs), node.inputs, strict=True)):
        if index >= first and outer is not None and outer.kind != "node" and outer.stage != "run":
            known = outer.kind == "variable"
            own = graph.variable(outer.payload) if known else graph.add_constant(outer.payload, outer.spec)
            graph.replace_uses(inner, own)
        else:
            entering.append(index)
    graph.inputs = [graph.inputs[index] for index in entering]
    return graph, entering, tune(graph)


class BodyPlan:
    """A scan's body, planned for concrete shapes.

    Args:
        node: the scan.
        specs: of its operands, all static.

    Attributes:
        journal: what the passes did to the body.
    """

    def __init__(
        self,
        node: Node,
        specs: Sequence[TensorSpec],
        bindings: Bindings,
        isa: Isa,
        threads: int,
        precision: str,
    ) -> None:
        from graphflow.runtime.plan import make_plan

        if node not in bindings.bodies:
            bindings.bodies[node] = _specialised(node)
        graph, self.entering, self.journal = bindings.bodies[node]
        attrs = node.attrs
        self.sequences, self.states = attrs["sequences"], attrs["states"]
        self.reverse, self.collect = attrs["reverse"], attrs["collect"]
        shapes = [
            (spec.shape[0], *spec.shape[2:]) if index < self.sequences else spec.shape
            for index, spec in enumerate(specs)
        ]
        entering = [shapes[index] for index in self.entering]
        self.plan: Plan = make_plan(Schedule(graph), entering, bindings, isa, threads, precision)
        self.pool: list[Any] = []

    def run(self, operands: Sequence[Any], targets: Sequence[Array], outer: Any) -> None:
        """Walk the steps.

        Args:
            operands: the scan's operands as arrays.
            targets: where the outputs and the final states go.
            outer: the views of the run that the scan is part of.

        Raises:
            GraphflowError: what a node of the body raises.
        """
        count = self.states
        walked = [np.ascontiguousarray(x.swapaxes(0, 1)) for x in operands[: self.sequences]]
        steps = walked[0].shape[0]
        outputs = list(targets[: len(targets) - count])
        shapes: list[Any] = [(steps, *one.shape[:1], *one.shape[2:]) if self.collect else one.shape for one in outputs]
        made = [np.zeros(shape, one.dtype) for shape, one in zip(shapes, outputs, strict=True)]
        states = [np.ascontiguousarray(x) for x in operands[self.sequences : self.sequences + count]]
        spare = [[np.empty_like(x) for x in states] for _ in range(2)]
        fixed = [np.ascontiguousarray(operands[index]) for index in self.entering[self.sequences + count :]]
        views = outer.inside(self)
        for t in range(steps):
            at = steps - 1 - t if self.reverse else t
            after = spare[t % 2]
            results = [*(one[t] if self.collect else one for one in made), *after]
            views.run([*(x[at] for x in walked), *states, *fixed, *results])
            states = after
        self.pool.append(views.context)
        for target, one in zip(outputs, made, strict=True):
            np.copyto(target, one.swapaxes(0, 1) if self.collect else one)
        for target, one in zip(targets[len(outputs) :], states, strict=True):
            np.copyto(target, one)
