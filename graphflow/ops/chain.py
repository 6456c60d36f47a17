"""Several elementwise ops as one, so that what is between them never leaves the cache."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphflow.ops.activation import LINEAR, Numbers, compute
from graphflow.ops.registry import OPS, Array, Attrs, define
from graphflow.spec import TensorSpec


class Link(NamedTuple):
    """One op of a chain.

    Args:
        op: of two operands, such as "add"; "" where there is one operand alone.
        first, second: the operands: an input of the chain by its number, or the result of a link by its number plus
            that of the inputs; -1 for none.
        activation: what is applied to the result.
    """

    op: str
    first: int
    second: int
    activation: Numbers


def _infer(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    made: list[TensorSpec] = list(specs)
    for link in attrs["links"]:
        operands = [made[index] for index in (link[1], link[2]) if index >= 0]
        made.extend(OPS[link[0]].infer({}, operands, [None] * 2) if link[0] else operands)
    return (made[-1],)


def _reference(attrs: Attrs, *arrays: Array) -> Array:
    made = list(arrays)
    for op, first, second, activation in attrs["links"]:
        if op:
            made.extend(OPS[op].run_reference({"activation": activation}, [made[first], made[second]]))
        else:
            made.append(compute(activation, made[first]))
    return made[-1]


CHAIN = define("chain", _infer, _reference, tolerance=2e-5)
"""The links in order, of which each takes inputs or links before it; the last one is the result."""

__all__ = ["CHAIN", "LINEAR", "Link"]
