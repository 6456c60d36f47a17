"""Random problems for every kernel of the table, on every instruction set: answers, guards, and the bits of rows.

    GRAPHFLOW_PROBLEMS=20000 pytest -m fuzz tests/kernels/test_random_problems.py -k gemm

A failure names the kernel and the number of its problem; GRAPHFLOW_FIRST=number GRAPHFLOW_PROBLEMS=1 runs it alone.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from problems import FAMILIES
from problems.check import Checker, larger
from problems.problem import Problem
from problems.run import fresh

from graphflow.kernels.isa import available
from graphflow.kernels.layout import KernelDef
from graphflow.kernels.table import KERNELS

ISAS = list(available())
FAST, LONG = 200, int(os.environ.get("GRAPHFLOW_PROBLEMS", "20000"))
"""How many problems a family gets: the kernels that share a generator."""
LEAST = 20
"""How many each kernel gets at least."""
FIRST = int(os.environ.get("GRAPHFLOW_FIRST", "0"))
MOST = 67
"""The rows of the batches that are split in every way."""

rows = pytest.mark.parametrize("row", KERNELS, ids=lambda row: row.name)


def numbered(row: KernelDef, first: int, count: int) -> Iterator[tuple[int, Problem, list[np.ndarray | None]]]:
    """Problems by number; what a kernel refuses has no number of its own, and is drawn anew."""
    family, name = FAMILIES[row.name], zlib.crc32(row.name.encode())
    for number in range(first, first + count):
        for attempt in range(60):
            found = fresh((name, number, attempt), row, family)
            if found is not None:
                yield number, *found
                break
        else:
            pytest.fail(f"{row.name} refused sixty problems in a row")


def share(row: KernelDef, count: int) -> int:
    """How many of a family's problems a kernel gets."""
    kernels = sum(one.make is FAMILIES[row.name].make for one in FAMILIES.values())
    return max(min(LEAST, count), -(-count // kernels))


def check(row: KernelDef, first: int, count: int) -> Checker:
    checker = Checker(row, FAMILIES[row.name].forced)
    for number, problem, arrays in numbered(row, first, count):
        rng = np.random.default_rng([number])
        try:
            checker.values(problem, arrays, ISAS, rng)
        except AssertionError as error:
            raise AssertionError(f"{row.name}, problem {number}, {problem.case}: {error}") from error
    return checker


def test_every_kernel_has_random_problems() -> None:
    assert {row.name for row in KERNELS} == set(FAMILIES)


@rows
def test_random_problems(row: KernelDef) -> None:
    check(row, 0, share(row, FAST))


def check_splits(row: KernelDef, count: int, isas: list[str]) -> None:
    checker, done = Checker(row, FAMILIES[row.name].forced), 0
    for number, problem, arrays in numbered(row, 10**6, 6 * count):
        rng = np.random.default_rng([number])
        if not problem.splits or sum(one.nbytes for one in arrays if one is not None) > 60_000:
            continue
        many = larger(problem, arrays, MOST, rng)
        try:
            checker.every_split(problem, many, isas, rng)
        except AssertionError as error:
            raise AssertionError(f"{row.name}, problem {number}, {problem.case}: {error}") from error
        done += 1
        if done == count:
            break
    assert done == count or row.op == "band", "too few problems could be split"


@rows
def test_rows_have_the_same_bits_in_every_split(row: KernelDef) -> None:
    check_splits(row, 1, [ISAS[KERNELS.index(row) % len(ISAS)]])


@pytest.mark.fuzz
@rows
def test_thousands_of_random_problems(row: KernelDef) -> None:
    print(row.name, check(row, FIRST, share(row, LONG)).worst)


@pytest.mark.fuzz
@rows
def test_rows_have_the_same_bits_in_many_splits(row: KernelDef) -> None:
    check_splits(row, max(1, LONG // 500), ISAS)
