"""ONNX Runtime as the oracle: a model is written, checked by onnx, and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.formats.onnx_write import to_onnx
from graphflow.layers.nest import leaves

Array = np.ndarray[Any, Any]
ROOT = Path(__file__).parents[2]
ALLOWED = 1e-5
"""The largest difference, relative to the largest output."""


def runner(proto: Any) -> Any:
    """An ONNX Runtime session of a ModelProto or of a file, which onnx's checker has passed with shape inference."""
    import onnx
    import onnxruntime

    onnx.checker.check_model(proto, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    source = proto if isinstance(proto, str) else proto.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def outputs_of(proto: Any, arrays: Mapping[str, Array]) -> list[Array]:
    """What ONNX Runtime computes."""
    return list(runner(proto).run(None, dict(arrays)))


def fed(model: Any, arrays: Sequence[Array]) -> dict[str, Array]:
    """Arrays by the names of the model's inputs, in their data types."""
    return {
        name: np.asarray(array, tensor.dtype)
        for name, tensor, array in zip(model.input_names, model.inputs, arrays, strict=True)
    }


def difference(found: Sequence[Array], expected: Sequence[Array]) -> float:
    """The largest difference of any output, relative to its largest element; what is not finite must be the same."""
    assert len(found) == len(expected)
    worst = 0.0
    for one, other in zip(found, expected, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        if not other.size:
            continue
        mine, theirs = one.astype(np.float64), other.astype(np.float64)
        finite = np.isfinite(theirs)
        np.testing.assert_array_equal(mine[~finite], theirs[~finite])
        largest = np.abs(theirs[finite]).max(initial=0.0)
        worst = max(worst, float(np.abs(mine - theirs)[finite].max(initial=0.0) / max(largest, 1e-30)))
    return worst


def check(model: Any, arrays: Sequence[Array], opset: int | None = None) -> Any:
    """A model's outputs are those of its ONNX form, for these inputs and for other batches; returns the form."""
    proto = to_onnx(model, opset=opset)
    session = runner(proto)
    fixed = any(tensor.shape[:1] != (None,) for tensor in model.inputs)
    batches = [list(arrays)]
    if not fixed:
        batches += [[array[:1] for array in arrays], [np.concatenate([array, array[::-1]]) for array in arrays]]
    for batch in batches:
        expected = [np.asarray(one) for one in leaves(model.predict_on_batch(batch))]
        found = difference(session.run(None, fed(model, batch)), expected)
        assert found <= ALLOWED, f"{found:.2e} with {len(batch[0])} rows"
    return proto


def tried_alongside(files: Sequence[str], folder: Path, back: bool = False) -> dict[str, Any]:
    """What `alongside` reports of the fast tests in files."""
    report = folder / "report.json"
    env = {**os.environ, "GRAPHFLOW_ONNX_REPORT": str(report), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    if back:
        env["GRAPHFLOW_ONNX_BACK"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "onnx_export.alongside", "-p", "no:cacheprovider"]
    command += ["-m", "not oracle and not fuzz and not download", *(str(ROOT / "tests" / name) for name in files)]
    subprocess.run(command, env=env, cwd=ROOT, capture_output=True, check=False, timeout=1200)
    found: dict[str, Any] = json.loads(report.read_text())
    return found
