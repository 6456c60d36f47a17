"""What must hold of a kernel's answers: near the exact ones, NaN where it belongs, rows with their bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from cases.problem import Array, OpCase

import graphflow
from graphflow.kernels.isa import current
from graphflow.kernels.layout import KernelDef
from graphflow.kernels.table import choose
from problems.problem import Problem
from problems.run import Runner, call_of, exact

SPLITS = (1, 2, 3, 5, 7, 8, 16, 33, 64)
THREADS = (1, 2, 4)


def near(found: Sequence[Array], problem: Problem, arrays: Sequence[Array | None], wanted: Sequence[Array]) -> float:
    """Assert that outputs are as near to the exact ones as the problem says.

    Returns:
        The largest part of the bound that an element took; 0 where answers must be exact.
    """
    with np.errstate(all="ignore"):
        limits = [0.0] * len(wanted) if problem.bound is None else problem.bound(problem, arrays, wanted)
    most = 0.0
    for index, (one, full, limit) in enumerate(zip(found, wanted, limits, strict=True)):
        assert one.shape == full.shape, f"output {index} has shape {one.shape}, not {full.shape}"
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = full.astype(one.dtype)
        if problem.bound is None or one.dtype.kind != "f":
            np.testing.assert_array_equal(one, rounded, err_msg=f"output {index}")
            continue
        finite = np.isfinite(rounded)
        np.testing.assert_array_equal(one[~finite], rounded[~finite], err_msg=f"output {index}, where not finite")
        error = np.abs(one[finite].astype(np.float64) - full[finite])
        allowed = np.broadcast_to(limit, full.shape)[finite] + 2.0**-149
        assert not np.isnan(error).any(), f"output {index} has NaN where numbers belong"
        part = float((error / allowed).max(initial=0.0))
        assert part <= 1, f"output {index} is off by {error.max()}, {part} times what is allowed"
        most = max(most, part)
    return most


def same_bits(first: Array, second: Array) -> bool:
    """Equal bit by bit, but for which NaN a NaN is."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if first.dtype.kind != "f":
        return first.tobytes() == second.tobytes()
    nan = np.isnan(first)
    signed = np.signbit(first) == np.signbit(second)
    return bool((nan == np.isnan(second)).all() and ((first == second) & signed)[~nan].all())


def batch_of(case: OpCase, arrays: Sequence[Array | None]) -> int:
    """How many rows the inputs with a batch have."""
    for given, array in zip(case.inputs, arrays, strict=True):
        if given is not None and array is not None and given.batch and not given.known:
            return len(array)
    return 0


def rows_of(case: OpCase, arrays: Sequence[Array | None], first: int, last: int) -> list[Array | None]:
    """The inputs of some rows of the batch."""
    return [
        array if given is None or array is None or given.known or not given.batch else array[first:last]
        for given, array in zip(case.inputs, arrays, strict=True)
    ]


def larger(
    problem: Problem, arrays: Sequence[Array | None], batch: int, rng: np.random.Generator
) -> list[Array | None]:
    """The inputs again with `batch` rows."""
    found: list[Array | None] = []
    for given, array in zip(problem.case.inputs, arrays, strict=True):
        if given is None or array is None or given.known or not given.batch:
            found.append(array)
        else:
            found.append(replace(given, shape=(batch, *given.shape[1:])).make(rng))
    return found


class Checker:
    """Runs the checks of one kernel; `worst`: the largest part of a bound that was seen, by instruction set."""

    def __init__(self, row: KernelDef, forced: bool) -> None:
        self.row = row
        self.forced = forced
        self.runner = Runner()
        self.worst: dict[str, float] = {}
        self.gaps = False

    def values(self, problem: Problem, arrays: Sequence[Array | None], isas: Sequence[str], rng: Any) -> None:
        """Answers on instruction sets, and that rows have their bits in some split, with some number of threads."""
        wanted = exact(problem, arrays)
        batch = batch_of(problem.case, arrays) if problem.splits else 0
        self.gaps = bool(rng.integers(0, 2))
        for name in isas:
            with graphflow.knobs(isa=name):
                isa = current()
            found = self.runner.run(self.row, problem.case, arrays, isa, int(rng.integers(1, 5)), self.gaps, rng)
            part = near(found, problem, arrays, wanted)
            self.worst[name] = max(self.worst.get(name, 0.0), part)
            if batch > 1:
                split, threads = int(rng.integers(1, batch)), int(rng.choice(THREADS))
                self.split(problem, arrays, found, isa, split, threads, rng)

    def split(
        self,
        problem: Problem,
        arrays: Sequence[Array | None],
        whole: Sequence[Array],
        isa: Any,
        split: int,
        threads: int,
        rng: Any,
    ) -> None:
        """Assert that parts of a batch give the bits of the whole, computed by the same kernel."""
        batch = batch_of(problem.case, arrays)
        for first in range(0, batch, split):
            part = rows_of(problem.case, arrays, first, first + split)
            self._same_kernel(problem.case, arrays, part, isa)
            found = self.runner.run(self.row, problem.case, part, isa, threads, self.gaps, rng)
            for index, (one, full) in enumerate(zip(found, whole, strict=True)):
                same = same_bits(one, full[first : first + split])
                assert same, f"{isa.name}: output {index}, rows from {first} in parts of {split}, threads {threads}"

    def _same_kernel(
        self, case: OpCase, arrays: Sequence[Array | None], part: Sequence[Array | None], isa: Any
    ) -> None:
        """The rule may not see the batch."""
        if self.forced:
            return
        names = []
        for given in (arrays, part):
            row, _ = choose(case.op, call_of(case, given, isa, 1))
            names.append(None if row is None else row.name)
        assert names[0] == names[1], f"{names[0]} computes the batch, {names[1]} a part of it"

    def every_split(self, problem: Problem, arrays: Sequence[Array | None], isas: Sequence[str], rng: Any) -> None:
        """All of `SPLITS` and all of `THREADS`, and a sample of NaN beside the others."""
        batch = batch_of(problem.case, arrays)
        self.gaps = bool(rng.integers(0, 2))
        for name in isas:
            with graphflow.knobs(isa=name):
                isa = current()
            whole = self.runner.run(self.row, problem.case, arrays, isa, 1, self.gaps, rng)
            for split in (*SPLITS, batch):
                self.split(problem, arrays, whole, isa, split, int(rng.choice(THREADS)), rng)
            for threads in THREADS[1:]:
                self.split(problem, arrays, whole, isa, batch, threads, rng)
            self.poisoned(problem, arrays, whole, isa, int(rng.integers(0, batch)), rng)

    def poisoned(
        self, problem: Problem, arrays: Sequence[Array | None], whole: Sequence[Array], isa: Any, at: int, rng: Any
    ) -> None:
        """Assert that NaN in one sample changes no other."""
        spoiled = []
        for given, array in zip(problem.case.inputs, arrays, strict=True):
            moving = given is not None and array is not None and given.batch and not given.known
            if moving and array is not None and array.dtype.kind == "f" and problem.case.op != "embedding":
                array = array.copy()
                array[at] = np.nan
            spoiled.append(array)
        found = self.runner.run(self.row, problem.case, spoiled, isa, 2, self.gaps, rng)
        for one, full in zip(found, whole, strict=True):
            assert same_bits(np.delete(one, at, 0), np.delete(full, at, 0)), f"{isa.name}: NaN in sample {at} spread"
