"""Losses that layers add: penalties on weights, on outputs, and what `call` adds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from graphflow.ir.build import GraphTensor
from graphflow.layers.holder import WeightHolder
from graphflow.layers.nest import leaves
from graphflow.layers.tensor import KerasTensor
from graphflow.ops.elementwise import cast
from graphflow.ops.shape import shape
from graphflow.spec import spec_of

_collected: ContextVar[list[tuple[str, Any]] | None] = ContextVar("graphflow_collected_losses", default=None)
_calling: ContextVar[bool] = ContextVar("graphflow_calling", default=False)

LOSS_EPOCH = [0]
"""Grows when a layer begins or ceases to add to the losses: what a model has found out about its layers holds for one
number, so that a call need not ask each of them."""


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
def outermost_call(layer: Penalised) -> Iterator[None]:
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


class Penalised(WeightHolder):
    """A weight holder whose calls may add losses."""

    @property
    def activity_regularizer(self) -> Any:
        """The penalty on the layer's outputs, or None."""
        return self.__dict__.get("activity_regularizer")

    @activity_regularizer.setter
    def activity_regularizer(self, penalty: Any) -> None:
        if penalty is not self.activity_regularizer:
            LOSS_EPOCH[0] += 1
        self.__dict__["activity_regularizer"] = penalty

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
            LOSS_EPOCH[0] += 1
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
