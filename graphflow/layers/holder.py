"""What has weights: making, listing, reading and replacing them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from graphflow import constraints, initializers, regularizers
from graphflow.errors import ArgumentError, ShapeError
from graphflow.ir.build import GraphTensor
from graphflow.layers.nest import leaves
from graphflow.layers.stand_ins import is_tensor
from graphflow.spec import dtype_name, format_shape
from graphflow.variable import Variable

_deferred: ContextVar[bool] = ContextVar("graphflow_deferred_weights", default=False)


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


class WeightHolder:
    """An object with weights of its own, and those of what it holds."""

    name: str
    dtype: str
    built: bool
    trainable: bool
    _weights: list[Variable]

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

    def _sublayers(self) -> list[Any]:
        """The layers that this one holds as attributes, also inside lists and dicts, each once, in order."""
        held = (
            value for key, value in vars(self).items() if key not in ("_inbound_nodes", "_outbound_nodes", "_network")
        )
        found = [leaf for value in held for leaf in leaves(value) if isinstance(leaf, WeightHolder)]
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
