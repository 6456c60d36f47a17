"""How many threads share one run."""

from __future__ import annotations

import os
from pathlib import Path

from graphflow.epoch import EPOCH
from graphflow.errors import ArgumentError
from graphflow.knobs import get as knob

_MOST = 64
_chosen: int | None = None
_found: int | None = None


def _quota() -> float:
    """Processors that the control group allows, infinite when it sets no limit."""
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()[:2]
        return float("inf") if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        return float("inf")


def _usable() -> int:
    global _found
    if _found is None:
        affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        _found = max(1, min(_MOST, affinity, int(max(1.0, min(float(_MOST), _quota())))))
    return _found


def get_num_threads() -> int:
    """Threads that share one run: what was set, else the knob, else what affinity and control group allow."""
    if _chosen is not None:
        return _chosen
    wanted: int = knob("threads")
    return min(_MOST, wanted) if wanted > 0 else _usable()


def set_num_threads(count: int | None) -> None:
    """Set how many threads share one run, 1 to 64; None: as many as the process may use.

    Raises:
        ArgumentError: anything else.
    """
    global _chosen
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _MOST):
        raise ArgumentError(f"The number of threads must be an integer from 1 to {_MOST}, received {count!r}.")
    _chosen = count
    EPOCH[0] += 1
