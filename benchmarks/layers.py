"""Single layers: graphflow beside its peers, by the machinery of `benchmarks.models`.

    python -m benchmarks.layers [--quick] [--json out.json] [--threads 1 2] [--batches 1 8] [--groups conv pool]
    python -m benchmarks.layers --layer "conv 56 56 64 64 3" "gemm 196 256 1024"

Each layer is a model of its own, with seeded weights, written as a Keras file and, by graphflow, as ONNX. Images come
and go with their channels last, as Keras has them: a peer that computes in another layout pays for both conversions
here, which between the layers of a network it would pay once. `gemm` layers have their rows in each sample. Recurrent
layers have a benchmark of their own, `benchmarks.recurrent`; a description is explained in `benchmarks.problems`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.engines import ENGINES, OWN, PEERS
from benchmarks.machine import describe, heading
from benchmarks.models import QUICK_PEERS, installed, use_isa
from benchmarks.problems import model_of, parse
from benchmarks.rounds import QUICK, Pace, WorkerError, WorkerProcess, WrongAnswer, time_interleaved
from benchmarks.table import Row, format_means, format_row, header, make_row, means

GROUPS: dict[str, tuple[str, ...]] = {
    "gemm": (
        *("gemm 8 512 512", "gemm 32 512 512", "gemm 196 256 1024", "gemm 784 512 128", "gemm 784 1152 128"),
        *("gemm 3136 64 64", "gemm 3136 64 256", "gemm 3136 576 64", "gemm 196 2304 256", "gemm 49 512 2048"),
        *("gemm 784 128 512", "dense 512 512", "dense 2048 1024"),
    ),
    "conv": (
        *("conv 224 224 3 64 7 s2", "conv 56 56 64 64 3", "conv 28 28 128 128 3", "conv 14 14 256 256 3"),
        *("conv 7 7 512 512 3", "conv 56 56 128 128 3 s2", "conv 56 56 64 256 1", "conv 56 56 256 64 1"),
        *("conv 28 28 128 512 1", "conv 14 14 256 1024 1", "conv 7 7 512 2048 1"),
    ),
    "vgg": (
        *("conv 224 224 3 64 3", "conv 224 224 64 64 3", "conv 112 112 128 128 3", "conv 56 56 256 256 3"),
        *("conv 28 28 512 512 3", "conv 14 14 512 512 3"),
    ),
    "mobile": (
        *("conv 224 224 3 32 3 s2", "conv 112 112 32 16 1", "conv 56 56 24 144 1", "conv 28 28 32 192 1"),
        *("conv 14 14 64 384 1", "conv 14 14 96 576 1", "conv 7 7 160 960 1", "conv 7 7 320 1280 1"),
    ),
    "depthwise": (
        *("depthwise 112 112 32 3", "depthwise 112 112 96 3 s2", "depthwise 56 56 144 3", "depthwise 56 56 144 3 s2"),
        *("depthwise 28 28 192 3", "depthwise 14 14 384 3", "depthwise 14 14 576 3", "depthwise 7 7 960 3"),
    ),
    "conv1d": (
        *("conv1d 1000 64 64 3", "conv1d 1000 64 64 3 d8", "conv1d 1000 128 128 5 d2", "conv1d 4000 32 32 9"),
        *("conv1d 1000 256 256 3 d4", "conv1d 16000 1 64 9"),
    ),
    "pool": (
        *("max_pool 112 112 64 3 s2", "max_pool 224 224 64 2", "max_pool 56 56 256 2", "max_pool 28 28 512 2"),
        *("max_pool 14 14 512 2", "average_pool 56 56 256 2", "global_average 7 7 2048"),
    ),
    "other": (
        *("transposed 32 32 64 32 2 s2", "conv3d 16 32 32 32 64 3", "softmax 100 1000", "layer_norm 196 768"),
        *("relu 1048576", "add 1048576", "sigmoid 1048576", "tanh 1048576", "gelu 1048576", "permute 56 56 64"),
    ),
}
"""The layers of the networks that people run, by what they are."""


def write_layer(folder: Path, text: str) -> list[dict[str, Any]]:
    """Write the files of a layer, under its description; its inputs as workers want them."""
    model = model_of(parse(text))
    model.save(str(folder / f"{text}.keras"))
    model.export(str(folder / f"{text}.onnx"))
    return [{"name": one.name, "shape": list(one.shape[1:]), "dtype": "float32", "high": None} for one in model.inputs]


def main() -> None:
    """Time the table and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layer", nargs="+", help="descriptions, instead of the groups")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--quick", action="store_true", help="batch 1, few short rounds")
    parser.add_argument("--json", type=Path, help="also write everything, every round, to this file")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=QUICK_PEERS)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--batches", nargs="+", type=int)
    parser.add_argument("--isa", choices=("avx512", "avx2", "base"), help="graphflow's instruction set")
    given = parser.parse_args()
    use_isa(given.isa)
    pace = QUICK if given.quick else Pace(most=10.0)
    peers = installed(given.peers)
    facts = describe()
    print(heading(facts) + "\n\n" + header("layer", peers, WIDTH))
    texts = given.layer or [text for group in given.groups for text in GROUPS[group]]
    batches = given.batches or ([1] if given.quick else [1, 8])
    rows: list[Row] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        versions = time_layers(Path(folder), texts, given.threads, batches, peers, pace, rows, failed)
    table = means(rows, peers)
    if given.json:
        record = {"benchmark": "layers", "machine": facts, "versions": versions, "rows": rows}
        given.json.write_text(json.dumps({**record, "means": table, "failed": failed}, indent=1))
    if rows:
        print("\ngeometric means, and the smallest ratio\n" + "\n".join(format_means(table)))
        print(f"largest difference of outputs: {max(row['difference'] for row in rows):.1e} of the largest value")
    if failed:
        raise SystemExit("\n".join(["", "not timed:", *failed]))


