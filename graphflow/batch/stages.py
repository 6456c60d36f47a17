"""The four stages of a job, each in threads of its own, with bounded queues between them:

    read  ->  prepare (columns to inputs)  ->  run (the calling thread, and others beside it)  ->  write (whole shards)

Where preparing takes little of Python's time it has no thread of its own, which saves a hand-over (`apart`): the thread
that runs the block does it if there are several, each with its own block, else the reader.

The kernels run without the interpreter's lock, so reading and writing go on meanwhile. Several threads may run blocks,
each a block of its own; these are gathered in the order in which they were read, and the writer is woken for a whole
shard. An exception travels down the queues behind the blocks before it: the shards before it are still written. A stop
(Ctrl-C) ends all at once; the writer finishes the shard that it is writing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from graphflow.batch.channel import Cancelled, Channel, Turns

STAGES = ("reading", "preparing", "running", "writing")


@dataclass
class Times:
    """Seconds that each stage was busy, waiting for others not counted."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, stage: str, seconds: float) -> None:
        """Count busy time."""
        with self._lock:
            self.seconds[stage] += seconds

    @property
    def limiting(self) -> str:
        """The stage that was busy longest."""
        return max(self.seconds, key=self.seconds.__getitem__)


class Failure:
    """An exception on its way down the queues."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


END = object()
"""Behind the last block."""


def run_stages(
    blocks: Iterator[Any],
    prepare: Callable[[Any], Any],
    run: Callable[[Any], Any],
    ends: Callable[[Any], bool],
    write: Callable[[list[Any]], None],
    times: Times,
    depth: int = 2,
    runners: int = 1,
    apart: bool = True,
) -> None:
    """Take every block through the stages.

    Args:
        blocks: what is read.
        prepare, run: from what the stage before gave to what the next one takes.
        ends: whether what `run` gave is the last of a shard.
        write: takes what `run` gave for the blocks of a shard; the last one may be short of some.
        times: where busy time is counted.
        depth: how many blocks may wait in each queue. While one shard is written another is gathered, and no third.
        runners: how many threads call `run`, each with another block; their busy time counts as a mean.
        apart: whether `prepare` has a thread of its own; else those that run call it, or the reader's where one runs.

    Raises:
        Exception: whatever a stage raised, once the shards before it are through.
        KeyboardInterrupt: at once.

    Example:
        >>> done = []
        >>> run_stages(iter([1, 2, 3]), lambda x: x + 1, lambda x: x * 10, lambda x: x == 30, done.append, Times())
        >>> done
        [[20, 30], [40]]
    """
    held: list[Any] = []

    def gather(item: Any) -> None:
        nonlocal held
        last = _is_last(item)
        if not last:
            held.append(item)
        if held and (item is END if last else ends(item)):
            shard, held = held, []
            whole.put(shard)
        if last:
            whole.put(item)

    read, ready, whole = Channel(depth), Turns(depth, depth + runners, gather), Channel(1)
    channels = (read, ready, whole)
    failed: list[BaseException] = []

    def reader() -> None:
        while True:
            start = time.perf_counter()
            try:
                item = next(blocks, END)
            except BaseException as error:
                item = Failure(error)
            times.add("reading", time.perf_counter() - start)
            if not apart and runners == 1:
                item = _through(item, prepare, times, "preparing")
            (read if apart else ready).put(item)
            if _is_last(item):
                return

    def preparer() -> None:
        while True:
            item = _through(read.get(), prepare, times, "preparing")
            ready.put(item)
            if _is_last(item):
                return

    def runner() -> None:
        while True:
            taken = ready.take()
            if taken is None:
                return
            number, item = taken
            if not apart and runners > 1:
                item = _through(item, prepare, times, "preparing", runners)
            item = _through(item, run, times, "running", runners)
            if _is_last(item):
                ready.close()
            ready.give(number, item)

    def writer() -> None:
        while True:
            items = whole.look()
            if isinstance(items, Failure):
                raise items.error
            if items is END:
                return
            start = time.perf_counter()
            write(items)
            times.add("writing", time.perf_counter() - start)
            del items
            whole.get()

    def guarded(stage: Callable[[], None]) -> Callable[[], None]:
        def body() -> None:
            try:
                stage()
            except Cancelled:
                pass
            except BaseException as error:
                failed.append(error)
                for channel in channels:
                    channel.cancel()

        return body

    threads = [
        threading.Thread(target=guarded(stage), name=f"graphflow-{stage.__name__}", daemon=True)
        for stage in (reader, *[preparer] * apart, *[runner] * (runners - 1), writer)
    ]
    for thread in threads:
        thread.start()
    try:
        runner()
        threads[-1].join()
    except Cancelled:
        pass
    finally:
        for channel in channels:
            channel.cancel()
        threads[-1].join()
        for thread in threads[:-1]:
            thread.join(timeout=5.0)
    if failed:
        raise failed[0]


def _is_last(item: Any) -> bool:
    return item is END or isinstance(item, Failure)


def _through(item: Any, function: Callable[[Any], Any], times: Times, stage: str, threads: int = 1) -> Any:
    if _is_last(item):
        return item
    start = time.perf_counter()
    try:
        return function(item)
    except Exception as error:
        return Failure(error)
    finally:
        times.add(stage, (time.perf_counter() - start) / threads)
