"""Whether Keras 3 could order a model's layers otherwise, and so take the weights of one for those of another.

In `model.weights.h5` layers are told apart by class and order. Keras 3 makes masks that pass from layer to layer into
operations of the graph, and these change the order of layers that do not follow from each other. Where two such layers
have weights of one class and one shape, nothing would show; so the model is written by a name that Keras does not know.
"""

from __future__ import annotations

from typing import Any

from graphflow.formats.keras_weights import group_name
from graphflow.layers.layer import Layer
from graphflow.layers.multi_head_attention import MultiHeadAttention
from graphflow.layers.node import Node
from graphflow.models import Model


def order_is_unsure(model: Any) -> bool:
    """Whether masks could exchange the weights of two layers.

    Args:
        model: functional.
    """
    nodes = model._network.nodes
    if not any(_takes_mask(node) for node in nodes):
        return False
    alike: dict[Any, list[Layer]] = {}
    for one in model.layers:
        shapes = tuple(variable.shape for variable in one.weights)
        if shapes:
            alike.setdefault((group_name(one), shapes), []).append(one)
    pairs = [group for group in alike.values() if len(group) > 1]
    if not pairs:
        return False
    before = _ancestors(nodes)
    return any(
        first not in before[second] and second not in before[first]
        for group in pairs
        for index, first in enumerate(group)
        for second in group[index + 1 :]
    )


def _takes_mask(node: Node) -> bool:
    """Whether a call takes a mask that its input carries and that is not among its arguments."""
    if not any(getattr(tensor, "_keras_mask", None) is not None for tensor in node.input_tensors):
        return False
    one = node.operation
    if isinstance(one, (Model, MultiHeadAttention)):
        return True
    return "mask" in one._call_takes() and node.kwargs.get("mask") is None


def _ancestors(nodes: list[Node]) -> dict[Layer, set[Layer]]:
    """Of each layer those that all of its calls follow from."""
    of_node: dict[Node, set[Layer]] = {}
    found: dict[Layer, set[Layer]] = {}
    for node in nodes:
        mine: set[Layer] = set()
        for parent in node.parent_nodes:
            mine |= of_node.get(parent, set()) | {parent.operation}
        of_node[node] = mine
        found[node.operation] = found.get(node.operation, mine) & mine
    return found
