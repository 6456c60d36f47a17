"""Which pairs of positions may see each other: causal and sliding-window masks of attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_axis, as_operand, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec

FAR = 2**62
"""A distance that no two positions have."""


def _infer_band(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    rows, columns = specs
    return (TensorSpec((rows.shape[attrs["row_axis"]], columns.shape[attrs["column_axis"]]), "bool"),)


def _band_reference(attrs: Attrs, rows: Array, columns: Array) -> Array:
    distance = np.arange(rows.shape[attrs["row_axis"]])[:, None] - np.arange(columns.shape[attrs["column_axis"]])
    return np.asarray((distance >= attrs["low"]) & (distance <= attrs["high"]))


BAND = define("band", _infer_band, _band_reference)


def band(
    rows: Any, columns: Any, row_axis: int = -2, column_axis: int = -1, low: int | None = None, high: int | None = None
) -> Any:
    """Bools (r, c), true where low <= i - j <= high for row i and column j; None: without bound.

    Args:
        rows, columns: tensors that have r and c elements along `row_axis` and `column_axis`; their values do not count.
    """
    rows, columns = as_operand(rows), as_operand(columns)
    attrs = {
        "row_axis": as_axis(row_axis, len(shape_of(rows))),
        "column_axis": as_axis(column_axis, len(shape_of(columns))),
        "low": -FAR if low is None else int(low),
        "high": FAR if high is None else int(high),
    }
    return apply(BAND, (rows, columns), attrs)
