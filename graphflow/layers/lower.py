"""`lower`: replay a network's calls on graph values: layer graph in, operation graph out."""

from __future__ import annotations

from collections.abc import Sequence

from graphflow.ir.build import GraphBuilder
from graphflow.ir.graph import Graph
from graphflow.layers.layer import training_mode
from graphflow.layers.nest import leaves
from graphflow.layers.network import Network


def lower(
    network: Network, name: str, input_names: Sequence[str], output_names: Sequence[str], training: bool = False
) -> Graph:
    """The operation graph of a network.

    Args:
        input_names, output_names: of the graph's inputs and outputs, in the network's order.
        training: what layers that were called with `training=None` take it to be.
    """
    builder = GraphBuilder(name)
    inputs = [builder.input(tensor.spec, given) for tensor, given in zip(network.inputs, input_names, strict=True)]
    with builder.tracing(), training_mode(training):
        outputs = network.run(inputs)
    for tensor, given in zip(leaves(outputs), output_names, strict=True):
        builder.output(tensor, given)
    return builder.graph
