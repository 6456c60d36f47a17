"""Lambda: any function as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError
from graphflow.layers.layer import Layer
from graphflow.layers.nest import leaves, transform
from graphflow.layers.registry import layer
from graphflow.layers.stand_ins import is_tensor
from graphflow.ops.dispatch import tracing
from graphflow.spec import Shape, TensorSpec, dtype_name, format_shape, spec_of


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
        own = transform(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, inputs)
        try:
            outputs = self.function(own, **extra)
        except (ArgumentTypeError, TypeError, AttributeError):
            if not any(is_tensor(leaf) for leaf in leaves(inputs)):
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

    def _declared(self, inputs: Any) -> list[Shape | None]:
        if self.declared_shape is None:
            return []
        shapes = transform(lambda leaf: spec_of(leaf).shape, inputs)
        batch = next(iter(leaves(inputs))).shape[:1] if not isinstance(shapes, list) else shapes[0][:1]
        declared = self.declared_shape
        if callable(declared):
            declared = declared(shapes)
            several = bool(declared) and isinstance(declared[0], (list, tuple))
            return [tuple(one) for one in declared] if several else [tuple(declared)]
        several = bool(declared) and isinstance(declared[0], (list, tuple))
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
                copies = [np.array(array) for array in arrays]  # the function may change them
                return function(copies if several else copies[0], **extra)

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
