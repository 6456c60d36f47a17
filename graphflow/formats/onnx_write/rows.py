"""Every op that can be written, with what writes it."""

from __future__ import annotations

from graphflow.formats.onnx_write import (
    activation,
    control,
    elementwise,
    movement,
    normalization,
    products,
    recurrent,
    reductions,
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
}
"""Op name to the function that writes a node of it."""
