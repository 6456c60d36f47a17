"""What is looked at: a model of any kind as a graph and a session, with concrete shapes, and inputs made up for it.

A model is anything with `graph()` and `session()`; a graph or a session can be given itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np

from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError, nearest
from graphflow.ir.data import from_data
from graphflow.ir.graph import Graph, Node, Value
from graphflow.knobs import knobs
from graphflow.models import Model
from graphflow.models.graph_model import GraphModel
from graphflow.ops.array import VIEWS
from graphflow.runtime.feed import check_names
from graphflow.runtime.session import Session
from graphflow.runtime.shapes import Concrete
from graphflow.spec import Shape, TensorSpec, format_shape

Array = np.ndarray[Any, Any]


class Subject:
    """A model for certain input shapes.

    Attributes:
        model, name: what was given, and what reports call it.
        graph: its portable graph, before any pass.
        shapes: of its inputs, without None.
    """

    def __init__(self, model: Any, input_shapes: Any = None) -> None:
        """Take a model, session or graph apart.

        Args:
            input_shapes: None; a shape, for one input; shapes in the order of the inputs; or shapes by input name,
                those left out being as described. A batch of unknown size is that of the other inputs, or 1.

        Raises:
            ArgumentTypeError: something else than a model.
            ArgumentError: an unknown name, another number of shapes, or an axis whose size is nowhere said.
            ShapeError: a shape that does not fit the input.
        """
        self.model = model
        self._session: Session | None = None
        if isinstance(model, GraphModel):
            self.shapes = _shapes([(one.name, one.shape) for one in model.inputs], input_shapes)
            self._session = model.session(self.shapes)  # type: ignore[arg-type]
            self.graph = from_data(self._session._portable)
        else:
            self.graph = graph_of(model)
            self.shapes = concrete_shapes(self.graph, input_shapes)
        self.name = name_of(model)

    @property
    def session(self) -> Session:
        """The runnable form: the model's own."""
        if self._session is None:
            self._session = session_of(self.model)
        return self._session

    @property
    def named_shapes(self) -> dict[str, Any]:
        """The shapes by input name."""
        return {value.name: shape for value, shape in zip(self.graph.inputs, self.shapes, strict=True)}

    def arrays(self, inputs: Any = None, seed: int = 0) -> list[Array]:
        """The inputs as the session takes them; made up where none are given."""
        if inputs is None:
            return made_up(self.graph, self.shapes, seed)
        flat = getattr(self.model, "_flat", None)
        given = flat(inputs) if flat is not None else [inputs] if hasattr(inputs, "shape") else inputs
        return self.session._feed(given)


def subject_for(model: Any, inputs: Any = None, input_shapes: Any = None) -> Subject:
    """A model for the shapes of the inputs that are given, else for `input_shapes`."""
    if inputs is None:
        return Subject(model, input_shapes)
    names = input_names(model)
    if isinstance(inputs, Mapping):
        check_names(inputs, names)
        given = [inputs[name] for name in names]
    else:
        given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    if len(given) != len(names):
        raise ArgumentError(f"The model has {len(names)} inputs ({', '.join(names)}), received {len(given)}.")
    return Subject(model, [np.shape(one) for one in given])


def input_names(model: Any) -> list[str]:
    """The names of a model's inputs."""
    return [value.name for value in model.inputs] if isinstance(model, Graph) else list(model.input_names)


def graph_of(model: Any) -> Graph:
    """The portable graph of a model, session or graph, with open sizes as they are described.

    Raises:
        ArgumentTypeError: something else.
    """
    if isinstance(model, Graph):
        return model
    if isinstance(model, Session):
        return from_data(model._portable)
    if isinstance(model, (Model, GraphModel)):
        return model.graph()
    raise ArgumentTypeError(f"Expected a model, a Session or a Graph, received {type(model).__name__}.")


def session_of(model: Any) -> Session:
    """The runnable form of a model, session or graph: a model's own."""
    if isinstance(model, Session):
        return model
    return Session(model) if isinstance(model, Graph) else model.session()


def kept_settings(session: Session) -> AbstractContextManager[None]:
    """Sessions that are made in this `with` block keep the settings of another one."""
    bound = session.winograd_memory
    return knobs(precision=session.precision, winograd_memory=-2 if bound is None else bound)


def name_of(model: Any) -> str:
    """What a report calls a model."""
    return str(model.graph.name if isinstance(model, Session) else model.name)


def concrete_shapes(graph: Graph, given: Any = None) -> list[Shape]:
    """A shape without None for each input of a graph; see `Subject`."""
    return _shapes([(value.name, value.spec.shape) for value in graph.inputs], given)


