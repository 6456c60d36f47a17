"""No function of one element is farther from the exact result than docs/accuracy.md says."""

from __future__ import annotations

import numpy as np
import pytest
from accuracy import BEGIN, END, FUNCTIONS, PAGE, errors, measure

from graphflow.ops.activation import NAMES

TWO = ("exponential", "sigmoid", "tanh")


def test_the_bounds_are_those_that_are_promised() -> None:
    assert list(FUNCTIONS) == list(NAMES)
    assert all(function.bound <= (2 if name in TWO else 4) for name, function in FUNCTIONS.items())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_stay_below_their_bounds(name: str) -> None:
    for isa, worst in measure(name, 40009, 40_000).items():
        assert worst.error <= FUNCTIONS[name].bound + 1e-7, f"{isa}: {name}({worst.at}) is off by {worst.error}"


def test_errors_are_counted_in_units_of_the_exact_result() -> None:
    next_to_one, tiny = np.nextafter(np.float32(1), np.float32(2)), np.float32(2**-149)
    found = np.array([next_to_one, next_to_one, 3 * tiny, np.inf, np.nan, 1.0, np.inf], np.float32)
    wanted = np.array([1.0, 1.0 + 2.0**-24, 2.0**-149, np.inf, np.nan, np.nan, 1.0])
    np.testing.assert_array_equal(errors(found, wanted), [1.0, 0.5, 2.0, 0.0, 0.0, np.inf, np.inf])


def test_the_page_has_a_row_for_every_function() -> None:
    table = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines()[3:] if line.startswith("|")]
    assert rows == list(FUNCTIONS)
