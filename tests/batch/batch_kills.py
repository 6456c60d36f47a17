"""Running a job in a child that is killed, and a disk that fails, for the tests of resuming."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from graphflow.batch import Job, durable
from graphflow.batch.sinks import FileSink

MakeJob = Callable[[Path], Job]


class Killer:
    """Kills the process before the `at`th call of the system.

    Args:
        at: its number; None: never. `calls` counts them.
    """

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.calls = 0
        self._lock = threading.Lock()

    def __call__(self, call: str, path: str, size: int) -> int | None:
        with self._lock:
            self.calls += 1
            if self.calls - 1 == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)
        return None


class FailingDisk:
    """A disk that fails from the `at`th call on, once or for good, after taking a part of a write.

    Args:
        at: the number of the call.
        code: the error.
        part: whether a write that fails takes half of its bytes before.
        once: whether the calls behind it succeed.
    """

    def __init__(self, at: int, code: int = errno.ENOSPC, part: bool = False, once: bool = False) -> None:
        self.at, self.code, self.part, self.once = at, code, part, once
        self.calls = 0
        self.failed = False

    def __call__(self, call: str, path: str, size: int) -> int | None:
        self.calls += 1
        if self.failed and self.once:
            return None
        if self.calls - 1 < self.at:
            return None
        if self.part and call == "write" and size > 1 and not self.failed:
            self.failed = True
            self.once = False
            return size // 2
        self.failed = True
        raise OSError(self.code, os.strerror(self.code), path)


def run_child(job: Job, log: Path, killer: Killer | None = None, after: float | None = None) -> int:
    """Run a job in a forked child; its exit status: 0, or -9 when it was killed.

    Args:
        job: what it runs.
        log: gets the number of each shard that is written, a line for each run.
        killer: kills it at a call.
        after: kills it after so many seconds.
    """
    child = os.fork()
    if not child:
        try:
            durable.hook = killer
            _log_shards(log)
            job.run()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    if after is not None:
        time.sleep(after)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _log_shards(log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, b"\n")
    write = FileSink.write_shard

    def logged(self: FileSink, shard: int, row: int, columns: Any) -> Any:
        records = write(self, shard, row, columns)
        os.write(file, b"%d " % shard)
        return records

    FileSink.write_shard = logged  # type: ignore[method-assign]


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def assert_little_was_done_twice(log: Path) -> None:
    """No run wrote more than one shard that an earlier run had written whole."""
    before: set[int] = set()
    for line in log.read_text().splitlines():
        now = [int(one) for one in line.split()]
        assert len(set(now)) == len(now)
        assert len(before & set(now)) <= 1, f"{line} after {sorted(before)}"
        before |= set(now)
