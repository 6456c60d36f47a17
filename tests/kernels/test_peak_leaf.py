"""The leaves that measure the machine: their sums are right, so they compute what they are timed for."""

from __future__ import annotations

import numpy as np
import pytest
from leaf_harness import ISAS, guarded, run_leaf

from graphflow.kernels import _leaf


@pytest.mark.parametrize("isa", ISAS)
def test_every_chain_takes_every_round(isa: str) -> None:
    width = _leaf.TABLES[isa]["vector"]
    for rounds in (0, 1, 5):
        y, check = guarded(3 * width)
        run_leaf(isa, "peak_f32", 3, ranges=[(1, 3)], y=y, rounds=rounds)
        chains = np.arange(12.0)
        for _ in range(rounds):
            chains = chains * 0.5 + 1.0
        assert np.isnan(y[:width]).all()
        np.testing.assert_allclose(y[width:], chains.sum(), rtol=1e-6)
        check()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("reads", [1, 2, 5])
def test_a_stream_reads_every_row_and_writes_every_element(isa: str, reads: int) -> None:
    x = np.random.default_rng(reads).integers(-9, 9, (reads, 64 * 7)).astype(np.float32)
    y, check = guarded(x.shape[1])
    run_leaf(isa, "stream_f32", 3, ranges=[(0, 1), (2, 3)], x=x, y=y, n=x.shape[1], reads=reads, block=64 * 3)
    wanted = x.sum(axis=0)
    np.testing.assert_array_equal(y[:192], wanted[:192])
    np.testing.assert_array_equal(y[384:], wanted[384:])
    assert np.isnan(y[192:384]).all()
    check()
