"""Initial values of weights: the moments their definitions say, seeds, and configurations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphflow import Input, initializers
from graphflow.layers import LSTM

STATISTICS: dict[str, tuple[dict[str, Any], float, float]] = {
    "GlorotUniform": ({}, -np.sqrt(6 / 700), np.sqrt(2 / 700)),
    "GlorotNormal": ({}, -np.inf, np.sqrt(2 / 700)),
    "HeUniform": ({}, -np.sqrt(6 / 300), np.sqrt(2 / 300)),
    "HeNormal": ({}, -np.inf, np.sqrt(2 / 300)),
    "LecunUniform": ({}, -np.sqrt(3 / 300), np.sqrt(1 / 300)),
    "LecunNormal": ({}, -np.inf, np.sqrt(1 / 300)),
    "RandomNormal": ({}, -np.inf, 0.05),
    "RandomUniform": ({}, -0.05, 0.05 / np.sqrt(3)),
    "TruncatedNormal": ({"stddev": 0.5}, -1.0, 0.5 * 0.87962566),
    "VarianceScaling": (
        {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"},
        -np.inf,
        np.sqrt(3 / 400),
    ),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_initial_values_have_the_moments_their_definitions_say(name: str) -> None:
    options, low, deviation = STATISTICS[name]
    make = initializers.get({"class_name": name, "config": {**options, "seed": 42}})
    value = make((300, 400), dtype="float32")
    assert value.shape == (300, 400)
    assert value.dtype == np.float32
    assert abs(value.mean()) < 4 * deviation / np.sqrt(value.size)
    assert abs(value.std() / deviation - 1) < 0.01
    assert value.min() >= low * 1.000001
    if np.isfinite(low):
        assert value.min() < 0.99 * low
    again = initializers.get({"class_name": name, "config": make.get_config()})
    np.testing.assert_array_equal(again((300, 400), dtype="float32"), value)


def test_plain_initial_values() -> None:
    matrix = initializers.Orthogonal(seed=3)((6, 4))
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(4), atol=1e-6)
    wide = initializers.Orthogonal(gain=2.0, seed=3)((3, 2, 8))
    np.testing.assert_allclose(wide.reshape(6, 8) @ wide.reshape(6, 8).T, 4 * np.eye(6), atol=1e-5)
    np.testing.assert_array_equal(initializers.get("identity")((3, 2)), np.eye(3, 2))
    np.testing.assert_array_equal(initializers.Constant(2.5)((2, 2)), np.full((2, 2), 2.5))
    np.testing.assert_array_equal(initializers.get("ones")((3,)), np.ones(3))
    bias = LSTM(3)
    bias(Input((2, 2)))
    np.testing.assert_array_equal(bias.bias.value, [0] * 3 + [1] * 3 + [0] * 6)
