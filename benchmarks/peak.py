"""What the machine itself reaches, by the leaves that are there for this: the measure that kernels are held to.

    peak      multiply-adds in registers
    stream    bytes of arrays of a given size, so many read for each one written

Both go through the executor and its threads, as kernels do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from graphflow.kernels.isa import Isa

ROUNDS, CHAINS, ITEMS = 20_000, 12, 8
"""Of the leaf `peak_f32`: rounds over so many vectors in each of so many items a thread."""
LANES = 64
"""Of the leaf `stream_f32`: rows are a multiple of it."""


def fastest(run: Callable[[], Any], seconds: float, least: int = 5) -> float:
    """The shortest time of a call, over at least so many calls and seconds, after one that is not counted."""
    run()
    best, begun, count = float("inf"), time.perf_counter(), 0
    while count < least or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
        count += 1
    return best


def leaf_runner(
    isa: Isa, leaf: str, numbers: Mapping[str, int], arrays: Mapping[str, Any], items: int, threads: int
) -> Callable[[], None]:
    """A call of one leaf through the executor, its items shared by the threads.

    Args:
        numbers, arrays: its fields by name.
    """
    from graphflow.kernels._leaf import FIELDS
    from graphflow.runtime._executor import Context, Program

    names = [name for name, _ in FIELDS[leaf]]
    slots = [numbers.get(name, 0) for name in names]
    given = list(arrays)
    moving = [(names.index(name), 1 + index, 0) for index, name in enumerate(given)]
    grain = max(1, -(-items // (4 * threads)))
    program = Program([(isa.leaves[leaf], 0, items, grain, int(threads > 1), 1)], slots, [], moving, 0, 0, threads)
    context = Context(program, [])
    held = [arrays[name] for name in given]
    return lambda: context.run(held, None)


class Measure(NamedTuple):
    """Something to time, and how much it does: operations or bytes."""

    run: Callable[[], Any]
    amount: float

    def rate(self, seconds: float) -> float:
        """Billions a second, by the fastest run."""
        return self.amount / fastest(self.run, seconds) / 1e9

    def mean_rate(self, seconds: float) -> float:
        """Billions a second over so long a time."""
        count, begun = 0, time.perf_counter()
        while count == 0 or time.perf_counter() - begun < seconds:
            self.run()
            count += 1
        return self.amount * count / (time.perf_counter() - begun) / 1e9


def peak(isa: Isa, threads: int, rounds: int = 0) -> Measure:
    """Multiply-adds in registers, two operations each; more rounds make a run longer."""
    items, rounds = ITEMS * threads, rounds or ROUNDS
    y = np.zeros(items * isa.vector, np.float32)
    run = leaf_runner(isa, "peak_f32", {"rounds": rounds}, {"y": y}, items, threads)
    return Measure(run, 2.0 * items * rounds * CHAINS * isa.vector)


def stream(isa: Isa, threads: int, reads: int, size: int) -> Measure:
    """Bytes read and written.

    Args:
        reads: how many are read for each one written.
        size: bytes of all arrays together, about.
    """
    n = max(LANES, size // (4 * (reads + 1)) // LANES * LANES)
    x, y = np.ones((reads, n), np.float32), np.zeros(n, np.float32)
    block = min(n, 4096)
    numbers = {"n": n, "reads": reads, "block": block}
    run = leaf_runner(isa, "stream_f32", numbers, {"x": x, "y": y}, -(-n // block), threads)
    return Measure(run, (reads + 1) * 4.0 * n)


def peak_gflops(isa: Isa, threads: int, seconds: float = 0.02) -> float:
    """Billions of operations a second: the rate of `peak`."""
    return peak(isa, threads).rate(seconds)


def stream_gbps(isa: Isa, threads: int, reads: int, size: int, seconds: float = 0.05) -> float:
    """Billions of bytes a second: the rate of `stream`."""
    return stream(isa, threads, reads, size).rate(seconds)
