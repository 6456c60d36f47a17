"""Input and InputLayer: where a model begins."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import config, ops
from graphflow.errors import ArgumentError, UnsupportedError
from graphflow.layers.layer import Layer
from graphflow.layers.node import Node
from graphflow.layers.registry import layer
from graphflow.layers.tensor import KerasTensor
from graphflow.spec import Shape, TensorSpec, as_shape, dtype_name, spec_of
from graphflow.variable import Variable


@layer()
class InputLayer(Layer):
    """Where a model's input enters; made by `Input`."""

    drops_mask = True

    def __init__(
        self,
        shape: Any = None,
        batch_shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        batch_shape = kwargs.pop("batch_input_shape", None) or batch_shape
        super().__init__(name=name or self._new_name("input_layer"), **kwargs)
        self.dtype = dtype_name(dtype or config.floatx())
        if batch_shape is None:
            if shape is None:
                raise ArgumentError("Input needs a shape, such as shape=(784,); shape=() for one number per row.")
            batch_shape = (batch_size, *as_shape(shape))
        self.batch_shape: Shape = as_shape(batch_shape, "batch_shape")
        self.sparse = bool(sparse)
        self.built = True
        Node(self, (), {}, KerasTensor(TensorSpec(self.batch_shape, self.dtype), self.name))

    def call(self, *args: Any) -> Any:
        raise UnsupportedError("An InputLayer is not called; take its `output`.")

    def get_config(self) -> dict[str, Any]:
        return {"batch_shape": self.batch_shape, "dtype": self.dtype, "sparse": self.sparse, "name": self.name}


def Input(  # noqa: N802
    shape: Any = None,
    batch_shape: Any = None,
    name: str | None = None,
    dtype: Any = None,
    sparse: bool = False,
    tensor: Any = None,
    batch_size: int | None = None,
) -> KerasTensor:
    """A symbolic tensor that a model takes as input.

    Args:
        shape: of one sample, without the batch; None where a size varies.
        batch_shape: the whole shape, in place of `shape`.
        name: the name by which `predict` takes a dict of arrays.
        dtype: "float32" by default.
        sparse: whether scipy.sparse matrices are accepted at run time.
        tensor: an array, variable or symbolic tensor to wrap; it is not fed at predict.
        batch_size: a fixed batch size.

    Returns:
        A tensor with `_keras_shape` and `_keras_history`.

    Raises:
        ArgumentError: neither a shape nor a tensor.

    Source: https://keras.io/api/layers/core_layers/input/

    Example:
        >>> from graphflow.layers import Input
        >>> Input(shape=(16,)).shape
        (None, 16)
    """
    if tensor is not None:
        return _wrapped(tensor, name)
    made = InputLayer(shape, batch_shape, batch_size, dtype, sparse, name)
    result: KerasTensor = made.output
    return result


def _wrapped(tensor: Any, name: str | None) -> KerasTensor:
    if isinstance(tensor, KerasTensor):
        return tensor
    from graphflow.layers.op_call import OpCall

    held = tensor if isinstance(tensor, Variable) else np.asarray(tensor)
    constant = OpCall(ops.OPS["linear"], (held,), {}, name=name)
    output = KerasTensor(spec_of(held), constant.name)
    Node(constant, (), {}, output)
    return output
