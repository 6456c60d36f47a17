"""`operator`: the table of ONNX operators, by domain, name and version."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_read.definitions import GraphDef, NodeDef

Function = Callable[..., Any]
LATEST: dict[str, int] = {"": 28, "ai.onnx.ml": 5, "ai.onnx.preview": 1}
"""The newest version of each operator set whose operators have been looked at."""

_IGNORED = frozenset(("consumed_inputs",))
"""Attributes that change nothing."""


class Operator:
    """One implementation: valid from version `since` of its domain until the next.

    Args:
        function: (node, *operands, **attributes) to an operand or a tuple of them. Its keyword-only parameters are the
            attributes; one without a default is required.
    """

    def __init__(self, name: str, domain: str, since: int, function: Function) -> None:
        self.name = name
        self.domain = domain
        self.since = since
        self.function = function
        parameters = list(inspect.signature(function).parameters.values())[1:]
        attributes = [one for one in parameters if one.kind is one.KEYWORD_ONLY]
        self.attributes = frozenset(one.name for one in attributes)
        self.required = frozenset(one.name for one in attributes if one.default is one.empty)
        operands = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
        self.fewest = sum(one.default is one.empty for one in operands)
        self.most = None if any(one.kind is one.VAR_POSITIONAL for one in parameters) else len(operands)

    def refusals(self, node: NodeDef) -> Iterator[str]:
        """Why it can not do what a node asks for, as far as that can be seen before anything runs."""
        given = set(node.attrs) - _IGNORED
        for name in sorted(given - self.attributes):
            yield f"attribute {name!r} of {node.place}"
        for name in sorted(self.required - given):
            yield f"{node.place} without its attribute {name!r}"
        if len(node.inputs) < self.fewest or (self.most is not None and len(node.inputs) > self.most):
            most = "any number" if self.most is None else self.most
            yield f"{node.place} with {len(node.inputs)} inputs (expected {self.fewest} to {most})"


OPERATORS: dict[tuple[str, str], list[Operator]] = {}
"""By domain and name: the implementations, newest first."""


def operator(name: str, *names: str, since: int = 1, domain: str = "") -> Callable[[Function], Function]:
    """Register a function as the implementation of an operator, or of several of one meaning.

    Args:
        since: the first version of the operator set for which it is right.
    """

    def register(function: Function) -> Function:
        for one in (name, *names):
            rows = OPERATORS.setdefault((domain, one), [])
            if any(row.since == since for row in rows):
                raise ValueError(f"Operator {one!r}, version {since}, is registered twice.")
            rows.append(Operator(one, domain, since, function))
            rows.sort(key=lambda row: -row.since)
        return function

    return register


def find(domain: str, name: str, version: int) -> Operator | None:
    """The implementation of an operator in a version of its domain, or None."""
    for row in OPERATORS.get((domain, name), ()):
        if row.since <= version:
            return row
    return None


def check(graph: GraphDef, where: str) -> None:
    """Refuse a graph that needs what is not there, all of it at once.

    Raises:
        UnsupportedError: the message names operators, domains, versions and nodes.
    """
    found = list(dict.fromkeys(_refusals(node for one in graph.walk() for node in one.nodes)))
    if found:
        rest = f" and {len(found) - 20} more" if len(found) > 20 else ""
        raise UnsupportedError(f"{where}: not supported: {'; '.join(found[:20])}{rest}.")


def _refusals(nodes: Iterable[NodeDef]) -> Iterator[str]:
    for node in nodes:
        newest = LATEST.get(node.domain)
        row = find(node.domain, node.op, node.version)
        if newest is not None and node.version > newest:
            yield f"version {node.version} of operator set {node.domain or 'ai.onnx'!r} (newest known: {newest})"
        elif row is None:
            yield f"operator {node.op!r} of domain {node.domain or 'ai.onnx'!r}, version {node.version}, {node.place}"
        else:
            yield from row.refusals(node)
