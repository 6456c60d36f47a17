"""The operators of ONNX, one file per family; importing this package fills the table."""

from graphflow.formats.onnx_read.operators import (  # noqa: F401
    control,
    convolution,
    creation,
    elementwise,
    image,
    loss,
    matrix,
    movement,
    normalization,
    padding,
    pooling,
    quantization,
    random,
    recurrent,
    reduction,
    regions,
    resize,
    sequence,
    shape,
    signal,
)
