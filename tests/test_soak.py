"""Long lives: many threads on one session, forks, changing shapes, memory that can not be had."""

from __future__ import annotations

import gc
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphflow.runtime._executor import fail_allocations_after

import graphflow
from graphflow import Input, Model
from graphflow.layers import LSTM, Conv2D, Dense, Embedding, Flatten
from graphflow.runtime import Session


def classifier() -> Model:
    x = Input((12, 10, 3))
    return Model(x, Dense(5, activation="softmax")(Flatten()(Conv2D(8, 3, activation="relu")(x))))


def reader() -> Model:
    x = Input((None,), dtype="int32")
    return Model(x, Dense(3)(LSTM(9)(Embedding(30, 7)(x))))


def two_inputs() -> Model:
    a, b = Input((6,)), Input((6,))
    return Model([a, b], [Dense(4, activation="tanh")(a + b), a * 2.0])


FAILING = {"classifier": classifier, "reader": reader, "two_inputs": two_inputs}


def feeds(session: Session, rows: int, length: int = 7) -> list[Any]:
    rng = np.random.default_rng(rows)
    shapes = [(rows, *(size or length for size in value.spec.shape[1:])) for value in session.graph.inputs]
    return [rng.integers(0, 5, s).astype(v.spec.dtype) for s, v in zip(shapes, session.graph.inputs, strict=True)]


@pytest.mark.parametrize("name", FAILING)
def test_memory_that_can_not_be_had_is_an_error_and_nothing_worse(name: str) -> None:
    session = FAILING[name]().session()
    gc.collect()
    inputs = feeds(session, 4)
    expected = session.run(inputs)
    session.close()
    in_use = fail_allocations_after(-1)
    failures = 0
    try:
        for count in range(100):
            session.close()
            fail_allocations_after(count)
            said = ""
            try:
                results = session.run(inputs)
            except MemoryError as error:
                said = str(error)
            if not said:
                break
            failures += 1
            assert re.search(r"needs? \d+ bytes of (working )?memory", said)
            session.close()  # weights that were packed before are kept until then
            assert fail_allocations_after(-1) == in_use
            np.testing.assert_array_equal(session.run(inputs)[0], expected[0])
    finally:
        fail_allocations_after(-1)
    assert failures > 5  # packed weights, and what every run takes
    for one, other in zip(results, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    session.close()
    assert fail_allocations_after(-1) == in_use


def share(session: Session, threads: int, calls: int) -> None:
    """Run one session from many threads with several batch sizes, each result compared with the first."""
    given = [feeds(session, rows) for rows in (1, 2, 5, 8)]
    expected = [session.run(inputs) for inputs in given]
    wrong: list[str] = []

    def work(seed: int) -> None:
        for i in range(calls // threads):
            which = (i * 7 + seed) % len(given)
            for one, other in zip(session.run(list(given[which])), expected[which], strict=True):
                if not np.array_equal(one, other):
                    wrong.append(f"call {i} of thread {seed}")
                    return

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def test_sixteen_threads_share_a_session() -> None:
    with graphflow.knobs(threads=2):
        share(classifier().session(), 16, 3_000)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", FAILING)
def test_sixteen_threads_share_a_session_for_a_hundred_thousand_calls(name: str) -> None:
    with graphflow.knobs(threads=2):
        share(FAILING[name]().session(), 16, 100_000)


FORKS = """
import os, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, graphflow
from graphflow.layers import Conv2D
graphflow.set_num_threads(2)
x = graphflow.Input((40, 40, 16))
session = graphflow.Model(x, Conv2D(32, 3)(x)).session()
data = np.random.default_rng(0).standard_normal((4, 40, 40, 16)).astype("float32")
expected = session.run([data])[0]
for cycle in range(int(sys.argv[1])):
    assert np.array_equal(session.run([data])[0], expected)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if np.array_equal(session.run([data])[0], expected) else 3)
    end = time.monotonic() + 30
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            os.kill(pid, 9)
            sys.exit(f"cycle {cycle}: the child hangs")
        time.sleep(0.0005)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"cycle {cycle}: the child ended with {status}")
print("ok")
"""


def forked(cycles: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS, str(cycles)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.stdout == "ok\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forty_children_run_what_their_parent_ran() -> None:
    forked(40)


@pytest.mark.fuzz
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_thousand_children_run_what_their_parent_ran() -> None:
    forked(1000)


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def growth(calls: int) -> float:
    """Megabytes by which the process grows over calls with changing batch sizes and lengths."""
    text, image = reader(), classifier()
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 40, (calls, 2))
    before = 0
    for call, (rows, length) in enumerate(sizes):
        if call == calls // 10:
            gc.collect()
            before = resident()
        text.predict_on_batch(np.ones((rows, length), "int32"))
        image.predict(np.ones((rows, 12, 10, 3), "float32"), batch_size=16, verbose=0)
    gc.collect()
    return (resident() - before) / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not say how much memory is in use")
def test_changing_shapes_leave_memory_where_it_was() -> None:
    assert growth(2_000) < 5


@pytest.mark.fuzz
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not say how much memory is in use")
def test_a_hundred_thousand_calls_of_changing_shapes_leave_memory_where_it_was() -> None:
    assert growth(100_000) < 5


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_session_travels_to_other_processes(method: str, tmp_path: Path) -> None:
    session = classifier().session()
    inputs = feeds(session, 6)
    file = tmp_path / "session.pickle"
    file.write_bytes(pickle.dumps((session, inputs, session.run(inputs))))
    code = f"""
import multiprocessing, pickle, sys
import numpy as np
def work(path):
    session, inputs, expected = pickle.load(open(path, "rb"))
    return all(np.array_equal(a, b) for a, b in zip(session.run(inputs), expected))
if __name__ == "__main__":
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(pool.map(work, [sys.argv[1]] * 4))
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script), str(file)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "[True, True, True, True]\n", done.stderr


def test_an_interrupt_stops_a_long_run_and_the_session_goes_on() -> None:
    x = Input((64, 64, 32))
    y = x
    for _ in range(60):
        y = Conv2D(32, 3, padding="same")(y)
    session = Model(x, y).session()
    data = np.zeros((24, 64, 64, 32), "float32")
    small = session.run([data[:1]])[0]
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in range(40):
                session.run([data])
        assert time.monotonic() - started < 10
    finally:
        timer.join()
    np.testing.assert_array_equal(session.run([data[:1]])[0], small)
