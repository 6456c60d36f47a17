"""The names that Keras 1 and 2 had for classes and arguments: tables alone."""

from __future__ import annotations

from typing import Any

_CUDNN_LSTM = {"activation": "tanh", "recurrent_activation": "sigmoid"}

CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "AtrousConvolution1D": ("Conv1D", {}),
    "AtrousConvolution2D": ("Conv2D", {}),
    "Convolution1D": ("Conv1D", {}),
    "Convolution2D": ("Conv2D", {}),
    "Convolution3D": ("Conv3D", {}),
    "CuDNNGRU": ("GRU", {**_CUDNN_LSTM, "reset_after": True}),
    "CuDNNLSTM": ("LSTM", _CUDNN_LSTM),
    "Deconvolution2D": ("Conv2DTranspose", {}),
    "Deconvolution3D": ("Conv3DTranspose", {}),
    "SeparableConvolution1D": ("SeparableConv1D", {}),
    "SeparableConvolution2D": ("SeparableConv2D", {}),
    "TimeDistributedDense": ("Dense", {}),
    "BatchNormalizationV1": ("BatchNormalization", {}),
    "BatchNormalizationV2": ("BatchNormalization", {}),
    "GRUV1": ("GRU", {}),
    "GRUV2": ("GRU", {}),
    "LSTMV1": ("LSTM", {}),
    "LSTMV2": ("LSTM", {}),
    "UnifiedGRU": ("GRU", {}),
    "UnifiedLSTM": ("LSTM", {}),
}
"""Former class names: the class, and the arguments that come with it."""

KERAS1_ARGUMENTS: dict[str, str] = {
    "U_constraint": "recurrent_constraint",
    "U_regularizer": "recurrent_regularizer",
    "W_constraint": "kernel_constraint",
    "W_regularizer": "kernel_regularizer",
    "atrous_rate": "dilation_rate",
    "b_constraint": "bias_constraint",
    "b_regularizer": "bias_regularizer",
    "beta_init": "beta_initializer",
    "bias": "use_bias",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "dropout_U": "recurrent_dropout",
    "dropout_W": "dropout",
    "filter_length": "kernel_size",
    "gamma_init": "gamma_initializer",
    "init": "kernel_initializer",
    "inner_activation": "recurrent_activation",
    "inner_init": "recurrent_initializer",
    "input_dtype": "dtype",
    "nb_filter": "filters",
    "output_dim": "units",
    "p": "rate",
    "pool_length": "pool_size",
    "sigma": "stddev",
    "stride": "strides",
    "subsample": "strides",
    "subsample_length": "strides",
}
"""Keras 1's names of arguments."""

KERAS1_CLASS_ARGUMENTS: dict[str, dict[str, str]] = {
    "Embedding": {
        "W_constraint": "embeddings_constraint",
        "W_regularizer": "embeddings_regularizer",
        "init": "embeddings_initializer",
        "output_dim": "output_dim",
    },
    "PReLU": {"init": "alpha_initializer"},
    "SeparableConv2D": {
        "depthwise_constraint": "depthwise_constraint",
        "depthwise_regularizer": "depthwise_regularizer",
        "init": "depthwise_initializer",
    },
    "UpSampling1D": {"length": "size"},
}
"""Those that one class had otherwise."""

WITHOUT_NUMBERS: dict[str, tuple[str, ...]] = {
    "Conv1D": ("input_dim", "input_length"),
    "Dense": ("input_length",),
    "Embedding": ("dropout", "weights"),
    "PReLU": ("weights",),
}
"""Arguments of Keras 1 that say nothing about a model that is there; `dropout` of Embedding acted in training only."""

MERGE_CLASSES: dict[Any, str] = {
    "ave": "Average",
    "concat": "Concatenate",
    "dot": "Dot",
    "max": "Maximum",
    "mul": "Multiply",
    "sum": "Add",
}
"""The classes that Keras 1's Merge became, by its mode."""
