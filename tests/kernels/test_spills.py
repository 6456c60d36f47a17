"""The tiles of gemm.h keep their sums in registers on AVX-512 and AVX2; and the check notices when they do not."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from spills import inner_loops

from graphflow.kernels import _leaf
from graphflow.kernels.isa import available

KERNELS = Path(__file__).resolve().parents[2] / "kernels"
WIDTHS = {"avx512": "zmm", "avx2": "ymm"}
FEW = {"avx512": 6, "avx2": 2}
"""Up to so many rows there are tiles of four vectors."""

PLANTED = """
#pragma GCC target("avx2,fma")
#define GF_AVX2 1
#include <math.h>
#include <string.h>
#include "fields.h"
#include "vec.h"
#undef GF_TILE_M
#define GF_TILE_M 9
#include "activation.h"
#include "gemm.h"
const void *planted(void) { return gf_tiles; }
"""
"""Nine rows of two vectors and what they are made of do not fit the sixteen registers of AVX2."""

needs_objdump = pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump, of binutils")


@needs_objdump
@pytest.mark.parametrize("isa", [name for name in available() if name in WIDTHS])
def test_tiles_keep_their_sums_in_registers(isa: str) -> None:
    table = _leaf.TABLES[isa]
    found = {
        name: loop for (vectors, name), loop in inner_loops(Path(_leaf.__file__)).items() if vectors == WIDTHS[isa]
    }
    tiles = [f"gf_tile_{rows}x{vecs}" for rows in range(1, table["tile_m"] + 1) for vecs in (1, 2)]
    wide = [f"gf_tile_{rows}x4" for rows in range(1, FEW[isa] + 1)]
    assert set(found) == {*tiles, *wide, "gf_tile_1x8"}
    assert {name: loop.spills for name, loop in found.items() if loop.spills} == {}


@needs_objdump
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.skipif("avx2" not in available(), reason="plants AVX2 code")
def test_a_tile_of_too_many_sums_is_noticed(tmp_path: Path) -> None:
    source, made = tmp_path / "planted.c", tmp_path / "planted.o"
    (tmp_path / "gemm.h").write_text(re.sub(r"T\(1\)( T\(\d+\))+", "T(9)", (KERNELS / "gemm.h").read_text()))
    source.write_text(PLANTED)
    flags = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-w", f"-I{tmp_path}", f"-I{KERNELS}"]
    subprocess.run(["cc", *flags, "-c", str(source), "-o", str(made)], check=True)
    assert inner_loops(made)["ymm", "gf_tile_9x2"].spills
