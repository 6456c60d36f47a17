"""The four stages of a job, each in a thread of its own, with bounded queues between them:

    read  ->  prepare (columns to inputs)  ->  run (in the calling thread)  ->  write (whole shards)

The kernels run without the interpreter's lock, so reading and writing go on meanwhile. An exception travels down the
queues behind the blocks before it: what came before it is still written. A stop (Ctrl-C) ends all at once; the writer
finishes the shard that it is writing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from graphflow.batch.channel import Cancelled, Channel

STAGES = ("reading", "preparing", "running", "writing")


@dataclass
class Times:
    """Seconds that each stage was busy, waiting for others not counted."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    def add(self, stage: str, seconds: float) -> None:
        """Count busy time."""
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
    write: Callable[[Any], None],
    finish: Callable[[], None],
    times: Times,
    depth: int = 2,
) -> None:
    """Take every block through the stages.

    Args:
        blocks: what is read.
        prepare, run: from what the stage before gave to what the next one takes.
        write: takes what `run` gave.
        finish: called in the writer's thread behind the last block.
        times: where busy time is counted.
        depth: how many blocks may wait in each queue.

    Raises:
        Exception: whatever a stage raised, once the blocks before it are through.
        KeyboardInterrupt: at once.

    Example:
        >>> done = []
        >>> run_stages(iter([1, 2, 3]), lambda x: x + 1, lambda x: x * 10, done.append, lambda: None, Times())
        >>> done
        [20, 30, 40]
    """
    read, ready, made = Channel(depth), Channel(depth), Channel(depth)
    channels = (read, ready, made)
    failed: list[BaseException] = []

    def reader() -> None:
        while True:
            start = time.perf_counter()
            try:
                item = next(blocks, END)
            except BaseException as error:
                item = Failure(error)
            times.add("reading", time.perf_counter() - start)
            read.put(item)
            if item is END or isinstance(item, Failure):
                return

    def preparer() -> None:
        while True:
            item = _through(read.get(), prepare, times, "preparing")
            ready.put(item)
            if item is END or isinstance(item, Failure):
                return

    def writer() -> None:
        while True:
            item = made.get()
            start = time.perf_counter()
            if isinstance(item, Failure):
                raise item.error
            if item is END:
                finish()
                times.add("writing", time.perf_counter() - start)
                return
            write(item)
            times.add("writing", time.perf_counter() - start)

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
        for stage in (reader, preparer, writer)
    ]
    for thread in threads:
        thread.start()
    try:
        while True:
            item = _through(ready.get(), run, times, "running")
            made.put(item)
            if item is END or isinstance(item, Failure):
                break
        threads[2].join()
    except Cancelled:
        pass
    finally:
        for channel in channels:
            channel.cancel()
        threads[2].join()
        for thread in threads[:2]:
            thread.join(timeout=5.0)
    if failed:
        raise failed[0]


def _through(item: Any, function: Callable[[Any], Any], times: Times, stage: str) -> Any:
    if item is END or isinstance(item, Failure):
        return item
    start = time.perf_counter()
    try:
        return function(item)
    except Exception as error:
        return Failure(error)
    finally:
        times.add(stage, time.perf_counter() - start)
