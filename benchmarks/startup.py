"""What one pays before the first number comes out, and for having graphflow at all.

python -m benchmarks.startup [--quick] [--cache FOLDER] [--no-size] [--json FILE]

import        fresh processes, interleaved: import numpy alone, with graphflow, with all that models need
first         from the start of a process to the first prediction of the digits sample, beside ONNX Runtime
size          what is installed, without dependencies, from a wheel built through the source distribution
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.files import DEFAULT_CACHE, ROOT, declared_inputs, fetch
from benchmarks.machine import describe, heading

IMPORT_LIMIT_MS = 40.0
SIZE_LIMIT_MB = 10.0
IMPORTS = {
    "numpy": "import numpy",
    "numpy, graphflow": "import numpy, graphflow",
    "numpy, graphflow, all for models": (
        "import numpy, graphflow; graphflow.load_model; graphflow.Model; graphflow.layers; graphflow.ops; "
        "from graphflow.formats import keras_v3; from graphflow.runtime import _executor; "
        "from graphflow.kernels import _leaf"
    ),
}
FIRST = {
    "graphflow": (
        "import sys, numpy, graphflow; model = graphflow.load_model(sys.argv[1] + '.keras'); "
        "model.predict(numpy.ones((1, 8, 8, 1), 'float32'), verbose=0)"
    ),
    "onnxruntime": (
        "import sys, numpy, onnxruntime; session = onnxruntime.InferenceSession(sys.argv[1] + '.onnx'); "
        "session.run(None, {session.get_inputs()[0].name: numpy.ones((1, 8, 8, 1), 'float32')})"
    ),
}
NOT_SOURCE = (".*", "build", "dist", "*.egg-info", "*.so", "__pycache__")


def time_programs(programs: Mapping[str, str], rounds: int, *arguments: str) -> dict[str, list[float]]:
    """Milliseconds of whole processes in interleaved rounds, after one round that fills the file cache."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(rounds + 1):
        for name, program in programs.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, check=True)
            if turn:
                times[name].append(1e3 * (time.perf_counter() - start))
    return times


def above(base: list[float], other: list[float]) -> float:
    """The median of the differences within rounds."""
    return statistics.median(b - a for a, b in zip(base, other, strict=True))


def print_times(times: Mapping[str, list[float]]) -> None:
    """Median, smallest and largest of each program."""
    for name, each in times.items():
        print(f"  {name:<34} {statistics.median(each):7.1f} ms   {min(each):.1f} to {max(each):.1f}")


def installed_bytes() -> tuple[int, int]:
    """Bytes of the wheel and of the files it installs, compiled bytecode included.

    Raises:
        subprocess.CalledProcessError: it does not build or install; what the tool said is printed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source"
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_SOURCE))
        build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
        _quietly([sys.executable, "-c", build, str(folder)], source)
        sdist = next(folder.glob("*.tar.gz"))
        pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
        _quietly([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(sdist)], folder)
        wheel = next(folder.glob("*.whl"))
        target = folder / "installed"
        _quietly([*pip, "install", "--no-deps", "--compile", "--target", str(target), str(wheel)], folder)
        size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
        return wheel.stat().st_size, size


def _quietly(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print(done.stdout[-3000:])
        done.check_returncode()


def main() -> None:
    """Measure and print; the exit status says whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="7 rounds instead of 25")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--no-size", action="store_true", help="do not build a wheel")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    rounds = 7 if given.quick else 25
    facts = describe()
    print(heading(facts))
    broken = []

    imports = time_programs(IMPORTS, rounds)
    print(f"\nimport, {rounds} fresh processes each")
    print_times(imports)
    base, plain, full = imports.values()
    print(f"  graphflow above numpy: {above(base, plain):.1f} ms (at most {IMPORT_LIMIT_MS:.0f})")
    print(f"  with all that models need: {above(base, full):.1f} ms")
    if above(base, plain) > IMPORT_LIMIT_MS:
        broken.append("import")

    fetch(given.cache)
    declared_inputs(given.cache, "digits")
    first = time_programs(FIRST, rounds, str((given.cache / "digits").resolve()))
    print("\nprocess start to first prediction and exit, digits sample")
    print_times(first)
    pairs = zip(first["graphflow"], first["onnxruntime"], strict=True)
    print(f"  onnxruntime / graphflow: {statistics.median(peer / own for own, peer in pairs):.2f}")

    found = {"import": {name: statistics.median(times) for name, times in imports.items()}}
    found["first prediction"] = {name: statistics.median(times) for name, times in first.items()}
    if not given.no_size:
        wheel, installed = installed_bytes()
        print(f"\nwheel {wheel / 1e6:.2f} MB, installed {installed / 1e6:.2f} MB (below {SIZE_LIMIT_MB:.0f})")
        if installed >= SIZE_LIMIT_MB * 1e6:
            broken.append("size")
        found["size"] = {"wheel": wheel, "installed": installed}
    if given.json:
        given.json.write_text(json.dumps({"benchmark": "startup", "machine": facts, **found}, indent=1))
    if broken:
        raise SystemExit(f"over the limit: {', '.join(broken)}")


if __name__ == "__main__":
    main()
