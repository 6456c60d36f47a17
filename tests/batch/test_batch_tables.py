"""Blocks cut from pieces of row groups, and columns turned into rows by tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphflow.batch.mapping import Mapper
from graphflow.batch.sources import open_source
from graphflow.batch.stacking import interleave, side_by_side


@pytest.mark.parametrize("rows", [0, 1, 15, 16, 33])
@pytest.mark.parametrize("width", [2, 300])
def test_columns_side_by_side(rows: int, width: int) -> None:
    rng = np.random.default_rng(rows)
    kinds = ["float32", "float64", "int32", "uint8"]
    parts = [(rng.standard_normal(rows) * 100).astype("int8").astype(kinds[i % 4]) for i in range(width)]
    parts[1] = parts[1] + 1 / 3
    expected = np.stack(parts, axis=1)
    assert np.array_equal(side_by_side(parts), expected)
    made = side_by_side(parts, "float32")
    assert made.dtype == np.float32
    assert np.array_equal(made, expected.astype("float32"))


@pytest.mark.parametrize("dtype", ["bool", "int16", "float32", "int64", "complex128"])
def test_columns_of_every_size(dtype: str) -> None:
    parts = list(np.random.default_rng(3).integers(0, 99, (21, 7)).astype(dtype).T)
    made = side_by_side(parts)
    assert made.dtype == dtype
    assert np.array_equal(made, np.stack(parts, axis=1))


def test_columns_that_do_not_fit_are_refused() -> None:
    out = np.zeros((4, 2), "float32")
    good = np.ones(4, "float32")
    for bad in (np.ones(3, "float32"), np.ones(4), np.ones(8, "float32")[::2]):
        with pytest.raises(ValueError, match="contiguous, 4 numbers of float32"):
            interleave([good, bad], out)
    with pytest.raises(ValueError, match="1 columns do not fit"):
        interleave([good], out)
    assert not out.any()


@pytest.mark.parametrize("start", [0, 40, 160])
@pytest.mark.parametrize("piece", [1, 100, 1 << 20])
def test_pieces_of_row_groups_make_whole_blocks(
    piece: int, start: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = pytest.importorskip("pyarrow", reason="Parquet files are read by pyarrow")
    import pyarrow.parquet as pq

    from graphflow.batch.sources import tables

    monkeypatch.setattr(tables, "PIECE", piece)
    x = np.random.default_rng(3).standard_normal((301, 3)).astype("float32")
    pq.write_table(pa.table({name: x[:, i] for i, name in enumerate("abc")}), tmp_path / "x.parquet", row_group_size=97)
    blocks = list(open_source(tmp_path / "x.parquet").read(start, None, 40, ["c", "a"]))
    assert [(block.start, block.rows) for block in blocks] == [(i, min(40, 301 - i)) for i in range(start, 301, 40)]
    for index, name in ((0, "a"), (2, "c")):
        assert np.array_equal(np.concatenate([block.columns[name] for block in blocks]), x[start:, index])


@pytest.mark.parametrize("piece", [1, 100, 1 << 20])
@pytest.mark.parametrize("dtypes", [("float32",) * 3, ("float64",) * 3, ("float32", "int32", "float32")])
def test_columns_that_stand_together_are_rows_of_one_matrix(
    dtypes: tuple[str, ...], piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = pytest.importorskip("pyarrow", reason="Parquet files are read by pyarrow")
    import pyarrow.parquet as pq

    from graphflow.batch.block import beside
    from graphflow.batch.sources import tables

    monkeypatch.setattr(tables, "PIECE", piece)
    x = (np.random.default_rng(3).standard_normal((301, 3)) * 100).astype("float32")
    columns = {name: x[:, i].astype(dtypes[i]) for i, name in enumerate("abc")}
    values = [None if i == 120 else value for i, value in enumerate(columns["b"].tolist())]
    columns["b"] = pa.array(values, pa.from_numpy_dtype(np.dtype(dtypes[1])))
    pq.write_table(
        pa.table({**columns, "key": [f"r{i}" for i in range(301)]}), tmp_path / "x.parquet", row_group_size=97
    )
    source = open_source(tmp_path / "x.parquet")
    source.together, source.identifiers = [("c", "b")], frozenset({"key"})
    blocks = list(source.read(40, None, 40, ["c", "b", "a", "key"]))
    good = np.delete(np.arange(301), 120)[40:]
    assert [one.row for block in blocks for one in block.bad] == [120]
    assert [key for block in blocks for key in block.columns["key"]] == [f"r{i}" for i in good]
    one_dtype = dtypes[1] == dtypes[2]
    assert all((beside("cb") in block.columns, "b" in block.columns) == (one_dtype, not one_dtype) for block in blocks)
    made = [
        block.columns[beside("cb")] if one_dtype else side_by_side([block.columns[n] for n in "cb"]) for block in blocks
    ]
    expected = np.stack([x[:, i].astype(dtypes[i]) for i in (2, 1)], axis=1)[good]
    assert np.array_equal(np.concatenate(made), expected)
    assert np.array_equal(np.concatenate([block.columns["a"] for block in blocks]), x[good, 0])


def test_columns_that_several_inputs_take_stay_alone() -> None:
    mapper = Mapper({"x": ("a", "b"), "y": ("b", "c"), "z": ("d", "e"), "w": ("f", "g")}, [], [], None)
    assert mapper.together(["g"]) == [("d", "e")]
