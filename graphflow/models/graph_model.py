"""`GraphModel`: a model that is a program of ops, and no layers: what files of other systems become.

A program is a callable that applies `graphflow.ops` functions to whatever operands it is given:

    on graph values    it builds a graph, which is tuned, planned and run by a session
    on arrays          it computes at once, with the references

One graph with open sizes serves all input shapes where that can be built. Where the program must know its sizes, a
graph is built for each set of input shapes, and what follows from shapes is computed while it is built. Where it must
know the data, it runs in segments, each planned when its inputs are there; see `graphflow.models.segments`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from graphflow.errors import ArgumentError, ArgumentTypeError, GraphflowError, ShapeError, UnsupportedError
from graphflow.ir.build import GraphBuilder
from graphflow.ir.graph import Graph
from graphflow.models.forwarded import Forwarded
from graphflow.models.predict import is_batches, predict_arrays, predict_batches
from graphflow.models.segments import SegmentCache, Segments
from graphflow.ops.known import UnknownValueError, value_of
from graphflow.ops.registry import OpDef
from graphflow.runtime.feed import as_array, as_input, check_names
from graphflow.runtime.session import Session
from graphflow.spec import Shape, TensorSpec, format_shape
from graphflow.variable import Variable

Array = np.ndarray[Any, Any]
Scope = Callable[[tuple[str, ...]], AbstractContextManager[Any]]
"""From an origin to a context in which nodes come from there."""

MOST_GRAPHS = 16
"""Graphs for concrete shapes that a model keeps, fewer where their packed weights would take more than `MOST_BYTES`."""
MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class ValueSpec:
    """An input or output of a program.

    Args:
        name: of the value.
        shape: its dimensions, None where one is not fixed; None where not even the rank is.
        dtype: of its elements.
        kind: "tensor", or what else it is ("sequence", "optional").
    """

    name: str
    shape: Shape | None
    dtype: str
    kind: str = "tensor"

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}{'(any shape)' if self.shape is None else format_shape(self.shape)}"


class Program(Protocol):
    """What a `GraphModel` runs."""

    @property
    def variables(self) -> Sequence[Variable]:
        """The weights that it uses."""

    def __call__(self, operands: Sequence[Any], scope: Scope) -> Sequence[Any]:
        """Apply ops to operands, inside `scope(origin)` where an origin is known, and return the outputs."""


class _Builder(GraphBuilder):
    """Hands out arrays for what follows from shapes, and with `concrete` asks for every shape to be known."""

    def __init__(self, name: str, concrete: bool) -> None:
        super().__init__(name)
        self._concrete = concrete

    def apply(self, op: OpDef, args: Sequence[Any], attrs: dict[str, Any]) -> Any:
        made = super().apply(op, args, attrs)
        tensors = (made,) if op.single else made
        if self._concrete and not all(tensor.spec.is_static for tensor in tensors):
            raise UnknownValueError(f"The shape of what {op.name!r} makes depends on data.")
        known = tuple(
            tensor if tensor.known is None or tensor.known.dtype.kind == "f" else tensor.known for tensor in tensors
        )
        return known[0] if op.single else known


class GraphModel(Forwarded):
    """A runnable program of ops.

    Args:
        program: see `Program`; picklable, if the model shall be.
        inputs, outputs: what it takes and gives.
        name: of the model.

    Example:
        >>> import numpy as np
        >>> from graphflow import ops
        >>> from graphflow.models.graph_model import GraphModel, ValueSpec
        >>> class Half:
        ...     variables = ()
        ...     def __call__(self, operands, scope):
        ...         return [ops.multiply(operands[0], 0.5)]
        >>> model = GraphModel(Half(), [ValueSpec("x", (None, 2), "float32")], [ValueSpec("y", None, "float32")])
        >>> model(np.ones((1, 2), "float32"))
        array([[0.5, 0.5]], dtype=float32)
    """

    def __init__(
        self, program: Program, inputs: Sequence[ValueSpec], outputs: Sequence[ValueSpec], name: str = "graph"
    ) -> None:
        self.program = program
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.name = name
        self._prepare()

    def _prepare(self) -> None:
        self._lock = threading.RLock()
        self._open: Session | None = None
        self._open_failed: GraphflowError | None = None
        self._sessions: OrderedDict[tuple[Shape, ...], Session | None] = OrderedDict()
        self._segments = SegmentCache()

    def __getstate__(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("program", "inputs", "outputs", "name")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()

    # -- structure

    @property
    def input_names(self) -> list[str]:
        """The names by which a dict of arrays is taken."""
        return [one.name for one in self.inputs]

    @property
    def output_names(self) -> list[str]:
        return [one.name for one in self.outputs]

    @property
    def input(self) -> Any:
        """The one input's specification, or a list of them."""
        return self._single(list(self.inputs))

    @property
    def output(self) -> Any:
        """The one output's specification, or a list of them."""
        return self._single(list(self.outputs))

    @property
    def weights(self) -> list[Variable]:
        """The variables that the program uses."""
        return list(self.program.variables)

    variables = weights

    @property
    def _most_graphs(self) -> int:
        held = sum(variable.value.nbytes for variable in self.weights)
        return max(2, min(MOST_GRAPHS, MOST_BYTES // max(held, 1)))

    def count_params(self) -> int:
        """The number of elements of all weights."""
        return sum(variable.value.size for variable in self.weights)

    def graph(self, input_shapes: Sequence[Sequence[int | None]] | None = None) -> Graph:
        """The model as a graph of operations.

        Args:
            input_shapes: one for each input; None: the shapes that the model declares, with their open sizes.

        Raises:
            UnsupportedError: no graph can be built, because something depends on sizes or data that are not known.
            ShapeError: shapes that the model does not take.
        """
        if input_shapes is None:
            return self._build([self._declared(one) for one in self.inputs])
        if len(input_shapes) != len(self.inputs):
            raise ArgumentError(f"This model has {len(self.inputs)} inputs, received {len(input_shapes)} shapes.")
        return self._build(
            [TensorSpec(tuple(shape), one.dtype) for one, shape in zip(self.inputs, input_shapes, strict=True)]
        )

    def session(self, input_shapes: Sequence[Sequence[int]] | None = None) -> Session:
        """The runnable form, made when it is first asked for, and kept; arguments and errors as `graph`."""
        if input_shapes is not None:
            found = self._session(tuple(tuple(shape) for shape in input_shapes))
            if found is None:
                self.graph(input_shapes)  # which says why there is none
                raise UnsupportedError(f"Model {self.name!r} can not be planned for {input_shapes}.")
            return found
        with self._lock:
            if self._open is None:
                self._open = Session(self.graph())
        return self._open

    @staticmethod
    def _declared(one: ValueSpec) -> TensorSpec:
        if one.shape is None or one.kind != "tensor":
            raise UnknownValueError(f"Input {one.name!r} declares no shape: pass input_shapes=.")
        return TensorSpec(one.shape, one.dtype)

    def _build(self, specs: Sequence[TensorSpec]) -> Graph:
        builder = _Builder(self.name, all(spec.is_static for spec in specs))
        operands = [builder.input(spec, one.name) for spec, one in zip(specs, self.inputs, strict=True)]
        with builder.tracing():
            results = self.program(operands, builder.within)
        for result, one in zip(results, self.outputs, strict=True):
            if isinstance(result, (list, tuple)) or result is None:
                raise UnknownValueError(f"Output {one.name!r} is no tensor, so that no graph can hold it.")
            builder.output(result, one.name)
        return builder.graph

    # -- running

    def _session(self, shapes: tuple[Shape, ...]) -> Session | None:
        """The session for these input shapes; None when the program must see the data."""
        with self._lock:
            if shapes in self._sessions:
                self._sessions.move_to_end(shapes)
                return self._sessions[shapes]
            found = self._from_open_sizes(shapes)
            if found is None:
                try:
                    found = Session(self.graph(shapes))  # type: ignore[arg-type]
                except UnknownValueError:
                    found = None
            self._sessions[shapes] = found
            if len(self._sessions) > self._most_graphs:
                self._sessions.popitem(last=False)
            return found

    def _from_open_sizes(self, shapes: tuple[Shape, ...]) -> Session | None:
        """The session that serves all shapes, if there is one and it serves these."""
        if self._open is None and self._open_failed is None:
            try:
                self.session()
            except GraphflowError as error:
                self._open_failed = error
        if self._open is not None:
            try:
                self._open.plan(shapes)
            except ShapeError:
                return None
        return self._open

    def run(self, arrays: Sequence[Any]) -> list[Any]:
        """The outputs for arrays in the order of the inputs."""
        fed = [_fed(given, one) for given, one in zip(arrays, self.inputs, strict=True)]
        if all(one.kind == "tensor" for one in self.inputs):
            session = self._session(tuple(array.shape for array in fed))
            if session is not None:
                return session.run(fed)
        segments = Segments(self._segments, self.name)
        operands = [segments.input(one) if isinstance(one, np.ndarray) else one for one in fed]
        with np.errstate(all="ignore"), segments.tracing():
            results = self.program(operands, segments.within)
            return [_given_out(result) for result in results]

    def _flat(self, *args: Any) -> list[Any]:
        """What was given for the inputs, in their order."""
        names = self.input_names
        if len(args) == 1 and isinstance(args[0], Mapping):
            check_names(args[0], names)
            return [args[0][name] for name in names]
        if len(args) == 1 and isinstance(args[0], (list, tuple)):
            items = list(args[0])
            if len(names) != 1 or (len(items) == 1 and hasattr(items[0], "shape")):
                args = tuple(items)
        if len(args) != len(names):
            raise ArgumentError(
                f"Model {self.name!r} has {len(names)} inputs ({', '.join(names)}), received {len(args)}."
            )
        return list(args)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run on arrays: in the order of the inputs, as one list, or as one dict by name.

        Returns:
            The output, or a list of them where there are several.
        """
        if kwargs:
            raise ArgumentTypeError(
                f"A model is called on arrays in order or on a dict by name, received {sorted(kwargs)[0]!r}=."
            )
        return self._single(self.run(self._flat(*args)))

    predict_on_batch = __call__

    @staticmethod
    def _single(outputs: list[Any]) -> Any:
        return outputs[0] if len(outputs) == 1 else outputs

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: int | None = None) -> Any:
        """The outputs for all rows, computed in batches; every input must have the rows as its first axis.

        Args:
            x: an array, a list of arrays in the order of the inputs, a dict by name, or an iterator of batches.
            batch_size: rows per batch; None: what the model declares, else 32.
            verbose: "auto" or 1: a bar on a terminal; 0: none.
            steps: stop after so many batches.

        Raises:
            ArgumentError: missing or unknown inputs.
            ShapeError, DTypeError, DataError: an input that does not fit; the message names it.
        """
        runner: Any = _Runner(self)
        if is_batches(x):
            return self._single(predict_batches(runner, x, steps, verbose, lambda given: self._flat(given)))
        fixed = {one.shape[0] for one in self.inputs if one.shape}
        size = fixed.pop() if batch_size is None and len(fixed) == 1 else batch_size
        return self._single(predict_arrays(runner, self._flat(x), size, verbose, steps))

    def __repr__(self) -> str:
        takes, gives = (", ".join(map(str, one)) for one in (self.inputs, self.outputs))
        return f"<GraphModel {self.name!r}: ({takes}) -> ({gives})>"


def _fed(given: Any, one: ValueSpec) -> Any:
    if one.kind != "tensor":
        return given
    if one.shape is not None:
        return as_input(given, TensorSpec(one.shape, one.dtype), one.name)
    array = as_array(given, one.name)
    return as_input(array, TensorSpec(array.shape, one.dtype), one.name)


def _given_out(result: Any) -> Any:
    if isinstance(result, (list, tuple)):
        return [_given_out(one) for one in result]
    if result is None:
        return None
    return value_of(result)


class _Runner:
    """What `predict` asks of a session, for a model that may have none."""

    def __init__(self, model: GraphModel) -> None:
        self._model = model
        self.input_names = model.input_names
        self.graph = self
        self.inputs: Iterable[Any] = [_Fed(one) for one in model.inputs]

    def run(self, inputs: Sequence[Any], out: Sequence[Array] | None = None) -> list[Any]:
        results = self._model.run(inputs)
        for target, result in zip(out or (), results, strict=False):
            np.copyto(target, result)
        return results


class _Fed:
    """The name and spec of an input."""

    def __init__(self, one: ValueSpec) -> None:
        self.name = one.name
        self.spec = GraphModel._declared(one)
