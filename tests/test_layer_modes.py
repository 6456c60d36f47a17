"""The configurations of the parity run again, in every way a model can run: references, instruction sets, passes."""

import numpy as np
import pytest
from parity.compare import Comparison, error, problems
from parity.rows import ROWS, Row

import graphflow
from graphflow.kernels.isa import available
from graphflow.passes import PIPELINE

TOLERANCE = 2e-5
PASSES = sorted({one.__name__ for one in PIPELINE})
MODES = [{"reference": True}, *({"isa": name} for name in available()), {"passes_off": "all"}]


def outputs(comparison: Comparison, **mode: object) -> list[np.ndarray]:
    with graphflow.knobs(**mode):
        return comparison.ours(comparison.model())


def check(row: Row, wanted: int, modes: list[dict[str, object]]) -> None:
    for config, shape, masked in problems(row, wanted):
        comparison = Comparison(row, config, shape, masked)
        expected = outputs(comparison, reference=True, passes_off="all")
        for mode in modes:
            found = error(outputs(comparison, **mode), expected)
            assert found <= TOLERANCE, f"{row.layer}({config}) on {shape}, masked: {masked}, {mode}: {found:.2e}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.layer}-{row.count}")
def test_every_way_gives_the_same_numbers(row: Row) -> None:
    check(row, 4, MODES)


@pytest.mark.fuzz
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.layer}-{row.count}")
def test_every_configuration_in_every_way(row: Row) -> None:
    check(row, 28, [*MODES, *({"passes_off": name} for name in PASSES)])
