"""Running a program whose sizes or branches depend on data: in segments, each a planned graph of its own.

Ops applied to what the run makes are not computed at once. They are added to a graph, until somebody asks for elements
(`ops.known.value_of`), because a size, an axis or a branch depends on them. Then the graph so far is run, as a session
that is kept for the next call that comes to the same place, and the next segment begins with its results as inputs.

    x --- conv ... conv --- scores     first segment, run when the indices of scores above a threshold are asked for
                                 \\__ nonzero (on arrays) __ gather ... second segment
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphflow.errors import ArgumentTypeError
from graphflow.ir.build import GraphBuilder, GraphTensor
from graphflow.operand import Operand
from graphflow.ops.dispatch import evaluate, tracing
from graphflow.ops.registry import OpDef
from graphflow.runtime.session import Session
from graphflow.spec import Shape, TensorSpec
from graphflow.variable import Variable

Array = np.ndarray[Any, Any]
MOST_SEGMENTS = 64
"""Sessions that a model keeps."""
_SHORT = 4096
"""Literals of more bytes are told apart by their digests."""


class Pending(Operand):
    """A tensor that is computed when it is asked for."""

    __slots__ = ("__weakref__", "_run", "array", "spec", "tensor")

    def __init__(self, run: Segments, tensor: GraphTensor) -> None:
        self._run = run
        self.tensor: GraphTensor | None = tensor
        self.array: Array | None = None
        self.spec: TensorSpec = tensor.spec

    @property
    def shape(self) -> Shape:
        return self.spec.shape

    @property
    def dtype(self) -> str:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return len(self.spec.shape)

    def __gf_apply__(self, op: OpDef, args: Sequence[Any], attrs: dict[str, Any]) -> Any:
        return self._run.apply(op, args, attrs)

    def __gf_value__(self) -> Array:
        return self._run.value(self)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(self.shape[0] or 0))

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise ArgumentTypeError("What a run makes is read with ops.known.value_of.")

    def __bool__(self) -> bool:
        raise ArgumentTypeError("What a run makes is read with ops.known.value_of.")


class SegmentCache:
    """The sessions of segments, by what they compute."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[Any, Session] = OrderedDict()
        self._lock = threading.Lock()

    def session(self, key: Any, builder: GraphBuilder) -> Session:
        """The session of a key, made from the builder's graph when it is new."""
        with self._lock:
            found = self._sessions.get(key)
            if found is not None:
                self._sessions.move_to_end(key)
                return found
        made = Session(builder.graph)
        with self._lock:
            self._sessions[key] = made
            if len(self._sessions) > MOST_SEGMENTS:
                self._sessions.popitem(last=False)
        return made

    def __len__(self) -> int:
        return len(self._sessions)


class Segments:
    """One run of a program.

    Args:
        cache: where sessions are kept between runs.
        name: of the model.
    """

    def __init__(self, cache: SegmentCache, name: str) -> None:
        self._cache = cache
        self._name = name
        self._origin: tuple[str, ...] = ()
        self._begin()

    def _begin(self) -> None:
        self._builder = GraphBuilder(self._name)
        self._key: list[Any] = []
        self._places: dict[Any, Any] = {}
        self._fed: list[Array] = []
        self._entered: dict[int, tuple[Any, GraphTensor]] = {}
        self._pending: list[weakref.ref[Pending]] = []

    @contextmanager
    def within(self, origin: tuple[str, ...]) -> Iterator[None]:
        """Nodes added inside come from `origin`."""
        before, self._origin = self._origin, origin
        try:
            yield
        finally:
            self._origin = before

    def input(self, array: Array) -> Pending:
        """An array that was given to the model."""
        made = Pending(self, self._enter(array))
        made.array, made.tensor = array, None
        return made

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Ops on variables alone are part of the segment, too."""
        with tracing(self.apply):
            yield

    def _enter(self, array: Array) -> GraphTensor:
        if id(array) not in self._entered:
            position = len(self._fed)
            spec = TensorSpec(array.shape, array.dtype.name)
            tensor = self._builder.input(spec, f"x{position}")
            self._entered[id(array)] = (array, tensor)
            self._fed.append(np.ascontiguousarray(array).reshape(array.shape))
            self._places[tensor.value] = ("i", position)
            self._key.append(("i", array.shape, spec.dtype))
        return self._entered[id(array)][1]

    def _operand(self, arg: Any) -> tuple[Any, Any]:
        """An argument in the graph of this segment, and what tells it apart from others."""
        if arg is None:
            return None, None
        if isinstance(arg, Pending):
            tensor = arg.tensor if arg.array is None else self._enter(arg.array)
            assert tensor is not None
            return tensor, self._places[tensor.value]
        if isinstance(arg, Variable):
            return arg, ("v", id(arg))
        array = np.asarray(arg)
        data = array.tobytes()
        content = data if len(data) <= _SHORT else hashlib.blake2b(data, digest_size=24).digest()
        return array, ("c", array.shape, array.dtype.name, content)

    def apply(self, op: OpDef, args: Sequence[Any], attrs: dict[str, Any]) -> Any:
        """Add an op to the segment."""
        operands, places = zip(*(self._operand(arg) for arg in args), strict=True) if args else ((), ())
        with self._builder.within(self._origin):
            made = self._builder.apply(op, operands, attrs)
        tensors = (made,) if op.single else made
        if not all(tensor.spec.is_static for tensor in tensors):
            return evaluate(op, [self.value(arg) if isinstance(arg, Pending) else arg for arg in args], attrs)
        number = len(self._key)
        self._key.append((op.name, tuple(sorted(attrs.items(), key=lambda item: item[0])), places))
        found = tuple(self._wrap(tensor, (number, index)) for index, tensor in enumerate(tensors))
        return found[0] if op.single else found

    def _wrap(self, tensor: GraphTensor, place: Any) -> Any:
        known = tensor.known
        if known is not None and known.dtype.kind != "f":
            return known
        self._places[tensor.value] = place
        made = Pending(self, tensor)
        self._pending.append(weakref.ref(made))
        return made

    def value(self, wanted: Pending) -> Array:
        """The elements of a tensor, for which the segment may have to be run."""
        if wanted.array is None:
            self._finish()
        assert wanted.array is not None
        return wanted.array

    def _finish(self) -> None:
        """Run the segment: everything that somebody still holds is computed, and enters the next."""
        live = [one for one in (ref() for ref in self._pending) if one is not None]
        for index, one in enumerate(live):
            self._builder.output(one.tensor, f"y{index}")
        key = (tuple(self._key), tuple(self._places[one.tensor.value] for one in live))  # type: ignore[union-attr]
        try:
            hash(key)
        except TypeError:
            key = (id(self._builder),)  # type: ignore[assignment]
        session = self._cache.session(key, self._builder)
        for one, array in zip(live, session.run(self._fed), strict=True):
            one.array, one.tensor = array, None
        self._begin()
