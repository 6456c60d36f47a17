"""`Layer`: what has weights and a `call`, and records the calls made of it.

A layer holds no shape code. Its `call` is written with ops, and runs the same on symbolic tensors (only shapes), graph
values (nodes are added) and arrays (numbers are computed).
"""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import numpy as np

from graphflow import config, constraints, initializers, regularizers
from graphflow.errors import (
    ArgumentError,
    ArgumentTypeError,
    GraphflowError,
    ShapeError,
    UnsupportedError,
    located,
)
from graphflow.ir.build import GraphTensor
from graphflow.layers.era import current_era
from graphflow.layers.nest import leaves, single, transform
from graphflow.layers.node import Node
from graphflow.layers.tensor import KerasTensor, infer_only
from graphflow.ops.dispatch import is_tracing, tracing
from graphflow.ops.elementwise import cast
from graphflow.ops.shape import shape
from graphflow.registry import serialize, snake_case
from graphflow.spec import Shape, TensorSpec, dtype_name, format_shape, spec_of
from graphflow.variable import Variable

_names: Counter[str] = Counter()
_training: ContextVar[bool] = ContextVar("graphflow_training", default=False)
_deferred: ContextVar[bool] = ContextVar("graphflow_deferred_weights", default=False)
_collected: ContextVar[list[tuple[str, Any]] | None] = ContextVar("graphflow_collected_losses", default=None)
_calling: ContextVar[bool] = ContextVar("graphflow_calling", default=False)
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


@contextmanager
def collected_losses() -> Iterator[list[tuple[str, Any]]]:
    """What layers that are called on graph values add to the losses, each with a name of its own."""
    found: list[tuple[str, Any]] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


@contextmanager
def _outermost_call(layer: Layer) -> Iterator[None]:
    """Forget the losses of the call before, unless another layer makes this call."""
    if _calling.get():
        yield
        return
    layer.clear_losses()
    token = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(token)


@contextmanager
def deferred_weights() -> Iterator[None]:
    """Weights made inside hold nothing yet and take no memory: a file's values will be put in."""
    token = _deferred.set(True)
    try:
        yield
    finally:
        _deferred.reset(token)


def _stand_in(shape: tuple[int, ...], dtype: str, path: str) -> np.ndarray[Any, Any]:
    try:
        return np.broadcast_to(np.zeros((), dtype), shape)
    except ValueError:
        raise ShapeError(f"Weight {path!r} of shape {format_shape(shape)} is larger than any array can be.") from None


def clear_session() -> None:
    """Let automatic layer names start again from the beginning."""
    _names.clear()


def is_tensor(item: Any) -> bool:
    """Whether something is a tensor with a description in place of numbers."""
    return isinstance(item, (KerasTensor, GraphTensor))


def bare(tensor: Any) -> Any:
    """The same tensor as another object, with no mask and no history."""
    return GraphTensor(tensor.builder, tensor.value) if isinstance(tensor, GraphTensor) else KerasTensor(tensor.spec)


def mask_of(structure: Any) -> Any:
    """The masks that tensors carry, in the structure of the tensors; None when none does."""
    masks = transform(lambda leaf: getattr(leaf, "_keras_mask", None), structure)
    return None if all(mask is None for mask in leaves(masks)) else masks


