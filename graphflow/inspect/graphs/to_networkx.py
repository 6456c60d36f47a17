"""`to_networkx`: a model's graph for networkx' algorithms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphflow.errors import ArgumentError
from graphflow.inspect.graphs.data import LEVELS, GraphData
from graphflow.inspect.graphs.layer_level import call_counts, layer_graph
from graphflow.inspect.graphs.op_level import op_graph, plan_graph
from graphflow.models import Model


def graph_data(
    model: Any,
    level: str | None = None,
    expand_nested: bool = False,
    input_shapes: Any = None,
    times: Any = None,
) -> GraphData:
    """A model's graph as plain data: what pictures, pages and JSON are made from.

    Args:
        level: "layer": the calls of layers; "op": the operations they stand for; "plan": what runs for concrete
            shapes. By default "layer", or "op" for what has no layers.
        expand_nested: at level "layer", whether models inside the model are shown by their own layers.
        input_shapes: what FLOPs are counted and plans are made for; see `graphflow.inspect.flops`.
        times: seconds by layer path ("encoder/dense"), or what `graphflow.inspect.profile` returns.

    Raises:
        ArgumentError: an unknown level.
        UnsupportedError: level "layer" of something that has no layers.
    """
    if level is None:
        level = "layer" if isinstance(model, Model) else "op"
    if level not in LEVELS:
        raise ArgumentError(f"level must be one of {', '.join(map(repr, LEVELS))}, received {level!r}.")
    if level == "layer":
        data = layer_graph(model, expand_nested, input_shapes)
    else:
        data = (op_graph if level == "op" else plan_graph)(model, input_shapes)
    if times is not None:
        _add_times(data, times if isinstance(times, Mapping) else {one.layer: one.seconds for one in times.layers})
    return data


def _add_times(data: GraphData, seconds: Mapping[str, float]) -> None:
    """Give each node the seconds of its layer; calls of a shared layer, and ops of one layer, share them equally."""
    totals: dict[str, float] = {}
    for name, value in seconds.items():
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            key = "/".join(parts[:depth])
            totals[key] = totals.get(key, 0.0) + value
    counts = call_counts(data)
    for node in data.nodes:
        total = totals.get("/".join(node.origin))
        node.seconds = None if total is None or not node.origin else total / counts.get(node.layer, 1)


def to_networkx(model: Any, level: str | None = None, expand_nested: bool = False, **options: Any) -> Any:
    """A model's graph as a `networkx.DiGraph`.

    Args:
        model: a model of any kind; at levels "op" and "plan" also a Session or a Graph.
        level, expand_nested, input_shapes, times: as for `graph_data`.

    Returns:
        A DiGraph. Its nodes are ids and have the attributes `name`, `kind` (the layer's class or the op), `path` (the
        models or layers it is in), `origin`, `shapes` and `dtypes` (of the outputs), `input_shapes`, `parameters`,
        `flops`, `macs` (multiply-adds), `bytes` (of the outputs, unknown sizes as one), `seconds`, `config`, and what
        `from_networkx` needs: `arguments`, `layer`, `source`. Its edges have `tensors`, a list of (output, input)
        positions: two edges between the same nodes are two items; and `shapes`, `dtypes` and `bytes` for each. The
        graph has `name`, `level`, `inputs`, `outputs`, and `details`.

    Raises:
        ArgumentError: an unknown level, or an axis whose size is nowhere said, for a plan.
        UnsupportedError: level "layer" of something that has no layers.

    Example:
        >>> import networkx
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import to_networkx
        >>> from graphflow.layers import Add, Dense
        >>> x = Input((4,), name="x")
        >>> h = Dense(4, name="h")(x)
        >>> graph = to_networkx(Model(x, Add(name="sum")([x, h])))
        >>> sorted(networkx.ancestors(graph, "sum")), graph.nodes["h"]["parameters"]
        (['h', 'x'], 20)
    """
    from networkx import DiGraph

    data = graph_data(model, level, expand_nested, **options)
    inputs, outputs = data.nested if data.level == "layer" else (data.inputs, data.results)
    graph = DiGraph(
        name=data.name, level=data.level, inputs=inputs, outputs=outputs, updates=data.updates, details=data.details
    )
    for node in data.nodes:
        graph.add_node(
            node.id,
            name=node.name,
            kind=node.kind,
            path=node.path,
            origin=node.origin,
            shapes=[spec.shape for spec in node.outputs],
            dtypes=[spec.dtype for spec in node.outputs],
            input_shapes=[spec.shape for spec in node.inputs],
            parameters=node.parameters,
            flops=node.flops,
            macs=node.macs,
            bytes=node.output_bytes,
            seconds=node.seconds,
            config=node.config,
            layer=node.layer,
            arguments=node.arguments,
            source=node.source,
            **node.details,
        )
    for edge in data.edges:
        if not graph.has_edge(edge.source, edge.target):
            graph.add_edge(edge.source, edge.target, tensors=[], shapes=[], dtypes=[])
        held = graph.edges[edge.source, edge.target]
        held["tensors"].append((edge.output, edge.input))
        held["shapes"].append(edge.spec.shape)
        held["dtypes"].append(edge.spec.dtype)
    return graph
