"""What opening a file costs beside reading its bytes: time, and memory that stays.

    python -m benchmarks.opening [FILE ...] [--rounds 15] [--json FILE]

    floor      in a fresh process that has NumPy: read the file's bytes, import h5py
    open       in a fresh process that has NumPy and `import graphflow`: load_model, with all that it imports
    again      the same file opened a second time by that process
    private    private memory that opening added, over the size of the file; mapped pages of the file are not private

Rounds are interleaved; medians. Without FILE: the largest model of deeplc, from .cache.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.files import DEFAULT_CACHE, ROOT
from benchmarks.machine import describe, heading

LIMIT = 2.0
FLOOR = """
import sys, time, json, numpy
start = time.perf_counter()
with open(sys.argv[1], "rb") as file:
    file.read()
read = time.perf_counter()
import h5py
print(json.dumps({"read": 1e3 * (read - start), "h5py": 1e3 * (time.perf_counter() - read)}))
"""
OPEN = """
import sys, time, json, re, numpy, graphflow
load = graphflow.load_model
def private():
    text = open("/proc/self/smaps_rollup").read()
    return 1024 * sum(int(n) for n in re.findall(r"Private_Dirty: *([0-9]+)|Anonymous: *([0-9]+)", text)[0] if n)
before = private()
start = time.perf_counter()
model = load(sys.argv[1])
opened = time.perf_counter()
added = private() - before
other = load(sys.argv[1])
again = time.perf_counter()
print(json.dumps({"open": 1e3 * (opened - start), "again": 1e3 * (again - opened), "private": added}))
"""


def measure(path: Path, rounds: int) -> dict[str, float]:
    """Medians of interleaved rounds, after one that fills the caches of files and of bytecode; milliseconds, bytes."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as bytecode:
        settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        settings["PYTHONPYCACHEPREFIX"] = bytecode
        for turn in range(rounds + 1):
            for program in (FLOOR, OPEN):
                command = [sys.executable, "-c", program, str(path)]
                done = subprocess.run(command, cwd=ROOT, env=settings, check=True, capture_output=True, text=True)
                for name, value in json.loads(done.stdout).items():
                    if turn:
                        found.setdefault(name, []).append(value)
    floors = [a + b for a, b in zip(found["read"], found["h5py"], strict=True)]
    ratios = [opened / floor for opened, floor in zip(found["open"], floors, strict=True)]
    return {name: statistics.median(values) for name, values in (found | {"floor": floors, "ratio": ratios}).items()}


def largest(cache: Path) -> list[Path]:
    """The largest model file of the cache."""
    files = sorted(cache.glob("deeplc-*.keras"), key=lambda path: path.stat().st_size)
    if not files:
        raise SystemExit(f"no model in {cache}: run `python -m benchmarks.export_onnx` first, or name a file")
    return files[-1:]


def main() -> None:
    """Measure and print; the exit status says whether the limit holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    given = parser.parse_args()
    print(heading(describe()))
    rows = {}
    for path in given.files or largest(given.cache):
        row = rows[path.name] = measure(path.resolve(), given.rounds)
        size = path.stat().st_size
        print(f"\n{path.name}, {size / 1e6:.1f} MB, {given.rounds} rounds")
        print(
            f"  read its bytes {row['read']:.1f} ms, import h5py {row['h5py']:.1f} ms: together {row['floor']:.1f} ms"
        )
        print(
            f"  open {row['open']:.1f} ms, {row['ratio']:.2f} times that (at most {LIMIT}); again {row['again']:.1f} ms"
        )
        print(f"  private memory added {row['private'] / 1e6:.1f} MB")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2))
    over = [name for name, row in rows.items() if row["ratio"] > LIMIT]
    if over:
        raise SystemExit(f"over the limit: {', '.join(over)}")


if __name__ == "__main__":
    main()
