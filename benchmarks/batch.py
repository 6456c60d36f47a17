"""Long jobs beside bare loops: what reading, writing, resuming and showing progress cost.

    python -m benchmarks.batch throughput      .npy and three kinds of Parquet, beside the bare session in memory
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
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.batch_rows import WIDTH, expand, sequences, vector_model, vectors, write_parquet
from benchmarks.batch_tasks import child
from benchmarks.files import DEFAULT_CACHE, declared_inputs, fetch
from benchmarks.machine import describe, heading

SMALLEST = "deeplc-8c22"
FLAT_MB = 20.0
TARGETS = {"npy": 0.95, "parquet": 0.90, "plain": 0.90, "required": 0.90}
"""The least shares of the bare session."""
PLAIN = {"use_dictionary": False, "compression": "none"}
PEER = 1.0
GROUP = 50_000
"""Rows of a row group where a loop by hand, or a measurement of memory, reads group by group."""
WHAT = ("throughput", "peer", "deeplc", "vector", "parquet", "overhead")
SECONDS = {"throughput": 380, "peer": 60, "deeplc": 400, "vector": 15, "parquet": 15, "overhead": 10}
"""About how long each takes on two processors at full scale; the bare loops of deeplc's model take most of it."""


def verdict(good: bool, wanted: str) -> str:
    """What was wanted, and whether it was so; what was not makes the exit code 1."""
    FAILED.extend([] if good else [wanted])
    return f"{'pass' if good else 'FAIL'} (wanted: {wanted})"


FAILED: list[str] = []


def show_throughput(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The job's rows per second as a share of the bare session's."""
    print("\nthroughput of a job as a share of the bare session on arrays in memory (1.00: nothing is lost)")
    print("  most: the share if a job took no longer than max(run, (run + read) / processors), each measured alone")
    print("  of it: how near the job comes to that")
    print("  parquet: by pyarrow's defaults; plain: without dictionaries and compression; required: and without nulls")
    heads = f"{'model':<12} {'source':<8} {'rows':>10} {'batch':>6} {'bare rows/s':>12} {'job rows/s':>11}"
    print(f"{heads} share  most of it")
    found: dict[str, Any] = {}
    for model, rows, batch in ((SMALLEST, 20_000, 64), ("vector", 10_000_000, 1024), ("vector-512", 1_000_000, 1024)):
        rows = max(1000, int(rows * given.scale))
        source = folder / model
        if model.startswith("vector"):
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
        write_parquet(Path(f"{source}.plain"), arrays, **PLAIN)
        write_parquet(Path(f"{source}.required"), arrays, nullable=False, **PLAIN)
        del arrays
        os.sync()
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
    given = parser.parse_args()
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
