"""Let the kernel that makes a value also add to it and activate it, while it is in registers or cache."""

from __future__ import annotations

from graphflow.ir.graph import Graph, Node, Value
from graphflow.ir.record import Journal
from graphflow.ir.rewrite import only_user
from graphflow.kernels.table import epilogues
from graphflow.ops.activation import LINEAR, NAMES, numbers_of


def fuse_epilogue(graph: Graph, journal: Journal) -> bool:
    """Let the kernel that makes a value also add to it and activate it.

    In this order, each only where the kernel's row in the table lists it and the value is used nowhere else:

    1. bias: y + b, b a vector of y's last axis that is known before the run.
    2. residual: y + r, r of y's shape.
    3. activation: any row of `ops.activation`.
    """
    position = {node: index for index, node in enumerate(graph.ordered())}
    changed = False
    for start in list(position):
        node = start
        takes = epilogues(node.op.name) if node.outputs[0].stage == "run" else frozenset()
        while takes:
            after = only_user(graph, node.outputs[0])
            if after is None or after.outputs[0].spec.dtype != node.outputs[0].spec.dtype:
                break
            new = _with_bias(graph, node, after, takes) or _with_residual(graph, node, after, position, takes)
            what = "an addition"
            if new is None:
                new, what = _with_activation(graph, node, after, takes), after.op.name
            if new is None:
                break
            position[new] = position[after]
            graph.replace_uses(after.outputs[0], new.outputs[0])
            graph.remove(after)
            graph.remove(node)
            told = f"{what} joined {new.op.name} of {'/'.join(new.origin)}"
            journal.note("fuse_epilogue", after.origin, told, new.origin)
            node = new
            changed = True
    return changed


def _is_open(node: Node) -> bool:
    return node.attrs.get("activation", LINEAR) == LINEAR


def _addend(node: Node, after: Node) -> Value | None:
    """The other operand of a plain addition."""
    if after.op.name != "add" or not _is_open(after):
        return None
    first, second = after.inputs
    return second if first is node.outputs[0] else first


def _with_bias(graph: Graph, node: Node, after: Node, takes: frozenset[str]) -> Node | None:
    addend = _addend(node, after)
    if (
        "bias" not in takes
        or addend is None
        or not _is_open(node)
        or node.inputs[2] is not None
        or node.inputs[3] is not None
    ):
        return None
    vector = addend.spec.shape == (node.outputs[0].spec.shape[-1],)
    if not vector or addend.stage == "run":
        return None
    inputs = (node.inputs[0], node.inputs[1], addend, None)
    return graph.add(node.op, inputs, node.attrs, [node.outputs[0].spec], node.origin)


def _with_residual(
    graph: Graph, node: Node, after: Node, position: dict[Node, int], takes: frozenset[str]
) -> Node | None:
    addend = _addend(node, after)
    if "residual" not in takes or addend is None or not _is_open(node) or node.inputs[3] is not None:
        return None
    if addend.spec != node.outputs[0].spec or addend is node.outputs[0]:
        return None
    maker = addend.node
    rival = maker is not None and "residual" in epilogues(maker.op.name) and maker.inputs[3] is None and _is_open(maker)
    if rival and maker is not None and addend.use_count == 1 and position[maker] > position[node]:
        return None  # the operand that is made last takes the other one in
    inputs = (*node.inputs[:3], addend)
    return graph.add(node.op, inputs, node.attrs, [node.outputs[0].spec], node.origin)


def _with_activation(graph: Graph, node: Node, after: Node, takes: frozenset[str]) -> Node | None:
    if "activation" not in takes or after.op.name not in NAMES or not _is_open(node):
        return None
    attrs = {**node.attrs, "activation": numbers_of(after.op.name, after.attrs)}
    return graph.add(node.op, node.inputs, attrs, [node.outputs[0].spec], node.origin)
