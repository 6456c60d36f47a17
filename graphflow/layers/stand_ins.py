"""What layers see in place of numbers: symbolic tensors when a model is described, graph values when it is lowered."""

from __future__ import annotations

from typing import Any

from graphflow.ir.build import GraphTensor
from graphflow.layers.tensor import KerasTensor


def is_tensor(item: Any) -> bool:
    """Whether something is a tensor with a description in place of numbers."""
    return isinstance(item, (KerasTensor, GraphTensor))


def bare(tensor: Any) -> Any:
    """The same tensor as another object, with no mask and no history."""
    return GraphTensor(tensor.builder, tensor.value) if isinstance(tensor, GraphTensor) else KerasTensor(tensor.spec)
