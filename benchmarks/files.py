"""The model files that are timed, in a cache folder that is never committed.

digits.keras        the sample that ships with graphflow
deeplc-*.keras      three retention time predictors of four inputs, from the wheel of DeepLC on PyPI
mixed.keras         built by `benchmarks.export_onnx`: four inputs, two outputs, most of what a model can have
vgg16.keras, ...    built by `benchmarks.zoo` with seeded weights: what people run
*.onnx, *.json      the same weights as ONNX, and the inputs in order; written by `benchmarks.export_onnx`
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_CACHE = ROOT / ".cache"
DEEPLC = "deeplc==3.1.8"
DEEPLC_MODELS = {"deeplc-1fd8": "_1fd8363d", "deeplc-8c22": "_8c22d896", "deeplc-cb97": "_cb975cfd"}


class Case(NamedTuple):
    """A model and the batches it is timed with; `listed`: whether means are taken over it.

    The list is what people run, one of each kind; the others are kept for what they have that those have not.
    """

    name: str
    batches: tuple[int, ...]
    listed: bool = True


CASES: tuple[Case, ...] = (
    Case("digits", (1, 8, 32), listed=False),
    *(Case(name, (1, 8, 32, 256), listed=name == "deeplc-1fd8") for name in DEEPLC_MODELS),
    Case("mixed", (1, 8, 32), listed=False),
    Case("vgg16", (1, 8)),
    *(
        Case(name, (1, 8, 32))
        for name in ("resnet50", "mobilenet_v2", "densenet121", "inception_v3", "unet", "wavenet")
    ),
    Case("lstm_classifier", (1, 8, 32)),
    Case("gru_classifier", (1, 8, 32)),
    Case("lstm_tagger", (1, 8, 32)),
    Case("video", (1, 8, 32)),
    Case("mlp", (1, 8, 32)),
)


def fetch_deeplc(cache: Path) -> None:
    """Put DeepLC's three model files into the cache; the package itself is neither installed nor run."""
    if all((cache / f"{name}.keras").exists() for name in DEEPLC_MODELS):
        return
    folder = cache / "deeplc"
    options = ["-q", "--no-deps", "--only-binary=:all:", "-d", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, DEEPLC], check=True)
    wheel = next(folder.glob("deeplc-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        for name, mark in DEEPLC_MODELS.items():
            member = next(one for one in archive.namelist() if mark in one and one.endswith(".keras"))
            (cache / f"{name}.keras").write_bytes(archive.read(member))


def fetch(cache: Path) -> None:
    """Put every model file into the cache that can be had without Keras."""
    from graphflow.samples import digits

    cache.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(digits.MODEL, cache / "digits.keras")
    fetch_deeplc(cache)


def declared_inputs(cache: Path, name: str) -> list[dict[str, Any]]:
    """The inputs of a model in order: name, shape without the batch, dtype, and for integers the bound `high`.

    Raises:
        FileNotFoundError: the model was not exported; the message says how.
    """
    found = [cache / f"{name}{suffix}" for suffix in (".json", ".onnx", ".keras")]
    for path in found:
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing: run python -m benchmarks.export_onnx --cache {cache}")
    inputs: list[dict[str, Any]] = json.loads(found[0].read_text())["inputs"]
    return inputs
