"""Interleaved rounds of several worker processes, and what is said about their times.

    A  B  A  B  A  B      a round: a short warm-up, then N timed calls
     .  .  .  .  .        a pause, in which thread pools fall asleep

Load that comes and goes hits neighbouring rounds alike, so the ratio is taken within each pair of neighbours.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.worker import unpack

Array = np.ndarray[Any, Any]
ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 1e-4
LOOSE = {"openvino-default": 0.2}
"""The tolerance of engines that may compute in less than float32."""


class WorkerError(RuntimeError):
    """A worker could not do what it was told."""


class WrongAnswer(RuntimeError):  # noqa: N818
    """Two engines do not compute the same."""


class Pace(NamedTuple):
    """How a row is timed, in seconds: rounds, the length of one, the warm-ups, the pause between rounds.

    Slow models take `fewest` rounds, or as many as fit into `most` seconds.
    """

    rounds: int = 15
    length: float = 0.05
    first_warm: float = 0.15
    warm: float = 0.003
    pause: float = 0.02
    fewest: int = 5
    most: float = 30.0

    def rounds_of(self, seconds: float) -> int:
        """How many rounds there are when one of each engine takes so long.

        Example:
            >>> Pace().rounds_of(0.5), Pace().rounds_of(3.0), Pace().rounds_of(60.0)
            (15, 10, 5)
        """
        return max(min(self.fewest, self.rounds), min(self.rounds, int(self.most / max(seconds, 1e-9))))


QUICK = Pace(rounds=5, length=0.02, first_warm=0.04, fewest=3, most=5.0)


class WorkerProcess:
    """The parent's end of a worker: a context manager that ends the process."""

    def __init__(self, engine: str, path: Path, threads: int) -> None:
        self.engine = engine
        self._threads = threads
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.version: str = self.open(path)
        except BaseException:
            self.close()
            raise

    def open(self, path: Path) -> str:
        """Put a model in place of the one before; the engine's version."""
        answer = self.ask("load", engine=self.engine, path=str(path.resolve()), threads=self._threads)
        return str(answer["version"])

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Raises:
            WorkerError: the worker failed or ended.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(f"The worker of {self.engine} ended before {do!r}.") from None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"The worker of {self.engine} ended during {do!r}.")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.engine}: {answer['error']}")
        return answer

    def close(self) -> None:
        """End the process by ending its input; it is killed if it does not listen."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def difference(own: Sequence[Array], other: Sequence[Array]) -> float:
    """The largest difference of any output, relative to the largest value of that output.

    Raises:
        WrongAnswer: another number of outputs or other shapes, not finite, or all zeros.
    """
    if [one.shape for one in own] != [one.shape for one in other]:
        raise WrongAnswer(f"Outputs have shapes {[one.shape for one in own]} and {[one.shape for one in other]}.")
    worst = 0.0
    for a, b in zip(own, other, strict=True):
        largest = float(np.abs(b).max())
        if not (np.isfinite(a).all() and np.isfinite(b).all()) or largest == 0.0:
            raise WrongAnswer("Outputs must be finite and not all zeros, or comparing them says nothing.")
        worst = max(worst, float(np.abs(a.astype("float64") - b).max()) / largest)
    return worst


def time_interleaved(
    workers: Sequence[WorkerProcess],
    inputs: Sequence[Mapping[str, Any]],
    batch: int,
    pace: Pace,
    left_out: dict[str, str] | None = None,
) -> tuple[dict[str, list[float]], float, float]:
    """Seconds of one call in each round, by engine; how many processors other processes kept busy meanwhile; the
    largest difference of outputs from those of engines in float32.

    Args:
        workers: the first one is graphflow's, or whatever the others are compared with.
        left_out: if given, peers that can not run the model are put here with their reason and take no part.

    Raises:
        WrongAnswer: outputs differ by more than `TOLERANCE`; nothing is timed then.
        WorkerError: the first worker, or without `left_out` any, failed.
    """
    answers: dict[str, dict[str, Any]] = {}
    for worker in workers:
        try:
            answers[worker.engine] = worker.ask("inputs", inputs=inputs, batch=batch, seed=1, seconds=pace.first_warm)
        except WorkerError as error:
            if left_out is None or worker is workers[0]:
                raise
            left_out[worker.engine] = str(error)
    workers = [worker for worker in workers if worker.engine in answers]
    outputs = [[unpack(output) for output in answer["outputs"]] for answer in answers.values()]
    worst = 0.0
    for worker, other in zip(workers[1:], outputs[1:], strict=True):
        found = difference(outputs[0], other)
        allowed = LOOSE.get(worker.engine, TOLERANCE)
        if found > allowed:
            raise WrongAnswer(
                f"Outputs of {worker.engine} differ by {found:.1e} of the largest value, {allowed:.0e} is allowed."
            )
        worst = worst if worker.engine in LOOSE else max(worst, found)
    calls = [max(1, round(pace.length / answer["seconds"])) for answer in answers.values()]
    whole = sum(count * answer["seconds"] for count, answer in zip(calls, answers.values(), strict=True))
    times: dict[str, list[float]] = {worker.engine: [] for worker in workers}
    seconds = others = 0.0
    for _ in range(pace.rounds_of(whole)):
        for worker, count in zip(workers, calls, strict=True):
            time.sleep(pace.pause)
            answer = worker.ask("round", calls=count, warm=pace.warm)
            times[worker.engine].append(answer["seconds"] / count)
            seconds += answer["seconds"]
            others += answer["others"]
    return times, max(0.0, others / seconds), worst


def summarize(times: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(times), "min": min(times), "max": max(times)}


def ratios(own: Sequence[float], peer: Sequence[float]) -> dict[str, float]:
    """Peer's time over own time of neighbouring rounds: median, the bounds of the middle half, and of the minima."""
    pairs = [b / a for a, b in zip(own, peer, strict=True)]
    low, median, high = statistics.quantiles(pairs, n=4, method="inclusive") if len(pairs) > 1 else pairs * 3
    return {"median": median, "low": low, "high": high, "of_min": min(peer) / min(own)}


def fastest(ratio: Mapping[str, Mapping[str, float]], rivals: Sequence[str]) -> dict[str, Any] | None:
    """The ratio to the fastest of some peers in a row, with its name as `engine`; None if none of them ran.

    Args:
        ratio: `ratios` of each peer.
        rivals: the peers that count.

    Example:
        >>> fastest({"a": {"median": 1.5}, "b": {"median": 1.2}, "c": {"median": 0.3}}, ("a", "b"))
        {'engine': 'b', 'median': 1.2}
    """
    ran = [peer for peer in rivals if peer in ratio]
    if not ran:
        return None
    name = min(ran, key=lambda peer: ratio[peer]["median"])
    return {"engine": name, **ratio[name]}
