"""Layers with windows beyond those of every model: (class, arguments, shape channels last, whether in Keras 3)."""

from __future__ import annotations

from typing import Any

Row = tuple[str, dict[str, Any], tuple[int, ...], bool]

STEPS, IMAGE, VOLUME = (3, 9, 4), (2, 9, 8, 4), (2, 6, 5, 7, 4)

SPATIAL: tuple[Row, ...] = (
    ("Conv3D", {"filters": 3, "kernel_size": (2, 3, 1), "strides": (1, 2, 1), "padding": "same"}, VOLUME, True),
    ("Conv3D", {"filters": 4, "kernel_size": 2, "groups": 2, "activation": "relu"}, VOLUME, True),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, STEPS, True),
    ("Conv1DTranspose", {"filters": 5, "kernel_size": 2, "dilation_rate": 3, "use_bias": False}, STEPS, True),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "output_padding": (1, 0)}, IMAGE, True),
    ("Conv2DTranspose", {"filters": 6, "kernel_size": (4, 2), "strides": (2, 3), "padding": "same"}, IMAGE, True),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "padding": "same", "activation": "tanh"}, IMAGE, True),
    ("Conv3DTranspose", {"filters": 3, "kernel_size": (2, 3, 2), "strides": (2, 1, 2)}, VOLUME, True),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, STEPS, True),
    ("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu6"}, IMAGE, True),
    ("DepthwiseConv2D", {"kernel_size": (2, 3), "depth_multiplier": 3, "dilation_rate": (2, 1)}, IMAGE, True),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, STEPS, False),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2, "activation": "relu"}, IMAGE, True),
    ("SeparableConv2D", {"filters": 2, "kernel_size": 3, "strides": 2, "dilation_rate": 2}, (2, 11, 12, 3), True),
    ("MaxPooling3D", {"pool_size": (2, 1, 3), "strides": (1, 2, 2), "padding": "same"}, VOLUME, True),
    ("AveragePooling3D", {"pool_size": 2, "padding": "same"}, VOLUME, True),
    ("GlobalMaxPooling3D", {"keepdims": True}, VOLUME, True),
    ("GlobalAveragePooling3D", {"keepdims": False}, VOLUME, True),
    ("ZeroPadding1D", {"padding": (2, 0)}, STEPS, True),
    ("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}, IMAGE, True),
    ("ZeroPadding3D", {"padding": ((1, 0), (2, 3), (0, 0))}, VOLUME, True),
    ("Cropping2D", {"cropping": ((1, 0), (2, 3))}, IMAGE, True),
    ("Cropping3D", {"cropping": ((1, 0), (2, 1), (0, 0))}, VOLUME, True),
    ("UpSampling2D", {"size": (2, 3)}, IMAGE, True),
    ("UpSampling2D", {"size": (3, 2), "interpolation": "bilinear"}, IMAGE, True),
    ("UpSampling3D", {"size": (2, 1, 3)}, VOLUME, True),
)
"""Each in both data formats."""

PLAIN: tuple[Row, ...] = (
    ("Cropping1D", {"cropping": (2, 1)}, STEPS, True),
    ("UpSampling1D", {"size": 3}, STEPS, True),
    ("LocallyConnected1D", {"filters": 3, "kernel_size": 3, "strides": 2, "activation": "relu"}, STEPS, False),
    ("LocallyConnected1D", {"filters": 2, "kernel_size": 3, "padding": "same", "implementation": 3}, STEPS, False),
    ("LocallyConnected1D", {"filters": 2, "kernel_size": 3, "data_format": "channels_first"}, (3, 4, 9), False),
    ("LocallyConnected2D", {"filters": 3, "kernel_size": (2, 3), "use_bias": False}, (2, 6, 5, 3), False),
    ("LocallyConnected2D", {"filters": 3, "kernel_size": 2, "implementation": 2}, (2, 5, 4, 3), False),
    ("LocallyConnected2D", {"filters": 2, "kernel_size": 2, "data_format": "channels_first"}, (2, 3, 5, 6), False),
)
