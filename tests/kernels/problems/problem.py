"""What a random problem is: a case of an op for one kernel, and how far its answer may be from the exact one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cases.problem import Array, OpCase

from graphflow.ops import OPS
from graphflow.ops.activation import LINEAR
from problems.draw import Draw

Bound = Callable[["Problem", Sequence[Array | None], Sequence[Array]], Sequence[Array | float]]
"""From a problem, its inputs and the exact outputs to the largest error of each output's elements."""


@dataclass(frozen=True)
class Problem:
    """One problem.

    Args:
        case: the op, its inputs and attributes.
        bound: the largest error; None: the answer is the exact one, rounded once.
        splits: whether every row of the outputs follows from the same row of the inputs.
    """

    case: OpCase
    bound: Bound | None
    splits: bool = True


@dataclass(frozen=True)
class Family:
    """The problems of some kernels.

    Args:
        make: from random numbers and the kernel's name to a problem.
        forced: whether a kernel computes its problems although the rule of its row would choose another one.
    """

    make: Callable[[Draw, str], Problem]
    forced: bool = False


EPS = 2.0**-24
"""Half a unit in the last place of 1."""


def of_products(factor: float = 20.0) -> Bound:
    """Units of the sum of the sizes of all terms, whatever they cancel to; an activation may stretch it a little."""

    def bound(problem: Problem, arrays: Sequence[Array | None], exact: Sequence[Array]) -> list[Array | float]:
        attrs = {**problem.case.attrs, "activation": LINEAR}
        sizes = [None if one is None else np.abs(one) for one in arrays]
        return [factor * EPS * (whole + 1.0) for whole in OPS[problem.case.op].run_reference(attrs, sizes)]

    return bound


def of_largest(factor: float, least: float = 0.0) -> Bound:
    """Units of the largest finite element of each output, or of `least` where all are smaller."""

    def bound(problem: Problem, arrays: Sequence[Array | None], exact: Sequence[Array]) -> list[Array | float]:
        return [factor * EPS * float(np.abs(one[np.isfinite(one)]).max(initial=least)) for one in exact]

    return bound


def of_itself(factor: float) -> Bound:
    """Units of each element, and of the smallest number that float32 has."""

    def bound(problem: Problem, arrays: Sequence[Array | None], exact: Sequence[Array]) -> list[Array | float]:
        return [factor * 2 * EPS * np.abs(one) + factor * 2.0**-149 for one in exact]

    return bound


def case(op: str, inputs: Sequence[Any], **attrs: Any) -> OpCase:
    return OpCase(op, tuple(inputs), attrs)
