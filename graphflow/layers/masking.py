"""Masking: which time steps count."""

from __future__ import annotations

from typing import Any

from graphflow import ops
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.spec import spec_of


@layer()
class Masking(Layer):
    """Marks the time steps of which every feature is `mask_value`, and sets them to zero.

    The mask (batch, ...) of an input (batch, ..., features) is true where any feature differs from mask_value.

    Args:
        mask_value: a number.

    Source: https://keras.io/api/layers/core_layers/masking/
    """

    supports_masking = True

    def __init__(self, mask_value: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def call(self, inputs: Any) -> Any:
        counts = ops.any(ops.not_equal(inputs, self.mask_value), -1, True)
        if self.era == "keras3":
            return ops.where(counts, inputs, 0)
        return inputs * ops.cast(counts, spec_of(inputs).dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.any(ops.not_equal(inputs, self.mask_value), -1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}
