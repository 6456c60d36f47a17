"""Long jobs beside bare loops: what reading, writing, resuming and showing progress cost.

    python -m benchmarks.batch throughput      memory-mapped .npy and Parquet, beside the bare session in memory
    python -m benchmarks.batch peer            Parquet in, Parquet out, beside ONNX Runtime in a loop written by hand
    python -m benchmarks.batch deeplc          2,000,000 rows of four inputs, expanded from sequences: memory
    python -m benchmarks.batch vector          10,000,000 rows of a small vector model: the same
    python -m benchmarks.batch parquet         2,000,000 rows of it from 32 columns of Parquet: the same
    python -m benchmarks.batch overhead        a trivial model: what a row and a batch cost beside a bare loop
    python -m benchmarks.batch                 everything

    --scale 0.01 for a try; --folder where gigabytes may lie; --rounds N; --threads N; --json FILE

Each figure is from a process of its own; rounds of what is compared take turns, and a ratio is the median of those
within rounds. Each line ends in what was wanted and whether it was so; the exit code is 1 if something was not.
`python -m benchmarks.export_onnx` makes the files of the models before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.files import DEFAULT_CACHE, ROOT, declared_inputs, fetch
from benchmarks.machine import describe, heading

Array = np.ndarray[Any, Any]
SMALLEST = "deeplc-8c22"
TENTHS = 10
FLAT_MB = 20.0
TARGETS = {"npy": 0.95, "parquet": 0.90, "plain": 0.90}
"""The least shares of the bare session; plain: Parquet without dictionaries and compression."""
PEER = 1.0
GROUP = 50_000
"""Rows of a row group where a loop by hand, or a measurement of memory, reads group by group."""
WHAT = ("throughput", "peer", "deeplc", "vector", "parquet", "overhead")
SECONDS = {"throughput": 220, "peer": 60, "deeplc": 400, "vector": 15, "parquet": 15, "overhead": 10}
"""About how long each takes on two processors at full scale; the bare loops of deeplc's model take most of it."""


def verdict(good: bool, wanted: str) -> str:
    """What was wanted, and whether it was so; what was not makes the exit code 1."""
    FAILED.extend([] if good else [wanted])
    return f"{'pass' if good else 'FAIL'} (wanted: {wanted})"


FAILED: list[str] = []


# -- models and rows


WIDTH = 32


