"""Memory stays where it is: over many calls of `predict` with changing sizes, and over the rows of a job."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

CALLS = """
import sys
import numpy as np
from batch_models import two_inputs, vector_model, vectors
from graphflow.batch.progress import memory_bytes

count = int(sys.argv[1])
x = vectors(400)
words = np.random.default_rng(0).integers(0, 20, (400, 5))
rng = np.random.default_rng(1)
vector, pair = vector_model(), two_inputs()

def calls(number):
    for size in rng.integers(1, 300, number):
        rows = int(rng.integers(1, 400))
        assert vector.predict(x[:rows], batch_size=int(size), verbose=0).shape == (rows, 3)
        if size % 8 == 0:
            assert pair.predict([words[:rows], x[:rows, :2]], batch_size=int(size), verbose=0)[0].shape == (rows, 2)

calls(count // 5)
before = memory_bytes()
calls(count)
print(memory_bytes() - before)
"""
JOB = """
import sys, threading, time
import numpy as np
from batch_models import vector_model
from graphflow.batch import Job
from graphflow.batch.progress import Progress, memory_bytes

folder, rows = sys.argv[1], int(sys.argv[2])
made = np.lib.format.open_memmap(folder + "/x.npy", "w+", "float32", (rows, 4))
for at in range(0, rows, 100_000):
    made[at : at + 100_000] = 1
del made
seen, advance = [], Progress.advance

def watched(self, count):
    seen.append(memory_bytes())
    advance(self, count)

Progress.advance = watched
report = Job(vector_model(), folder + "/x.npy", folder + "/o.npy", batch_size=512, shard_rows=16384).run()
assert report.rows == rows
tenth = len(seen) // 10
print(max(seen[-tenth:]) - max(seen[:tenth]))
"""
MB = 2**20


def grown(code: str, *arguments: str) -> int:
    """Bytes that a process of its own says it has grown by."""
    gc.collect()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_predict_with_changing_sizes_does_not_grow() -> None:
    assert grown(CALLS, "1500") < 3 * MB


@pytest.mark.fuzz
def test_a_hundred_thousand_calls_of_predict_do_not_grow() -> None:
    assert grown(CALLS, "100000") < 5 * MB


def test_a_job_holds_no_more_at_its_end_than_at_its_beginning(tmp_path: Path) -> None:
    assert grown(JOB, str(tmp_path), "6000000") < 15 * MB
