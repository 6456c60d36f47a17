"""A graph as text, one line a node, for people and for differences between two graphs."""

from __future__ import annotations

from typing import Any

from graphflow.ir.graph import Graph, Value


def _attr(value: Any) -> str:
    return value.__name__ if callable(value) and hasattr(value, "__name__") else repr(value)


def format_graph(graph: Graph) -> str:
    """The whole graph as text.

    Example of a line: `%2 float32(None, 10) = dense(%1, @dense/kernel, @dense/bias, -)  # dense`
    """
    names: dict[Value, str] = {}

    def show(value: Value | None) -> str:
        if value is None:
            return "-"
        if value.kind == "variable":
            return f"@{value.payload.path}"
        if value.kind == "constant":
            array = value.payload
            return repr(array.item()) if array.size == 1 else f"const:{value.spec}"
        return names[value]

    lines = [f"graph {graph.name}"]
    for value in graph.inputs:
        names[value] = f"%{value.name}"
        lines.append(f"  input {names[value]} {value.spec}")
    for number, node in enumerate(graph.ordered()):
        for value in node.outputs:
            names[value] = f"%{number}" if node.op.single else f"%{number}.{value.index}"
        left = ", ".join(f"{names[value]} {value.spec}" for value in node.outputs)
        attrs = ", ".join(f"{key}={_attr(value)}" for key, value in sorted(node.attrs.items()))
        args = ", ".join(show(value) for value in node.inputs)
        origin = f"  # {'/'.join(node.origin)}" if node.origin else ""
        lines.append(f"  {left} = {node.op.name}({args}{'; ' if attrs else ''}{attrs}){origin}")
    for name, value in zip(graph.output_names, graph.outputs, strict=True):
        lines.append(f"  output {name} = {show(value)}")
    for variable, value in graph.updates:
        lines.append(f"  update @{variable.path} = {show(value)}")
    return "\n".join(lines)
