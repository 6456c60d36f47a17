"""The process that holds one engine: reads commands as lines of JSON, answers each with a line of JSON.

    load    engine, path, threads                   -> version, isa
    inputs  inputs, batch, seed, seconds            -> outputs, seconds of one call; warm when it answers
    round   calls, warm                             -> seconds of all calls, processor seconds of this and other ones
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import engines
from benchmarks.engines import Engine
from benchmarks.torch_layer import TorchLayer

Array = np.ndarray[Any, Any]

ENGINES: dict[str, type[Engine]] = {**engines.ENGINES, "torch-layer": TorchLayer}
"""The engines of whole models, and those of single layers."""


def make_inputs(declared: Sequence[Mapping[str, Any]], batch: int, seed: int) -> list[Array]:
    """The same arrays in every process: floats from 0 to 1, integers from 0 below `high`."""
    arrays = []
    for index, one in enumerate(declared):
        generator = np.random.default_rng([seed, batch, index])
        shape = (batch, *one["shape"])
        if one["dtype"].startswith("int"):
            arrays.append(generator.integers(0, one["high"], shape).astype(one["dtype"]))
        else:
            arrays.append(generator.random(shape, dtype="float32").astype(one["dtype"]))
    return arrays


def pack(array: Array) -> dict[str, Any]:
    """An array as JSON."""
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
    return {"dtype": array.dtype.str, "shape": list(array.shape), "data": data}


def unpack(packed: Mapping[str, Any]) -> Array:
    """The array that `pack` was given."""
    return np.frombuffer(base64.b64decode(packed["data"]), packed["dtype"]).reshape(packed["shape"])


def busy_seconds() -> float:
    """Processor seconds of all processes since the machine started, in steps of some milliseconds; 0 if not known."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
    except (OSError, ValueError):
        return 0.0
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")


class Worker:
    """One engine with one model."""

    def __init__(self) -> None:
        self._engine: Engine | None = None

    def load(self, engine: str, path: str, threads: int) -> dict[str, Any]:
        self._engine = ENGINES[engine]()
        self._engine.load(path, threads)
        return {"version": self._engine.version()}

    def inputs(self, inputs: Sequence[Mapping[str, Any]], batch: int, seed: int, seconds: float) -> dict[str, Any]:
        assert self._engine is not None
        self._engine.bind(make_inputs(inputs, batch, seed))
        outputs = self._engine.run()
        each = self._warm(seconds)
        return {"outputs": [pack(output) for output in outputs], "seconds": each}

    def _warm(self, seconds: float) -> float:
        """Run for at least so long; the seconds of the fastest call."""
        assert self._engine is not None
        run, clock, best = self._engine.run, time.perf_counter, float("inf")
        end = clock() + seconds
        while True:
            start = clock()
            run()
            now = clock()
            best = min(best, now - start)
            if now >= end:
                return best

    def round(self, calls: int, warm: float) -> dict[str, Any]:
        assert self._engine is not None
        run = self._engine.run
        self._warm(warm)
        everyone, this, start = busy_seconds(), time.process_time(), time.perf_counter()
        for _ in range(calls):
            run()
        seconds = time.perf_counter() - start
        this = time.process_time() - this
        return {"seconds": seconds, "own": this, "others": busy_seconds() - everyone - this}


def main() -> None:
    """Answer commands until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(worker, command.pop("do"))(**command)
        except Exception as error:
            traceback.print_exc(limit=-2)
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