def vector_model(width: int = WIDTH, hidden: int = 128) -> Any:
    """A small model of vectors: 32 numbers, 128 and 64 hidden ones, one output."""
    from graphflow import Input, Model
    from graphflow.layers import Dense

    rng = np.random.default_rng(0)
    x = Input((width,), name="x")
    y, size = x, width
    for units in (hidden, hidden // 2):
        weights = [rng.standard_normal((size, units)) / size**0.5, np.zeros(units)]
        y, size = Dense(units, activation="relu", weights=weights)(y), units
    return Model(x, Dense(1, weights=[rng.standard_normal((size, 1)), np.zeros(1)], name="score")(y))


def trivial_model() -> Any:
    """One addition for each of four numbers."""
    from graphflow import Input, Model

    x = Input((4,), name="x")
    return Model(x, x + 1.0)


RESIDUES = np.random.default_rng(7).integers(0, 12, (21, 6)).astype("float32")
RESIDUES[20] = 0
LETTERS = np.vstack([np.eye(20, dtype="float32"), np.zeros((1, 20), "float32")])


def expand(columns: dict[str, Array]) -> list[Array]:
    """DeepLC's four inputs from sequences of 60 codes: atoms of each residue, of pairs, of the whole, and letters."""
    codes = columns["data"]
    atoms = RESIDUES[codes]
    pairs = atoms[:, 0::2] + atoms[:, 1::2]
    whole = np.zeros((len(codes), 55), "float32")
    whole[:, :6] = atoms.sum(axis=1)
    whole[:, 6:26] = LETTERS[codes[:, :4]].sum(axis=1)
    whole[:, 54] = (codes < 20).sum(axis=1)
    return [atoms, pairs, whole, LETTERS[codes]]


def sequences(path: Path, rows: int) -> None:
    """Sequences of 7 to 60 codes, padded with 20, as a `.npy` file."""
    rng = np.random.default_rng(11)
    made = np.lib.format.open_memmap(path, "w+", np.uint8, (rows, 60))
    for at in range(0, rows, 100_000):
        part = rng.integers(0, 20, (min(100_000, rows - at), 60), np.uint8)
        part[np.arange(60) >= rng.integers(7, 61, len(part))[:, None]] = 20
        made[at : at + len(part)] = part
    made.flush()


def vectors(path: Path, rows: int, width: int = WIDTH) -> None:
    """Random vectors as a `.npy` file."""
    rng = np.random.default_rng(12)
    made = np.lib.format.open_memmap(path, "w+", np.float32, (rows, width))
    for at in range(0, rows, 200_000):
        made[at : at + 200_000] = rng.standard_normal((min(200_000, rows - at), width), dtype="float32")
    made.flush()


def write_parquet(path: Path, arrays: dict[str, Array], group: int | None = None, **options: Any) -> None:
    """Arrays as Parquet: each a column of lists, one alone a column for each number; as pyarrow's defaults have it.

    Args:
        group: rows of a row group; None: pyarrow's own number, 2^20.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    if [array.ndim for array in arrays.values()] == [2]:
        (array,) = arrays.values()
        columns = {f"x{index}": array[:, index] for index in range(array.shape[1])}
        arrays = {}
    for name, array in arrays.items():
        size = int(np.prod(array.shape[1:]))
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), size)
    pq.write_table(pa.table(columns), path, row_group_size=group, **options)


# -- processes of their own


def child(task: str, **arguments: Any) -> dict[str, Any]:
    """Run a task of this module in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.batch", "--task", json.dumps([task, arguments], default=str)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def load(model: str) -> Any:
    """A model by name: `vector`, `trivial`, or a file of the cache."""
    import graphflow

    if model in ("vector", "trivial"):
        return vector_model() if model == "vector" else trivial_model()
    return graphflow.load_model(model)


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
    import os

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


# -- what is printed


def show_throughput(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The job's rows per second as a share of the bare session's."""
    print("\nthroughput of a job as a share of the bare session on arrays in memory (1.00: nothing is lost)")
    print("  most: the share if a job took no longer than max(run, (run + read) / processors), each measured alone")
    print("  of it: how near the job comes to that; plain: Parquet without dictionaries and compression")
    heads = f"{'model':<12} {'source':<8} {'rows':>10} {'batch':>6} {'bare rows/s':>12} {'job rows/s':>11}"
    print(f"{heads} share  most of it")
    found: dict[str, Any] = {}
    for model, rows, batch in ((SMALLEST, 20_000, 64), ("vector", 10_000_000, 1024)):
        rows = max(1000, int(rows * given.scale))
        source = folder / model
        if model == "vector":
            vectors(Path(f"{source}-x.npy"), rows)
            path = model
        else:
            sequences(folder / "codes.npy", rows)
            names = [one["name"] for one in declared_inputs(given.cache, model)]
            for name, array in zip(names, expand({"data": np.load(folder / "codes.npy")}), strict=True):
                np.save(f"{source}-{name}.npy", array)
            path = str(given.cache / f"{model}.keras")
        arrays = {one.stem.removeprefix(f"{model}-"): np.load(one) for one in sorted(folder.glob(f"{model}-*.npy"))}
        write_parquet(Path(f"{source}.parquet"), arrays)
        write_parquet(Path(f"{source}.plain"), arrays, use_dictionary=False, compression="none")
        del arrays
        for kind in TARGETS:
            arguments = {"model": path, "kind": kind, "source": source, "folder": folder, "batch": batch}
            row = child("compare", **arguments, rounds=given.rounds, threads=given.threads)
            bare, whole = (statistics.median(row["times"][one]) for one in ("bare", "job"))
            busy = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in row["stages"].items())
            print(
                f"{model:<12} {kind:<8} {row['rows']:>10,} {batch:>6} {row['rows'] / bare:>12,.0f} "
                f"{row['rows'] / whole:>11,.0f} {row['ratio']:>5.3f} {row['best']:>5.2f} {row['bound']:>5.2f}  "
                f"{verdict(row['ratio'] >= TARGETS[kind], f'at least {TARGETS[kind]}')}; busy: {busy}",
                flush=True,
            )
            found[f"{model} {kind}"] = row
    return found


def show_peer(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Parquet in and out, beside ONNX Runtime."""
    print("\nParquet to Parquet: ONNX Runtime's time in a loop written by hand / a job's (above 1: the job is faster)")
    found: dict[str, Any] = {}
    for model, rows, batch in ((SMALLEST, 10_000, 64), ("digits", 200_000, 64), ("vector", 2_000_000, 1024)):
        rows = max(1000, int(rows * given.scale))
        inputs = declared_inputs(given.cache, model) if model != "vector" else [{"name": "x", "shape": [WIDTH]}]
        files = {"peer": f"{given.cache / model}.onnx", "own": f"{given.cache / model}.keras"}
        if model == "vector":
            files = {"peer": f"{folder}/vector.onnx", "own": model}
            vector_model().export(files["peer"])
        rng = np.random.default_rng(4)
        if model == SMALLEST:
            sequences(folder / "codes.npy", rows)
            made = expand({"data": np.load(folder / "codes.npy")})
        else:
            made = [rng.random((rows, *one["shape"]), dtype="float32") for one in inputs]
        names = [one["name"] for one in inputs]
        source = folder / f"{model}-peer.parquet"
        write_parquet(source, dict(zip(names, made, strict=True)), GROUP)
        shapes = {one["name"]: one["shape"] for one in inputs}
        common = {"source": source, "folder": folder, "batch": batch, "threads": given.threads or 2}
        rounds = []
        for _ in range(given.rounds):
            theirs = child("peer", model=files["peer"], **common)
            ours = child("own", model=files["own"], shapes=shapes, **common)
            rounds.append((theirs["seconds"], ours["seconds"]))
        ratio = statistics.median(a / b for a, b in rounds)
        speeds = [rows / statistics.median(times) for times in zip(*rounds, strict=True)]
        print(
            f"{model:<14} {rows:>9,} rows, batch {batch}: ONNX Runtime {speeds[0]:,.0f} rows/s, job {speeds[1]:,.0f} "
            f"rows/s, ratio {ratio:.2f}: {verdict(ratio >= PEER, f'at least {PEER}')}",
            flush=True,
        )
        found[model] = {"rounds": rounds, "ratio": ratio}
    return found


def show_memory(given: argparse.Namespace, folder: Path, name: str) -> dict[str, Any]:
    """A long job, and how its memory goes."""
    rows = max(10_000, int({"deeplc": 2_000_000, "vector": 10_000_000, "parquet": 2_000_000}[name] * given.scale))
    source = folder / f"{name}-rows.npy"
    (sequences if name == "deeplc" else vectors)(source, rows)
    if name == "parquet":
        write_parquet(source.with_suffix(".parquet"), {"x": np.load(source)}, GROUP)
        source.unlink()
        source = source.with_suffix(".parquet")
    model = str(given.cache / f"{SMALLEST}.keras") if name == "deeplc" else "vector"
    arguments = {"model": model, "source": source, "folder": folder, "expanded": name == "deeplc"}
    row = child("memory", **arguments, threads=given.threads)
    tenths = [one / 2**20 for one in row["tenths"]]
    print(f"\n{name}: {rows:,} rows in {row['seconds']:.1f} s, {row['rows_per_second']:,.0f} rows/s")
    print(f"  batch {row['batch_size']}, shards of {row['shard_rows']:,}; the limiting stage was {row['limiting']}")
    print(f"  busy: {', '.join(f'{stage} {seconds:.1f} s' for stage, seconds in row['stage_seconds'].items())}")
    print(f"  most memory of each tenth, MiB: {', '.join(f'{one:.0f}' for one in tenths)}")
    grown = (row["tenths"][-1] - row["tenths"][0]) / 1e6
    said = verdict(grown <= FLAT_MB, f"at most {FLAT_MB:.0f} MB")
    print(f"  last tenth - first tenth: {grown:+.1f} MB: {said}", flush=True)
    source.unlink()
    return row


def show_overhead(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What the pipeline itself costs, by batch size; then the least squares of rows and batches."""
    most = max(20_000, int(2_000_000 * given.scale))
    vectors(folder / "trivial.npy", most, 4)
    print("\na trivial model (4 numbers + 1), one thread: .npy to .npy beside a loop over arrays in memory")
    print(f"{'batch':>6} {'rows':>10} {'bare rows/s':>12} {'job rows/s':>12} {'more ns/row':>12} {'us/batch':>9}")
    found: dict[str, Any] = {}
    lines, extra = [], []
    for batch in (1, 8, 32, 256, 4096):
        rows = min(most, max(1000, int(100_000 * batch * given.scale)))
        row = child("overhead", folder=folder, batch=batch, rows=rows, rounds=given.rounds)
        more = row["job"] - row["bare"]
        lines.append((rows, row["batches"], 1.0))
        extra.append(more)
        print(
            f"{batch:>6} {rows:>10,} {rows / row['bare']:>12,.0f} {rows / row['job']:>12,.0f} "
            f"{more / rows * 1e9:>12,.0f} {more / row['batches'] * 1e6:>9.1f}",
            flush=True,
        )
        found[str(batch)] = row
    fit, *_ = np.linalg.lstsq(np.array(lines), np.array(extra), rcond=None)
    print(f"  fitted: {fit[0] * 1e9:.1f} ns a row, {fit[1] * 1e6:.2f} us a batch, {fit[2] * 1e3:.0f} ms a job")
    return found


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*WHAT, []], default=[], help="all by default")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of rows")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as the process may use")
    parser.add_argument("--folder", type=Path, help="where files of up to several gigabytes may lie for a while")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        task, arguments = json.loads(given.task)
        print(json.dumps(TASKS[task](**arguments)))
        return
    fetch(given.cache)
    facts = describe()
    print(heading(facts))
    seconds = {what: SECONDS[what] * given.scale for what in given.what or WHAT}
    listed = ", ".join(f"{what} {each:.0f} s" for what, each in seconds.items())
    print(f"this takes about {sum(seconds.values()) / 60:.0f} minutes, and half a minute of starting: {listed}")
    found: dict[str, Any] = {"machine": facts}
    for what in given.what or WHAT:
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            folder = Path(name)
            if what in ("deeplc", "vector", "parquet"):
                found[what] = show_memory(given, folder, what)
            else:
                shown = {"throughput": show_throughput, "peer": show_peer, "overhead": show_overhead}
                found[what] = shown[what](given, folder)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    print(f"\n{len(FAILED)} of the figures are not what was wanted" if FAILED else "\nall figures are as wanted")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
