"""What is looked at: a model of any kind as a graph and a session, with concrete shapes, and inputs made up for it.

A model is anything with `graph()` and `session()`; a graph or a session can be given itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError, nearest
from graphflow.ir.data import from_data
from graphflow.ir.graph import Graph, Node, Value
from graphflow.ir.stage import stages
from graphflow.ops.array import VIEWS
from graphflow.runtime.session import Session
from graphflow.runtime.shapes import Concrete
from graphflow.spec import Shape, TensorSpec, format_shape

Array = np.ndarray[Any, Any]


def graph_of(model: Any) -> Graph:
    """The portable graph of a model, session or graph: before any pass.

    Raises:
        ArgumentTypeError: something else.
    """
    if isinstance(model, Graph):
        return model
    if isinstance(model, Session):
        return from_data(model._portable)
    if hasattr(model, "graph") and hasattr(model, "session"):
        found: Graph = model.graph()
        return found
    raise ArgumentTypeError(f"Expected a model, a Session or a Graph, received {type(model).__name__}.")


def session_of(model: Any) -> Session:
    """The runnable form of a model, session or graph.

    Raises:
        ArgumentTypeError: something else.
    """
    if isinstance(model, Session):
        return model
    if isinstance(model, Graph):
        return Session(model)
    graph_of(model)
    found: Session = model.session()
    return found


def name_of(model: Any) -> str:
    """What a report calls a model."""
    return str(model.graph.name if isinstance(model, Session) else model.name)


def concrete_shapes(graph: Graph, given: Any = None) -> list[Shape]:
    """A shape without None for each input of a graph.

    Args:
        given: None; a shape, for one input; shapes in the order of the inputs; or shapes by input name, those left out
            being as described. A batch of unknown size is 1.

    Raises:
        ArgumentError: an unknown name, another number of shapes, or an axis whose size is nowhere said.
        ShapeError: a shape that does not fit the input.
    """
    names = [value.name for value in graph.inputs]
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
    return [_concrete(value, shape) for value, shape in zip(graph.inputs, wanted, strict=True)]


def _concrete(value: Value, given: Any) -> Shape:
    described = value.spec.shape
    if given is not None and len(given) != len(described):
        raise ShapeError(
            f"Input {value.name!r} takes shape {format_shape(described)}, received {format_shape(tuple(given))}."
        )
    sizes: list[int] = []
    for axis, (size, wish) in enumerate(zip(described, given or (None,) * len(described), strict=True)):
        if size is not None and wish is not None and int(wish) != size:
            raise ShapeError(
                f"Input {value.name!r} takes shape {format_shape(described)}, received {format_shape(tuple(given))}."
            )
        known = size if wish is None else int(wish)
        if known is None and axis:
            raise ArgumentError(
                f"Axis {axis} of input {value.name!r}, of shape {format_shape(described)}, has no size of its own: "
                f"give a shape for it, such as input_shapes={{{value.name!r}: ...}} or --shape {value.name}=...."
            )
        sizes.append(1 if known is None else known)
    return tuple(sizes)


def with_batch(graph: Graph, shapes: Any, batch: int | None) -> Any:
    """Shapes by input name, in which a batch of unknown size is `batch`."""
    if batch is None:
        return shapes
    named = dict(shapes or {})
    for value in graph.inputs:
        if value.spec.shape and value.spec.shape[0] is None and value.name not in named:
            named[value.name] = (batch, *value.spec.shape[1:])
    return named


class Running(NamedTuple):
    """What a run of certain shapes computes: the nodes in order, concrete specs, and the stage of every value."""

    nodes: list[Node]
    specs: dict[Value, TensorSpec]
    stage: dict[Value, str]


def running(graph: Graph, shapes: Sequence[Shape]) -> Running:
    """What a run of these shapes computes.

    What depends on constants and variables alone, what shapes alone decide, and what nothing needs, is left out.

    Raises:
        ShapeError: the shapes do not fit together; the message names the layer.
    """
    stage = stages(graph)
    order = [node for node in graph.ordered() if any(stage[value] == "run" for value in node.outputs)]
    found = Concrete(graph, order, shapes)
    wanted = set(graph.results())
    needed = []
    for node in reversed(found.order):
        if node.op.effect in ("pure", "random") and not any(value in wanted for value in node.outputs):
            continue
        needed.append(node)
        wanted.update(value for value in node.inputs if value is not None)
    return Running(needed[::-1], found.specs, stage)


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