def _shapes(described: Sequence[tuple[str, Shape | None]], given: Any = None) -> list[Shape]:
    """A shape without None for each input.

    Args:
        described: the name and the shape of each input, None where even its rank is open.
    """
    names = [name for name, _ in described]
    if given is None:
        wanted: list[Any] = [None] * len(names)
    elif isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise ArgumentError(f"The model has no input {name!r}.{nearest(str(name), names)}")
        wanted = [given.get(name) for name in names]
    elif len(names) == 1 and all(one is None or isinstance(one, (int, np.integer)) for one in given):
        wanted = [given]
    else:
        wanted = list(given)
    if len(wanted) != len(names):
        raise ArgumentError(f"The model has {len(names)} inputs ({', '.join(names)}), received {len(wanted)} shapes.")
    batches = [int(wish[0]) for wish in wanted if wish is not None and len(wish) and wish[0] is not None]
    batch = batches[0] if batches else 1
    return [_concrete(name, shape, wish, batch) for (name, shape), wish in zip(described, wanted, strict=True)]


def _concrete(name: str, described: Shape | None, given: Any, batch: int) -> Shape:
    if described is None and given is None:
        raise ArgumentError(f"Input {name!r} says no shape of its own: {_hint(name)}")
    wanted = tuple(described or given or ()) if described is None else described
    wishes = (None,) * len(wanted) if given is None else tuple(given)
    fits = len(wishes) == len(wanted) and all(
        size is None or wish is None or int(wish) == size for size, wish in zip(wanted, wishes, strict=True)
    )
    if not fits:
        raise ShapeError(f"Input {name!r} takes shape {format_shape(wanted)}, received {format_shape(wishes)}.")
    sizes: list[int] = []
    for axis, (size, wish) in enumerate(zip(wanted, wishes, strict=True)):
        known = size if wish is None else int(wish)
        if known is None and axis:
            raise ArgumentError(
                f"Axis {axis} of input {name!r}, of shape {format_shape(wanted)}, has no size of its own: {_hint(name)}"
            )
        sizes.append(batch if known is None else known)
    return tuple(sizes)


def _hint(name: str) -> str:
    return f"give one, such as input_shapes={{{name!r}: ...}} or --shape {name}=...."


class Running(NamedTuple):
    """What a run of certain shapes computes: the nodes in order, and concrete specs."""

    nodes: list[Node]
    specs: dict[Value, TensorSpec]


def running(graph: Graph, shapes: Sequence[Shape]) -> Running:
    """What a run of these shapes computes.

    What depends on constants and variables alone, what shapes alone decide, and what nothing needs, is left out.

    Raises:
        ShapeError: the shapes do not fit together; the message names the layer.
    """
    order = [node for node in graph.ordered() if node.stage == "run"]
    found = Concrete(graph, order, shapes)
    wanted = set(graph.results())
    needed = []
    for node in reversed(found.order):
        if node.op.effect in ("pure", "random") and not any(value in wanted for value in node.outputs):
            continue
        needed.append(node)
        wanted.update(value for value in node.inputs if value is not None)
    return Running(needed[::-1], found.specs)


def layer_name(node: Node) -> str:
    """The path of the layer that a node came from; the op's own name where there is none."""
    return "/".join(node.origin) or node.op.name


def made_up(graph: Graph, shapes: Sequence[Shape], seed: int = 0) -> list[Array]:
    """Inputs for a model from a seed: floats of a standard normal distribution, whole numbers within what takes them.

    Whole numbers are 0 or 1, or below the number of rows of the table that an embedding looks them up in.
    """
    generator = np.random.default_rng(seed)
    arrays = []
    for value, shape in zip(graph.inputs, shapes, strict=True):
        kind = np.dtype(value.spec.dtype)
        size: Any = shape
        table = _rows(value)
        if kind.kind == "f" and not table:
            arrays.append(generator.standard_normal(size).astype(kind))
        elif kind.kind == "b":
            arrays.append(generator.random(size) < 0.5)
        else:
            arrays.append(generator.integers(0, table or 2, size).astype(kind))
    return arrays


PASSING = (*VIEWS, "cast", "concatenate", "getitem", "split", "transpose")
"""Ops that hand whole numbers on as they are."""


def _rows(value: Value) -> int | None:
    """The fewest rows of the tables that embeddings look a value up in; None where there is none."""
    fewest: int | None = None
    waiting, seen = [value], {value}
    while waiting:
        for node in waiting.pop().uses:
            if node.op.name == "embedding" and node.inputs[0] in seen:
                table = node.inputs[1]
            elif node.op.name in PASSING:
                waiting += [one for one in node.outputs if one not in seen]
                seen.update(node.outputs)
                continue
            else:
                continue
            size = None if table is None else table.spec.shape[0]
            if size is not None:
                fewest = size if fewest is None else min(fewest, size)
    return fewest
