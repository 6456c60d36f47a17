"""Which layers would compute other numbers under the rules of the other Keras, as a file would have them read.

A layer keeps the rules of the Keras it was made for (`graphflow.layers.era`). Whether that makes a difference is asked
of the model itself: it is lowered under both sets of rules and the operation graphs are compared. Those that differ are
written by a name that only graphflow knows; so the other Keras refuses the file rather than miscompute.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphflow.formats.keras_export_config import KERAS2, KERAS3
from graphflow.ir.printer import format_graph
from graphflow.ir.record import Journal
from graphflow.layers.layer import Layer
from graphflow.layers.node import Node
from graphflow.passes.eliminate_dead_nodes import eliminate_dead_nodes

SAME = {"Dot": None, "UnitNormalization": None}
"""Layers whose rules differ only for vectors shorter than 1e-6; written under their own names all the same."""


def layers_that_differ(model: Any, dialect: str) -> set[int]:
    """The ids of layers whose numbers the rules of a dialect would change.

    Args:
        model: built.
        dialect: "keras2" or "keras3", whose rules the reader of the file will follow.

    The layers have other rules while this runs, so nothing else may lower the model meanwhile.
    """
    every = list(all_layers(model))
    same = {id(inner) for one in every if _is_same(one) for inner in all_layers(one)}
    layers = [one for one in every if _is_other(one.era, dialect) and id(one) not in same]
    if not layers:
        return set()
    own = _text(model)
    with _under(dialect, layers):
        if _text(model) == own:
            return set()
    return {id(one) for one in layers if not getattr(one, "layers", None) and _differs(model, one, dialect, own)}


def all_layers(layer: Any) -> Iterator[Layer]:
    """The layers of a model, of the models inside it, and of the layers inside layers."""
    stack, seen = [layer], set()
    while stack:
        one = stack.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        stack.extend(one._sublayers())


def _differs(model: Any, one: Layer, dialect: str, own: str) -> bool:
    with _under(dialect, list(all_layers(one))):
        return _text(model) != own


def _is_other(era: str, dialect: str) -> bool:
    return (era == KERAS3) != (dialect == KERAS3)


def _is_same(one: Layer) -> bool:
    """Whether both rules give the same numbers, though by other operations."""
    name = type(one).__name__
    if name == "Masking":
        return bool(np.isfinite(getattr(one, "mask_value", 0.0)))
    if name == "MultiHeadAttention":
        return all(_attends_the_same(one, node) for node in one._inbound_nodes)
    return name in SAME


def _attends_the_same(one: Any, node: Node) -> bool:
    """Whether no row of scores can be masked as a whole; or if one can, both rules let it look at all equally."""
    if any(getattr(tensor, "_keras_mask", None) is not None for tensor in node.input_tensors):
        return False
    named = set(node.kwargs) & {"query_mask", "value_mask", "key_mask", "attention_mask"}
    if len(node.args) <= 3 and not any(node.kwargs[name] is not None for name in named):
        return True
    returned = len(node.args) > 7 or bool(node.kwargs.get("return_attention_scores"))
    return not one.dropout and not returned and len(node.input_tensors[0].shape) == 3


@contextmanager
def _under(dialect: str, layers: list[Layer]) -> Iterator[None]:
    kept = [one.era for one in layers]
    try:
        for one in layers:
            one.era = KERAS3 if dialect == KERAS3 else KERAS2
        yield
    finally:
        for one, era in zip(layers, kept, strict=True):
            one.era = era


def _text(model: Any) -> str:
    graph = model.graph()
    eliminate_dead_nodes(graph, Journal())
    return format_graph(graph)
