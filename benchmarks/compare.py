"""The change between two files that one of the benchmarks wrote by `--json`.

    python -m benchmarks.compare before.json after.json [--only resnet50]

For rows of `models`, `layers`, `recurrent` and `kernels`: graphflow's time, the ratio to each peer and to the fastest,
and the share of the machine's own rate. Own times of two runs differ by whatever else the machine did; ratios measured
in the same rounds, and shares, do so less. For any other file: every number that both have, by its place.

`change` is after over before: below 1 is better for times, above 1 for ratios, rates and shares.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

OWN = "graphflow"
NAMES = ("model", "layer", "problem", "kernel", "batch", "threads")
"""What tells rows apart."""
Figures = dict[tuple[str, str], float]
"""Numbers by what was measured, and what was measured of it."""


def name_of(row: Mapping[str, Any]) -> str:
    """What a row is of.

    Example:
        >>> name_of({"model": "mlp", "batch": 8, "threads": 2, "difference": 1e-7})
        'mlp, batch 8, threads 2'
    """
    return ", ".join(f"{key} {row[key]}" if key in ("batch", "threads") else row[key] for key in NAMES if key in row)


def figures_of(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """What is compared of a row: microseconds, ratios, share."""
    yield "own us", row["seconds"][OWN]["median"] * 1e6
    ratio = row.get("ratio", {})
    for peer, found in ratio.items():
        if isinstance(found, Mapping):
            yield f"ratio to {peer}", found["median"]
    best = row.get("fastest")
    if isinstance(best, Mapping):
        yield "ratio to the fastest", best["median"]
    elif "median" in ratio:
        yield "ratio to the fastest", ratio["median"]
    if "share" in row:
        yield "share", row["share"]


def numbers_in(data: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Every number of nested data with its place; lists of numbers are rounds, and left out."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from numbers_in(value, f"{place}.{key}" if place else str(key))
    elif isinstance(data, (int, float)) and not isinstance(data, bool):
        yield place, float(data)


def read(path: Path) -> tuple[Figures, dict[str, str]]:
    """The figures of a file, and the machine they were measured on, if it says."""
    data = json.loads(path.read_text())
    rows = data.get("rows")
    if isinstance(rows, list):
        return {(name_of(row), what): one for row in rows for what, one in figures_of(row)}, data.get("machine", {})
    machine = data.pop("machine", {})
    return {(place.rpartition(".")[0], place.rpartition(".")[2]): one for place, one in numbers_in(data)}, machine


def compare(before: Figures, after: Figures, only: str = "") -> list[str]:
    """A line for each figure that both have."""
    both = [key for key in before if key in after and only in key[0]]
    width = max((len(name) for name, _ in both), default=0)
    lines = [f"{'':<{width}}  {'':<24} {'before':>12} {'after':>12} {'change':>8}"]
    for name, what in both:
        old, new = before[name, what], after[name, what]
        change = f"{new / old:8.2f}" if old else f"{'-':>8}"
        lines.append(f"{name:<{width}}  {what:<24} {old:12.6g} {new:12.6g} {change}")
    return lines


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    given = parser.parse_args()
    (before, old_machine), (after, new_machine) = read(given.before), read(given.after)
    for name in ("cpu", "instruction set", "processors"):
        if old_machine.get(name) != new_machine.get(name):
            print(f"caution: {name} was {old_machine.get(name)!r}, is {new_machine.get(name)!r}")
    print("\n".join(compare(before, after, given.only)))
    shared = {name for name, _ in before.keys() & after.keys()}
    missing = sorted({name for name, _ in before.keys() | after.keys()} - shared)
    if missing:
        print(f"only in one of the files: {'; '.join(missing)}")


if __name__ == "__main__":
    main()
