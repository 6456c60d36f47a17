"""Input, Dense, Activation, Dropout, Flatten, Lambda, Embedding."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphflow import activations, config, ops
from graphflow.errors import ArgumentError, ArgumentTypeError, GraphflowError, ShapeError, UnsupportedError
from graphflow.layers.layer import Layer, is_tensor
from graphflow.layers.nest import leaves, transform
from graphflow.layers.node import Node
from graphflow.layers.registry import layer
from graphflow.layers.tensor import KerasTensor
from graphflow.layers.weights import WeightSettings
from graphflow.ops.array import channels_last
from graphflow.ops.dispatch import tracing
from graphflow.spec import Shape, TensorSpec, as_shape, dtype_name, format_shape, spec_of
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


_DENSE_POSITIONAL = (
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)


def name_positional(kwargs: dict[str, Any], values: Sequence[Any], names: Sequence[str]) -> None:
    """Give positional arguments beyond those a signature spells out their names.

    Raises:
        ArgumentTypeError: more of them than there are names, or one given twice.
    """
    if len(values) > len(names):
        raise ArgumentTypeError(f"Too many positional arguments: {values[len(names) :]!r}.")
    for name, value in zip(names, values, strict=False):
        if name in kwargs:
            raise ArgumentTypeError(f"The argument {name!r} was given twice.")
        kwargs[name] = value


def positive(value: Any, name: str) -> int:
    """A positive integer.

    Raises:
        ArgumentError: anything else.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ArgumentError(f"{name} must be a positive integer, received {value!r}.")
    return int(value)


@layer()
class Activation(Layer):
    """An activation function as a layer: a name, or any function of a tensor.

    Source: https://keras.io/api/layers/core_layers/activation/
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


@layer()
class Dropout(Layer):
    """In training, zeros for a share `rate` of the input's elements and 1 / (1 - rate) times the rest; else nothing.

    Args:
        rate: in [0, 1).
        noise_shape: the shape of the mask, None where it is the input's.
        seed: for reproducible masks.

    Source: https://keras.io/api/layers/regularization_layers/dropout/
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(rate, (int, float)) or not 0 <= rate < 1:
            raise ArgumentError(f"rate must be in [0, 1), received {rate!r}.")
        self.rate = float(rate)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed = seed
        start = np.random.SeedSequence(seed).generate_state(1, np.uint32)[0] if seed is None else seed
        self.seed_state = self.add_weight(
            (2,), lambda shape, dtype: np.array([start, 0], dtype), "int64", False, "seed", role="seed"
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training or self.rate == 0:
            return inputs
        result = ops.dropout(inputs, self.rate, self.seed_state, self.noise_shape)
        self.update(self.seed_state, self.seed_state + np.array([0, 1]))
        return result

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}


