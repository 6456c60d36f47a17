"""Every op that can be written, with what writes it."""

from __future__ import annotations

from graphflow.formats.onnx_write import (
    activation,
    control,
    elementwise,
    indexing,
    interpolation,
    movement,
    normalization,
    products,
    quantization,
    recurrent,
    reductions,
    scalar,
    sized,
    windows,
)
from graphflow.formats.onnx_write.writer import Converter

CONVERTERS: dict[str, Converter] = {
    **activation.CONVERTERS,
    **elementwise.CONVERTERS,
    **movement.CONVERTERS,
    **products.CONVERTERS,
    **windows.CONVERTERS,
    **reductions.CONVERTERS,
    **normalization.CONVERTERS,
    **recurrent.CONVERTERS,
    **control.CONVERTERS,
    **indexing.CONVERTERS,
    **interpolation.CONVERTERS,
    **scalar.CONVERTERS,
    **sized.CONVERTERS,
    **quantization.CONVERTERS,
}
"""Op name to the function that writes a node of it."""
