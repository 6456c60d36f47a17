"""Layers that change the shape and order of their input."""

from __future__ import annotations

from typing import Any

from graphflow import config, ops
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.ops.array import channels_last
from graphflow.spec import spec_of


@layer()
class Flatten(Layer):
    """(batch, ...) to (batch, product of the rest); with channels_first the channels are moved last before.

    Source: https://keras.io/api/layers/reshaping_layers/flatten/
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.as_data_format(data_format)

    def call(self, inputs: Any) -> Any:
        shape = spec_of(inputs).shape
        if len(shape) == 1:
            return ops.expand_dims(inputs, 1)
        if self.data_format == "channels_first" and len(shape) > 2:
            inputs = channels_last(inputs)
        return ops.flatten(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}
