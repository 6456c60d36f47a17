"""`OnnxProgram`: the nodes of a file, applied one after another to whatever operands there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphflow.errors import GraphflowError, ModelFormatError, located
from graphflow.formats.onnx_read.definitions import GraphDef, NodeDef
from graphflow.formats.onnx_read.registry import find
from graphflow.models.graph_model import Scope
from graphflow.operand import Operand
from graphflow.variable import Variable


class Call:
    """What an operator's function is told about its node.

    Attributes:
        op, version: name and version of the operator.
        outputs: how many outputs the node has.
    """

    __slots__ = ("_definition", "_run", "op", "outputs", "version")

    def __init__(self, definition: NodeDef, run: Any) -> None:
        self._definition = definition
        self._run = run
        self.op = definition.op
        self.version = definition.version
        self.outputs = len(definition.outputs)

    @property
    def name(self) -> str:
        """The node's path, for messages."""
        return "/".join(self._definition.path)

    def wants(self, index: int) -> bool:
        """Whether something takes the output at an index."""
        return index < self.outputs and bool(self._definition.outputs[index])

    def run(self, graph: GraphDef, operands: Sequence[Any] = ()) -> list[Any]:
        """The outputs of a subgraph, which sees what this node sees."""
        outputs: list[Any] = self._run(graph, operands)
        return outputs


class OnnxProgram:
    """A program for `GraphModel`.

    Args:
        graph: checked: every operator is there.
        where: the file, for messages.
    """

    def __init__(self, graph: GraphDef, where: str) -> None:
        self.graph = graph
        self.where = where
        found: dict[Variable, None] = {}
        for one in graph.walk():
            one.find_last_uses()
            found.update((value, None) for value in one.initializers.values() if isinstance(value, Variable))
        self.variables: list[Variable] = list(found)

    def __call__(self, operands: Sequence[Any], scope: Scope) -> list[Any]:
        return self._run(self.graph, operands, {}, scope)

    def _run(self, graph: GraphDef, operands: Sequence[Any], outer: Mapping[str, Any], scope: Scope) -> list[Any]:
        env = dict(outer)
        env.update(graph.initializers)
        if len(operands) != len(graph.inputs):
            raise ModelFormatError(
                f"{self.where}: graph {graph.name!r} takes {len(graph.inputs)} inputs, received {len(operands)}."
            )
        env.update(zip((one.name for one in graph.inputs), operands, strict=True))
        for node, done in zip(graph.nodes, graph.done, strict=True):
            with scope(node.path):
                results = self._apply(node, env, scope)
            env.update(zip(node.outputs, results, strict=False))
            for name in done:
                env.pop(name, None)
        return [self._named(env, one.name, graph.name) for one in graph.outputs]

    def _named(self, env: Mapping[str, Any], name: str, place: str) -> Any:
        try:
            return env[name]
        except KeyError:
            raise ModelFormatError(f"{self.where}: {place} takes {name!r}, which nothing makes before it.") from None

    def _apply(self, node: NodeDef, env: dict[str, Any], scope: Scope) -> tuple[Any, ...]:
        row = find(node.domain, node.op, node.version)
        assert row is not None
        args = [self._named(env, name, node.place) if name else None for name in node.inputs]
        attrs = {name: value for name, value in node.attrs.items() if name in row.attributes}
        call = Call(node, lambda graph, operands: self._run(graph, operands, env, scope))
        try:
            made = row.function(call, *args, **attrs)
        except GraphflowError as error:
            raise located(error, node.place, "onnx") from None
        except (TypeError, ValueError, LookupError, ArithmeticError) as error:
            what = f"can not be applied to these operands and attributes ({type(error).__name__}: {error})."
            raise located(ModelFormatError(what), node.place, "onnx") from error
        results = made if isinstance(made, tuple) else (made,)
        if len(results) < len(node.outputs) and any(node.outputs[len(results) :]):
            raise located(ModelFormatError(f"has {len(results)} outputs, not {len(node.outputs)}."), node.place, "onnx")
        return tuple(_plain(result) for result in results)


def _plain(result: Any) -> Any:
    """Results of NumPy functions are arrays, also single numbers."""
    return np.asarray(result) if isinstance(result, np.generic) and not isinstance(result, Operand) else result
