"""A pytest plugin: whatever model a test predicts with also goes to ONNX and through ONNX Runtime, or back.

The models of all tests are tried in this way without being listed anew. What was tried is written as JSON to the path
in GRAPHFLOW_ONNX_REPORT: how many agreed, what was refused and why, and what differed. With GRAPHFLOW_ONNX_BACK it is
graphflow that reads the file, not ONNX Runtime.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphflow.errors import GraphflowError
from graphflow.formats import load_model
from graphflow.formats.onnx_write import to_onnx
from graphflow.layers.nest import leaves
from graphflow.models.functional import Model
from graphflow.models.predict import DEFAULT_BATCH
from onnx_export.runtime import ALLOWED, difference, outputs_of

AGREED: list[str] = []
REFUSED: Counter[str] = Counter()
DIFFERED: list[str] = []


def _given(model: Model, x: Any) -> dict[str, Any] | None:
    """The inputs by name; None for what is not compared: iterators, sparse matrices, no rows, other dtypes."""
    try:
        flat = [np.asarray(one) for one in model._flat(x)]
    except Exception:
        return None
    arrays = {}
    for tensor, name, array in zip(model.inputs, model.input_names, flat, strict=False):
        fits = array.ndim == len(tensor.shape) and array.dtype.kind in "biuf"
        if not fits or not array.size or array.shape[0] > DEFAULT_BATCH:
            return None
        arrays[name] = array.astype(tensor.dtype)
    return arrays if len(arrays) == len(model.inputs) else None


def _computed(proto: Any, arrays: dict[str, Any]) -> list[Any]:
    """What ONNX Runtime computes, or graphflow from the file."""
    if "GRAPHFLOW_ONNX_BACK" not in os.environ:
        return outputs_of(proto, arrays)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        return [np.asarray(one) for one in leaves(load_model(path)(arrays))]


@pytest.fixture(autouse=True)
def onnx_alongside(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let `predict` and `predict_on_batch` compare with ONNX Runtime."""
    test = request.node.nodeid

    def beside(original: Any) -> Any:
        def predict(self: Model, x: Any, *args: Any, **kwargs: Any) -> Any:
            arrays, proto = _given(self, x), None
            if arrays is not None:
                try:
                    proto = to_onnx(self)
                except GraphflowError as error:
                    REFUSED[str(error)] += 1
                except Exception as error:
                    DIFFERED.append(f"{test}: {type(error).__name__}: {error}"[:600])
            results = original(self, x, *args, **kwargs)
            if proto is not None and arrays is not None:
                try:
                    expected = [np.asarray(one) for one in leaves(results)]
                    found = difference(_computed(proto, arrays)[: len(expected)], expected)
                    (AGREED if found <= ALLOWED else DIFFERED).append(f"{test}: {found:.1e}")
                except Exception as error:
                    DIFFERED.append(f"{test}: {type(error).__name__}: {error}"[:600])
            return results

        return predict

    monkeypatch.setattr(Model, "predict", beside(Model.predict))
    monkeypatch.setattr(Model, "predict_on_batch", beside(Model.predict_on_batch))
    yield


def pytest_sessionfinish() -> None:
    report = {"agreed": len(AGREED), "refused": REFUSED, "differed": DIFFERED}
    Path(os.environ["GRAPHFLOW_ONNX_REPORT"]).write_text(json.dumps(report))
