"""Dense, EinsumDense, Embedding and Identity."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import activations, ops
from graphflow.errors import ArgumentError, ShapeError
from graphflow.layers.arguments import name_positional, positive
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.layers.weights import WeightSettings
from graphflow.ops.einsum import einsum_dense, explicit
from graphflow.spec import format_shape, spec_of

_DENSE_POSITIONAL = (
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)


@layer()
class Dense(Layer):
    """activation(dot(input, kernel) + bias) over the last axis: (batch, ..., n) to (batch, ..., units).

    Args:
        units: the size of the output's last axis.
        activation: name or function; None: linear.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint:
            of the weights.

    Source: https://keras.io/api/layers/core_layers/dense/

    Example:
        >>> from graphflow.layers import Dense, Input
        >>> Dense(32)(Input(shape=(16,))).shape
        (None, 32)
    """

    supports_masking = True

    def __init__(
        self, units: int, activation: Any = None, use_bias: bool = True, *positional: Any, **kwargs: Any
    ) -> None:
        name_positional(kwargs, positional, _DENSE_POSITIONAL)
        self.settings = WeightSettings(kwargs, kernel="glorot_uniform", bias="zeros")
        super().__init__(**kwargs)
        self.units = positive(units, "units")
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 2:
            raise ShapeError(f"Dense needs an input of rank 2 or more, received {format_shape(input_shape)}.")
        if input_shape[-1] is None:
            raise ShapeError(
                f"Dense needs to know the last dimension of its input, received {format_shape(input_shape)}."
            )
        self.kernel = self.settings.add(self, "kernel", (input_shape[-1], self.units))
        if self.use_bias:
            self.bias = self.settings.add(self, "bias", (self.units,))

    def call(self, inputs: Any) -> Any:
        return self.activation(ops.dense(inputs, self.kernel, self.bias))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **self.settings.get_config(),
        }


@layer()
class Embedding(Layer):
    """Integers to vectors: (batch, ...) to (batch, ..., output_dim).

    Args:
        input_dim: how many rows the table has; indices lie in [0, input_dim).
        output_dim: the length of a row; 0 is allowed.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table.
        mask_zero: whether index 0 is padding, which becomes the mask of the output.
        input_length: the length of the index sequences, if it is fixed.

    Raises:
        DataError: at run time, an index outside the table, with its position and value.

    Source: https://keras.io/api/layers/core_layers/embedding/
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        *positional: Any,
        mask_zero: bool = False,
        input_length: Any = None,
        **kwargs: Any,
    ) -> None:
        names = ("embeddings_initializer", "embeddings_regularizer", "activity_regularizer", "embeddings_constraint")
        name_positional(kwargs, positional, names)
        self.settings = WeightSettings(kwargs, embeddings="uniform")
        if input_length is not None and not {"input_shape", "batch_input_shape", "batch_shape"} & kwargs.keys():
            kwargs["input_shape"] = tuple(input_length) if isinstance(input_length, (list, tuple)) else (input_length,)
        elif not {"input_shape", "batch_input_shape", "batch_shape"} & kwargs.keys():
            kwargs["input_shape"] = (None,)
        super().__init__(**kwargs)
        self.input_dim = positive(input_dim, "input_dim")
        if not isinstance(output_dim, (int, np.integer)) or output_dim < 0:
            raise ArgumentError(f"output_dim must be a non-negative integer, received {output_dim!r}.")
        self.output_dim = int(output_dim)
        self.mask_zero = bool(mask_zero)
        self.input_length = input_length
        self.embeddings: Any = None

    def _casts_inputs(self) -> bool:
        return False

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.settings.add(self, "embeddings", (self.input_dim, self.output_dim))

    def call(self, inputs: Any) -> Any:
        if self.input_length is not None:
            wanted = self.input_length if isinstance(self.input_length, (list, tuple)) else (self.input_length,)
            given = spec_of(inputs).shape[1:]
            fits = len(given) == len(wanted) and all(
                a is None or b is None or a == b for a, b in zip(given, wanted, strict=True)
            )
            if not fits:
                raise ShapeError(
                    f"input_length is {self.input_length}, received an input of shape {format_shape((None, *given))}."
                )
        return ops.embedding(inputs, self.embeddings)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def _input_dtype(self) -> str:
        return "int32"

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "mask_zero": self.mask_zero,
            "input_length": self.input_length,
            **self.settings.get_config(),
        }


