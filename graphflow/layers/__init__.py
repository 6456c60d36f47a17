"""Layers, and the symbolic tensors they are called on."""

from graphflow.layers.activation import Activation, ReLU, Softmax
from graphflow.layers.convolution import Conv1D, Conv2D, Conv3D
from graphflow.layers.core import Dense, Embedding
from graphflow.layers.input import Input, InputLayer
from graphflow.layers.lambda_layer import Lambda
from graphflow.layers.layer import Layer
from graphflow.layers.local import LocallyConnected1D, LocallyConnected2D
from graphflow.layers.merging import Add, Concatenate, add, concatenate
from graphflow.layers.normalization import BatchNormalization
from graphflow.layers.padding import Cropping1D, Cropping2D, Cropping3D, ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from graphflow.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from graphflow.layers.recurrent import LSTM
from graphflow.layers.regularization import Dropout
from graphflow.layers.reshaping import Flatten
from graphflow.layers.separable import DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D
from graphflow.layers.transposed import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from graphflow.layers.upsampling import UpSampling1D, UpSampling2D, UpSampling3D

__all__ = [
    "LSTM",
    "Activation",
    "Add",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "Input",
    "InputLayer",
    "Lambda",
    "Layer",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "ReLU",
    "SeparableConv1D",
    "SeparableConv2D",
    "Softmax",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "concatenate",
]
