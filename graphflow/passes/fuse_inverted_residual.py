"""Make one node of an inverted residual block, so that what lies between its convolutions stays in the cache."""

from __future__ import annotations

from graphflow.ir.graph import Graph, Node
from graphflow.ir.record import Journal
from graphflow.ir.rewrite import only_user
from graphflow.ops.activation import LINEAR
from graphflow.ops.inverted_residual import INVERTED_RESIDUAL


def fuse_inverted_residual(graph: Graph, journal: Journal) -> bool:
    """Make one node of an inverted residual block.

    All of it in float32, two-dimensional, with weights that are known before a run, and every value between the
    convolutions used nowhere else; the answer has the same bits. Kernels decide by shape how the node is computed.

    1. project(depthwise(expand(x))), expand and project convolutions of one pixel, stride 1 and one group, depthwise
       of as many groups as channels without residual: inverted_residual(x), each with its bias and activation; the
       projection's residual stays one.
    2. project(depthwise(x)) where x is not such an expansion: inverted_residual(x) without one.
    """
    changed = False
    for project in graph.ordered():
        if not _is_pointwise(project):
            continue
        depthwise = _maker(graph, project)
        if depthwise is None or not _is_depthwise(depthwise):
            continue
        expand = _maker(graph, depthwise)
        if expand is not None and (not _is_pointwise(expand) or expand.inputs[3] is not None):
            expand = None
        inputs = (
            *((depthwise.inputs[0], None, None) if expand is None else expand.inputs[:3]),
            *depthwise.inputs[1:3],
            *project.inputs[1:],
        )
        attrs = {
            **{name: depthwise.attrs[name] for name in ("strides", "padding", "dilation")},
            "expand_activation": LINEAR if expand is None else _activation(expand),
            "depthwise_activation": _activation(depthwise),
            "activation": _activation(project),
        }
        new = graph.add(INVERTED_RESIDUAL, inputs, attrs, [project.outputs[0].spec], project.origin)
        graph.replace_uses(project.outputs[0], new.outputs[0])
        graph.remove(project)
        for node in (depthwise, expand):
            if node is not None:
                graph.remove(node)
                told = f"joined {'/'.join(project.origin)}"
                journal.note("fuse_inverted_residual", node.origin, told, project.origin)
        changed = True
    return changed


def _activation(node: Node) -> tuple[str, float, float, float]:
    numbers: tuple[str, float, float, float] = node.attrs.get("activation", LINEAR)
    return numbers


def _maker(graph: Graph, node: Node) -> Node | None:
    """What computes the first operand of a node, if it is for this node alone."""
    value = node.inputs[0]
    return value.node if value is not None and only_user(graph, value) is node else None


def _is_convolution(node: Node) -> bool:
    if node.op.name != "conv" or node.outputs[0].stage != "run":
        return False
    kernel = node.inputs[1]
    assert kernel is not None
    return node.outputs[0].spec.dtype == "float32" and kernel.spec.rank == 4 and kernel.stage != "run"


def _is_pointwise(node: Node) -> bool:
    if not _is_convolution(node) or node.inputs[1] is None:
        return False
    plain = node.attrs["padding"] in ("valid", "same") or all(pair == (0, 0) for pair in node.attrs["padding"])
    return (
        plain
        and node.inputs[1].spec.shape[:2] == (1, 1)
        and tuple(node.attrs["strides"]) == (1, 1)
        and node.attrs["groups"] == 1
    )


def _is_depthwise(node: Node) -> bool:
    if not _is_convolution(node) or node.inputs[1] is None or node.inputs[3] is not None:
        return False
    channels, filters = node.inputs[1].spec.shape[2:]
    return channels == 1 and filters == node.attrs["groups"] > 1
