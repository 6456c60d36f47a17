"""The leaf that measures the processor: its sums are those of its chains, so it computes what it is timed for."""

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
