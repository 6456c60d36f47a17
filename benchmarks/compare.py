"""The change between two files that `benchmarks.models --json` wrote.

    python -m benchmarks.compare before.json after.json

Own times of two runs differ by whatever else the machine did; the ratios to a peer, measured in the same rounds, do so
less. `time` is after divided by before (below 1: faster now); `ratio` shows both ratios to the peer.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

OWN = "graphflow"
Key = tuple[str, int, int]


def read_rows(path: Path) -> tuple[dict[Key, dict[str, Any]], dict[str, str]]:
    """The rows by model, batch and threads, and the machine they were measured on."""
    data = json.loads(path.read_text())
    return {(row["model"], row["batch"], row["threads"]): row for row in data["rows"]}, data["machine"]


def compare(before: dict[Key, dict[str, Any]], after: dict[Key, dict[str, Any]]) -> list[str]:
    """A line for each row and peer that both have."""
    lines = [
        f"{'model':<12} {'batch':>5} {'threads':>7}  {'before us':>9} {'after us':>9} {'time':>6}  "
        f"{'peer':<12} {'ratio before':>12} {'after':>6} {'change':>7}"
    ]
    for key, old in before.items():
        new = after.get(key)
        if new is None:
            continue
        was, now = (row["seconds"][OWN]["median"] for row in (old, new))
        for peer in old["ratio"]:
            if peer not in new["ratio"]:
                continue
            first, second = (row["ratio"][peer]["median"] for row in (old, new))
            lines.append(
                f"{key[0]:<12} {key[1]:>5} {key[2]:>7}  {was * 1e6:9.1f} {now * 1e6:9.1f} {now / was:6.2f}  "
                f"{peer:<12} {first:12.2f} {second:6.2f} {second / first - 1:+7.1%}"
            )
    return lines


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    given = parser.parse_args()
    (before, old_machine), (after, new_machine) = read_rows(given.before), read_rows(given.after)
    for name in ("cpu", "instruction set", "processors"):
        if old_machine.get(name) != new_machine.get(name):
            print(f"caution: {name} was {old_machine.get(name)!r}, is {new_machine.get(name)!r}")
    print("\n".join(compare(before, after)))
    missing = sorted(set(before) ^ set(after))
    if missing:
        listed = ", ".join(f"{model} batch {batch} threads {threads}" for model, batch, threads in missing)
        print(f"only in one of the files: {listed}")


if __name__ == "__main__":
    main()
