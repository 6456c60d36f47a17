"""Recurrent layers alone: graphflow beside its peers, in processes of their own, in interleaved rounds.

    python -m benchmarks.recurrent [--quick] [--json out.json] [--kinds LSTM] [--units 64] [--batches 1] [--threads 1]

One layer over 100 steps of as many features as it has units, all outputs returned; the same weights for everybody. The
ratio is the time of the fastest peer divided by graphflow's, taken within neighbouring rounds: above 1, graphflow is
faster.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe, heading
from benchmarks.rounds import QUICK, Pace, WorkerProcess, ratios, summarize, time_interleaved
from benchmarks.worker import ENGINES

OWN = "graphflow"
PEERS = ("onnxruntime", "openvino", "torch-layer")
STEPS = 100
KINDS = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}
"""The layer, and what PyTorch calls it."""


def write_layer(folder: Path, kind: str, units: int) -> Path:
    """The files of one layer with seeded weights; returns their path without a suffix."""
    from graphflow import Input, Model, layers

    generator = np.random.default_rng([7, units])
    given = Input((STEPS, units))
    layer = getattr(layers, kind)(units, return_sequences=True)
    model = Model(given, layer(given))
    kernel, recurrent, bias = (
        generator.normal(0.0, units**-0.5 if array.shape[0] == units else 0.1, array.shape).astype("float32")
        for array in layer.get_weights()
    )
    layer.set_weights([kernel, recurrent, bias])
    stem = folder / f"{kind}-{units}"
    model.save(str(stem.with_suffix(".keras")))
    model.export(str(stem.with_suffix(".onnx")), format="onnx")
    np.savez(stem.with_suffix(".npz"), kind=KINDS[kind], kernel=kernel, recurrent=recurrent, bias=bias)
    return stem


def time_layer(
    stem: Path, units: int, threads: int, batches: Sequence[int], peers: Sequence[str], pace: Pace
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Rows of one layer on so many threads, with the versions of the engines."""
    inputs = [{"name": "x", "shape": [STEPS, units], "dtype": "float32", "high": None}]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(WorkerProcess(engine, stem.with_suffix(ENGINES[engine].suffix), threads))
            for engine in (OWN, *peers)
        ]
        versions = {worker.engine: worker.version for worker in workers}
        for batch in batches:
            times, others, worst = time_interleaved(workers, inputs, batch, pace)
            fastest = min(peers, key=lambda peer: statistics.median(times[peer]))
            yield (
                {
                    "layer": stem.name,
                    "batch": batch,
                    "threads": threads,
                    "difference": worst,
                    "others": others,
                    "seconds": {engine: summarize(each) for engine, each in times.items()},
                    "fastest": fastest,
                    "ratio": ratios(times[OWN], times[fastest]),
                    "rounds": times,
                },
                versions,
            )


def header(peers: Sequence[str]) -> str:
    return (
        f"{'layer':<14} {'batch':>5} {'threads':>7}  "
        + " ".join(f"{name[:12] + ' us':>15}" for name in (OWN, *peers))
        + f"  {'fastest':<15} {'ratio':>6} {'middle half':>13} {'of minima':>9} {'others':>6}"
    )


def format_row(row: dict[str, Any]) -> str:
    """One line."""
    ratio = row["ratio"]
    times = " ".join(f"{one['median'] * 1e6:15.1f}" for one in row["seconds"].values())
    spread = f"{ratio['low']:.2f} to {ratio['high']:.2f}"
    return (
        f"{row['layer']:<14} {row['batch']:>5} {row['threads']:>7}  {times}  {row['fastest']:<15} "
        f"{ratio['median']:6.2f} {spread:>13} {ratio['of_min']:9.2f} {row['others']:6.2f}"
    )


def parse() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few short rounds")
    parser.add_argument("--json", type=Path, help="also write everything, every round, to this file")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--units", nargs="+", type=int, default=[64, 128, 512])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    return parser.parse_args()


def main() -> None:
    """Time the table and print it."""
    given = parse()
    facts = describe()
    print(heading(facts))
    rows: list[dict[str, Any]] = []
    versions: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in given.kinds:
            for units in given.units:
                stem = write_layer(Path(folder), kind, units)
                for threads in given.threads:
                    pace = QUICK if given.quick else Pace()
                    for row, found in time_layer(stem, units, threads, given.batches, given.peers, pace):
                        if not versions:
                            versions = found
                            print(heading(versions) + "\n\n" + header(given.peers))
                        rows.append(row)
                        print(format_row(row), flush=True)
    if given.json:
        given.json.write_text(json.dumps({"machine": facts, "versions": versions, "rows": rows}, indent=1))
    chosen = [row["ratio"]["median"] for row in rows]
    print(f"\ngeometric mean to the fastest peer: {statistics.geometric_mean(chosen):.2f} over {len(chosen)} rows")
    print(f"smallest: {min(chosen):.2f}")
    print(f"largest difference of outputs: {max(row['difference'] for row in rows):.1e} of the largest value")


if __name__ == "__main__":
    main()
