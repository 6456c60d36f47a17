"""Every layer goes to ONNX and comes out of ONNX Runtime with the same numbers: its cases, and what parity multiplies
out, with the oldest and the newest opset."""

from __future__ import annotations

from typing import Any

import pytest
from cases.layers import CASES, LayerCase
from parity.compare import Comparison, problems
from parity.rows import ROWS, Row

from graphflow.formats.onnx_write import NEWEST_OPSET, OLDEST_OPSET
from onnx_export.runtime import check

pytestmark = pytest.mark.oracle
WANTED = 28


@pytest.mark.parametrize("opset", [OLDEST_OPSET, NEWEST_OPSET])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_layer_of_the_cases(case: LayerCase, opset: int) -> None:
    check(case.model(), case.arrays(), opset)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.layer}-{row.count}")
def test_a_layer_in_many_configurations(row: Row) -> None:
    for config, shape, masked in problems(row, WANTED):
        comparison = Comparison(row, config, shape, masked)
        model = comparison.model()
        arrays: list[Any] = [*comparison._given] + ([] if comparison.mask is None else [comparison.mask])
        try:
            check(model, arrays)
        except Exception as error:
            raise AssertionError(f"{row.layer}({config}) on {shape}, masked: {masked}: {error}") from error
