"""Nodes that call Python: functions that need real numbers and so can not be traced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphflow.errors import ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape


def _infer_opaque(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    outputs: tuple[TensorSpec, ...] = attrs["outputs"]
    batch = specs[0].shape[0] if specs and specs[0].rank else None
    return tuple(
        spec.with_shape((batch, *spec.shape[1:])) if spec.rank and spec.shape[0] is None and batch is not None else spec
        for spec in outputs
    )


def _opaque_reference(attrs: Attrs, *arrays: Array) -> tuple[Array, ...]:
    result = attrs["function"](*arrays)
    results = tuple(result) if isinstance(result, (list, tuple)) else (result,)
    outputs: tuple[TensorSpec, ...] = attrs["outputs"]
    if len(results) != len(outputs):
        raise ShapeError(
            f"The function {attrs['name']!r} returned {len(results)} tensors, {len(outputs)} were declared."
        )
    checked = []
    for value, spec in zip(results, outputs, strict=True):
        array = np.ascontiguousarray(np.asarray(value, dtype=spec.dtype))
        if array.ndim != spec.rank or any(b not in (None, a) for a, b in zip(array.shape, spec.shape, strict=True)):
            raise ShapeError(
                f"The function {attrs['name']!r} returned shape {format_shape(array.shape)}, "
                f"{format_shape(spec.shape)} was declared."
            )
        checked.append(array)
    return tuple(checked)


OPAQUE = define("opaque", _infer_opaque, _opaque_reference, single=False, effect="opaque")


def opaque(
    function: Callable[..., Any], args: Sequence[Any], outputs: Sequence[TensorSpec], name: str
) -> tuple[Any, ...]:
    """A node that calls `function` on arrays at run time, with the GIL.

    Args:
        function: from arrays to an array or a sequence of arrays.
        outputs: the declared spec of each output.
        name: shown in messages and summaries.
    """
    result: tuple[Any, ...] = apply(
        OPAQUE, tuple(args), {"function": function, "outputs": tuple(outputs), "name": name}
    )
    return result
