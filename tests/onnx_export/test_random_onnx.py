"""Random models go to ONNX and come out of ONNX Runtime with the same numbers."""

from __future__ import annotations

import os

import numpy as np
import pytest
from formats.random_models import Made, models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_random_graphs import TOLERANCE

from graphflow.formats.onnx_write import NEWEST_OPSET, OLDEST_OPSET, to_onnx
from graphflow.layers.nest import leaves
from onnx_export.runtime import difference, fed, outputs_of

FAST, LONG = 150, int(os.environ.get("GRAPHFLOW_EXAMPLES", "5000"))
CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
OPSETS = st.sampled_from((OLDEST_OPSET, 15, 18, 21, NEWEST_OPSET))


def check(made: Made, opset: int) -> None:
    model = made.model
    arrays = [made.inputs[name] for name in model.input_names]
    expected = [np.asarray(one) for one in leaves(model.predict_on_batch(arrays))]
    assert difference(outputs_of(to_onnx(model, opset=opset), fed(model, arrays)), expected) <= TOLERANCE


@pytest.mark.oracle
@settings(max_examples=FAST, deadline=None, suppress_health_check=CHECKS)
@given(models(), OPSETS)
def test_random_models(made: Made, opset: int) -> None:
    check(made, opset)


@pytest.mark.fuzz
@settings(max_examples=LONG, deadline=None, suppress_health_check=CHECKS)
@given(models(steps=12), OPSETS)
def test_thousands_of_random_models(made: Made, opset: int) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is the oracle: install the extra [oracle]")
    check(made, opset)
