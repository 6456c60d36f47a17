"""The most memory that a process needs for a model, and where ours goes.

python -m benchmarks.memory [--models ...] [--batches 1 32] [--engines ...] [--threads 1] [--json FILE]
python -m benchmarks.memory --table FILE...
python -m benchmarks.memory --arenas [--models ...]

Each number comes from a fresh process that imports an engine, makes the inputs, opens a model from the engine's own
file and runs it three times, letting go of the results of a run before the next.

peak       the most resident memory (VmHWM) of the process; nothing is subtracted. Pages of mapped files count while
           they are resident, whosever they are: libraries, and weights that an engine maps
private    the most anonymous memory (RssAnon): without pages of files; as the parent sees it, every two milliseconds
kept       resident memory at the end
bare       the peak of a process with a model of one number instead: Python, NumPy and the engine itself
expected   for graphflow: bare + weights + bound + arena + scratch + inputs and outputs of a run
weights    bytes of the model's variables that lie in the process' own memory; mapped: those that lie in the file
bound      bytes of what is computed from them; winograd: how much of it the transforms take beyond direct kernels
arenas     the size of each arena, and of the largest set that is alive at one time; over 5 % more is a failure
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.engines import ENGINES, missing
from benchmarks.files import CASES, DEFAULT_CACHE, ROOT, declared_inputs
from benchmarks.machine import describe, heading

OWN = {"graphflow": "default", "graphflow-strict": "strict"}
"""Rows of graphflow, and their precision."""
BARE = "bare"
WITHIN = 1.05
PARTS = ("weights", "bound", "arena", "scratch", "inputs and outputs")
SAMPLE_SECONDS = 0.002


def status(field: str, process: int | str = "self") -> int:
    """Bytes of a field of /proc/PID/status."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return 1024 * next((int(line.split()[1]) for line in lines if line.startswith(field + ":")), 0)


def measure(engine: str, name: str, batch: int, threads: int, cache: Path) -> dict[str, Any]:
    """In a fresh process: open the model, run it three times."""
    from benchmarks.worker import make_inputs

    one: Any = ENGINES["graphflow" if engine in OWN else engine]()
    if engine in OWN:
        import graphflow

        graphflow.config.set_precision(OWN[engine])
    one.version()
    arrays = make_inputs(declared_inputs(cache, name), batch, 1)
    one.load(str(cache / f"{name}{one.suffix}"), threads)
    found: dict[str, Any] = {"opened": status("VmHWM")}
    one.bind(arrays)
    outputs: list[Any] = []
    for _ in range(3):
        outputs = []
        outputs = one.run()
    found |= {"peak": status("VmHWM"), "kept": status("VmRSS")}
    return found | (account(one._session, arrays, outputs) if engine in OWN else {})


def account(session: Any, arrays: list[Any], outputs: list[Any]) -> dict[str, int]:
    """Where the memory of a session is."""
    from graphflow.inspect import memory
    from graphflow.mapped import map_behind

    found = memory(session, [array.shape for array in arrays])
    weights = [variable.value for variable in session.graph.variables()]
    return {
        "weights": sum(array.nbytes for array in weights if map_behind(array) is None),
        "mapped": sum(array.nbytes for array in weights if map_behind(array) is not None),
        "bound": found.bound,
        "winograd": found.winograd,
        "arena": found.peak,
        "scratch": found.scratch,
        "inputs and outputs": sum(array.nbytes for array in (*arrays, *outputs)),
    }


def write_bare(folder: Path) -> None:
    """A model of one number, as each engine opens it."""
    import numpy as np

    import graphflow
    from graphflow.layers import Dense

    x = graphflow.Input((1,), name="x")
    model = graphflow.Model(x, Dense(1, use_bias=False, name="y")(x))
    model.set_weights([np.ones((1, 1), "float32")])
    model.save(folder / f"{BARE}.keras")
    model.export(folder / f"{BARE}.onnx")
    declared = {"inputs": [{"name": "x", "shape": [1], "dtype": "float32"}]}
    (folder / f"{BARE}.json").write_text(json.dumps(declared))


def in_process(engine: str, name: str, batch: int, threads: int, cache: Path) -> dict[str, Any]:
    """What `measure` gives, from a fresh process, and what this one sees of it meanwhile."""
    given = [engine, name, str(batch), str(threads), str(cache)]
    command = [sys.executable, "-m", "benchmarks.memory", "--measure", *given]
    private = 0
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as failed:
        with subprocess.Popen(command, cwd=ROOT, stdout=told, stderr=failed, text=True) as process:
            while process.poll() is None:
                private = max(private, status("RssAnon", process.pid))
                time.sleep(SAMPLE_SECONDS)
        told.seek(0)
        failed.seek(0)
        if process.returncode:
            return {"failed": (failed.read().strip().splitlines() or ["ended"])[-1][:100]}
        return {**json.loads(told.read().splitlines()[-1]), "private": private}


