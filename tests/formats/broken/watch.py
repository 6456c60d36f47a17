"""Run in a process of its own: open every file of a folder, and say what each cost and did.

    python -m tests.formats.broken.watch FOLDER good|untrusted

Prints one JSON object per file: the error's class and message, seconds, bytes of memory at the peak above those before,
and the audit events that have no place in reading a file.
"""

from __future__ import annotations

import gc
import importlib
import json
import pkgutil
import re
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import graphflow
from graphflow import formats
from graphflow.errors import GraphflowError
from graphflow.formats import inspect_file

HARMLESS = frozenset(("builtins.id", "mmap.__new__", "object.__getattr__", "sys._getframe", "object.__setattr__"))
WEIGHTS_ALONE = (".weights.h5", ".weights.json", ".safetensors")
ADDRESS_SPACE = 6 << 30


def memory(field: str) -> int:
    """A figure of this process, in bytes: VmRSS now, VmHWM at the peak."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * int(found[1])


def open_file(path: Path, model: Any, untrusted: bool) -> None:
    """Open as a user would."""
    if path.name.endswith(WEIGHTS_ALONE):
        model.load_weights(path, untrusted=untrusted)
    else:
        graphflow.load_model(path, untrusted=untrusted)


def main() -> None:
    """Open the good files first, so that everything is imported, then the broken ones."""
    folder, untrusted = Path(sys.argv[1]), sys.argv[2] == "untrusted"
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    warnings.simplefilter("ignore")
    for module in pkgutil.iter_modules(formats.__path__, "graphflow.formats."):
        importlib.import_module(module.name)
    import h5py  # noqa: F401

    model = None
    for path in sorted((folder / "good").iterdir()):
        if not path.name.endswith(WEIGHTS_ALONE):
            model = graphflow.load_model(path)
    assert model is not None
    for path in sorted((folder / "good").iterdir()):
        if path.name.endswith(WEIGHTS_ALONE):
            model.load_weights(path)
        inspect_file(path)
    for path in sorted((folder / "first").iterdir()):  # imports what only errors need
        try:
            open_file(path, model, untrusted)
        except GraphflowError:
            continue
    before = [weight.tobytes() for weight in model.get_weights()]

    events: list[tuple[str, tuple[Any, ...]]] = []
    watching = False
    sys.addaudithook(lambda event, arguments: events.append((event, arguments)) if watching else None)
    for path in sorted((folder / "broken").iterdir(), key=lambda one: int(one.name.split(".")[0])):
        for action in ("open", "inspect"):
            gc.collect()
            Path("/proc/self/clear_refs").write_text("5")
            at_rest, error = memory("VmRSS"), None
            events.clear()
            start, watching = time.process_time(), True
            try:
                if action == "open":
                    open_file(path, model, untrusted)
                else:
                    inspect_file(path, untrusted=untrusted)
            except Exception as caught:
                error = caught
            watching = False
            seconds, peak = time.process_time() - start, memory("VmHWM") - at_rest
            kind, message = type(error).__name__ if error else None, str(error or "")
            error = None
            odd = [
                f"{event} {arguments!r:.200}"
                for event, arguments in events
                if event not in HARMLESS and not (event == "open" and str(arguments[0]) == str(path))
            ]
            same = [weight.tobytes() for weight in model.get_weights()] == before
            row = [path.name, action, kind, message, seconds, peak, odd, same]
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
