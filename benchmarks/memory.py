"""The most memory that a process needs for a model, and where ours goes.

python -m benchmarks.memory [--models ...] [--batches 1 32] [--engines ...] [--threads 1] [--json FILE]
python -m benchmarks.memory --arenas [--models ...]

peak       the most resident memory (VmHWM) of a fresh process that imports an engine, opens a model and runs it three
           times; nothing is subtracted
import     the same for a process that imports the engine only
weights    bytes of the model's variables; bound: of what is computed from them; arena, scratch: of the plan
constant   peak less import, weights, bound, arena, scratch, and the inputs and outputs of a run
arenas     the size of each arena, and of the largest set that is alive at one time; over 5 % more is a failure
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.files import CASES, DEFAULT_CACHE, ROOT, declared_inputs
from benchmarks.machine import describe, heading

STRICT = "graphflow-strict"
WITHIN = 1.05


def peak_bytes() -> int:
    """The most resident memory that this process has had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def measure(engine: str, name: str, batch: int, threads: int, cache: Path) -> dict[str, Any]:
    """In a fresh process: open the model, run it three times."""
    from benchmarks.engines import ENGINES
    from benchmarks.worker import make_inputs

    one: Any = ENGINES["graphflow" if engine == STRICT else engine]()
    if engine == STRICT:
        import graphflow

        graphflow.config.set_precision("strict")
    one.version()
    found: dict[str, Any] = {"import": peak_bytes()}
    one.load(str(cache / f"{name}{one.suffix}"), threads)
    arrays = make_inputs(declared_inputs(cache, name), batch, 1)
    one.bind(arrays)
    for _ in range(3):
        outputs = one.run()
    found["peak"] = peak_bytes()
    if engine.startswith("graphflow"):
        found |= account(one._session, arrays, outputs)
        known = ("import", "weights", "bound", "arena", "scratch", "inputs and outputs")
        found["constant"] = found["peak"] - sum(found[key] for key in known)
    return found


def account(session: Any, arrays: list[Any], outputs: list[Any]) -> dict[str, int]:
    """Where the memory of a session is."""
    plan = session.plan([array.shape for array in arrays])
    weights = [variable.value for variable in session.graph.variables()]
    bound = [array for array in session._bindings._arrays.values() if not any(array is one for one in weights)]
    program = plan.program
    return {
        "weights": sum(array.nbytes for array in weights),
        "bound": sum(array.nbytes for array in bound),
        "arena": plan.arena_bytes,
        "scratch": program.scratch * program.threads,
        "inputs and outputs": sum(array.nbytes for array in (*arrays, *outputs)),
    }


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


def in_process(engine: str, name: str, batch: int, threads: int, cache: Path) -> dict[str, Any]:
    """What `measure` gives, from a fresh process."""
    given = [engine, name, str(batch), str(threads), str(cache)]
    command = [sys.executable, "-m", "benchmarks.memory", "--measure", *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["ended"])[-1][:100]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--engines", nargs="+", default=["graphflow", STRICT, "onnxruntime", "openvino"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--arenas", action="store_true", help="the sizes of arenas only")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        engine, name, batch, threads, cache = given.measure
        print(json.dumps(measure(engine, name, int(batch), int(threads), Path(cache))))
        return
    if given.arenas:
        raise SystemExit(0 if arenas(given.models, given.batches, given.cache) else "an arena is over the limit")
    print(heading(describe()))
    rows = []
    for name in given.models:
        for batch in given.batches:
            for engine in given.engines:
                row = in_process(engine, name, batch, given.threads, given.cache.resolve())
                rows.append({"model": name, "batch": batch, "engine": engine, **row})
                figures = ", ".join(f"{k} {v / 1e6:.1f}" if isinstance(v, int) else v for k, v in row.items())
                print(f"{name:<16} {batch:>3} {engine:<18} {figures} MB", flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
