"""What the benchmark of long jobs measures, each in a process of its own.

python -m benchmarks.batch_tasks '["overhead", {"folder": "/tmp", ...}]'     its result as JSON, in the last line
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.batch_rows import HIDDEN, expand, trivial_model, vector_model
from benchmarks.files import ROOT

Array = np.ndarray[Any, Any]
TENTHS = 10
"""The parts of a long job whose memory is looked at."""


def child(task: str, **arguments: Any) -> dict[str, Any]:
    """Run a task of this module in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.batch_tasks", json.dumps([task, arguments], default=str)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def load(model: str) -> Any:
    """A model by name: `vector`, `vector-512` with as many hidden units, `trivial`, or a file of the cache."""
    import graphflow

    name, _, hidden = model.partition("-")
    if name == "vector":
        return vector_model(hidden=int(hidden or HIDDEN))
    return trivial_model() if model == "trivial" else graphflow.load_model(model)


def reshaped(shapes: dict[str, list[int]]) -> Callable[[dict[str, Array]], dict[str, Array]]:
    """A `map=` that gives flat columns their shapes."""

    def give_shapes(columns: dict[str, Array]) -> dict[str, Array]:
        return {name: array.reshape(-1, *shapes[name]) for name, array in columns.items()}

    return give_shapes


def compare(model: str, kind: str, source: str, folder: str, batch: int, rounds: int, threads: int) -> dict[str, Any]:
    """Rounds of the bare session on arrays in memory, and of a job over files with the same rows, into a .npy file.

    The bound is the least time that the job's work can take on these processors: that of running alone, with the
    threads that the job has, or the processor time of running and reading, each taken alone, over all processors.
    """
    import graphflow
    from graphflow.batch import Job
    from graphflow.batch.header import new_settings

    if threads:
        graphflow.set_num_threads(threads)
    loaded = load(model)
    session = loaded.session()
    names = session.input_names
    arrays = {name: np.load(f"{source}-{name}.npy") for name in names}
    shapes = {name: list(array.shape[1:]) for name, array in arrays.items()}
    rows = len(arrays[names[0]])
    options: dict[str, Any] = {"source": {name: f"{source}-{name}.npy" for name in names}}
    if kind != "npy":
        options = {"source": f"{source}.{kind}"}
        options["source_format"] = "parquet"
        if any(len(shape) > 1 for shape in shapes.values()):
            options["map"] = reshaped(shapes)
    job = Job(loaded, sink=f"{folder}/out-{kind}.npy", batch_size=batch, **options)
    inputs = [arrays[name] for name in names]
    single = session.with_threads(1)

    def bare() -> None:
        for at in range(0, rows, batch):
            session.run([array[at : at + batch] for array in inputs])

    def run_alone() -> None:
        single.run_batches(inputs, batch)

    def read_alone() -> None:
        opened = job.open()
        size = new_settings(job, opened).block_rows
        for block in opened.source.read(0, None, size, opened.mapper.columns(())):
            opened.mapper(block.columns)
        opened.source.close()

    reports: list[Any] = []
    tasks: dict[str, Callable[[], object]] = {
        "bare": bare,
        "job": lambda: reports.append(job.run(resume=False)),
        "run": run_alone,
        "read": read_alone,
    }
    times: dict[str, list[float]] = {name: [] for name in tasks}
    spent: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(rounds + 1):
        for name, task in tasks.items():
            start, before = time.perf_counter(), time.process_time()
            task()
            if turn:
                times[name].append(time.perf_counter() - start)
                spent[name].append(time.process_time() - before)
    processors = len(os.sched_getaffinity(0))
    runners = min(processors, graphflow.get_num_threads())
    bounds = [
        max(run / runners, (run + read) / processors) for run, read in zip(spent["run"], spent["read"], strict=True)
    ]
    ratio = statistics.median(bare / whole for bare, whole in zip(times["bare"], times["job"], strict=True))
    reached = statistics.median(bound / whole for bound, whole in zip(bounds, times["job"], strict=True))
    best = statistics.median(bare / bound for bare, bound in zip(times["bare"], bounds, strict=True))
    report = reports[-1]
    found = {"rows": rows, "ratio": ratio, "bound": reached, "best": best, "times": times, "spent": spent}
    return {**found, "stages": report.stage_seconds, "limiting": report.limiting}


