"""`lower`: replay a network's calls on graph values: layer graph in, operation graph out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from graphflow.garbage import full_collections_put_off
from graphflow.ir.build import GraphBuilder
from graphflow.ir.graph import Graph
from graphflow.layers.layer import training_mode
from graphflow.layers.nest import leaves
from graphflow.layers.network import Network
from graphflow.layers.penalties import collected_losses


@full_collections_put_off()
def lower(
    network: Network,
    name: str,
    input_names: Sequence[str],
    output_names: Sequence[str],
    training: bool = False,
    losses: bool = False,
) -> Graph:
    """The operation graph of a network.

    Args:
        input_names, output_names: of the graph's inputs and outputs, in the network's order.
        training: what layers that were called with `training=None` take it to be.
        losses: whether the losses follow the outputs: "layer/kernel/loss" for the penalty of a weight's regularizer,
            then "layer/loss" for what a call added.
    """
    builder = GraphBuilder(name)
    inputs = [builder.input(tensor.spec, given) for tensor, given in zip(network.inputs, input_names, strict=True)]
    collecting: Any = collected_losses() if losses else nullcontext([])
    with builder.tracing(), training_mode(training), collecting as found:
        outputs = network.run(inputs)
        penalties = _penalties(network) if losses else []
    for tensor, given in zip(leaves(outputs), output_names, strict=True):
        builder.output(tensor, given)
    for given, tensor in (*penalties, *found):
        builder.output(tensor, given)
    return builder.graph


def _penalties(network: Network) -> list[tuple[str, Any]]:
    weights = dict.fromkeys(weight for one in network.layers for weight in one.trainable_weights)
    return [(f"{weight.path}/loss", weight.regularizer(weight)) for weight in weights if weight.regularizer]
