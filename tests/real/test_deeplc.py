"""The three four-input models of deeplc 3.1.8 give Keras' outputs. Fetched by name into .cache, never committed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import graphflow
from tests.test_main_job import assert_rows_keep_their_bits

pytestmark = [pytest.mark.download]

CACHE = Path(__file__).parents[2] / ".cache"
FILES = tuple(
    f"deeplc/mods/full_hc_PXD005573_pub_{name}.keras"
    for name in (
        "1fd8363d9af9dcad3be7553c39396960",
        "8c22d89667368f2f02ad996469ba157e",
        "cb975cfdd4105f97efa0b3afffe075cc",
    )
)


@pytest.fixture(scope="module")
def folder() -> Path:
    CACHE.mkdir(exist_ok=True)
    wheel = CACHE / "deeplc-3.1.8-py3-none-any.whl"
    if not wheel.exists():
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(CACHE)]
        subprocess.run([*download, "deeplc==3.1.8"], check=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in FILES:
            if not (CACHE / name).exists():
                archive.extract(name, CACHE)
    return CACHE


def arrays_for(model: graphflow.Model, rows: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.random((rows, *tensor.shape[1:]), dtype=np.float32) for tensor in model.inputs]


@pytest.mark.parametrize("name", FILES)
def test_outputs_are_kerass(folder: Path, name: str) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    keras = pytest.importorskip("keras", reason="Keras is the oracle here; make real installs it")
    model = graphflow.load_model(folder / name)
    arrays = arrays_for(model, 64)
    expected = keras.models.load_model(folder / name).predict(arrays, verbose=0)
    outputs = model.predict(arrays, verbose=0)
    assert np.abs(outputs - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", FILES)
def test_rows_keep_their_bits(folder: Path, name: str) -> None:
    model = graphflow.load_model(folder / name)
    assert_rows_keep_their_bits(model, arrays_for(model, 40))
