"""Parity with Keras: each argument of each layer at its values and in random combinations, over a thousand in all."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import importlib
from typing import Any

import pytest
from parity.compare import Comparison, configurations, error, problems
from parity.rows import ROWS, SET_ELSEWHERE, Row

from graphflow.layers.registry import LAYERS

WANTED = 28
WEIGHT_SETTINGS = ("_initializer", "_regularizer", "_constraint")


@pytest.fixture(scope="module")
def oracle() -> Any:
    return importlib.import_module


@pytest.mark.oracle
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.layer}-{row.count}")
def test_outputs_are_kerass(row: Row, oracle: Any) -> None:
    keras = oracle(row.oracle)
    for config, shape, masked in problems(row, WANTED):
        comparison = Comparison(row, config, shape, masked)
        found = error(comparison.ours(comparison.model()), comparison.theirs(keras))
        assert found <= 1e-5, f"{row.layer}({config}) on {shape}, masked: {masked}: {found:.2e}"


def test_there_are_a_thousand_configurations() -> None:
    assert sum(len(configurations(row, WANTED)) for row in ROWS) >= 1000


@pytest.mark.parametrize("name", sorted({row.layer for row in ROWS}))
def test_every_argument_is_covered(name: str) -> None:
    rows = [row for row in ROWS if row.layer == name]
    covered = {argument for row in rows for argument in (*row.base, *row.values)}
    for argument in LAYERS.classes[name](**rows[0].base).get_config():
        known = argument in covered or argument in SET_ELSEWHERE or argument.endswith(WEIGHT_SETTINGS)
        assert known, f"{name} has the argument {argument!r}, which no configuration covers"