def stood(columns: list[Any], shape: list[int]) -> Array:
    """One input from one column of lists, or from a column for each number."""
    if len(columns) == 1:
        flat: Array = columns[0].flatten().to_numpy()
        return flat.reshape(-1, *shape)
    return np.stack([column.to_numpy() for column in columns], axis=1)


def peer(model: str, source: str, folder: str, batch: int, threads: int) -> dict[str, Any]:
    """ONNX Runtime in a loop as one writes it: batches of a Parquet file in, a Parquet file out."""
    import onnxruntime
    import pyarrow as pa
    import pyarrow.parquet as pq

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    shapes = {one.name: one.shape[1:] for one in session.get_inputs()}
    name = session.get_outputs()[0].name
    rows, start, writer = 0, time.perf_counter(), None
    for part in pq.ParquetFile(source).iter_batches(batch):
        columns = part.columns
        each = len(columns) // len(shapes)
        feed = {
            one: stood(columns[at * each : (at + 1) * each], shape) for at, (one, shape) in enumerate(shapes.items())
        }
        output = session.run(None, feed)[0]
        table = pa.table({name: pa.FixedSizeListArray.from_arrays(pa.array(output.reshape(-1)), output.shape[1])})
        writer = writer or pq.ParquetWriter(f"{folder}/peer.parquet", table.schema)
        writer.write_table(table)
        rows += len(output)
    assert writer is not None
    writer.close()
    return {"rows": rows, "seconds": time.perf_counter() - start}


def own(model: str, source: str, folder: str, batch: int, threads: int, shapes: dict[str, list[int]]) -> dict[str, Any]:
    """The same Parquet in and out as a job."""
    import graphflow
    from graphflow.batch import Job

    graphflow.set_num_threads(threads)
    loaded = load(model)
    loaded.session()
    start = time.perf_counter()
    shaped = None if model == "vector" else reshaped(shapes)
    job = Job(loaded, source, f"{folder}/own.parquet", batch_size=batch, map=shaped)
    report = job.run(resume=False)
    return {"rows": report.rows, "seconds": time.perf_counter() - start, "stages": report.stage_seconds}


def memory(model: str, source: str, folder: str, expanded: bool, threads: int) -> dict[str, Any]:
    """A long job; the most memory of each tenth of its rows."""
    import threading

    import graphflow
    from graphflow.batch import Job
    from graphflow.batch.progress import Progress, memory_bytes

    if threads:
        graphflow.set_num_threads(threads)
    job = Job(load(model), source, f"{folder}/long.npy", map=expand if expanded else None)
    total = job.open().source.rows or 1
    seen = [0] * TENTHS
    state = {"rows": 0, "on": True}
    advance = Progress.advance

    def counted(self: Progress, rows: int) -> None:
        state["rows"] += rows
        advance(self, rows)

    def watch() -> None:
        while state["on"]:
            tenth = min(TENTHS - 1, int(state["rows"]) * TENTHS // total)
            seen[tenth] = max(seen[tenth], memory_bytes())
            time.sleep(0.005)

    Progress.advance = counted  # type: ignore[method-assign]
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    report = job.run(resume=False)
    state["on"] = False
    watcher.join()
    return {**report.as_data(), "tenths": seen}


def overhead(folder: str, batch: int, rows: int, rounds: int) -> dict[str, Any]:
    """Seconds of a bare loop, and of a job, with a model that does next to nothing."""
    import graphflow
    from graphflow.batch import Job

    graphflow.set_num_threads(1)
    model = trivial_model()
    session = model.session()
    path = f"{folder}/trivial.npy"
    x = np.load(path)[:rows]
    np.save(f"{folder}/part.npy", x)
    job = Job(model, f"{folder}/part.npy", f"{folder}/trivial-out.npy", batch_size=batch)
    bare, whole = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        for at in range(0, rows, batch):
            session.run([x[at : at + batch]])
        bare.append(time.perf_counter() - start)
        start = time.perf_counter()
        job.run(resume=False)
        whole.append(time.perf_counter() - start)
    return {"bare": min(bare), "job": min(whole), "batches": -(-rows // batch)}


TASKS = {"compare": compare, "peer": peer, "own": own, "memory": memory, "overhead": overhead}


if __name__ == "__main__":
    name, given = json.loads(sys.argv[1])
    print(json.dumps(TASKS[name](**given)))
