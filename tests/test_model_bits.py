"""Whole models: the same rows, the same bits, over splits of the batch and numbers of threads.

The models are those that benchmarks time (`python -m benchmarks.export_onnx` makes them); networks of large images get
a batch of nine, all others one of sixty-seven.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow.models import load_model
from graphflow.runtime import Session

CACHE = Path(__file__).resolve().parents[1] / ".cache"
LARGE = ("vgg16", "resnet50", "mobilenet_v2", "densenet121", "inception_v3", "unet", "video")
MODELS = (
    *LARGE,
    *("digits", "deeplc-1fd8", "deeplc-8c22", "deeplc-cb97", "mixed", "wavenet", "mlp"),
    *("lstm_classifier", "gru_classifier", "lstm_tagger"),
)
SPLITS = (1, 2, 3, 5, 7, 8, 16, 33, 64)
THREADS = (1, 2, 4)


def made(name: str, batch: int) -> dict[str, Any]:
    """Inputs of a model, in its order."""
    rng, found = np.random.default_rng(7), {}
    for one in json.loads((CACHE / f"{name}.json").read_text())["inputs"]:
        shape = (batch, *one["shape"])
        whole = one["high"] is not None
        found[one["name"]] = (
            rng.integers(0, one["high"], shape).astype(one["dtype"]) if whole else rng.random(shape, np.float32)
        )
    return found


def opened(name: str) -> Any:
    """A model of the list."""
    file = CACHE / f"{name}.keras"
    if not file.exists():
        pytest.skip(f"{file.name} was not made: python -m benchmarks.export_onnx")
    return load_model(str(file))


def run(session: Session, inputs: dict[str, Any], threads: int, first: int = 0, last: int | None = None) -> list[Any]:
    with graphflow.knobs(threads=threads):
        return session.run({name: x[first:last] for name, x in inputs.items()})


@pytest.mark.fuzz
@pytest.mark.parametrize("name", MODELS)
def test_rows_of_a_model_have_the_same_bits(name: str) -> None:
    model = opened(name)
    batch = 9 if name in LARGE else 67
    inputs = made(name, batch)
    session = Session(model.graph())
    whole = run(session, inputs, 1)
    assert all(np.isfinite(one).all() and one.std() > 0 for one in whole)
    for threads in THREADS[1:]:
        for one, expected in zip(run(session, inputs, threads), whole, strict=True):
            np.testing.assert_array_equal(one, expected, err_msg=f"{threads} threads")
    for index, split in enumerate(split for split in SPLITS if split < batch):
        threads = THREADS[index % len(THREADS)]
        for first in range(0, batch, split):
            parts = run(session, inputs, threads, first, first + split)
            for part, expected in zip(parts, whole, strict=True):
                message = f"rows from {first} in parts of {split}, {threads} threads"
                np.testing.assert_array_equal(part, expected[first : first + split], err_msg=message)
