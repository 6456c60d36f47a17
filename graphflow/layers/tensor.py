"""`KerasTensor`: a tensor that has a shape, a dtype and a history, and no numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from graphflow.errors import ArgumentTypeError
from graphflow.operand import Operand
from graphflow.ops.dispatch import infer, is_tracing
from graphflow.ops.registry import Attrs, OpDef
from graphflow.ops.shape import follow, known_of
from graphflow.spec import Shape, TensorSpec, format_shape, spec_of

if TYPE_CHECKING:
    from graphflow.layers.layer import Layer


class KerasHistory(NamedTuple):
    """Where a tensor comes from: output `tensor_index` of call `node_index` of `layer`."""

    layer: Layer
    node_index: int
    tensor_index: int

    @property
    def operation(self) -> Layer:
        return self.layer


class KerasTensor(Operand):
    """A symbolic tensor.

    Attributes:
        shape, _keras_shape: the static shape, None where a size is not known.
        dtype: the name of its data type.
        _keras_history: (layer, node_index, tensor_index) of the call that made it; None inside a layer's `call`.
        known: what is known of a small integer tensor's elements; see `graphflow.ops.shape`.
    """

    __slots__ = ("_keras_history", "_keras_mask", "known", "name", "spec")

    def __init__(self, spec: TensorSpec, name: str = "") -> None:
        self.spec = spec
        self.name = name
        self._keras_history: KerasHistory | None = None
        self._keras_mask: Any = None
        self.known: Any = None

    @property
    def shape(self) -> Shape:
        return self.spec.shape

    @property
    def _keras_shape(self) -> Shape:
        return self.spec.shape

    @property
    def dtype(self) -> str:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return len(self.spec.shape)

    rank = ndim

    def get_shape(self) -> Shape:
        return self.spec.shape

    def __gf_apply__(self, op: OpDef, args: Sequence[Any], attrs: Attrs) -> Any:
        if is_tracing():
            return infer_only(op, args, attrs)
        from graphflow.layers.op_call import OpCall

        return OpCall(op, args, attrs).record()

    def __iter__(self) -> Iterator[Any]:
        if not self.shape or self.shape[0] is None:
            raise ArgumentTypeError(f"A symbolic tensor of shape {format_shape(self.shape)} can not be iterated over.")
        return (self[index] for index in range(self.shape[0]))

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise ArgumentTypeError(
            f"{self!r} has no numbers: it is part of a model's description. Use graphflow.ops functions, "
            "a Lambda layer, or call the model on arrays."
        )

    def __bool__(self) -> bool:
        raise ArgumentTypeError(f"The truth of {self!r} is not known: it is part of a model's description.")

    def __repr__(self) -> str:
        name = f", name={self.name}" if self.name else ""
        return f"<KerasTensor shape={format_shape(self.shape)}, dtype={self.dtype}{name}>"


def infer_only(op: OpDef, args: Sequence[Any], attrs: Attrs) -> Any:
    """The interpreter of a layer's `call` while its model is described: specs, and nothing recorded."""
    specs = [None if arg is None else spec_of(arg) for arg in args]
    values = [known_of(arg) for arg in args]
    outputs = tuple(KerasTensor(spec) for spec in infer(op, specs, attrs, values))
    known = follow(op, attrs, specs, [tensor.spec for tensor in outputs], values)
    for tensor, one in zip(outputs, known, strict=False):
        tensor.known = one
    return outputs[0] if op.single else outputs