def with_expected(row: dict[str, Any], bare: int) -> dict[str, Any]:
    """A row of graphflow with the sum of what is known."""
    return {**row, "expected": bare + sum(row[part] for part in PARTS)} if "bound" in row else row


def table(rows: list[dict[str, Any]]) -> list[str]:
    """One line for each model and batch: peaks in megabytes, ratios to the lowest peer, and graphflow's sum."""
    peers = [one for one in dict.fromkeys(row["engine"] for row in rows) if one not in OWN]
    lines = [
        "peak memory in MB".ljust(21)
        + "".join(f"{one.removeprefix('graphflow-'):>12}" for one in (*OWN, *peers))
        + "   default  strict  of the lowest peer   strict: expected  peak over it"
    ]
    for name, batch in dict.fromkeys((row["model"], row["batch"]) for row in rows):
        here = {row["engine"]: row for row in rows if (row["model"], row["batch"]) == (name, batch)}
        peaks = {engine: row["peak"] for engine, row in here.items() if "peak" in row}
        lowest = min((peaks[one] for one in peers if one in peaks), default=None)
        shown = "".join(f"{peaks[one] / 1e6:12.1f}" if one in peaks else f"{'-':>12}" for one in (*OWN, *peers))
        shares = [f"{peaks[one] / lowest:8.2f}" if lowest and one in peaks else f"{'-':>8}" for one in OWN]
        row = here.get("graphflow-strict", {})
        over = f"{row['expected'] / 1e6:39.1f}{row['peak'] / row['expected'] - 1:14.1%}" if "expected" in row else ""
        lines.append(f"{name:<16} {batch:>4}{shown}  {''.join(shares)}{over}")
    return lines


def arenas(names: list[str], batches: list[int], cache: Path) -> bool:
    """Print the arenas of all models; whether each is within 5 % of the least."""
    import graphflow
    from graphflow.runtime.memory import Lifetime, lower_bound

    good = True
    print(f"{'model':<16} {'precision':<9} {'batch':>5} {'arena':>13} {'alive at once':>13}  ratio")
    for name in names:
        model = graphflow.load_model(str(cache / f"{name}.keras"))
        declared = declared_inputs(cache, name)
        for precision in ("default", "strict"):
            with graphflow.knobs(precision=precision):
                session = graphflow.Session(model.graph())
            for batch in batches:
                plan = session.plan([(batch, *one["shape"]) for one in declared])
                least = lower_bound([Lifetime(one.first, one.last, one.size) for one in plan.storage.arena])
                ratio = plan.arena_bytes / max(least, 1)
                good &= ratio <= WITHIN
                print(f"{name:<16} {precision:<9} {batch:>5} {plan.arena_bytes:>13,} {least:>13,}  {ratio:.3f}")
    return good


def main() -> None:
    """Measure and print."""
    names = [case.name for case in CASES]
    known = [*OWN, *(engine for engine in ENGINES if engine not in OWN)]
    default = [*OWN, "onnxruntime", "openvino", "pytorch"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--engines", nargs="+", choices=known, default=default)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--arenas", action="store_true", help="the sizes of arenas only")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--table", nargs="+", type=Path, help="print the table of such files; nothing is measured")
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        engine, name, batch, threads, cache = given.measure
        print(json.dumps(measure(engine, name, int(batch), int(threads), Path(cache))))
        return
    if given.table:
        print("\n".join(table([row for path in given.table for row in json.loads(path.read_text())])))
        return
    if given.arenas:
        raise SystemExit(0 if arenas(given.models, given.batches, given.cache) else "an arena is over the limit")
    print(heading(describe()))
    for engine in given.engines:
        reason = None if engine in OWN else missing(engine)
        if reason:
            print(reason)
    engines = [one for one in given.engines if one in OWN or not missing(one)]
    rows, bare = [], {}
    with tempfile.TemporaryDirectory() as folder:
        write_bare(Path(folder))
        for engine in engines:
            bare[engine] = in_process(engine, BARE, 1, given.threads, Path(folder))
            rows.append({"model": BARE, "batch": 1, "engine": engine, **bare[engine]})
    for name in given.models:
        for batch in given.batches:
            for engine in engines:
                row = in_process(engine, name, batch, given.threads, given.cache.resolve())
                row = with_expected(row, bare[engine].get("peak", 0))
                rows.append({"model": name, "batch": batch, "engine": engine, **row})
                figures = ", ".join(f"{k} {v / 1e6:.1f}" if isinstance(v, int) else v for k, v in row.items())
                print(f"{name:<16} {batch:>3} {engine:<18} {figures} MB", flush=True)
                if given.json:  # after each row, as a long run may be ended
                    given.json.write_text(json.dumps(rows, indent=1))
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
