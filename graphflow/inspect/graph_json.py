"""`graph_json`: a model's graph as JSON, by a published schema."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from graphflow.inspect.faces import category_of
from graphflow.inspect.graphs import GraphData, GraphNode, graph_data
from graphflow.layers.layer import Layer
from graphflow.spec import TensorSpec
from graphflow.variable import Variable

FORMAT, VERSION = "graphflow.graph", 1
MOST_NUMBERS = 64
"""Numbers of an array in a configuration; of larger ones only the shape is written."""


def graph_json(
    model: Any, level: str | None = None, expand_nested: bool = True, indent: int | None = None, **options: Any
) -> str:
    """A model's graph as JSON: nodes, edges, shapes, costs and configurations, without the weights' numbers.

    Args:
        model: a model of any kind, or `GraphData`.
        level, expand_nested, input_shapes, times: as for `graph_data`.
        indent: as for `json.dumps`.

    Returns:
        JSON that `graph_schema` describes: {"format": "graphflow.graph", "version": 1, "nodes": [...], ...}.

    Example:
        >>> import json
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import graph_json
        >>> from graphflow.layers import Dense
        >>> x = Input((4,), name="x")
        >>> graph = json.loads(graph_json(Model(x, Dense(2, name="y")(x))))
        >>> [(node["kind"], node["parameters"]) for node in graph["nodes"]]
        [('InputLayer', 0), ('Dense', 10)]
    """
    return json.dumps(graph_dict(model, level, expand_nested, **options), indent=indent, allow_nan=False)


def graph_dict(model: Any, level: str | None = None, expand_nested: bool = True, **options: Any) -> dict[str, Any]:
    """What `graph_json` writes, as dicts and lists."""
    data = model if isinstance(model, GraphData) else graph_data(model, level, expand_nested, **options)
    numbers = {variable: number for number, variable in enumerate(variables_of(data))}
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": data.name,
        "level": data.level,
        "inputs": data.inputs,
        "outputs": [{"node": one.node, "output": one.output, "name": one.name} for one in data.results],
        "groups": [{"id": name, "kind": kind} for name, kind in data.groups.items()],
        "nodes": [_node(node, numbers) for node in data.nodes],
        "edges": [
            {"source": edge.source, "output": edge.output, "target": edge.target, "input": edge.input}
            | _tensor(edge.spec)
            for edge in data.edges
        ],
        "details": plain(data.details),
    }


def variables_of(data: GraphData) -> list[Variable]:
    """The weights of a graph, each once."""
    return list(dict.fromkeys(variable for node in data.nodes for variable in node.weights))


def graph_schema() -> dict[str, Any]:
    """The schema of `graph_json`'s result: JSON Schema, draft 2020-12.

    Example:
        >>> from graphflow.inspect import graph_schema
        >>> graph_schema()["title"]
        'A graph of graphflow'
    """
    found: dict[str, Any] = json.loads(files("graphflow.inspect").joinpath("graph.schema.json").read_text("utf-8"))
    return found


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"shape": list(spec.shape), "dtype": spec.dtype}


def _node(node: GraphNode, numbers: Mapping[Variable, int]) -> dict[str, Any]:
    return {
        "id": node.id,
        "name": node.name,
        "kind": node.kind,
        "category": category_of(node.kind),
        "path": list(node.path),
        "origin": list(node.origin),
        "layer": node.layer,
        "inputs": [_tensor(spec) for spec in node.inputs],
        "outputs": [_tensor(spec) for spec in node.outputs],
        "weights": [
            {
                "number": numbers[one],
                "name": one.path,
                "shape": list(one.value.shape),
                "dtype": one.dtype,
                "trainable": bool(one.trainable),
            }
            for one in node.weights
        ],
        "parameters": node.parameters,
        "weight_bytes": node.weight_bytes,
        "output_bytes": node.output_bytes,
        "flops": node.flops,
        "macs": node.macs,
        "seconds": node.seconds,
        "config": plain(node.config),
        "details": plain(node.details),
    }


def plain(value: Any) -> Any:
    """A value of a configuration as what JSON knows: functions by their names, large arrays by their shapes."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if key != "class"}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        if value.size <= MOST_NUMBERS:
            return plain(value.tolist())
        return {"array": list(value.shape), "dtype": value.dtype.name}
    if isinstance(value, slice):
        return {"slice": [plain(value.start), plain(value.stop), plain(value.step)]}
    if isinstance(value, Layer):
        return {"class_name": type(value).__name__, "config": plain(value.get_config())}
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": plain(value.get_config())}
    return str(getattr(value, "__name__", type(value).__name__))
