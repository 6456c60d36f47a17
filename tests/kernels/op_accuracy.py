"""The largest error of every kernel over random problems, in units in the last place of what it computes with.

    PYTHONPATH=tests/kernels:tests python -m op_accuracy        measures and writes the second table of docs/accuracy.md

The problems are those of `test_random_problems.py` that have no NaN, no infinity and no whole numbers, whose sums would
be exact. Sums cancel: an element near zero has the error of its terms, so that units of the element itself say nothing
of a kernel. The unit of a product is that of its largest sum of the sizes of all terms, of another op that of its
largest result. The same is measured of the NumPy reference in float32, which sums in NumPy's order.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from accuracy import ISAS, PAGE
from cases.problem import Array
from problems import FAMILIES
from problems.problem import Problem
from problems.run import Runner, exact, fresh

import graphflow
from graphflow.kernels.isa import current
from graphflow.kernels.layout import KernelDef
from graphflow.kernels.table import KERNELS
from graphflow.ops import OPS
from graphflow.ops.activation import LINEAR

BEGIN, END = "<!-- measured kernels -->", "<!-- end of kernels -->"
PRODUCTS = frozenset(
    (
        "conv",
        "dense",
        "conv_transpose",
        "locally_connected",
        "inverted_residual",
        "matmul",
        "einsum",
        "batch_norm",
        "sum",
        "mean",
    )
)


def sizes(problem: Problem, arrays: Sequence[Array | None], wanted: Sequence[Array]) -> list[float]:
    """The largest number that an output was summed from, or is."""
    found = wanted
    if problem.case.op in PRODUCTS:
        attrs = {name: LINEAR if "activation" in name else value for name, value in problem.case.attrs.items()}
        positive = [None if one is None else np.abs(one).astype(np.float64) for one in arrays]
        found = OPS[problem.case.op].run_reference(attrs, positive)
    return [float(np.abs(one).max(initial=0.0)) for one in found]


def units(found: Sequence[Array], wanted: Sequence[Array], largest: Sequence[float]) -> float:
    """The largest error of some outputs, in units in the last place of a number for each."""
    most = 0.0
    for one, full, size in zip(found, wanted, largest, strict=True):
        if one.dtype == np.float32 and size:
            most = max(most, float(np.abs(one.astype(np.float64) - full).max()) / 2.0 ** (np.floor(np.log2(size)) - 23))
    return most


def ordinary(arrays: Sequence[Array | None]) -> bool:
    """Whether the inputs are numbers with fractions, and nothing else."""
    floats = [one for one in arrays if one is not None and one.dtype == np.float32 and one.size]
    return all(np.isfinite(one).all() for one in floats) and any((one != np.rint(one)).any() for one in floats)


def measure(row: KernelDef, count: int) -> dict[str, float]:
    """The largest error of a kernel on every instruction set, and of the reference in float32; empty: it is exact."""
    family, name, runner = FAMILIES[row.name], zlib.crc32(row.name.encode()), Runner()
    found: dict[str, float] = {}
    done = 0
    for number in range(20 * count):
        made = fresh((name, number, 1), row, family)
        if made is None or made[0].bound is None or not ordinary(made[1]):
            continue
        problem, arrays = made
        wanted = exact(problem, arrays)
        if not all(np.isfinite(one).all() for one in wanted if one.dtype.kind == "f"):
            continue
        largest = sizes(problem, arrays, wanted)
        answers: dict[str, Any] = {"numpy": OPS[problem.case.op].run_reference(problem.case.attrs, arrays)}
        for isa in ISAS:
            with graphflow.knobs(isa=isa):
                answers[isa] = runner.run(row, problem.case, arrays, current(), 1, False, np.random.default_rng(number))
        for who, outputs in answers.items():
            found[who] = max(found.get(who, 0.0), units(outputs, wanted, largest))
        done += 1
        if done == count:
            break
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    lines = [f"| kernel | {' | '.join(ISAS)} | NumPy, float32 |", "|---|" + "---|" * (len(ISAS) + 1)]
    for row in KERNELS:
        found = measure(row, count)
        if max(found.values(), default=0.0) > 0.5:
            lines.append(f"| {row.name} | {' | '.join(f'{found[one]:.2f}' for one in (*ISAS, 'numpy'))} |")
            print(lines[-1], flush=True)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
