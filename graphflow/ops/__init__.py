"""What every operation means, and the public functions of that name.

Every function takes symbolic tensors, graph values, variables or arrays, and answers in kind.
"""

from __future__ import annotations

from graphflow.ops import elementwise as _elementwise
from graphflow.ops import indexing as _indexing
from graphflow.ops import interpolate as _interpolate
from graphflow.ops import inverted_residual as _inverted_residual
from graphflow.ops import narrow as _narrow
from graphflow.ops import quantization as _quantization
from graphflow.ops import regions as _regions
from graphflow.ops import resample as _resample
from graphflow.ops import sampling as _sampling
from graphflow.ops import scalar as _scalar
from graphflow.ops import sized as _sized
from graphflow.ops import windows as _windows
from graphflow.ops.activation import (
    absolute,
    clip,
    elu,
    erf,
    exp,
    gelu,
    hard_sigmoid,
    log,
    negative,
    reciprocal,
    relu,
    rsqrt,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    sqrt,
    square,
    tanh,
)
from graphflow.ops.array import (
    broadcast_to,
    concatenate,
    expand_dims,
    flatten,
    flip,
    full_like,
    getitem,
    ones_like,
    pad,
    repeat,
    reshape,
    split,
    squeeze,
    stack,
    tile,
    transpose,
    zeros_like,
)
from graphflow.ops.batch_dot import batch_dot
from graphflow.ops.control import opaque
from graphflow.ops.conv import conv
from graphflow.ops.conv_transpose import conv_transpose
from graphflow.ops.depthwise import depthwise_conv, separable_conv
from graphflow.ops.einsum import einsum
from graphflow.ops.elementwise import (
    add,
    cast,
    ceil,
    cos,
    divide,
    equal,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    less,
    less_equal,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    mod,
    multiply,
    not_equal,
    power,
    round,
    sign,
    sin,
    subtract,
    where,
)
from graphflow.ops.linear import dense, dot, matmul
from graphflow.ops.local import locally_connected
from graphflow.ops.lookup import embedding, one_hot
from graphflow.ops.normalization import batch_norm, group_norm, layer_norm
from graphflow.ops.numpy_names import register as _register
from graphflow.ops.pooling import average_pool, max_pool
from graphflow.ops.random import dropout, random_normal, random_uniform
from graphflow.ops.recurrent import gru, lstm, simple_rnn
from graphflow.ops.reduction import (
    all,
    any,
    argmax,
    argmin,
    cumprod,
    cumsum,
    l2_normalize,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    prod,
    softmax,
    std,
    sum,
    var,
)
from graphflow.ops.registry import OPS, OpDef
from graphflow.ops.resize import resize
from graphflow.ops.scan import scan
from graphflow.ops.shape import shape

swish = silu
gather = take = embedding

_register()
del _elementwise, _indexing, _interpolate, _narrow, _quantization, _register, _resample, _sampling, _scalar, _sized
del _inverted_residual, _regions, _windows

__all__ = [
    "OPS",
    "OpDef",
    "absolute",
    "add",
    "all",
    "any",
    "argmax",
    "argmin",
    "average_pool",
    "batch_dot",
    "batch_norm",
    "broadcast_to",
    "cast",
    "ceil",
    "clip",
    "concatenate",
    "conv",
    "conv_transpose",
    "cos",
    "cumprod",
    "cumsum",
    "dense",
    "depthwise_conv",
    "divide",
    "dot",
    "dropout",
    "einsum",
    "elu",
    "embedding",
    "equal",
    "erf",
    "exp",
    "expand_dims",
    "expm1",
    "flatten",
    "flip",
    "floor",
    "floor_divide",
    "full_like",
    "gather",
    "gelu",
    "getitem",
    "greater",
    "greater_equal",
    "group_norm",
    "gru",
    "hard_sigmoid",
    "l2_normalize",
    "layer_norm",
    "less",
    "less_equal",
    "locally_connected",
    "log",
    "log1p",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logsumexp",
    "lstm",
    "matmul",
    "max",
    "max_pool",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mod",
    "multiply",
    "negative",
    "not_equal",
    "one_hot",
    "ones_like",
    "opaque",
    "pad",
    "power",
    "prod",
    "random_normal",
    "random_uniform",
    "reciprocal",
    "relu",
    "repeat",
    "reshape",
    "resize",
    "round",
    "rsqrt",
    "scan",
    "selu",
    "separable_conv",
    "shape",
    "sigmoid",
    "sign",
    "silu",
    "simple_rnn",
    "sin",
    "softmax",
    "softplus",
    "softsign",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swish",
    "take",
    "tanh",
    "tile",
    "transpose",
    "var",
    "where",
    "zeros_like",
]
