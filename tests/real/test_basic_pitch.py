"""The ONNX model of basic-pitch 0.4.0 gives ONNX Runtime's outputs. Fetched by name into .cache, never committed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import graphflow

pytestmark = [pytest.mark.download]

CACHE = Path(__file__).parents[2] / ".cache"
FILE = "basic_pitch/saved_models/icassp_2022/nmp.onnx"


@pytest.fixture(scope="module")
def path() -> Path:
    pytest.importorskip("onnx", reason="reading ONNX needs the package onnx; make real installs it")
    CACHE.mkdir(exist_ok=True)
    if not list(CACHE.glob("basic_pitch-0.4.0-*.whl")):
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(CACHE)]
        subprocess.run([*download, "basic-pitch==0.4.0"], check=True)
    with zipfile.ZipFile(next(CACHE.glob("basic_pitch-0.4.0-*.whl"))) as archive:
        if not (CACHE / FILE).exists():
            archive.extract(FILE, CACHE)
    return CACHE / FILE


@pytest.mark.parametrize("rows", [1, 3])
def test_outputs_are_onnx_runtimes(path: Path, rows: int) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is the oracle here; make real installs it")
    model = graphflow.load_model(path)
    rng = np.random.default_rng(rows)
    (name,) = model.input_names
    sound = np.sin(np.arange(43844) * 0.06) * 0.3 + rng.normal(size=(rows, 43844)) * 0.05
    x = sound[..., None].astype(np.float32)
    expected = runtime.InferenceSession(str(path)).run(model.output_names, {name: x})
    for ours, theirs in zip(model(x), expected, strict=True):
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()
