"""Models as ONNX files.

    model.graph()    ops, as lowered: layers' names as origins, weights as variables
    prepared         what is dead or changes nothing goes; what ONNX has no operator for becomes a scan
    Writer           nodes of ONNX, with values in several orders of axes
    proto            ONNX' own objects, and the file

Only passes that keep every number run before: no batch normalisation is folded and nothing is fused, so that the file
has the model's own weights under their own names, and the runtime that opens it may tune it in its way.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ArgumentTypeError
from graphflow.formats.onnx_write import proto
from graphflow.formats.onnx_write.dims import input_dims, output_dims
from graphflow.formats.onnx_write.entries import Entry
from graphflow.formats.onnx_write.recurrent import as_scans
from graphflow.formats.onnx_write.rows import CONVERTERS
from graphflow.formats.onnx_write.writer import Array, Writer
from graphflow.ir.graph import Graph
from graphflow.ir.record import Journal
from graphflow.passes.eliminate_dead_nodes import eliminate_dead_nodes
from graphflow.passes.fold_constants import fold_constants
from graphflow.passes.remove_identities import remove_identities

__all__ = ["NEWEST_OPSET", "OLDEST_OPSET", "export", "operators", "opset_of", "to_onnx"]

OLDEST_OPSET, NEWEST_OPSET = 13, 26
"""The opsets that can be written; the newest is the newest that ONNX Runtime 1.31 takes as released."""

OUTSIDE_FROM = 1024
"""Weights of at least so many bytes go to the file beside the model, where there is one."""


def export(
    model: Any,
    filepath: str | os.PathLike[str],
    format: str = "onnx",
    *,
    opset: int | None = None,
    external_data: bool | None = None,
) -> None:
    """Write a model as an ONNX file.

    Args:
        model: a `Model`, or anything with `graph()`, or the graph itself.
        filepath: of the file; it is replaced if it is there.
        format: "onnx".
        opset: the version of ONNX' operators, from 13 to 26 (the default, or the newest that the onnx package knows).
        external_data: whether weights go to a second file, `filepath` + ".data"; None: above 2 GB, where they must.

    Raises:
        UnsupportedError: an operation that ONNX can not say, named with its layer; or the onnx package is missing.
        ArgumentError: another format, or an opset outside the range.
        OSError: the file can not be written.

    Example:
        >>> from graphflow import Input, Model
        >>> from graphflow.formats.onnx_write import export
        >>> x = Input((4,))
        >>> export(Model(x, x), "model.onnx", opset=5)
        Traceback (most recent call last):
        graphflow.errors.ArgumentError: opset must be an integer from 13 to 26, received 5.
    """
    if format != "onnx":
        raise ArgumentError(f"A model is exported as 'onnx', received format={format!r}.")
    text = _Text(model, opset)
    outside = external_data if external_data is not None else text.nbytes > proto.MOST_INSIDE
    if not outside:
        if text.nbytes > proto.MOST_INSIDE:
            raise ArgumentError(
                f"{os.fspath(filepath)}: {text.nbytes:,} bytes of weights do not fit into one ONNX file, which ends at "
                "2 GB; external_data=True puts them beside it."
            )
        proto.save(text.model(text.arrays), {}, os.fspath(filepath))
        return
    large = {name: array for name, array in text.arrays.items() if array.nbytes >= OUTSIDE_FROM}
    small = {name: array for name, array in text.arrays.items() if name not in large}
    proto.save(text.model(small), large, os.fspath(filepath))


def to_onnx(model: Any, *, opset: int | None = None) -> Any:
    """A model as an `onnx.ModelProto`; the arguments and errors are those of `export`."""
    text = _Text(model, opset)
    return text.model(text.arrays)


def operators(model: Any, *, opset: int | None = None) -> dict[str, int]:
    """Which operators of ONNX a model's file has, and how many of each; nothing is written, and onnx is not needed.

    Args:
        model, opset: as for `export`.

    Raises:
        UnsupportedError: an operation that ONNX can not say, named with its layer.

    Example:
        >>> from graphflow import Input, Model
        >>> from graphflow.formats.onnx_write import operators
        >>> from graphflow.layers import BatchNormalization, Conv2D
        >>> x = Input((28, 28, 1))
        >>> operators(Model(x, BatchNormalization()(Conv2D(8, 3, activation="relu")(x))))
        {'Reshape': 1, 'Conv': 1, 'Relu': 1, 'BatchNormalization': 1, 'Transpose': 1}
    """
    counts: Counter[str] = Counter()
    for entry in _Text(model, NEWEST_OPSET if opset is None else opset).entries:
        counts.update(entry.kinds())
    return dict(counts)


def opset_of(opset: int | None) -> int:
    """A version of the operators that can be written, by default the newest that the onnx package knows, too."""
    if opset is None:
        return min(NEWEST_OPSET, int(proto.require_onnx().defs.onnx_opset_version()))
    if isinstance(opset, bool) or not isinstance(opset, (int, np.integer)) or not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise ArgumentError(f"opset must be an integer from {OLDEST_OPSET} to {NEWEST_OPSET}, received {opset!r}.")
    return int(opset)


def _graph_of(model: Any) -> Graph:
    """The graph of a model, ready to be written: a copy that may be changed."""
    from graphflow.ir.data import from_data, to_data

    if isinstance(model, Graph):
        graph = from_data(to_data(model))
    elif callable(getattr(model, "graph", None)):
        graph = model.graph()
    else:
        raise ArgumentTypeError(f"Expected a model or a graph, received {model!r}.")
    journal = Journal()
    eliminate_dead_nodes(graph, journal)
    fold_constants(graph, journal)
    remove_identities(graph, journal)
    as_scans(graph)
    eliminate_dead_nodes(graph, journal)
    return graph


class _Text:
    """What stands in the file, as plain Python."""

    def __init__(self, model: Any, opset: int | None) -> None:
        self.opset = opset_of(opset)
        self.graph = graph = _graph_of(model)
        states = [variable for variable in graph.variables() if variable.changes_in_runs and variable.role == "state"]
        writer = Writer(graph, self.opset, CONVERTERS)
        wanted = [*graph.output_names, *(f"{variable.path}/next" for variable, _ in graph.updates)]
        names = [*(value.name for value in graph.inputs), *(variable.path for variable in states)]
        writer.names.reserve([*names, *wanted])
        for value in graph.inputs:
            writer.element_type(value.spec.dtype)
            writer.put(value, value.name)
        for variable in states:
            writer.put(graph.variable(variable), variable.path)
        writer.walk()
        results = list(graph.results())
        made = [writer.get(value) for value in results]
        self.outputs = _name_outputs(writer, made, wanted, set(names))
        self.entries: list[Entry] = writer.finished(self.outputs)
        used = {name for entry in self.entries for name in entry.taken()} | set(self.outputs)
        self.states = {variable.path: np.asarray(variable.value) for variable in states}
        self.arrays: dict[str, Array] = {name: one for name, one in writer.arrays.items() if name in used}
        self.arrays.update(self.states)
        self.nbytes = sum(array.nbytes for array in self.arrays.values())
        dims = input_dims(graph)
        self._inputs = [(value.name, value.spec, one) for value, one in zip(graph.inputs, dims, strict=True)]
        self._inputs += [(variable.path, variable.spec, list(variable.spec.shape)) for variable in states]
        self._outputs = list(
            zip(self.outputs, [value.spec for value in results], output_dims(graph, results, dims), strict=True)
        )

    def model(self, arrays: dict[str, Array]) -> Any:
        """The ModelProto, with these weights inside."""
        inputs = [proto.value_info(*one) for one in self._inputs]
        outputs = [proto.value_info(*one) for one in self._outputs]
        notes = {f"state {name}": f"{name}/next" for name in self.states}
        return proto.model_proto(self.graph.name, self.entries, inputs, outputs, arrays, self.opset, notes)


def _name_outputs(writer: Writer, made: list[str], wanted: list[str], fixed: set[str]) -> list[str]:
    """Give what is put out the model's names; where a value has a name of its own already, through an Identity."""
    own = {name for entry in writer.entries for name in entry.outputs}
    names: dict[str, str] = {}
    outputs = []
    for name, want in zip(made, wanted, strict=True):
        if name == want and want in fixed and want not in outputs:
            outputs.append(want)
            continue
        if want in fixed or want in outputs:
            want = writer.names.new(f"{want}_output")
        if name in own and name not in names:
            names[name] = want
        else:
            writer.entries.append(Entry("Identity", [name], [want]))
        outputs.append(want)
    for entry in writer.entries:
        entry.rename(names)
    return outputs
