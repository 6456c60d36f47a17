"""`Sequential`: a chain of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphflow.errors import ArgumentError, ArgumentTypeError
from graphflow.layers.input import InputLayer
from graphflow.layers.layer import Layer
from graphflow.layers.nest import leaves
from graphflow.layers.network import Network
from graphflow.layers.penalties import LOSS_EPOCH
from graphflow.layers.registry import layer
from graphflow.layers.stand_ins import is_tensor
from graphflow.layers.tensor import KerasTensor
from graphflow.models.functional import Model
from graphflow.spec import spec_of


@layer()
class Sequential(Model):
    """A chain of layers, each called on the output of the one before.

    Args:
        layers: in order; the first may be an Input, or say its `input_shape`. Without either the model is built by its
            first call.

    Source: https://keras.io/api/models/sequential/

    Example:
        >>> from graphflow import Sequential
        >>> from graphflow.layers import Dense
        >>> Sequential([Dense(32, input_shape=(16,)), Dense(2)]).output_shape
        (None, 2)
    """

    def __init__(self, layers: Sequence[Any] | None = None, name: str | None = None, **kwargs: Any) -> None:
        Layer.__init__(self, name=name or self._new_name("sequential"), **kwargs)
        self._chain: list[Layer] = []
        self._tensors: list[KerasTensor] = []
        self._built_network: Network | None = None
        self._sessions = {}
        self._losses = []
        self.compiled_with = None
        for one in layers or ():
            self.add(one)

    def add(self, one: Any) -> None:
        """Put a layer at the end.

        Raises:
            ArgumentTypeError: not a layer.
            ArgumentError: a name that is taken, an Input that is not the first, or a layer of several outputs.
        """
        if isinstance(one, KerasTensor) and one._keras_history is not None:
            one = one._keras_history.layer
        if not isinstance(one, Layer):
            raise ArgumentTypeError(f"Sequential takes layers, received {one!r}.")
        if any(other.name == one.name for other in self._chain):
            raise ArgumentError(f"Layer names must be unique in a model; {one.name!r} is there already.")
        if isinstance(one, InputLayer):
            if self._chain or self._tensors:
                raise ArgumentError("An Input can only be the first of a Sequential.")
            self._tensors.append(one.output)
            return
        if not self._tensors and not self._chain:
            start = _described_input(one)
            self._tensors.extend([] if start is None else [start])
        self._chain.append(one)
        self._connect()

    def pop(self) -> Layer:
        """Take the last layer away and return it."""
        if not self._chain:
            raise ArgumentError("There is no layer to pop.")
        last = self._chain.pop()
        del self._tensors[1 + len(self._chain) :]
        self._changed()
        return last

    def _changed(self) -> None:
        self._built_network = None
        self._sessions = {}
        LOSS_EPOCH[0] += 1
        self.built = bool(self._tensors and self._chain)

    def _connect(self) -> None:
        """Call the layers that have not been called yet."""
        if self._tensors:
            for one in self._chain[len(self._tensors) - 1 :]:
                tensor = one(self._tensors[-1])
                if not isinstance(tensor, KerasTensor):
                    raise ArgumentError(f"Each layer of a Sequential must have one output; {one.name!r} has several.")
                self._tensors.append(tensor)
        self._changed()

    @property
    def _nested_inputs(self) -> Any:  # type: ignore[override]
        self._need()
        return self._tensors[0]

    @property
    def _nested_outputs(self) -> Any:  # type: ignore[override]
        self._need()
        return self._tensors[-1]

    @property
    def _network(self) -> Network:  # type: ignore[override]
        if self._built_network is None:
            self._need()
            self._built_network = Network([self._tensors[0]], self._tensors[-1])
        return self._built_network

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of a full shape, batch included."""
        if not self._tensors:
            dtype = self._chain[0]._input_dtype() if self._chain else None
            self._tensors.append(InputLayer(batch_shape=tuple(input_shape), dtype=dtype).output)
            self._connect()

    def _need(self) -> None:
        if not self._tensors or not self._chain:
            raise ArgumentError(
                f"Sequential {self.name!r} has no input yet: give its first layer an input_shape, "
                "or call it on an input."
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._build_from(args[0] if args else None)
        return super().__call__(*args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        if hasattr(x, "shape"):
            self._build_from(x)
        self._need()
        return super().predict(x, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        self._build_from(x)
        return super().predict_on_batch(x)

    def _build_from(self, x: Any) -> None:
        if self._tensors:
            return
        first = next(iter(leaves(x)), None)
        if first is None or not (is_tensor(first) or hasattr(first, "shape")):
            self._need()
        shape = spec_of(first).shape
        self.build((None, *shape[1:]))

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return list(self._chain)

    @property
    def operations(self) -> list[Layer]:
        return list(self._chain)

    def get_config(self) -> dict[str, Any]:
        from graphflow.models.config import layer_to_config

        histories = [tensor._keras_history for tensor in self._tensors[:1]]
        layers = [history.layer for history in histories if history is not None] + self._chain
        return {"name": self.name, "trainable": self.trainable, "layers": [layer_to_config(one) for one in layers]}


def _described_input(first: Layer) -> KerasTensor | None:
    """The input that a first layer's own arguments describe."""
    if isinstance(first, Model) and first.built:
        tensor = first.inputs[0]
        return InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype).output  # type: ignore[no-any-return]
    shape = first._first_input_shape
    if shape is None:
        return None
    return InputLayer(batch_shape=shape, dtype=first._input_dtype()).output  # type: ignore[no-any-return]
