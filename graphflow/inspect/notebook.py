"""What a notebook shows of a model: a line of facts, and a picture unless that would be large."""

from __future__ import annotations

from html import escape
from typing import Any

from graphflow.errors import GraphflowError
from graphflow.inspect.faces import Shown
from graphflow.inspect.graph_json import variables_of
from graphflow.inspect.graphs import GraphData, graph_data
from graphflow.inspect.svg import to_svg
from graphflow.inspect.text import escaped
from graphflow.spec import TensorSpec, format_shape

MOST = 300
"""Nodes of a picture at most."""


def repr_svg(model: Any) -> str | None:
    """The picture of a model; None where there is none, or it would be large."""
    data = _data(model)
    return None if data is None or len(data.nodes) > MOST else to_svg(data, shown=Shown())


def repr_html(model: Any) -> str:
    """A model's name, inputs, outputs and parameters, above its picture."""
    data = _data(model)
    if data is None:
        return f"<code>{escape(escaped(repr(model)))}</code>"
    by_id = data.by_id()
    rows = {
        "inputs": ", ".join(_tensor(by_id[one].name, by_id[one].outputs[0]) for one in data.inputs),
        "outputs": ", ".join(_tensor(one.name, by_id[one.node].outputs[one.output]) for one in data.results),
        "parameters": f"{sum(variable.value.size for variable in variables_of(data)):,}",
        f"{data.level}s": f"{len(data.nodes):,}",
    }
    cells = "".join(f"<tr><td>{title}</td><td>{cell}</td></tr>" for title, cell in rows.items())
    picture = (
        to_svg(data, shown=Shown())
        if len(data.nodes) <= MOST
        else "<p>Too large for a picture here; <code>graphflow.inspect.to_html(model)</code> makes a page of it.</p>"
    )
    return f"<div><strong>{escape(escaped(data.name))}</strong><table>{cells}</table>{picture}</div>"


def _tensor(name: str, spec: TensorSpec) -> str:
    return escape(f"{escaped(name)} {spec.dtype}{format_shape(spec.shape)}")


def _data(model: Any) -> GraphData | None:
    """The graph; None for a model that has none yet."""
    try:
        return graph_data(model, expand_nested=False)
    except GraphflowError:
        return None
