"""The tensors of one run as arrays, for the nodes that need Python; and the errors of the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, DataError, GraphflowError, located
from graphflow.ir.graph import Value
from graphflow.ops.lookup import index_error
from graphflow.runtime.bindings import Bindings
from graphflow.runtime.plan import Plan, PlannedNode
from graphflow.runtime.scan import BodyPlan
from graphflow.runtime.storage import nbytes
from graphflow.spec import broadcast_shapes

Array = np.ndarray[Any, Any]


def failure(plan: Plan, step: int, code: int, row: int, value: int) -> GraphflowError:
    """The error of a step that a kernel stopped at."""
    planned = max((one for one in plan.nodes if one.first_step <= step), key=lambda one: one.first_step)
    node = planned.node
    table = node.inputs[1]
    size = plan.specs.get(table, table.spec).shape[0] if table is not None else 0
    error = index_error(row, value, int(size or 0))
    if code == 2:
        error = DataError(f"The index at flat position {row} is not a whole number.")
    return located(error, node.place)


class Views:
    """The tensors of one run as arrays, for the nodes that need Python."""

    def __init__(self, plan: Plan, context: Any, bases: list[Array], bindings: Bindings) -> None:
        self._plan = plan
        self._context = context
        self._bases = bases
        self._bindings = bindings
        self._arena: Array | None = None

    @property
    def context(self) -> Any:
        return self._context

    def inside(self, body: BodyPlan) -> Views:
        """The views of a body's runs inside this one."""
        from graphflow.runtime._executor import Context

        plan, versions = body.plan, self._context.versions
        try:
            context = body.pool.pop()
        except IndexError:
            context = None
        if context is None or context.versions is not versions:
            bound = [plan.known[key] if key in plan.known else self._bindings.array(key) for key in plan.bound]
            context = Context(plan.program, bound, versions)
        return Views(plan, context, [], self._bindings)

    def run(self, bases: list[Array]) -> None:
        """Run a body's plan once, on these arrays."""
        self._bases = bases
        failed = self._context.run(bases, self.run_node)
        if failed is not None:
            raise failure(self._plan, *failed)
        for index, value in self._plan.copies:
            np.copyto(bases[len(bases) - len(self._plan.results) + index], self.array(value))

    def array(self, value: Value) -> Array:
        plan = self._plan
        spec = plan.specs.get(value, value.spec)
        storage = plan.storage.of.get(value)
        if storage is None or storage.kind == "bound":
            bound = self._context.bound_arrays()
            index = plan.places.get(((value,), ""))
            array: Array = _leaf_array(value) if index is None else bound[index]
            return array.reshape(spec.shape)  # type: ignore[arg-type]
        if storage.kind == "arena":
            if self._arena is None:
                self._arena = self._context.arena()
            return self._arena[storage.index : storage.index + nbytes(spec)].view(spec.dtype).reshape(spec.shape)
        results = len(self._bases) - len(plan.results)
        base = self._bases[storage.index + (results if storage.kind == "output" else 0)]
        return base.reshape(spec.shape)  # type: ignore[arg-type]

    def run_node(self, step: int) -> None:
        planned: PlannedNode = self._plan.python_nodes[step]
        node = planned.node
        inputs = [None if value is None else self.array(value) for value in node.inputs]
        try:
            if planned.body is not None:
                planned.body.run(inputs, [self.array(value) for value in node.outputs], self)
                return
            outputs = node.op.run_reference(node.attrs, inputs)
        except GraphflowError as error:
            raise located(error, node.place) from None
        for value, output in zip(node.outputs, outputs, strict=True):
            target = self.array(value)
            if output.shape != target.shape:
                broadcast_shapes(output.shape, target.shape)
                raise ArgumentError(f"{node.place} gave shape {output.shape}, {target.shape} was planned.")
            np.copyto(target, output, casting="unsafe")


def _leaf_array(value: Value) -> Array:
    assert value.stage != "run"
    array: Array = value.payload if value.kind == "constant" else value.payload.value
    return array
