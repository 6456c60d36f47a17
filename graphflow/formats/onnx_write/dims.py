"""Which sizes of the outputs are which sizes of the inputs, found by inferring all shapes for sizes tried out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from graphflow.errors import GraphflowError
from graphflow.ir.graph import Graph, Value
from graphflow.ops.dispatch import infer
from graphflow.ops.shape import follow
from graphflow.spec import TensorSpec

Dims = list[int | str | None]

_TRIED = ((211, 223, 227, 229, 233, 239, 241, 251), (389, 397, 401, 409, 419, 421, 431, 433))
"""Prime sizes, two for each name: an output's size that is the name's both times is that size."""


def input_dims(graph: Graph) -> list[Dims]:
    """The dimensions of the inputs: numbers, and names for those that are not known.

    The first axis is "batch" in all of them, the second of a sequence "time"; others are "dim_2" and so on. Where two
    inputs have such an axis, its name begins with the input's.
    """

    def named(value: Value, axis: int) -> str:
        if axis == 0:
            return "batch"
        return "time" if axis == 1 and value.spec.rank <= 3 else f"dim_{axis}"

    free = [(value, axis) for value in graph.inputs for axis, size in enumerate(value.spec.shape) if size is None]
    counts = Counter(named(value, axis) for value, axis in free)
    found: list[Dims] = []
    for value in graph.inputs:
        dims: Dims = list(value.spec.shape)
        for axis, size in enumerate(value.spec.shape):
            if size is None:
                name = named(value, axis)
                dims[axis] = name if axis == 0 or counts[name] == 1 else f"{value.name}_{name}"
        found.append(dims)
    return found


def output_dims(graph: Graph, values: list[Value], inputs: list[Dims]) -> list[Dims]:
    """The dimensions of values: numbers, names of the inputs' dimensions, and None for what is neither."""
    names = list(dict.fromkeys(one for dims in inputs for one in dims if isinstance(one, str)))
    made: list[Dims] = [list(value.spec.shape) for value in values]
    if len(names) > len(_TRIED[0]):
        return made
    trials = []
    for primes in _TRIED:
        sizes = dict(zip(names, primes, strict=False))
        try:
            specs = _inferred(graph, [[sizes[one] if isinstance(one, str) else one for one in dims] for dims in inputs])
        except GraphflowError:
            return made
        trials.append((sizes, specs))
    for value, dims in zip(values, made, strict=True):
        for axis, size in enumerate(dims):
            if size is None:
                dims[axis] = next((name for name in names if all(_is(t, value, axis, name) for t in trials)), None)
    return made


def _is(trial: tuple[dict[str, int], dict[Value, TensorSpec]], value: Value, axis: int, name: str) -> bool:
    sizes, specs = trial
    return specs.get(value, value.spec).shape[axis] == sizes[name]


def _inferred(graph: Graph, shapes: list[list[Any]]) -> dict[Value, TensorSpec]:
    """The spec of every value for inputs of concrete shapes."""
    found = {value: value.spec.with_shape(shape) for value, shape in zip(graph.inputs, shapes, strict=True)}
    known: dict[Value, Any] = {}
    for node in graph.ordered():
        specs = [None if one is None else found.get(one, one.spec) for one in node.inputs]
        values = [None if one is None else known.get(one) if one in found else one.known for one in node.inputs]
        made = infer(node.op, specs, node.attrs, values)
        found.update(zip(node.outputs, made, strict=True))
        known.update(zip(node.outputs, follow(node.op, node.attrs, specs, made, values), strict=False))
    return found