class Layer:
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

    # -- weights

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        name: str = "variable",
        regularizer: Any = None,
        constraint: Any = None,
        role: str = "weight",
        **_: Any,
    ) -> Variable:
        """Make a weight of this layer.

        Args:
            shape: of the weight; no None.
            initializer: name, configuration or object; None: glorot_uniform for floats, zeros else.
            name: the last part of the weight's path.
            role: see `Variable`.

        Raises:
            ShapeError: a dimension that is not known.
        """
        shape = tuple(shape) if isinstance(shape, Sequence) else (shape,)
        if any(size is None for size in shape):
            raise ShapeError(
                f"Weight {name!r} of layer {self.name!r} needs a size where the input's shape has None: {shape}."
            )
        dtype = dtype_name(dtype or self.dtype)
        shape = tuple(int(size) for size in shape)
        make = initializers.get(initializer if initializer is not None else "glorot_uniform")
        if _deferred.get() and role in ("weight", "statistic"):
            value = _stand_in(shape, dtype, f"{self.name}/{name}")
        else:
            value = np.asarray(make(shape, dtype=dtype), dtype)  # type: ignore[misc]
        variable = Variable(value, name=name, role=role, trainable=trainable)
        variable.path = f"{self.name}/{name}"
        variable.initializer = make
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        self.__dict__.setdefault("_weights", []).append(variable)
        return variable

    def _sublayers(self) -> list[Layer]:
        """The layers that this one holds as attributes, also inside lists and dicts, each once, in order."""
        held = (
            value for key, value in vars(self).items() if key not in ("_inbound_nodes", "_outbound_nodes", "_network")
        )
        found = [leaf for value in held for leaf in leaves(value) if isinstance(leaf, Layer)]
        return list(dict.fromkeys(found))

    @property
    def variables(self) -> list[Variable]:
        """All variables, states and seeds too: trainable ones, then the rest, then those of inner layers."""
        own = sorted(self._weights, key=lambda variable: not variable.trainable)
        found = own + [variable for layer in self._sublayers() for variable in layer.variables]
        return list(dict.fromkeys(found))

    @property
    def weights(self) -> list[Variable]:
        """The variables that files hold: all but states and seeds."""
        return [variable for variable in self.variables if variable.role in ("weight", "statistic")]

    @property
    def trainable_weights(self) -> list[Variable]:
        if not self.trainable:
            return []
        own = [variable for variable in self._weights if variable.trainable and variable.role == "weight"]
        found = own + [variable for layer in self._sublayers() for variable in layer.trainable_weights]
        return list(dict.fromkeys(found))

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        trained = set(self.trainable_weights)
        return [variable for variable in self.weights if variable not in trained]

    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[np.ndarray[Any, Any]]:
        """Copies of the weights, in the order of `weights`."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all weights.

        Raises:
            ShapeError: another number of arrays, or one of another shape; nothing is changed then.
        """
        weights = list(weights)
        variables = self.weights
        if len(weights) != len(variables):
            raise ShapeError(f"Layer {self.name!r} has {len(variables)} weights, received {len(weights)} arrays.")
        for variable, array in zip(variables, weights, strict=True):
            if np.shape(array) != variable.shape:
                raise ShapeError(
                    f"Weight {variable.path!r} has shape {format_shape(variable.shape)}, "
                    f"received an array of shape {format_shape(np.shape(array))}."
                )
        for variable, array in zip(variables, weights, strict=True):
            variable.assign(array)

    def count_params(self) -> int:
        """How many numbers the weights hold.

        Raises:
            ArgumentError: the layer has no weights yet.
        """
        if not self.built:
            raise ArgumentError(f"Layer {self.name!r} has not been built: call it on an input first.")
        return sum(int(np.prod(variable.shape)) for variable in self.weights)

    def update(self, variable: Variable, value: Any) -> None:
        """Let a variable take a value when the call has been computed: at once on arrays, after the run in a graph."""
        if isinstance(value, GraphTensor):
            value.builder.update(variable, value)
        elif not is_tensor(value):
            variable.assign(value)

    # -- losses

    def add_loss(self, loss: Any) -> None:
        """Add a number to the losses of the call that is being made; for use inside `call`.

        On arrays it is in `losses` until the layer is called again; in a graph that is asked for losses it is an
        output of its own. While a model is described nothing is computed, and nothing kept.
        """
        if isinstance(loss, GraphTensor):
            found = _collected.get()
            if found is not None:
                name = f"{self.name}/loss"
                count = sum(one.startswith(name) for one, _ in found)
                found.append((name if not count else f"{name}_{count}", loss))
        elif isinstance(loss, KerasTensor):
            self._adds_loss = True
        else:
            self.__dict__.setdefault("_losses", []).append(np.asarray(loss)[()])

    @property
    def losses(self) -> list[Any]:
        """The penalties of the weights' regularizers, then what the last call on arrays added; inner layers included.

        A penalty on a layer's output, by its `activity_regularizer`, is divided by the batch size.
        """
        penalties = [
            variable.regularizer(variable.value) for variable in self.trainable_weights if variable.regularizer
        ]
        return penalties + self._call_losses()

    def _call_losses(self) -> list[Any]:
        inner = [loss for layer in self._sublayers() for loss in layer._call_losses()]
        return list(self.__dict__.get("_losses", ())) + inner

    def clear_losses(self) -> None:
        """Forget what calls have added to the losses."""
        self.__dict__.pop("_losses", None)
        for layer in self._sublayers():
            layer.clear_losses()

    @property
    def adds_losses(self) -> bool:
        """Whether calls add to the losses, of this layer or of inner ones; known once it has been called."""
        own = self.activity_regularizer is not None or getattr(self, "_adds_loss", False)
        return own or any(layer.adds_losses for layer in self._sublayers())

    def _penalise_outputs(self, outputs: Any) -> None:
        penalty: Any = self.activity_regularizer
        for leaf in leaves(outputs):
            if isinstance(leaf, KerasTensor) or not hasattr(leaf, "shape"):
                continue
            if isinstance(leaf, GraphTensor) and _collected.get() is None:
                continue
            loss = penalty(leaf)
            if leaf.shape:
                size = leaf.shape[0]
                loss = loss / (cast(shape(leaf)[0], spec_of(loss).dtype) if size is None else max(size, 1))
            self.add_loss(loss)

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
        given = [leaf for leaf in leaves((args, kwargs)) if is_tensor(leaf)]
        symbolic = not is_tracing() and any(isinstance(leaf, KerasTensor) for leaf in given)
        builder = next((leaf.builder for leaf in given if isinstance(leaf, GraphTensor)), None)
        inside: Any = tracing(infer_only) if symbolic else builder.scope(self.name) if builder else nullcontext()
        if not given and not is_tracing():
            inside = _outermost_call(self)
        try:
            with inside:
                outputs = self._run(args, kwargs)
                if self.activity_regularizer is not None:
                    self._penalise_outputs(outputs)
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
        outputs = transform(lambda leaf: bare(leaf) if is_tensor(leaf) and id(leaf) in given else leaf, outputs)
        made = [leaf for leaf in leaves(outputs) if is_tensor(leaf)]
        if not made or (mask is None and type(self).compute_mask is Layer.compute_mask):
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
        records: dict[int, Any] = {id(self._inbound_nodes): [], id(self._outbound_nodes): []}
        return copy.deepcopy(self, records)

    def _input_dtype(self) -> str:
        return self.dtype

    # -- what was recorded

    def _only_node(self, what: str) -> Node:
        if not self._inbound_nodes:
            raise ArgumentError(f"Layer {self.name!r} has not been called, it has no {what}.")
        return self._inbound_nodes[0]

    def _node_at(self, index: int) -> Node:
        if not 0 <= index < len(self._inbound_nodes):
            raise ArgumentError(
                f"Layer {self.name!r} was called {len(self._inbound_nodes)} times, there is no call {index}."
            )
        return self._inbound_nodes[index]

    @property
    def input(self) -> Any:
        return single(self._only_node("input").input_tensors)

    @property
    def output(self) -> Any:
        return single(self._only_node("output").output_tensors)

    @property
    def input_shape(self) -> Any:
        return self._only_node("input").input_shapes

    @property
    def output_shape(self) -> Any:
        return self._only_node("output").output_shapes

    def get_input_at(self, node_index: int) -> Any:
        return single(self._node_at(node_index).input_tensors)

    def get_output_at(self, node_index: int) -> Any:
        return single(self._node_at(node_index).output_tensors)

    def get_input_shape_at(self, node_index: int) -> Any:
        return self._node_at(node_index).input_shapes

    def get_output_shape_at(self, node_index: int) -> Any:
        return self._node_at(node_index).output_shapes

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
