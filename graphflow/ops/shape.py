"""Shapes as tensors, reshaping to a computed shape, and what shape arithmetic comes to while nothing runs.

Where specs are inferred, small integer tensors are followed with them: literals, `shape(x)`, and what pure ops make of
them. A size that is not known yet is NaN, so that `concatenate([shape(x)[:1], [4]])` is [NaN, 4] while a model is
described, and all numbers once a plan has concrete shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.errors import DTypeError, ShapeError
from graphflow.operand import Operand
from graphflow.ops.array import RESHAPE, concatenate, expand_dims
from graphflow.ops.dispatch import apply
from graphflow.ops.elementwise import cast
from graphflow.ops.operands import as_operand, shape_of
from graphflow.ops.registry import Array, Attrs, OpDef, define
from graphflow.spec import Shape, TensorSpec, element_count, format_shape

MOST_FOLLOWED = 64
"""Tensors of more elements are not followed."""

_PARTLY_KNOWN = frozenset(
    (
        "add",
        "cast",
        "concatenate",
        "expand_dims",
        "flip",
        "floor_divide",
        "getitem",
        "linear",
        "max",
        "maximum",
        "min",
        "minimum",
        "mod",
        "multiply",
        "negative",
        "prod",
        "reshape",
        "split",
        "squeeze",
        "subtract",
        "sum",
    )
)
"""Ops whose references carry NaN on, so that they may be followed while some sizes are not known."""

SHAPE = define(
    "shape",
    lambda attrs, specs, values: (TensorSpec((specs[0].rank,), "int32"),),
    lambda attrs, x: np.array(x.shape, np.int32),
)


def shape(x: Any) -> Any:
    """The sizes of x as a vector of int32; known when a plan is made, so that arithmetic with them takes no step."""
    return apply(SHAPE, (as_operand(x),), {})


def sizes(x: Any) -> tuple[Any, ...]:
    """The sizes of x: integers, and scalar tensors where they are not known yet."""
    found = shape_of(x)
    dynamic: Any = shape(x) if None in found else ()
    return tuple(dynamic[axis] if size is None else size for axis, size in enumerate(found))


def _completed(given: Shape, target: Sequence[int | None]) -> Shape:
    """The shape that reshaping to `target` gives; None is a size that is not known yet, -1 what is left over."""
    total = element_count(given)
    open_axes = [axis for axis, size in enumerate(target) if size is None or size == -1]
    rest = element_count([size for size in target if size is not None and size != -1])
    assert rest is not None
    done = list(target)
    if total is None or len(open_axes) > 1 or (total == rest == 0 and -1 not in done):
        return tuple(None if size == -1 else size for size in done)
    if open_axes and rest and total % rest == 0:
        done[open_axes[0]] = total // rest
    elif open_axes or rest != total:
        shown = format_shape(["?" if size is None else size for size in target])  # type: ignore[misc]
        raise ShapeError(f"Can not reshape {format_shape(given)} into {shown}: {total} elements are no such shape.")
    return tuple(done)


def _infer_reshape_to(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, target = specs
    if target.dtype not in ("int32", "int64"):
        raise DTypeError(f"A shape to reshape to must be int32 or int64, received {target.dtype}.")
    if target.rank != 1 or target.shape[0] is None:
        raise ShapeError(
            f"A shape to reshape to must be a vector of known length, received shape {format_shape(target.shape)}."
        )
    known = values[1]
    found: list[int | None] = [None] * target.shape[0]
    if known is not None:
        found = [None if np.isnan(size) else int(size) for size in known]
    if sum(size == -1 for size in found) > 1 or any(size is not None and size < -1 for size in found):
        raise ShapeError(f"A shape to reshape to may hold one -1 and no other negative size, received {tuple(found)}.")
    return (x.with_shape(_completed(x.shape, found)),)


RESHAPE_TO = define("reshape_to", _infer_reshape_to, lambda attrs, x, target: x.reshape(tuple(target.tolist())))


def reshape_to(x: Any, target: Any) -> Any:
    """`x` with another shape of as many elements: a vector of integers, or a sequence with scalar tensors in it.

    Raises:
        ShapeError: the sizes do not multiply to the same number; when a plan is made, if they are not known before.
    """
    if not isinstance(target, (Operand, np.ndarray)):
        parts = [expand_dims(cast(-1 if size is None else size, "int32"), 0) for size in target]
        target = concatenate(parts, 0) if parts else np.zeros(0, np.int32)
    x, target = as_operand(x), as_operand(target)
    known = known_of(target)
    if known is None or known.dtype.kind == "f" or known.ndim != 1:
        return apply(RESHAPE_TO, (x, target), {})
    return apply(RESHAPE, (x,), {"shape": tuple(known.tolist())})


def known_of(operand: Any) -> Array | None:
    """What is known of a small integer operand's value before anything runs."""
    if isinstance(operand, np.ndarray):
        return operand if operand.dtype.kind in "iu" and operand.size <= MOST_FOLLOWED else None
    found: Array | None = getattr(operand, "known", None)
    return found


def follow(
    op: OpDef, attrs: Attrs, specs: Sequence[Any], outputs: Sequence[TensorSpec], values: Sequence[Array | None]
) -> tuple[Array | None, ...]:
    """What is known of an op's outputs before anything runs; empty when nothing is.

    Args:
        specs, outputs: of the inputs (None for one left out) and of the outputs.
        values: what is known of the inputs: integers, or floats with NaN where an element is not known yet.
    """
    if op is SHAPE:
        found: tuple[Any, ...] = (np.array([np.nan if size is None else size for size in specs[0].shape]),)
    elif op.effect != "pure" or not _all_known(values, specs) or not _are_followed(outputs):
        return ()
    elif all(value is None or value.dtype.kind != "f" for value in values):
        return op.run_reference(attrs, values)
    elif op.name == "cast":
        found = (values[0],)
    elif op.name in _PARTLY_KNOWN:
        found = op.run_reference(attrs, values)
    else:
        return ()
    return tuple(
        array if np.isnan(array).any() else array.astype(spec.dtype) for array, spec in zip(found, outputs, strict=True)
    )


def _all_known(values: Sequence[Array | None], specs: Sequence[Any]) -> bool:
    given = False
    for value, spec in zip(values, specs, strict=True):
        if spec is not None:
            if value is None:
                return False
            given = True
    return given


def _are_followed(specs: Sequence[TensorSpec]) -> bool:
    counts = [element_count(spec.shape) for spec in specs if spec.dtype.startswith(("int", "uint"))]
    return len(counts) == len(specs) and all(count is not None and count <= MOST_FOLLOWED for count in counts)
