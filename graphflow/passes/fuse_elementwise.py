"""Let elementwise ops that follow each other be one loop, so that what is between them never leaves the cache."""

from __future__ import annotations

from graphflow.ir.graph import Graph, Node, Value
from graphflow.ir.record import Journal
from graphflow.kernels.chain import MOST_LINKS, MOST_OPERANDS
from graphflow.kernels.elementwise import BINARIES
from graphflow.ops.activation import LINEAR, NAMES, numbers_of
from graphflow.ops.chain import CHAIN, Link
from graphflow.spec import TensorSpec

FARTHEST_RANK = 4
"""Of operands that are neither whole nor one number nor a vector of the last axis: such a loop has four dimensions."""


def fuse_elementwise(graph: Graph, journal: Journal) -> bool:
    """Let elementwise ops that follow each other be one loop, so that what is between them never leaves the cache.

    1. A chain is a set of additions, products and so on of float32 and of activations, all of one shape, of which only
       the last is used outside; it has two ops or more.
    2. It grows from its last op backwards: what makes an operand joins if everything that takes that operand is in.
    3. It has at most 16 ops and six operands; an operand is of the chain's shape, a number, a vector of the last axis,
       or anything that broadcasts to it in up to four dimensions.
    4. The ops keep their order and their activations: exactly the same bits.
    """
    grouped: set[Node] = set()
    changed = False
    order = graph.ordered()
    position = {node: index for index, node in enumerate(order) if node.outputs[0].stage == "run"}
    for last in reversed(order):
        if last in grouped or last not in position or not _is_elementwise(last):
            continue
        group = _grown(graph, last, position)
        if len(group) < 2:
            continue
        grouped |= group
        nodes = sorted(group, key=position.__getitem__)
        operands = _operands(group, nodes)
        where = {value: index for index, value in enumerate(operands)}
        where |= {node.outputs[0]: len(operands) + index for index, node in enumerate(nodes)}
        links = tuple(_link(node, where) for node in nodes)
        made = graph.add(CHAIN, operands, {"links": links}, [last.outputs[0].spec], last.origin)
        graph.replace_uses(last.outputs[0], made.outputs[0])
        for node in reversed(nodes):
            journal.note("fuse_elementwise", node.origin, f"{node.op.name} joined a chain of {len(nodes)}", last.origin)
            graph.remove(node)
        changed = True
    return changed


def _is_elementwise(node: Node) -> bool:
    if node.op.name in BINARIES:
        return node.outputs[0].spec.dtype == "float32" and all(
            value is not None and value.spec.dtype == "float32" for value in node.inputs
        )
    return node.op.name in NAMES and node.op.name != "linear" and node.outputs[0].spec.dtype == "float32"


def _fits(operand: TensorSpec, whole: TensorSpec) -> bool:
    if operand == whole or whole.rank <= FARTHEST_RANK:
        return True
    return all(size == 1 for size in operand.shape[:-1])


def _operands(group: set[Node], nodes: list[Node]) -> list[Value]:
    """What a group takes from outside, each once, in order."""
    found: dict[Value, None] = {}
    for node in nodes:
        for value in node.inputs:
            if value is not None and value.node not in group:
                found[value] = None
    return list(found)


def _grown(graph: Graph, last: Node, position: dict[Node, int]) -> set[Node]:
    """Rule 2, within the bounds of rule 3."""
    whole = last.outputs[0].spec
    group = {last}
    if not all(value is not None and _fits(value.spec, whole) for value in last.inputs):
        return group
    waiting = [value.node for value in last.inputs if value is not None and value.node is not None]
    while waiting:
        waiting.sort(key=lambda node: position.get(node, -1))
        node = waiting.pop()
        value = node.outputs[0]
        joins = (
            node not in group
            and node in position
            and len(group) < MOST_LINKS
            and _is_elementwise(node)
            and value.spec == whole
            and not graph.is_output(value)
            and all(user in group for user in value.uses)
            and all(one is not None and _fits(one.spec, whole) for one in node.inputs)
        )
        if not joins:
            continue
        larger = group | {node}
        if len(_operands(larger, list(larger))) > MOST_OPERANDS:
            continue
        group = larger
        waiting += [one.node for one in node.inputs if one is not None and one.node is not None]
    return group


def _link(node: Node, where: dict[Value, int]) -> Link:
    taken = [where[value] for value in node.inputs if value is not None]
    if node.op.name in BINARIES:
        return Link(node.op.name, taken[0], taken[1], node.attrs.get("activation", LINEAR))
    return Link("", taken[0], -1, numbers_of(node.op.name, node.attrs))
