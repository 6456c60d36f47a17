"""`OpCall`: an op that was applied to symbolic tensors outside any layer, such as `x + y` or `ops.relu(x)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphflow.layers.layer import Layer
from graphflow.layers.tensor import KerasTensor
from graphflow.ops.dispatch import apply
from graphflow.ops.registry import Attrs, OpDef


class OpCall(Layer):
    """An op with its attributes and the operands that are not symbolic tensors, called like a layer."""

    is_op = True

    def __init__(self, op: OpDef, args: Sequence[Any], attrs: Attrs, name: str | None = None) -> None:
        super().__init__(name=name or self._new_name(op.name))
        self.op = op
        self.attrs = attrs
        self._template: list[Any] = [None if isinstance(arg, KerasTensor) else (arg,) for arg in args]
        self._tensors = tuple(arg for arg in args if isinstance(arg, KerasTensor))
        self.supports_masking = False
        self.drops_mask = True
        self.built = True

    @property
    def held(self) -> list[Any]:
        """The operands that are not symbolic tensors, each in a tuple of one; None where a tensor goes."""
        return self._template

    @classmethod
    def restore(cls, op: OpDef, held: list[Any], attrs: Attrs, name: str) -> OpCall:
        """The call that `held` and the rest were taken from."""
        made = cls(op, (), attrs, name)
        made._template = list(held)
        return made

    def record(self) -> Any:
        """Call on the tensors it was made from."""
        tensors, self._tensors = self._tensors, ()
        return self(*tensors)

    def call(self, *tensors: Any) -> Any:
        rest = iter(tensors)
        return apply(self.op, [next(rest) if held is None else held[0] for held in self._template], self.attrs)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "op": self.op.name, "attrs": self.attrs}
