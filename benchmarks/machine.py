"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def cpu_model() -> str:
    """The processor's name for itself, else the architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def describe() -> dict[str, str]:
    """Processor, instruction set in use, processors this process may use, load, Python, NumPy and graphflow."""
    import numpy

    import graphflow
    from graphflow.kernels import isa

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "cpu": cpu_model(),
        "instruction set": isa.current().name,
        "processors": str(usable),
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "graphflow": graphflow.__version__,
    }


def heading(facts: dict[str, str]) -> str:
    """The facts on one line."""
    return ", ".join(f"{name}: {value}" for name, value in facts.items())
