"""Layers, and the symbolic tensors they are called on."""

from graphflow.layers.activation import Activation, ReLU, Softmax
from graphflow.layers.convolution import Conv1D, Conv2D
from graphflow.layers.core import Dense, Embedding
from graphflow.layers.input import Input, InputLayer
from graphflow.layers.lambda_layer import Lambda
from graphflow.layers.layer import Layer
from graphflow.layers.merging import Add, Concatenate, add, concatenate
from graphflow.layers.normalization import BatchNormalization
from graphflow.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from graphflow.layers.recurrent import LSTM
from graphflow.layers.regularization import Dropout
from graphflow.layers.reshaping import Flatten

__all__ = [
    "LSTM",
    "Activation",
    "Add",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "Lambda",
    "Layer",
    "MaxPooling1D",
    "MaxPooling2D",
    "ReLU",
    "Softmax",
    "add",
    "concatenate",
]
