"""Whole models: graphflow beside its peers, in processes of their own, in interleaved rounds.

    python -m benchmarks.models [--quick] [--json out.json] [--models digits mixed] [--threads 1 2] [--batches 1 8]
                                [--peers onnxruntime openvino] [--isa avx2] [--long]

A ratio is the peer's time divided by graphflow's, taken within neighbouring rounds: above 1, graphflow is faster. Its
spread is the middle half of the rounds. `fastest` is the ratio to the fastest of ONNX Runtime, OpenVINO (pinned to
float32) and PyTorch (eager, compiled) in that row. TensorFlow and OpenVINO as it comes, which may compute in bfloat16,
are shown beside it and never count as the fastest. `others` says how many processors other processes kept busy
meanwhile: a row with much of that says little, above all where the threads and the others together are more than the
processors.

A peer whose package is not installed, or that can not run a model, is left out and named with its reason. Outputs are
compared before anything is timed; a model whose outputs differ is not timed, and the exit status says so.

`--isa` makes graphflow use another instruction set (see `graphflow.knobs`); the peers keep theirs, as not all of them
offer such a choice: those ratios say how graphflow does with less, not how it would compare on such a processor.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.engines import ENGINES, OWN, PEERS, missing
from benchmarks.files import CASES, DEFAULT_CACHE, Case, declared_inputs, fetch
from benchmarks.machine import describe, heading
from benchmarks.rounds import QUICK, Pace, WorkerError, WorkerProcess, WrongAnswer, time_interleaved
from benchmarks.table import format_long, format_means, format_row, header, make_row, means

QUICK_BATCHES = (1, 8)
QUICK_PEERS = ("onnxruntime", "openvino", "pytorch")


def time_case(
    case: Case,
    threads: int,
    batches: Sequence[int],
    peers: Sequence[str],
    cache: Path,
    pace: Pace,
    left_out: dict[str, str],
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Rows of one model on so many threads, with the versions of the engines.

    Args:
        left_out: peers that can not run the model are put here with their reason.
    """
    inputs = declared_inputs(cache, case.name)
    with ExitStack() as stack:
        workers = []
        for engine in (OWN, *peers):
            path = cache / f"{case.name}{ENGINES[engine].suffix}"
            try:
                workers.append(stack.enter_context(WorkerProcess(engine, path, threads)))
            except WorkerError as error:
                if engine == OWN:
                    raise
                left_out[engine] = str(error)
        versions = {worker.engine: worker.version for worker in workers}
        for batch in batches:
            times, others, worst = time_interleaved(workers, inputs, batch, pace, left_out)
            row = make_row({"model": case.name, "batch": batch, "threads": threads}, times, worst, others)
            row["left out"] = dict(left_out)
            yield row, versions


def installed(peers: Sequence[str]) -> list[str]:
    """The peers that can run here; the others are named."""
    for reason in filter(None, map(missing, peers)):
        print(reason)
    return [peer for peer in peers if missing(peer) is None]


def use_isa(name: str | None) -> None:
    """Let graphflow use an instruction set, in this process and in the workers it starts."""
    if name:
        os.environ["GRAPHFLOW_ISA"] = name


def parse() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [case.name for case in CASES]
    parser.add_argument("--quick", action="store_true", help="batches 1 and 8, three peers, few short rounds")
    parser.add_argument("--json", type=Path, help="also write everything, every round, to this file")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--peers", nargs="+", choices=PEERS)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--batches", nargs="+", type=int, help="instead of each model's own")
    parser.add_argument("--isa", choices=("avx512", "avx2", "base"), help="graphflow's instruction set")
    parser.add_argument("--long", action="store_true", help="a line for each engine, with its times")
    return parser.parse_args()


def main() -> None:
    """Time the table and print it."""
    given = parse()
    use_isa(given.isa)
    pace = QUICK if given.quick else Pace()
    peers = installed(given.peers or (QUICK_PEERS if given.quick else PEERS))
    fetch(given.cache)
    facts = describe()
    print(heading(facts))
    rows: list[dict[str, Any]] = []
    failed: list[str] = []
    versions: dict[str, str] = {}
    for case in CASES:
        if case.name not in given.models:
            continue
        batches = given.batches or [batch for batch in case.batches if not given.quick or batch in QUICK_BATCHES]
        for threads in given.threads:
            left_out: dict[str, str] = {}
            try:
                for row, found in time_case(case, threads, batches, peers, given.cache, pace, left_out):
                    if not rows:
                        print(heading(found) + "\n\n" + header("model", peers))
                    versions |= found
                    rows.append(row)
                    print(format_row(row, "model", peers), flush=True)
                    if given.long:
                        print("\n".join(format_long(row)), flush=True)
            except (WorkerError, WrongAnswer, FileNotFoundError) as error:
                failed.append(f"{case.name}, {threads} threads: {error}")
            for peer, reason in left_out.items():
                print(f"{case.name}, {threads} threads, without {peer}: {reason}")
    listed = {case.name for case in CASES if case.listed}
    table = means([row for row in rows if row["model"] in listed], peers)
    if given.json:
        record = {"benchmark": "models", "machine": facts, "versions": versions, "rows": rows}
        given.json.write_text(json.dumps({**record, "means": table, "failed": failed}, indent=1))
    if rows:
        print("\ngeometric means over the model list, and the smallest ratio\n" + "\n".join(format_means(table)))
        print(f"largest difference of outputs: {max(row['difference'] for row in rows):.1e} of the largest value")
    if failed:
        raise SystemExit("\n".join(["", "not timed:", *failed]))


if __name__ == "__main__":
    main()
