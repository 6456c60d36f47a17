"""Shapes that other tensors hold: open while a graph is built, known when it is planned, or refused by then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphflow import ops
from graphflow.errors import ShapeError
from graphflow.ir import GraphBuilder
from graphflow.ops.sized import expand_to, fill, range_of, slice_at
from graphflow.runtime import Session
from graphflow.spec import TensorSpec


def session_of(program: Any) -> Session:
    builder = GraphBuilder()
    builder.output(program(builder.input(TensorSpec((None, 4), "float32"), "x")), "y")
    return Session(builder.graph)


def int64(x: Any) -> Any:
    return ops.cast(x, "int64")


def test_ranges_end_where_shapes_say() -> None:
    session = session_of(lambda x: range_of(np.int64(1), int64(ops.shape(x)[0]), np.int64(2)))
    for rows in (1, 6, 200):
        np.testing.assert_array_equal(session.run([np.zeros((rows, 4), np.float32)])[0], np.arange(1, rows, 2))
    np.testing.assert_array_equal(range_of(np.int64(5), np.int64(-2), np.int64(-3)), [5, 2, -1])
    with pytest.raises(ShapeError, match="step of 0"):
        range_of(np.int64(5), np.int64(9), np.int64(0))


def test_tensors_are_filled_and_expanded_to_shapes() -> None:
    def program(x: Any) -> Any:
        rows = int64(ops.shape(x)[:1])
        filled = fill(ops.concatenate([rows, np.array([3])], 0), 1.5, "float32")
        return ops.concatenate([filled, expand_to(x[:1], ops.concatenate([rows, np.array([1])], 0))], 1)

    session = session_of(program)
    for rows in (1, 5):
        x = np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)
        expected = np.concatenate([np.full((rows, 3), 1.5), np.repeat(x[:1], rows, 0)], 1)
        np.testing.assert_array_equal(session.run([x])[0], expected.astype(np.float32))


@pytest.mark.parametrize("step", [1, 2, -1])
def test_slices_end_where_shapes_say(step: int) -> None:
    def program(x: Any) -> Any:
        last = int64(ops.shape(x)[:1]) - 1
        return slice_at(x, last * 0 if step > 0 else last, last if step > 0 else last * 0, [0], [step])

    session = session_of(program)
    for rows in (2, 7):
        x = np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)
        expected = x[0 : rows - 1 : step] if step > 0 else x[rows - 1 : 0 : step]
        np.testing.assert_array_equal(session.run([x])[0], expected)


def test_a_shape_that_depends_on_data_is_refused_when_it_is_planned() -> None:
    session = session_of(lambda x: fill(int64(ops.sum(x, 0)), 0, "float32"))
    with pytest.raises(ShapeError, match="not known before the run"):
        session.run([np.ones((2, 4), np.float32)])