@layer()
class EinsumDense(Layer):
    """activation(einsum(equation, input, kernel) + bias).

    Args:
        equation: such as "abc,cd->abd"; "..." may stand before or behind the labels of input and output.
        output_shape: without the batch; None for a size that the input decides.
        activation: name or function; None: linear.
        bias_axes: the labels of the output that the bias has, such as "d"; None: no bias.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint:
            of the weights.

    Raises:
        ArgumentError: not an equation for the input.
        ShapeError: a label of the kernel whose size neither the input nor output_shape gives.

    Source: https://keras.io/api/layers/core_layers/einsum_dense/

    Example:
        >>> from graphflow.layers import EinsumDense, Input
        >>> EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")(Input(shape=(32, 128))).shape
        (None, 32, 64)
    """

    def __init__(
        self, equation: str, output_shape: Any, activation: Any = None, bias_axes: str | None = None, **kwargs: Any
    ) -> None:
        self.settings = WeightSettings(kwargs, kernel="glorot_uniform", bias="zeros")
        super().__init__(**kwargs)
        self.equation = equation
        self.partial_output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        kernel_shape, bias_shape = self._weight_shapes(input_shape)
        self.kernel = self.settings.add(self, "kernel", kernel_shape)
        if bias_shape is not None:
            self.bias = self.settings.add(self, "bias", bias_shape)

    def _weight_shapes(self, input_shape: Any) -> tuple[list[int], list[int] | None]:
        kernel = self.equation.replace(" ", "").split("->")[0].partition(",")[2]
        text, _ = explicit(self.equation, (len(input_shape), len(kernel)))
        entering, _, rest = text.partition(",")
        kernel, _, leaving = rest.partition("->")
        if len(self.partial_output_shape) != len(leaving) - 1:
            missing = (None,) * (len(leaving) - 1 - len(self.partial_output_shape))
            if "..." not in self.equation or len(self.partial_output_shape) > len(leaving) - 1:
                raise ShapeError(
                    f"output_shape must have the {len(leaving) - 1} sizes of {self.equation!r} behind the batch, "
                    f"received {self.partial_output_shape}."
                )
            ahead = self.equation.replace(" ", "").startswith("...")
            full = (*missing, *self.partial_output_shape) if ahead else (*self.partial_output_shape, *missing)
        else:
            full = self.partial_output_shape
        sizes = dict(zip(entering, input_shape, strict=True))
        for label, size in zip(leaving, (input_shape[0], *full), strict=True):
            known = sizes.get(label)
            if known is not None and size is not None and known != size:
                raise ShapeError(f"output_shape says {size} for {label!r} of {self.equation!r}, the input has {known}.")
            sizes[label] = known if size is None else size
        unknown = [label for label in kernel if sizes.get(label) is None]
        if unknown:
            raise ShapeError(
                f"The size of {unknown[0]!r} in the kernel of {self.equation!r} is not known from an input of shape "
                f"{format_shape(input_shape)} and output_shape {self.partial_output_shape}."
            )
        shape = [int(sizes[label] or 0) for label in kernel]
        if not self.bias_axes:
            return shape, None
        for label in self.bias_axes:
            if label not in leaving or sizes.get(label) is None:
                raise ArgumentError(f"bias_axes must name output labels of known size, received {self.bias_axes!r}.")
        first = min(leaving.index(label) for label in self.bias_axes)
        return shape, [int(sizes[label] or 0) if label in self.bias_axes else 1 for label in leaving[first:]]

    def call(self, inputs: Any) -> Any:
        return self.activation(einsum_dense(self.equation, inputs, self.kernel, self.bias))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "equation": self.equation,
            "output_shape": self.partial_output_shape,
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            **self.settings.get_config(),
        }


@layer()
class Identity(Layer):
    """Passes its input on. Source: https://keras.io/api/layers/core_layers/identity/"""

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs
