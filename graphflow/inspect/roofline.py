"""What the machine could do: multiply-adds in registers, bytes from memory and caches, measured once a process.

    attainable time of a step = max(FLOPs / peak, bytes / bandwidth)

Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", 2009.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from graphflow.inspect.data import plain
from graphflow.ir.build import GraphBuilder
from graphflow.kernels.isa import Isa, available
from graphflow.knobs import knobs
from graphflow.runtime.session import Session
from graphflow.runtime.threads import get_num_threads
from graphflow.spec import TensorSpec

ROUNDS, CHAINS, ITEMS = 20_000, 12, 8
"""Of the leaf `peak_f32`: items for each thread, each of so many rounds over so many vectors."""

CACHED_FLOATS, MEMORY_FLOATS = 32 << 10, 8 << 20
"""Elements of each of the three streams of an addition: within a second-level cache, and far beyond the last one."""

IN_CACHE_BYTES = 1 << 20
"""Steps that touch fewer bytes are held to the bandwidth of caches."""

REPEATS = 7


@dataclass(frozen=True, slots=True)
class Roofline:
    """What a number of threads reach with an instruction set.

    Attributes:
        gflops: billions of floating-point operations a second, two for each multiply-add, in registers.
        memory_gbps, cache_gbps: billions of bytes a second, read and written, from memory and from caches.
    """

    isa: str
    threads: int
    gflops: float
    memory_gbps: float
    cache_gbps: float

    def seconds(self, flops: int, moved: int) -> tuple[float, str]:
        """The least time for a step, and what sets it: "compute" or "memory".

        Example:
            >>> Roofline("avx2", 1, 100.0, 10.0, 50.0).seconds(2_000_000_000, 1_000_000_000)
            (0.1, 'memory')
        """
        bandwidth = self.cache_gbps if moved < IN_CACHE_BYTES else self.memory_gbps
        compute, memory = flops / (self.gflops * 1e9), moved / (bandwidth * 1e9)
        return max(compute, memory), "compute" if compute >= memory else "memory"

    def to_dict(self) -> dict[str, Any]:
        """The data as a dict."""
        found: dict[str, Any] = plain(self)
        return found

    def __str__(self) -> str:
        return (
            f"{self.isa}, threads: {self.threads}: {self.gflops:.0f} GFLOP/s in registers, "
            f"{self.memory_gbps:.1f} GB/s from memory, {self.cache_gbps:.0f} GB/s from caches"
        )


def roofline(isa: str = "", threads: int | None = None) -> Roofline:
    """Measure the machine, in about a tenth of a second; the same question is answered from memory.

    Args:
        isa: an instruction set; by default the best.
        threads: how many compute together; by default as many as run models.
    """
    return _measured(isa or list(available())[-1], get_num_threads() if threads is None else threads)


@lru_cache(maxsize=16)
def _measured(isa: str, threads: int) -> Roofline:
    with knobs(isa=isa, threads=threads, debug=0):
        return Roofline(
            isa,
            threads,
            _peak(available()[isa], threads),
            _bandwidth(MEMORY_FLOATS),
            _bandwidth(CACHED_FLOATS),
        )


def _peak(isa: Isa, threads: int) -> float:
    from graphflow.runtime._executor import Context, Program

    items = ITEMS * threads
    y = np.zeros(items * isa.vector, np.float32)
    program = Program([(isa.leaves["peak_f32"], 0, items, 1, 1, 1)], [0, ROUNDS], [], [(0, 1, 0)], 0, 0, threads)
    context = Context(program, [])
    best = float("inf")
    for _ in range(REPEATS):
        begun = time.perf_counter()
        context.run([y], None)
        best = min(best, time.perf_counter() - begun)
    return 2 * items * ROUNDS * CHAINS * isa.vector / best / 1e9


def _bandwidth(floats: int) -> float:
    """Of additions in the arena, each of which reads two streams and writes one."""
    builder = GraphBuilder("bandwidth")
    x, y = (builder.input(TensorSpec((floats,)), name) for name in "xy")
    total: Any = x
    for _ in range(6):
        total = total + y
    builder.output(total, "total")
    with knobs(passes_off="all"):
        session = Session(builder.graph)
    arrays = [np.ones(floats, np.float32), np.ones(floats, np.float32)]
    best = float("inf")
    for _ in range(REPEATS):
        _, times = session.timed(arrays)
        best = min(best, *(int(one) for one in np.diff(times)[1:-1]))
    return 3 * 4 * floats / best
