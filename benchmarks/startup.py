"""What one pays before the first number comes out, and for having graphflow at all.

python -m benchmarks.startup [--quick] [--cache FOLDER] [--no-size] [--json FILE]

import        fresh processes, interleaved: import numpy alone, with graphflow, with all that models need
first         from the start of a process to the first prediction and its end, of the digits sample, a network of four
              inputs and MobileNetV2, beside ONNX Runtime and OpenVINO (each opens its own form) and TensorFlow
size          what is installed, without dependencies, from a wheel built through the source distribution
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import json
import os
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
MOST_OF_ONNXRUNTIME = 1.5
IMPORTS = {
    "numpy": "import numpy",
    "numpy, graphflow": "import numpy, graphflow",
    "numpy, graphflow, all for models": (
        "import numpy, graphflow; graphflow.load_model; graphflow.Model; graphflow.layers; graphflow.ops; "
        "from graphflow.formats import keras_v3; from graphflow.runtime import _executor; "
        "from graphflow.kernels import _leaf"
    ),
}
ARRAYS = (
    "import sys, json, numpy; path = sys.argv[1]; declared = json.load(open(path + '.json'))['inputs']; "
    "arrays = [numpy.ones((1, *one['shape']), one['dtype']) for one in declared]; "
)
PREDICT = "model.predict(arrays if len(arrays) > 1 else arrays[0], verbose=0)"
FIRST = {
    "graphflow": f"import graphflow; {ARRAYS} model = graphflow.load_model(path + '.keras'); {PREDICT}",
    "onnxruntime": (
        f"import onnxruntime; {ARRAYS} session = onnxruntime.InferenceSession(path + '.onnx'); "
        "session.run(None, dict(zip([one.name for one in session.get_inputs()], arrays)))"
    ),
    "openvino": (
        f"import openvino; {ARRAYS} model = openvino.Core().read_model(path + '.onnx'); "
        "model.reshape({one.any_name: x.shape for one, x in zip(model.inputs, arrays)}); "
        "openvino.Core().compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})(arrays)"
    ),
    "tensorflow": f"import keras; {ARRAYS} model = keras.models.load_model(path + '.keras', compile=False); {PREDICT}",
}
MODELS = ("digits", "deeplc-8c22", "mobilenet_v2")
SLOW = frozenset(("tensorflow",))
"""Peers that take seconds: three rounds."""
STAGES = (
    f"import time; t0 = time.perf_counter(); {ARRAYS} t1 = time.perf_counter(); import graphflow; "
    "model = graphflow.load_model(path + '.keras'); t2 = time.perf_counter(); "
    f"{PREDICT}; t3 = time.perf_counter(); {PREDICT}; t4 = time.perf_counter(); "
    "print(json.dumps([t1 - t0, t2 - t1, t3 - t2, t4 - t3]))"
)
"""Where graphflow's time goes: NumPy, opening, the first prediction, the second."""
NOT_SOURCE = (".*", "build", "dist", "*.egg-info", "*.so", "__pycache__")


QUIET = subprocess.DEVNULL
SLOW_ROUNDS = 3


def environment() -> dict[str, str]:
    """That of processes whose modules were compiled before, as they are wherever a package is installed."""
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**settings, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}


def time_programs(programs: Mapping[str, str], rounds: int, *arguments: str) -> dict[str, list[float]]:
    """Milliseconds of whole processes in interleaved rounds, after one round that fills the file cache."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(rounds + 1):
        for name, program in programs.items():
            if name in SLOW and turn > SLOW_ROUNDS:
                continue
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", program, *arguments], cwd=ROOT, env=environment(), check=True, stderr=QUIET
            )
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


def first_predictions(cache: Path, name: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of whole processes that open a model and predict one row, printed beside where ours go."""
    declared_inputs(cache, name)
    path = str((cache / name).resolve())
    times = time_programs({peer: FIRST[peer] for peer in FIRST if has(peer)}, rounds, path)
    print(f"\nprocess start to first prediction and exit, {name}")
    print_times(times)
    for peer, each in times.items():
        if peer != "graphflow":
            pairs = zip(times["graphflow"], each, strict=False)
            print(f"  {peer} / graphflow: {statistics.median(other / own for own, other in pairs):.2f}")
    command = [sys.executable, "-c", STAGES, path]
    each_round = [json.loads(subprocess.check_output(command, cwd=ROOT, env=environment())) for _ in range(5)]
    parts = [1e3 * statistics.median(part) for part in zip(*each_round, strict=True)]
    labels = ("numpy", "open", "first prediction", "second")
    print("  graphflow: " + ", ".join(f"{label} {part:.1f} ms" for label, part in zip(labels, parts, strict=True)))
    return times


def has(peer: str) -> bool:
    """Whether a peer is installed; TensorFlow opens files with Keras."""
    return importlib.util.find_spec(peer) is not None


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
    compileall.compile_dir(ROOT / "graphflow", quiet=2)  # as an installer does, whatever the environment says
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
    firsts = {name: first_predictions(given.cache, name, rounds) for name in MODELS}
    for name, times in firsts.items():
        own = statistics.median(times["graphflow"])
        if statistics.median(times["onnxruntime"]) * MOST_OF_ONNXRUNTIME < own:
            broken.append(f"first prediction of {name}")

    found = {"import": {name: statistics.median(times) for name, times in imports.items()}}
    for name, times in firsts.items():
        found[f"first prediction, {name}"] = {peer: statistics.median(each) for peer, each in times.items()}
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
