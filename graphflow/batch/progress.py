"""What a job shows while it runs, and what it says at the end."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphflow.batch.stages import STAGES
from graphflow.errors import ArgumentError

INTERVAL = 0.5
"""Seconds between two progress lines."""


def memory_bytes() -> int:
    """Memory that this process holds now; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def peak_memory() -> int:
    """The most bytes that this process has held; 0 where the system does not say.

    `ru_maxrss` is not asked where there is better: it also counts what the process was before it began this program.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@dataclass
class Report:
    """What a job did.

    Args:
        status: "finished", or "already finished" when nothing was left to do.
        rows: rows of the source that are done, those of earlier runs included.
        resumed_rows: of these, what earlier runs had done.
        rows_written: rows of the output.
        bad_rows: rows that could not be used.
        shards: how many there are.
        batch_size, shard_rows: as they were fixed when the job began.
        seconds: from beginning to end of this run.
        stage_seconds: how long each stage was busy in this run.
        limiting: the stage that was busy longest, "" if none ran.
        peak_memory: the most bytes this process has held, 0 if not known.
        outputs: files that were written.
        rejects: the file of bad rows, "" if there is none.
    """

    status: str
    rows: int
    resumed_rows: int
    rows_written: int
    bad_rows: int
    shards: int
    batch_size: int
    shard_rows: int
    seconds: float = 0.0
    stage_seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    limiting: str = ""
    peak_memory: int = 0
    outputs: list[str] = field(default_factory=list)
    rejects: str = ""

    @property
    def rows_per_second(self) -> float:
        """Of this run."""
        return (self.rows - self.resumed_rows) / self.seconds if self.seconds else 0.0

    def as_data(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "rows_per_second": self.rows_per_second}

    def __str__(self) -> str:
        """A few lines for people."""
        lines = [
            f"{self.status}: {self.rows:,} rows ({self.resumed_rows:,} of them before), {self.rows_written:,} written, "
            f"{self.bad_rows:,} bad; {self.seconds:.1f} s, {self.rows_per_second:,.0f} rows/s",
        ]
        if self.limiting:
            busy = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.stage_seconds.items())
            lines.append(f"busy: {busy}; the limiting stage was {self.limiting}")
        lines.append(f"batch size {self.batch_size:,}, shards of {self.shard_rows:,} rows")
        if self.peak_memory:
            lines[-1] += f", peak memory {self.peak_memory / 2**20:,.0f} MiB"
        if self.rejects:
            lines.append(f"bad rows: {self.rejects}")
        return "\n".join(lines)


class Progress:
    """Shows how far a job is.

    Args:
        kind: "auto" (a bar if standard error is a terminal), "json" (lines on standard error), or "none".
        total: rows, None if not known.
        done: rows that earlier runs have done.

    Raises:
        ArgumentError: another kind.
    """

    def __init__(self, kind: str, total: int | None, done: int) -> None:
        if kind not in ("auto", "json", "none"):
            raise ArgumentError(f"progress must be 'auto', 'json' or 'none', received {kind!r}.")
        self._kind = kind
        self._total, self._done, self._before = total, done, done
        self._start = time.perf_counter()
        self._last = self._start
        self._bar: Any = None
        if kind == "auto" and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, unit="row", unit_scale=True, file=sys.stderr)

    def advance(self, rows: int) -> None:
        """So many more rows are done."""
        self._done += rows
        if self._bar is not None:
            self._bar.set_postfix_str(f"{memory_bytes() / 2**20:,.0f} MiB", refresh=False)
            self._bar.update(rows)
        now = time.perf_counter()
        if self._kind == "json" and now - self._last >= INTERVAL:
            self._last = now
            self.say("progress", **self._facts(now))

    def _facts(self, now: float) -> dict[str, Any]:
        speed = (self._done - self._before) / max(now - self._start, 1e-9)
        left = None if self._total is None or not speed else (self._total - self._done) / speed
        return {
            "rows": self._done,
            "total": self._total,
            "rows_per_second": round(speed, 1),
            "remaining_seconds": None if left is None else round(left, 1),
            "memory_bytes": memory_bytes(),
        }

    def say(self, event: str, **facts: Any) -> None:
        """A line for machines, if they asked for them."""
        if self._kind == "json":
            print(json.dumps({"event": event, **facts}), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the terminal in order."""
        if self._bar is not None:
            self._bar.close()