WIDTH = 28


def time_layers(
    folder: Path,
    texts: Sequence[str],
    threads: Sequence[int],
    batches: Sequence[int],
    peers: Sequence[str],
    pace: Pace,
    rows: list[Row],
    failed: list[str],
) -> dict[str, str]:
    """Time layers one after another; the same workers serve all of them for one number of threads.

    Args:
        rows, failed: what was measured, and what was not with its reason, is put here.

    Returns:
        The versions of the engines.
    """
    versions: dict[str, str] = {}
    described = {text: write_layer(folder, text) for text in texts}
    for count in threads:
        with ExitStack() as stack:
            workers: dict[str, WorkerProcess] = {}
            for text in texts:
                ready, left_out = [], {}
                for engine in (OWN, *peers):
                    path = folder / f"{text}{ENGINES[engine].suffix}"
                    try:
                        if engine in workers:
                            workers[engine].open(path)
                        else:
                            workers[engine] = stack.enter_context(WorkerProcess(engine, path, count))
                        ready.append(workers[engine])
                        versions[engine] = workers[engine].version
                    except WorkerError as error:
                        left_out[engine] = str(error)
                if OWN in left_out:
                    failed.append(f"{text}, {count} threads: {left_out[OWN]}")
                    continue
                for batch in batches:
                    try:
                        times, others, worst = time_interleaved(ready, described[text], batch, pace, left_out)
                    except (WorkerError, WrongAnswer) as error:
                        failed.append(f"{text}, {count} threads, batch {batch}: {error}")
                        continue
                    row = make_row({"layer": text, "batch": batch, "threads": count}, times, worst, others)
                    row["left out"] = dict(left_out)
                    rows.append(row)
                    print(format_row(row, "layer", peers, WIDTH), flush=True)
                    ready = [worker for worker in ready if worker.engine not in left_out]
                for peer, reason in left_out.items():
                    print(f"{text}, {count} threads, without {peer}: {reason}")
    return versions


if __name__ == "__main__":
    main()
