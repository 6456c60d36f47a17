"""The models and the rows of the benchmark of long jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

WIDTH = 32
HIDDEN = 128


def vector_model(width: int = WIDTH, hidden: int = HIDDEN) -> Any:
    """A small model of vectors: `width` numbers, `hidden` and half as many hidden ones, one output."""
    from graphflow import Input, Model
    from graphflow.layers import Dense

    rng = np.random.default_rng(0)
    x = Input((width,), name="x")
    y, size = x, width
    for units in (hidden, hidden // 2):
        weights = [rng.standard_normal((size, units)) / size**0.5, np.zeros(units)]
        y, size = Dense(units, activation="relu", weights=weights)(y), units
    return Model(x, Dense(1, weights=[rng.standard_normal((size, 1)), np.zeros(1)], name="score")(y))


def trivial_model() -> Any:
    """One addition for each of four numbers."""
    from graphflow import Input, Model

    x = Input((4,), name="x")
    return Model(x, x + 1.0)


RESIDUES = np.random.default_rng(7).integers(0, 12, (21, 6)).astype("float32")
RESIDUES[20] = 0
LETTERS = np.vstack([np.eye(20, dtype="float32"), np.zeros((1, 20), "float32")])


def expand(columns: dict[str, Array]) -> list[Array]:
    """DeepLC's four inputs from sequences of 60 codes: atoms of each residue, of pairs, of the whole, and letters."""
    codes = columns["data"]
    atoms = RESIDUES[codes]
    pairs = atoms[:, 0::2] + atoms[:, 1::2]
    whole = np.zeros((len(codes), 55), "float32")
    whole[:, :6] = atoms.sum(axis=1)
    whole[:, 6:26] = LETTERS[codes[:, :4]].sum(axis=1)
    whole[:, 54] = (codes < 20).sum(axis=1)
    return [atoms, pairs, whole, LETTERS[codes]]


def sequences(path: Path, rows: int) -> None:
    """Sequences of 7 to 60 codes, padded with 20, as a `.npy` file."""
    rng = np.random.default_rng(11)
    made = np.lib.format.open_memmap(path, "w+", np.uint8, (rows, 60))
    for at in range(0, rows, 100_000):
        part = rng.integers(0, 20, (min(100_000, rows - at), 60), np.uint8)
        part[np.arange(60) >= rng.integers(7, 61, len(part))[:, None]] = 20
        made[at : at + len(part)] = part
    made.flush()


def vectors(path: Path, rows: int, width: int = WIDTH) -> None:
    """Random vectors as a `.npy` file."""
    rng = np.random.default_rng(12)
    made = np.lib.format.open_memmap(path, "w+", np.float32, (rows, width))
    for at in range(0, rows, 200_000):
        made[at : at + 200_000] = rng.standard_normal((min(200_000, rows - at), width), dtype="float32")
    made.flush()


def write_parquet(
    path: Path, arrays: dict[str, Array], group: int | None = None, nullable: bool = True, **options: Any
) -> None:
    """Arrays as Parquet: each a column of lists, one alone a column for each number; as pyarrow's defaults have it.

    Args:
        group: rows of a row group; None: pyarrow's own number, 2^20.
        nullable: whether columns are declared as ones that may hold nulls.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    if [array.ndim for array in arrays.values()] == [2]:
        (array,) = arrays.values()
        columns = {f"x{index}": pa.array(array[:, index]) for index in range(array.shape[1])}
        arrays = {}
    for name, array in arrays.items():
        size = int(np.prod(array.shape[1:]))
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), size)
    schema = pa.schema([pa.field(name, column.type, nullable) for name, column in columns.items()])
    pq.write_table(pa.table(columns, schema=schema), path, row_group_size=group, **options)
