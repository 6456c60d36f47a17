"""How the cost of each stage grows with the number of layers: doubling the layers should double it.

    python -m benchmarks.scaling [--layers 5000 10000 20000] [--repeats 3]

A chain of Dense(4) and Activation layers in turn, each size in fresh processes; the fastest of the repeats is shown.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.files import ROOT
from benchmarks.machine import describe, heading

STAGES = ("build", "lower", "tune", "plan", "first run", "second run")


def measure(count: int) -> dict[str, float]:
    """Seconds of each stage for a chain of so many layers, and the most memory in MB."""
    import numpy as np

    from graphflow import Input, Model, Session
    from graphflow.layers import Activation, Dense

    np.ones((2, 4)) @ np.ones((4, 4))
    marks = [time.perf_counter()]
    x = given = Input((4,))
    for index in range(count):
        x = Dense(4)(x) if index % 2 == 0 else Activation("tanh")(x)
    model = Model(given, x)
    marks.append(time.perf_counter())
    graph = model.graph()
    marks.append(time.perf_counter())
    session = Session(graph)
    marks.append(time.perf_counter())
    array = np.ones((2, 4), "float32")
    session.plan([array.shape])
    marks.append(time.perf_counter())
    session.run([array])
    marks.append(time.perf_counter())
    session.run([array])
    marks.append(time.perf_counter())
    seconds = {stage: after - before for stage, before, after in zip(STAGES, marks, marks[1:], strict=False)}
    return {**seconds, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def best_of(count: int, repeats: int) -> dict[str, float]:
    """The smallest figure of each stage over fresh processes."""
    found = []
    for _ in range(repeats):
        command = [sys.executable, "-m", "benchmarks.scaling", "--measure", str(count)]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return {key: min(one[key] for one in found) for key in found[0]}


def print_table(results: dict[int, dict[str, float]]) -> None:
    """A line for each stage: milliseconds by size, and the ratios of neighbouring sizes."""
    sizes = list(results)
    steps = [f"{b}/{a}" for a, b in itertools.pairwise(sizes)]
    print(f"{'':<12}" + "".join(f"{size:>12}" for size in sizes) + "   " + "".join(f"{step:>14}" for step in steps))
    for key in (*STAGES, "memory"):
        values = [results[size][key] * (1 if key == "memory" else 1e3) for size in sizes]
        unit = "MB" if key == "memory" else "ms"
        grown = "".join(f"{b / a:14.2f}" for a, b in itertools.pairwise(values))
        print(f"{key:<12}" + "".join(f"{value:9.1f} {unit}" for value in values) + "   " + grown)


def main() -> None:
    """Measure every size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", nargs="+", type=int, default=[5000, 10000, 20000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure)))
        return
    results = {count: best_of(count, given.repeats) for count in given.layers}
    facts = describe()
    if given.json:
        given.json.write_text(json.dumps({"benchmark": "scaling", "machine": facts, "layers": results}, indent=1))
    print(heading(facts))
    print(f"best of {given.repeats} fresh processes\n")
    print_table(results)


if __name__ == "__main__":
    main()
