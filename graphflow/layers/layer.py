"""`Layer`: what has weights and a `call`, and records the calls made of it.

A layer holds no shape code. Its `call` is written with ops, and runs the same on symbolic tensors (only shapes), graph
values (nodes are added) and arrays (numbers are computed).
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import numpy as np

from graphflow import config, regularizers
from graphflow.errors import (
    ArgumentError,
    ArgumentTypeError,
    GraphflowError,
    UnsupportedError,
    located,
)
from graphflow.ir.build import GraphTensor
from graphflow.layers.era import current_era
from graphflow.layers.holder import deferred_weights
from graphflow.layers.nest import NESTS, leaves, single, transform
from graphflow.layers.node import Node
from graphflow.layers.penalties import Penalised, outermost_call
from graphflow.layers.recorded import Recorded
from graphflow.layers.stand_ins import bare, is_tensor
from graphflow.layers.tensor import KerasTensor, infer_only
from graphflow.ops.dispatch import is_tracing, tracing
from graphflow.ops.elementwise import cast
from graphflow.registry import serialize, snake_case
from graphflow.spec import Shape, TensorSpec, dtype_name, format_shape, spec_of
from graphflow.variable import Variable

_names: Counter[str] = Counter()
_training: ContextVar[bool] = ContextVar("graphflow_training", default=False)
_signatures: dict[type, frozenset[str]] = {}


@contextmanager
def training_mode(value: bool) -> Iterator[None]:
    """What layers called with `training=None` take it to be."""
    token = _training.set(value)
    try:
        yield
    finally:
        _training.reset(token)


def is_training() -> bool:
    """What layers called with `training=None` take it to be."""
    return _training.get()


def clear_session() -> None:
    """Let automatic layer names start again from the beginning."""
    _names.clear()


def mask_of(structure: Any) -> Any:
    """The masks that tensors carry, in the structure of the tensors; None when none does."""
    if not isinstance(structure, NESTS):
        return getattr(structure, "_keras_mask", None)
    masks = transform(lambda leaf: getattr(leaf, "_keras_mask", None), structure)
    return None if all(mask is None for mask in leaves(masks)) else masks


class Layer(Penalised, Recorded):
    """Base of all layers, and of users' own.

    Args:
        name: unique in a model; by default the class's name in snake case, counted up.
        dtype: of weights and of the computation.
        trainable: whether training may change the weights.
        weights: initial values, in the order of `get_weights`.
        input_shape, batch_input_shape, batch_shape, batch_size, input_dim, input_length: the input that a first layer
            of a Sequential describes.

    Override `build(self, input_shape)` to make weights with `add_weight`, and `call(self, inputs)`, written with
    `graphflow.ops` or `graphflow.backend` functions.
    """

    supports_masking = False
    drops_mask = False
    is_op = False

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        weights: Any = None,
        activity_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        self._first_input_shape = _first_shape(kwargs)
        kwargs.pop("autocast", None)
        if kwargs:
            raise ArgumentTypeError(f"{type(self).__name__} does not take the argument {next(iter(kwargs))!r}.")
        if name is not None and not isinstance(name, str):
            raise ArgumentTypeError(f"A layer's name must be a string, received {name!r}.")
        self.name = name or self._new_name(snake_case(type(self).__name__))
        self.dtype = _policy_dtype(dtype)
        self.trainable = bool(trainable)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.era = current_era()
        self.built = False
        self._initial_weights = weights
        self._weights: list[Variable] = self.__dict__.get("_weights", [])
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []

    @staticmethod
    def _new_name(base: str) -> str:
        _names[base] += 1
        return base if _names[base] == 1 else f"{base}_{_names[base] - 1}"

    # -- calls

    def build(self, input_shape: Any) -> None:
        """Make the weights; called once, before the first call."""

    def call(self, inputs: Any) -> Any:
        """Compute the outputs; override it."""
        raise UnsupportedError(f"Layer {type(self).__name__} does not define `call`.")

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The masks of the outputs, from those of the inputs: passed on by a layer that supports masking."""
        if not self.supports_masking:
            return None
        return mask

    def _call_takes(self) -> frozenset[str]:
        cls = type(self)
        if cls not in _signatures:
            parameters = inspect.signature(cls.call).parameters.values()
            _signatures[cls] = frozenset(p.name for p in parameters if p.kind is not p.VAR_KEYWORD) | frozenset(
                ("mask", "training") if any(p.kind is p.VAR_KEYWORD for p in parameters) else ()
            )
        return _signatures[cls]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer on symbolic tensors (recorded) or on arrays (computed).

        Raises:
            ShapeError, DTypeError, ArgumentError: what the layer's rules say, with the layer's name and input shapes.
        """
        given = [leaf for leaf in leaves((*args, kwargs) if kwargs else args) if is_tensor(leaf)]
        symbolic = not is_tracing() and any(isinstance(leaf, KerasTensor) for leaf in given)
        builders = [leaf.builder for leaf in given if isinstance(leaf, GraphTensor)]
        builder = builders[0] if builders else None
        inside: Any = tracing(infer_only) if symbolic else builder.scope(self.name) if builder else nullcontext()
        if not given and not is_tracing():
            inside = outermost_call(self)
        try:
            with inside:
                outputs = self._run(args, kwargs)
                if self.activity_regularizer is not None:
                    self._penalise_outputs(outputs)
                if builder is not None:
                    builder.record_call(leaves(outputs))
        except GraphflowError as error:
            raise located(error, self._place(args)) from None
        if symbolic:
            outputs = self._fresh(outputs, given)
            Node(self, args, kwargs, outputs)
        return outputs

    def _place(self, args: tuple[Any, ...]) -> str:
        shapes = [format_shape(spec_of(leaf).shape) for leaf in leaves(args) if hasattr(leaf, "shape")]
        return f"layer {self.name!r} ({type(self).__name__}) on {', '.join(shapes) or 'no tensors'}"

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            args = (transform(self._as_input, args[0]), *args[1:])
        if not self.built:
            self._ensure_built(args, kwargs)
        takes = self._call_takes()
        mask = mask_of(args[0]) if args else None
        if "mask" in kwargs and "mask" not in takes:
            mask = kwargs["mask"]
            kwargs = {key: value for key, value in kwargs.items() if key != "mask"}
        elif "mask" in takes:
            if kwargs.get("mask") is None and mask is not None:
                kwargs = {**kwargs, "mask": mask}
            mask = kwargs.get("mask")
        if "training" in takes:
            training = kwargs.get("training")
            kwargs = {**kwargs, "training": _training.get() if training is None else bool(training)}
        elif "training" in kwargs:
            kwargs = {key: value for key, value in kwargs.items() if key != "training"}
        if mask is not None and not (self.supports_masking or "mask" in takes or self._drops_masks()):
            raise ArgumentError(
                "This layer does not support masks, but its input carries one. Remove mask_zero or Masking before it, "
                "or give it its input through a layer that consumes masks."
            )
        outputs = self.call(*args, **kwargs)
        return self._with_masks(args, outputs, mask)

    def _drops_masks(self) -> bool:
        """Whether a mask ends here without an error: read from a file, as tf.keras and Keras 3 do."""
        return self.drops_mask or self.era != "documents"

    def _as_input(self, leaf: Any) -> Any:
        if isinstance(leaf, (KerasTensor, GraphTensor, np.ndarray, np.generic)):
            spec = spec_of(leaf)
            if spec.is_float and spec.dtype != self.dtype and self._casts_inputs():
                mask = getattr(leaf, "_keras_mask", None)
                leaf = cast(leaf, self.dtype)
                if mask is not None:
                    leaf._keras_mask = mask
        return leaf

    def _casts_inputs(self) -> bool:
        return not self.is_op

    def _ensure_built(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        shapes = (
            transform(lambda leaf: spec_of(leaf).shape if hasattr(leaf, "shape") else None, args[0]) if args else None
        )
        with tracing(None):
            self.build(shapes)
        self.built = True
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None

    def _with_masks(self, args: tuple[Any, ...], outputs: Any, mask: Any) -> Any:
        """The outputs with the masks that `compute_mask` gives; an input that was returned as it is gets a copy."""
        given = {id(leaf) for leaf in leaves(args)}
        made = leaves(outputs)
        if any(id(leaf) in given and is_tensor(leaf) for leaf in made):
            outputs = transform(lambda leaf: bare(leaf) if is_tensor(leaf) and id(leaf) in given else leaf, outputs)
            made = leaves(outputs)
        if mask is None and type(self).compute_mask is Layer.compute_mask:
            return outputs
        made = [leaf for leaf in made if is_tensor(leaf)]
        if not made:
            return outputs
        masks = self.compute_mask(single(list(args)) if len(args) == 1 else args[0], mask)
        found = list(leaves(masks)) if isinstance(masks, (list, tuple)) else [masks]
        for tensor, one in zip(made, found, strict=False):
            tensor._keras_mask = one
        return outputs

    def _fresh(self, outputs: Any, given: list[Any]) -> Any:
        """Outputs as tensors of their own, also where the call returned an input as it was."""

        def renew(leaf: Any) -> Any:
            if not isinstance(leaf, KerasTensor):
                spec = spec_of(leaf)
                return KerasTensor(spec, self.name)
            if leaf._keras_history is None and leaf not in given:
                leaf.name = self.name
                return leaf
            new = KerasTensor(leaf.spec, self.name)
            new._keras_mask = leaf._keras_mask if self.supports_masking else None
            return new

        return transform(renew, outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for the shapes of the inputs, None where a size is not known."""

        def is_shape(item: Any) -> bool:
            return isinstance(item, (list, tuple)) and all(
                size is None or isinstance(size, (int, np.integer)) for size in item
            )

        def as_tensors(item: Any) -> Any:
            if is_shape(item):
                return KerasTensor(TensorSpec(tuple(item), self._input_dtype()))
            return [as_tensors(one) for one in item]

        layer = self if self.built else self._unrecorded_copy()
        with tracing(infer_only), deferred_weights():
            outputs = layer._run((as_tensors(input_shape),), {})
        return transform(lambda leaf: spec_of(leaf).shape, outputs)

    def _unrecorded_copy(self) -> Layer:
        """A copy that can be built without a trace on this layer."""
        import copy

        records: dict[int, Any] = {id(self._inbound_nodes): [], id(self._outbound_nodes): []}
        return copy.deepcopy(self, records)

    def _input_dtype(self) -> str:
        return self.dtype

    # -- configuration

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, as plain data."""
        base: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        if self.activity_regularizer is not None:
            base["activity_regularizer"] = serialize(self.activity_regularizer)
        if self._first_input_shape is not None:
            base["batch_input_shape"] = self._first_input_shape
        return base

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _first_shape(kwargs: dict[str, Any]) -> Shape | None:
    """The full input shape that a first layer's arguments describe; they are taken out of `kwargs`."""
    batch_shape = kwargs.pop("batch_input_shape", None)
    batch_shape = kwargs.pop("batch_shape", None) or batch_shape
    shape = kwargs.pop("input_shape", None)
    dim = kwargs.pop("input_dim", None)
    length = kwargs.pop("input_length", None)
    batch = kwargs.pop("batch_size", None)
    if batch_shape is not None:
        return tuple(batch_shape)
    if shape is None and dim is not None:
        shape = (length, dim) if length is not None else (dim,)
    return None if shape is None else (batch, *((shape,) if isinstance(shape, int) else shape))


def _policy_dtype(dtype: Any) -> str:
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, dict):
        dtype = (dtype.get("config") or {}).get("name", dtype)
    if isinstance(dtype, str) and dtype.startswith("mixed_"):
        raise UnsupportedError(f"The dtype policy {dtype!r} is not supported; use float32 or float64.")
    return dtype_name(dtype)
