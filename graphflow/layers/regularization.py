"""Layers that change their input in training only."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ArgumentError
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer


@layer()
class Dropout(Layer):
    """In training, zeros for a share `rate` of the input's elements and 1 / (1 - rate) times the rest; else nothing.

    Args:
        rate: in [0, 1).
        noise_shape: the shape of the mask, None where it is the input's.
        seed: for reproducible masks.

    Source: https://keras.io/api/layers/regularization_layers/dropout/
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(rate, (int, float)) or not 0 <= rate < 1:
            raise ArgumentError(f"rate must be in [0, 1), received {rate!r}.")
        self.rate = float(rate)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed = seed
        start = np.random.SeedSequence(seed).generate_state(1, np.uint32)[0] if seed is None else seed
        self.seed_state = self.add_weight(
            (2,), lambda shape, dtype: np.array([start, 0], dtype), "int64", False, "seed", role="seed"
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training or self.rate == 0:
            return inputs
        result = ops.dropout(inputs, self.rate, self.seed_state, self.noise_shape)
        self.update(self.seed_state, self.seed_state + np.array([0, 1]))
        return result

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}
