"""Whole models: graphflow beside its peers, in processes of their own, in interleaved rounds.

    python -m benchmarks.models [--quick] [--json out.json] [--models digits mixed] [--threads 1 2] [--batches 1 8]

A ratio is the peer's time divided by graphflow's, taken within neighbouring rounds: above 1, graphflow is faster. Its
spread is the middle half of the rounds. `others` says how many processors other processes kept busy meanwhile: a row
with much of that says little, above all where the threads and the others together are more than the processors.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.engines import ENGINES
from benchmarks.files import CASES, DEFAULT_CACHE, Case, declared_inputs, fetch
from benchmarks.machine import describe, heading
from benchmarks.rounds import QUICK, Pace, WorkerError, WorkerProcess, ratios, summarize, time_interleaved

OWN = "graphflow"
QUICK_BATCHES = (1, 32)


def time_case(
    case: Case, threads: int, batches: Sequence[int], peers: Sequence[str], cache: Path, pace: Pace
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Rows of one model on so many threads, with the versions of the engines."""
    inputs = declared_inputs(cache, case.name)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(WorkerProcess(engine, cache / f"{case.name}{ENGINES[engine].suffix}", threads))
            for engine in (OWN, *peers)
        ]
        versions = {worker.engine: worker.version for worker in workers}
        for batch in batches:
            times, others, worst = time_interleaved(workers, inputs, batch, pace)
            yield {
                "model": case.name,
                "batch": batch,
                "threads": threads,
                "difference": worst,
                "others": others,
                "seconds": {engine: summarize(each) for engine, each in times.items()},
                "ratio": {peer: ratios(times[OWN], times[peer]) for peer in peers},
                "rounds": times,
            }, versions


HEADER = (
    f"{'model':<12} {'batch':>5} {'threads':>7}  {'own us':>8} {'min':>8} {'max':>8}  "
    f"{'peer':<12} {'us':>8} {'min':>8} {'max':>8}  {'ratio':>6} {'middle half':>13} {'of minima':>9} {'others':>6}"
)


def format_row(row: dict[str, Any]) -> list[str]:
    """One line for each peer."""
    lines = []
    own = row["seconds"][OWN]
    for peer, ratio in row["ratio"].items():
        other = row["seconds"][peer]
        numbers = " ".join(f"{own[key] * 1e6:8.1f}" for key in ("median", "min", "max"))
        others = " ".join(f"{other[key] * 1e6:8.1f}" for key in ("median", "min", "max"))
        spread = f"{ratio['low']:.2f} to {ratio['high']:.2f}"
        lines.append(
            f"{row['model']:<12} {row['batch']:>5} {row['threads']:>7}  {numbers}  {peer:<12} {others}  "
            f"{ratio['median']:6.2f} {spread:>13} {ratio['of_min']:9.2f} {row['others']:6.2f}"
        )
    return lines


def geometric_means(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A line for each peer and number of threads."""
    for peer in rows[0]["ratio"] if rows else ():
        for threads in sorted({row["threads"] for row in rows}):
            chosen = [row["ratio"][peer]["median"] for row in rows if row["threads"] == threads]
            mean = statistics.geometric_mean(chosen)
            yield f"geometric mean, {peer}, {threads} threads: {mean:.2f} over {len(chosen)} rows"


def parse() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    peers = [engine for engine in ENGINES if engine != OWN]
    names = [case.name for case in CASES]
    parser.add_argument("--quick", action="store_true", help="batches 1 and 32, few short rounds: under two minutes")
    parser.add_argument("--json", type=Path, help="also write everything, every round, to this file")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--peers", nargs="+", choices=peers, default=peers)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--batches", nargs="+", type=int, help="instead of each model's own")
    return parser.parse_args()


def main() -> None:
    """Time the table and print it."""
    given = parse()
    pace = QUICK if given.quick else Pace()
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
            try:
                for row, found in time_case(case, threads, batches, given.peers, given.cache, pace):
                    if not versions:
                        versions = found
                        print(heading(versions) + "\n\n" + HEADER)
                    rows.append(row)
                    print("\n".join(format_row(row)), flush=True)
            except WorkerError as error:
                failed.append(f"{case.name}, {threads} threads: {error}")
    if given.json:
        record = {"machine": facts, "versions": versions, "rows": rows, "failed": failed}
        given.json.write_text(json.dumps(record, indent=1))
    if rows:
        print("\n" + "\n".join(geometric_means(rows)))
        print(f"largest difference of outputs: {max(row['difference'] for row in rows):.1e} of the largest value")
    if failed:
        raise SystemExit("\n".join(["", "not timed:", *failed]))


if __name__ == "__main__":
    main()
