"""Panels: where every number lies, whatever the blocks in which a matrix is read."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphflow.kernels import packing
from graphflow.kernels.isa import Isa
from graphflow.mapped import drop_pages, map_behind

ISA = Isa("made up", 4, 2, 12, {})


def panels(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The definition: panel by panel, the last one filled with zeros to whole vectors of four."""
    found = []
    for start in range(0, matrix.shape[1], 12):
        part = matrix[:, start : start + 12].astype(np.float32)
        found.append(np.pad(part, ((0, 0), (0, -part.shape[1] % 4))).ravel())
    return np.concatenate([*found, np.zeros(0, np.float32)])


@pytest.mark.parametrize("block", [1, 100, 1 << 20])
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (1, 1), (7, 11), (7, 12), (9, 13), (10, 24), (33, 31)])
def test_panels_are_as_defined(shape: tuple[int, int], block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "BLOCK", block)
    matrix = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    wide = np.repeat(matrix.astype(np.float64), 2, 1)[:, ::2]
    assert packing.panel_floats(*shape, ISA) == panels(matrix).size
    for given in (matrix, wide, np.asfortranarray(matrix)):
        np.testing.assert_array_equal(packing.pack_panels(given, ISA), panels(matrix))
    out = np.full(panels(matrix).size, np.nan, np.float32)
    assert packing.pack_panels(matrix, ISA, out) is out
    np.testing.assert_array_equal(out, panels(matrix))


def test_a_mapped_matrix_is_packed_and_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "DROPPED", 1 << 14)
    matrix = np.random.default_rng(0).standard_normal((700, 900)).astype(np.float32)
    path = tmp_path / "matrix"
    path.write_bytes(b"123" + matrix.tobytes())
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    mapped = np.frombuffer(content, np.uint8)[3:].view(np.float32).reshape(matrix.shape)
    assert map_behind(mapped) is content
    np.testing.assert_array_equal(packing.pack_panels(mapped, ISA), panels(matrix))
    np.testing.assert_array_equal(mapped, matrix)


def test_memory_that_can_not_be_read_again_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(bytes(1 << 20))
    changed = np.memmap(path, np.uint8, "c")
    changed[:] = 7
    made = np.full(1 << 20, 7, np.uint8)
    for array in (changed, made):
        drop_pages(array, 0)
        assert (array == 7).all()