@layer()
class Flatten(Layer):
    """(batch, ...) to (batch, product of the rest); with channels_first the channels are moved last before.

    Source: https://keras.io/api/layers/reshaping_layers/flatten/
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.as_data_format(data_format)

    def call(self, inputs: Any) -> Any:
        shape = spec_of(inputs).shape
        if len(shape) == 1:
            return ops.expand_dims(inputs, 1)
        if self.data_format == "channels_first" and len(shape) > 2:
            inputs = channels_last(inputs)
        return ops.flatten(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


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
class Lambda(Layer):
    """Any function of a tensor, or of a list of tensors, as a layer.

    Args:
        function: written with `graphflow.ops`, `graphflow.backend`, operators or NumPy functions it is traced like any
            layer; one that needs real numbers is called at run time (an opaque node), which needs `output_shape` or a
            trial on zeros.
        output_shape: a tuple without the batch, or a function from full input shapes to full output shapes; checked
            against what the trace gives.
        mask: a tensor, or a function (inputs, mask) giving the output's mask.
        arguments: further keyword arguments of the function.

    Raises:
        ShapeError: an output_shape that the trace contradicts.

    Source: https://keras.io/api/layers/core_layers/lambda/
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise ArgumentTypeError(f"Lambda needs a function, received {function!r}.")
        self.function = function
        self.declared_shape = output_shape
        self.mask = mask
        self.arguments = dict(arguments or {})
        self.supports_masking = mask is not None
        self._probed: list[TensorSpec] | None = None
        self._takes = _keyword_names(function)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        extra = dict(self.arguments)
        if "mask" in self._takes:
            extra["mask"] = mask
        if "training" in self._takes:
            extra["training"] = training
        if self._probed is not None:
            return self._opaque(inputs, extra)
        try:
            outputs = self.function(inputs, **extra)
        except GraphflowError as error:
            if not isinstance(error, ArgumentTypeError) or not any(is_tensor(leaf) for leaf in leaves(inputs)):
                raise
            return self._opaque(inputs, extra)
        outputs = transform(lambda leaf: leaf if hasattr(leaf, "shape") else np.asarray(leaf, self.dtype), outputs)
        self._check_shape(inputs, [spec_of(leaf) for leaf in leaves(outputs)])
        return outputs

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        mask = [leaf for leaf in leaves(args) if getattr(leaf, "_keras_mask", None) is not None]
        if mask and not self.supports_masking and not self._drops_masks() and "mask" not in self._takes:
            raise ArgumentError("This Lambda does not support masks, but its input carries one; give it a `mask`.")
        return super()._run(args, kwargs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def _declared(self, inputs: Any, count: int | None = None) -> list[Shape | None]:
        if self.declared_shape is None:
            return []
        shapes = transform(lambda leaf: spec_of(leaf).shape, inputs)
        batch = next(iter(leaves(inputs))).shape[:1] if not isinstance(shapes, list) else shapes[0][:1]
        declared = self.declared_shape
        if callable(declared):
            declared = declared(shapes)
            several = isinstance(declared, list) or (declared and isinstance(declared[0], (list, tuple)))
            return [tuple(one) for one in declared] if several else [tuple(declared)]
        several = declared and isinstance(declared[0], (list, tuple))
        return [(*batch, *one) for one in (declared if several else [declared])]

    def _check_shape(self, inputs: Any, specs: list[TensorSpec]) -> None:
        declared = self._declared(inputs)
        if not declared:
            return
        if len(declared) != len(specs):
            raise ShapeError(f"output_shape describes {len(declared)} outputs, the function returned {len(specs)}.")
        for shape, spec in zip(declared, specs, strict=True):
            assert shape is not None
            fits = len(shape) == spec.rank and all(
                a is None or b is None or a == b for a, b in zip(shape, spec.shape, strict=True)
            )
            if not fits:
                raise ShapeError(
                    f"output_shape says {format_shape(shape)}, the function returned {format_shape(spec.shape)}."
                )

    def _opaque(self, inputs: Any, extra: dict[str, Any]) -> Any:
        tensors = list(leaves(inputs))
        several = isinstance(inputs, (list, tuple))
        function = self.function

        def compute(*arrays: Any) -> Any:
            with tracing(None):
                return function(list(arrays) if several else arrays[0], **extra)

        if self._probed is None:
            self._probed = self._probe(compute, tensors, inputs)
        outputs = ops.opaque(compute, tensors, self._probed, self.name)
        return outputs[0] if len(outputs) == 1 else list(outputs)

    def _probe(self, compute: Callable[..., Any], tensors: list[Any], inputs: Any) -> list[TensorSpec]:
        declared = self._declared(inputs)
        if declared:
            return [TensorSpec(tuple(shape or ()), self.dtype) for shape in declared]
        specs = [spec_of(tensor) for tensor in tensors]
        found = []
        for stand_in in (1, 2):
            zeros = [
                np.zeros([stand_in if size is None else size for size in spec.shape], spec.dtype) for spec in specs
            ]
            result = compute(*zeros)
            found.append([np.asarray(one) for one in (result if isinstance(result, (list, tuple)) else [result])])
        return [
            TensorSpec(
                tuple(a if a == b else None for a, b in zip(first.shape, second.shape, strict=True)),
                dtype_name(first.dtype),
            )
            for first, second in zip(*found, strict=True)
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "function": self.function,
            "output_shape": self.declared_shape,
            "mask": self.mask,
            "arguments": self.arguments,
        }


def _keyword_names(function: Callable[..., Any]) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return frozenset()
