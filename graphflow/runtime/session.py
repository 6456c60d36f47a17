"""`Session`: a runnable model: a tuned graph, bound weights, plans by input shapes, and contexts to run them in."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphflow.config import as_precision, as_winograd_memory, precision, winograd_memory
from graphflow.epoch import EPOCH
from graphflow.errors import ArgumentError, GraphError
from graphflow.garbage import full_collections_put_off
from graphflow.ir.data import from_data, to_data
from graphflow.ir.graph import Graph
from graphflow.kernels import isa as instruction_sets
from graphflow.knobs import get as knob
from graphflow.knobs import knobs
from graphflow.passes import tune
from graphflow.runtime.bindings import Bindings
from graphflow.runtime.budget import with_winograd
from graphflow.runtime.feed import as_input, check_names, checked_out
from graphflow.runtime.plan import Plan, make_plan, scaled_plan
from graphflow.runtime.schedule import Schedule
from graphflow.runtime.threads import get_num_threads
from graphflow.runtime.views import Views, failure
from graphflow.spec import Shape

Array = np.ndarray[Any, Any]
MOST_PLANS = 32


class Session:
    """Runs one graph, from any number of threads.

    Args:
        graph: portable; the session tunes a copy of its own.

    Weights are read from the graph's variables: after `set_weights` the next run uses the new ones.

    Attributes:
        precision, winograd_memory: as `graphflow.config` or the knobs said when it was made; it keeps them.

    Example:
        >>> import numpy as np
        >>> from graphflow import Input, Model
        >>> from graphflow.layers import Dense
        >>> x = Input((4,))
        >>> session = Model(x, Dense(2)(x)).session()
        >>> session.run([np.zeros((3, 4), "float32")])[0].shape
        (3, 2)
    """

    @full_collections_put_off()
    def __init__(self, graph: Graph) -> None:
        self._portable = to_data(graph)
        self.precision = as_precision(knob("precision") or precision())
        bound: int = knob("winograd_memory")
        self.winograd_memory = winograd_memory() if bound == -1 else as_winograd_memory(None if bound == -2 else bound)
        self._prepare(graph.copied())

    def _prepare(self, graph: Graph) -> None:
        self.graph = graph
        self.input_names = [value.name for value in self.graph.inputs]
        self.output_names = list(self.graph.output_names)
        self.journal = tune(self.graph)
        self._isa = None if knob("reference") else instruction_sets.current()
        self._with_winograd = with_winograd(self.graph, self._isa, self.winograd_memory)
        self._variables = [one for one in self.graph.variables() if not one.changes_in_runs]
        self._stateful = bool(self.graph.updates)
        self._bindings = Bindings()
        self._versions: tuple[int, ...] = ()
        self._epoch = -1
        self._schedule = Schedule(self.graph)
        self._lock = threading.RLock()
        self._threads: int | None = None
        self._plan_nothing()

    def _plan_nothing(self) -> None:
        self._fast: Any = None
        self._plans: OrderedDict[Any, Plan] = OrderedDict()
        self._largest: dict[Any, Plan] = {}

    def with_threads(self, threads: int) -> Session:
        """A session over the same graph and bound weights, whose runs take so many threads each, whatever is set.

        Example:
            >>> import numpy as np
            >>> from graphflow import Input, Model
            >>> from graphflow.layers import Dense
            >>> x = Input((4,))
            >>> session = Model(x, Dense(2)(x)).session()
            >>> rows = np.ones((3, 4), "float32")
            >>> bool((session.with_threads(1).run([rows])[0] == session.run([rows])[0]).all())
            True
        """
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made._threads = threads
        made._plan_nothing()
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {"portable": self._portable, "precision": self.precision, "winograd_memory": self.winograd_memory}

    @full_collections_put_off()
    def __setstate__(self, state: dict[str, Any]) -> None:
        self._portable = state["portable"]
        self.precision = state["precision"]
        self.winograd_memory = state["winograd_memory"]
        self._prepare(from_data(self._portable))

    def run(self, inputs: Sequence[Any] | Mapping[str, Any], out: Sequence[Array] | None = None) -> list[Array]:
        """Run once.

        Args:
            inputs: arrays in the order of `input_names`, or by name.
            out: C-contiguous arrays of the outputs' shapes and dtypes to write into.

        Returns:
            The outputs, in the order of `output_names`.

        Raises:
            ShapeError, DTypeError, DataError: an input that does not fit; the message names it.
            ArgumentError: missing or unknown inputs.
        """
        if self._fast is not None and out is None and type(inputs) is list:
            results = self._fast.run(inputs)
            if results is not None:
                return results
        arrays = self._feed(inputs)
        if knob("debug") >= 4:
            self._check(arrays)
        if self._stateful:
            with self._lock:
                return self._run(arrays, out)
        return self._run(arrays, out)

    def run_batches(self, inputs: Sequence[Array], batch: int) -> list[list[Array]]:
        """Run batches of consecutive rows, one after the other, as `run` would.

        Where the runs are like the one before this call, they follow each other without the interpreter's lock.

        Args:
            inputs: arrays of equally many rows, in the order of `input_names`.
            batch: rows of a run; the last may have fewer.

        Returns:
            For consecutive parts of the rows, each one batch or more, the outputs of all runs one behind the other.

        Example:
            >>> import numpy as np
            >>> from graphflow import Input, Model
            >>> from graphflow.layers import Dense
            >>> x = Input((4,))
            >>> session = Model(x, Dense(2)(x)).session()
            >>> parts = session.run_batches([np.ones((10, 4), "float32")], 3)
            >>> sum(len(outputs[0]) for outputs in parts)
            10
        """
        rows, at = len(inputs[0]), 0
        made: list[list[Array]] = []
        while at < rows or not made:
            whole = (rows - at) // batch * batch
            found = None
            if self._fast is not None and whole > batch:
                found = self._fast.run_batches([one[at : at + whole] for one in inputs], whole, batch)
            if found is None:
                found, whole = self.run([one[at : at + batch] for one in inputs]), batch
            made.append(found)
            at += whole
        return made

    def _check(self, arrays: list[Array]) -> None:
        """Compare every step with its reference, on the values that the references give."""
        from graphflow.runtime.check import check_steps

        def run(graph: Graph, fed: list[Array]) -> list[Array]:
            with knobs(debug=0, passes_off="all"):
                return Session(graph).run(fed)

        check_steps(self.graph, arrays, run)

    def _feed(self, inputs: Sequence[Any] | Mapping[str, Any]) -> list[Array]:
        if isinstance(inputs, Mapping):
            check_names(inputs, self.input_names)
            inputs = [inputs[name] for name in self.input_names]
        if len(inputs) != len(self.graph.inputs):
            names = ", ".join(self.input_names)
            count = len(self.graph.inputs)
            raise ArgumentError(f"The {count} inputs of this model are {names}; received {len(inputs)}.")
        return [as_input(given, value.spec, value.name) for given, value in zip(inputs, self.graph.inputs, strict=True)]

    def plan(self, shapes: Sequence[Shape]) -> Plan:
        """The plan for concrete input shapes, made when it is first asked for."""
        threads = self._threads or get_num_threads()
        key = (tuple(shapes), threads)
        with self._lock:
            found = self._plans.get(key)
            if found is not None:
                self._plans.move_to_end(key)
                return found
            found = self._plans[key] = self._made(shapes, threads)
            if len(self._plans) > MOST_PLANS:
                _, old = self._plans.popitem(last=False)
                self._largest = {kind: plan for kind, plan in self._largest.items() if plan is not old}
                self._fast = None
            if knob("debug") >= 1:
                print(
                    f"graphflow: planned {self.graph.name} for {list(shapes)}: "
                    f"{len(found.nodes)} nodes, arena {found.arena_bytes:,} bytes"
                )
        return found

    def _made(self, shapes: Sequence[Shape], threads: int) -> Plan:
        """A plan that scales one for a larger batch, if there is one, else a new one."""
        if not self._schedule.batched or len({shape[0] for shape in shapes}) != 1:
            return self._new_plan(shapes, threads)
        kind = (tuple(shape[1:] for shape in shapes), threads)
        larger = self._largest.get(kind)
        scaled = None if larger is None else scaled_plan(larger, int(shapes[0][0] or 0))
        if scaled is not None:
            return scaled
        made = self._new_plan(shapes, threads)
        if larger is None or larger.scaling is None or (made.scaling and made.scaling.batch > larger.scaling.batch):
            self._largest[kind] = made
        return made

    def _new_plan(self, shapes: Sequence[Shape], threads: int) -> Plan:
        given = self._schedule, shapes, self._bindings, self._isa, threads, self.precision
        return make_plan(*given, self._with_winograd)

    def _take_context(self, plan: Plan) -> Any:
        from graphflow.runtime._executor import Context

        with self._lock:
            if EPOCH[0] != self._epoch:
                self._bind_anew()
            if plan.pool:
                context = plan.pool.pop()
                context.load(plan.program)
                return context
            keys = [key for key in plan.bound if key not in plan.known]
            made = dict(zip(keys, self._bindings.arrays(keys, self._threads or get_num_threads()), strict=True))
            bound = [made[key] if key in made else plan.known[key] for key in plan.bound]
            return Context(plan.program, bound, self._versions)

    def _bind_anew(self) -> None:
        """Forget what was computed from variables, if one of this graph has changed."""
        self._epoch = EPOCH[0]
        versions = tuple(variable.version for variable in self._variables)
        if versions != self._versions:
            first = len(self._versions) != len(versions)
            pairs = () if first else zip(self._variables, versions, self._versions, strict=True)
            self._bindings.forget(None if first else {one for one, new, old in pairs if new != old})
            for plan in (*self._plans.values(), *self._largest.values()):
                plan.pool.clear()
            self._versions = versions

    def _give_back(self, plan: Plan, context: Any) -> None:
        with self._lock:
            if context.versions is self._versions:
                plan.pool.append(context)

    def _run(self, arrays: list[Array], out: Sequence[Array] | None) -> list[Array]:
        plan = self.plan([array.shape for array in arrays])
        results = checked_out(out, plan.results, self.output_names, arrays)
        self._execute(plan, arrays, results)
        if out is None and not (self._stateful or plan.python_nodes or plan.copies or knob("debug") >= 4):
            self._remember(plan, arrays, results)
        outputs = results[: len(self.graph.outputs)]
        for (variable, _), successor in zip(self.graph.updates, results[len(outputs) :], strict=True):
            variable.adopt(successor)
        return outputs

    def _execute(self, plan: Plan, arrays: list[Array], results: list[Array], times: Array | None = None) -> None:
        """Run a plan; what `results` does not hold yet is made."""
        context = self._take_context(plan)
        results += [np.empty(spec.shape, spec.dtype) for spec in plan.results[len(results) :]]  # type: ignore[arg-type]
        bases = [*arrays, *(state.value for state in plan.states), *results]
        views = Views(plan, context, bases, self._bindings)
        run_node = views.run_node
        failed = context.run(bases, run_node) if times is None else context.timed(bases, run_node, times)
        if failed is not None:
            raise failure(plan, *failed)
        for index, value in plan.copies:
            np.copyto(results[index], views.array(value))
        self._give_back(plan, context)

    def timed(self, inputs: Sequence[Any] | Mapping[str, Any]) -> tuple[Plan, Array]:
        """Run once and note when each step ends; the states of a stateful model stay as they are.

        Returns:
            The plan, and nanoseconds of a clock: at the start, then after each of the program's steps.
        """
        arrays = self._feed(inputs)
        plan = self.plan([array.shape for array in arrays])
        times = np.zeros(len(plan.program.steps) + 1, np.int64)
        self._execute(plan, arrays, [], times)
        return plan, times

    def _remember(self, plan: Plan, arrays: list[Array], results: list[Array]) -> None:
        """Let the next run of the same kind take the short way."""
        from graphflow.runtime._executor import FastPath

        with self._lock:
            if self._fast is None:
                self._fast = FastPath(EPOCH)
            if EPOCH[0] == self._epoch:
                self._fast.remember(plan.pool, plan.program, arrays, results)

    @property
    def arena_bytes(self) -> dict[tuple[Shape, ...], int]:
        """The size of the arena of each plan, by input shapes."""
        return {key[0]: plan.arena_bytes for key, plan in self._plans.items()}

    def release_weights(self) -> None:
        """Let go of the model's weights once this session has bound them: a run needs the packed form alone.

        The session runs on, also with other batches; what needs the weights themselves raises `DataError` (a plan that
        packs them otherwise, `close`, pickling, saving, other sessions) until they are set anew. Weights that kernels
        read as they are stay.

        Raises:
            GraphError: the session has not run yet, so nothing is bound.

        Example:
            >>> import numpy as np
            >>> from graphflow import Input, Model
            >>> from graphflow.layers import Dense
            >>> x = Input((4,))
            >>> model = Model(x, Dense(2)(x))
            >>> session = model.session()
            >>> before = session.run([np.ones((3, 4), "float32")])[0]
            >>> session.release_weights()
            >>> bool((session.run([np.ones((2, 4), "float32")])[0] == before[:2]).all())
            True
            >>> model.get_weights()
            Traceback (most recent call last):
            graphflow.errors.DataError: The values of variable ... were released by a session that keeps them in ...
        """
        with self._lock:
            if not self._plans:
                raise GraphError("release_weights needs a session that has run: until then nothing is bound.")
            for variable in self._variables:
                variable.release()

    def close(self) -> None:
        """Free plans, contexts and bound weights; the next run makes them anew."""
        with self._lock:
            self._fast = None
            self._plans.clear()
            self._largest.clear()
            self._bindings.forget()
