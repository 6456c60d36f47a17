"""Settings of all tests: hypothesis without deadlines, the same examples in every run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

SLOW_IS_FINE = [HealthCheck.too_slow]
settings.register_profile("fast", deadline=None, derandomize=True, max_examples=30, suppress_health_check=SLOW_IS_FINE)
settings.register_profile("long", deadline=None, max_examples=1000, suppress_health_check=SLOW_IS_FINE)
settings.load_profile("fast")


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20240229)
