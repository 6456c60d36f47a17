"""Write docs/parity.md: the largest difference to Keras of every layer, over all configurations of the parity run.

Run `make parity-table` after layers or kernels have changed.
"""

import importlib
import os
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

from parity.compare import Comparison, error, problems
from parity.rows import ROWS
from parity.test_parity import WANTED

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"


def main() -> None:
    worst: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    oracles: dict[str, set[str]] = defaultdict(set)
    for row in ROWS:
        oracle = importlib.import_module(row.oracle)
        oracles[row.layer].add(f"{row.oracle} {oracle.__version__}")
        for config, shape, masked in problems(row, WANTED):
            comparison = Comparison(row, config, shape, masked)
            found = error(comparison.ours(comparison.model()), comparison.theirs(oracle))
            worst[row.layer] = max(worst[row.layer], found)
            counts[row.layer] += 1
    lines = [
        "# Differences to Keras",
        "",
        f"Made by `make parity-table`: {sum(counts.values()):,} configurations, each with random weights and inputs.",
        "The difference is the largest of any output, relative to the largest output; the parity run allows 1e-5.",
        "",
        "| layer | configurations | largest difference | compared with |",
        "|---|---|---|---|",
    ]
    for name in sorted(worst):
        lines.append(f"| {name} | {counts[name]} | {worst[name]:.1e} | {', '.join(sorted(oracles[name]))} |")
    PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
