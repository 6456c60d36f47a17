"""Shards of a job in several processes of this machine.

One process is the rule: kernels share the processors by threads, and reading and writing overlap with them. Processes
help where Python holds its lock much of the time: `map=` functions, models with operations that run on references.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from graphflow.batch.job import Engine, Job
from graphflow.batch.journal import Entry
from graphflow.batch.shards import ShardRunner
from graphflow.errors import ArgumentError, GraphflowError
from graphflow.runtime.threads import get_num_threads, set_num_threads

Ranges = Sequence[tuple[int, int]]
RETRIES = 3
"""Times that a pool is begun anew without a shard done in between."""

_runner: ShardRunner | None = None


def start_worker(job: Job, header: Entry, threads: int) -> None:
    """Make this process ready for `run_range`.

    Args:
        job: as it was pickled.
        header: of its journal.
        threads: how many share one run.
    """
    global _runner
    set_num_threads(threads)
    _runner = job.worker(header)


def run_range(first: int, stop: int) -> list[Entry]:
    """Do shards in this process; their entries, for the process that has the journal."""
    assert _runner is not None
    entries: list[Entry] = []
    _runner.run(first, stop, entries.append)
    return entries


def cut(ranges: Ranges, length: int) -> list[tuple[int, int]]:
    """Ranges of at most `length` shards.

    Example:
        >>> cut([(0, 5), (7, 8)], 2)
        [(0, 2), (2, 4), (4, 5), (7, 8)]
    """
    return [(at, min(at + length, stop)) for first, stop in ranges for at in range(first, stop, length)]


def processes(workers: int, threads: int = 0) -> Engine:
    """An engine of several processes.

    Args:
        workers: how many.
        threads: of each; 0: what this process may use, divided among them.

    Raises:
        ArgumentError: not a positive number.
    """
    if workers < 1:
        raise ArgumentError(f"The number of workers must be at least 1, received {workers}.")

    def engine(job: Job, header: Entry, ranges: Ranges, commit: Callable[[Entry], None]) -> None:
        share = threads or max(1, get_num_threads() // workers)
        waiting = cut(ranges, 1)
        failures = 0
        while waiting:
            before = len(waiting)
            try:
                waiting = _run_pool(job, header, waiting, commit, workers, share)
            except BrokenProcessPool as error:
                raise GraphflowError("The worker processes died before they were ready.") from error
            failures = failures + 1 if len(waiting) == before else 0
            if failures == RETRIES:
                raise GraphflowError(
                    f"Worker processes died {RETRIES} times in shards {waiting[:workers]}, most likely for want of "
                    "memory. What is done stays done."
                )

    return engine


def _run_pool(
    job: Job, header: Entry, ranges: Ranges, commit: Callable[[Entry], None], workers: int, threads: int
) -> list[tuple[int, int]]:
    """Run ranges in one pool; returns what is left when a worker died."""
    context = multiprocessing.get_context("spawn")
    left = dict.fromkeys(ranges)
    queue = list(ranges)
    running: dict[Future[Any], tuple[int, int]] = {}
    with ProcessPoolExecutor(workers, context, start_worker, (job, header, threads)) as pool:
        try:
            while queue or running:
                while queue and len(running) < 2 * workers:
                    one = queue.pop(0)
                    running[pool.submit(run_range, *one)] = one
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    one = running.pop(future)
                    for entry in future.result():
                        commit(entry)
                    del left[one]
        except BrokenProcessPool:
            if len(left) == len(ranges) and not any(future.running() for future in running):
                return list(left)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return list(left)
