"""`OpDef`: everything that an operation means, and the table of all of them.

An op's meaning sits in one row in the file of its family. Speed (kernels) and file formats are other tables, on higher
floors, keyed by the op's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphflow.spec import TensorSpec, is_extended, spec_of

Array = np.ndarray[Any, Any]
Attrs = dict[str, Any]
Specs = Sequence[TensorSpec | None]
Values = Sequence[Array | None]
Infer = Callable[[Attrs, Any, Values], tuple[TensorSpec, ...]]
Reference = Callable[..., Any]

EFFECTS = ("pure", "random", "state", "opaque")


def _is_narrow(dtype: Any) -> bool:
    return is_extended(dtype) or dtype == np.float16


def _widened(array: Array) -> Array:
    return array.astype(np.int32 if "int" in array.dtype.name else np.float32)


class OpDef:
    """One operation.

    Args:
        name: its key everywhere.
        infer: from attributes, input specs (None for an input left out) and, where known, the values of small integer
            inputs (NaN for an element that is not known yet), to the output specs. It holds all validation.
        reference: from attributes and arrays (None for an input left out) to an array, or a tuple when not `single`.
        single: whether there is exactly one output, returned bare.
        tolerance: how far a kernel may differ from the reference, relative to the largest absolute output.
        effect: "pure", "random", "state" or "opaque"; only pure nodes are folded, merged or dropped.
        widens: whether the reference gets narrow floats, and data types that NumPy does not have, as float32 or int32.
    """

    __slots__ = ("effect", "infer", "name", "reference", "single", "tolerance", "widens")

    def __init__(
        self,
        name: str,
        infer: Infer,
        reference: Reference,
        *,
        single: bool = True,
        tolerance: float = 0.0,
        effect: str = "pure",
        widens: bool = True,
    ) -> None:
        self.name = name
        self.infer = infer
        self.reference = reference
        self.single = single
        self.tolerance = tolerance
        self.effect = effect
        self.widens = widens

    def run_reference(self, attrs: Attrs, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        """All outputs, always as a tuple; narrow data types are computed in wider ones, and rounded once.

        Arrays that lie askew in a mapped file are copied first: NumPy would sum them in other pieces.
        """
        arrays = [array if array is None or array.flags.aligned else array.copy() for array in arrays]
        if self.widens and any(array is not None and _is_narrow(array.dtype) for array in arrays):
            return self._run_wider(attrs, arrays)
        result = self.reference(attrs, *arrays)
        return (np.asarray(result),) if self.single else tuple(np.asarray(array) for array in result)

    def _run_wider(self, attrs: Attrs, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        """Exact on the way in, rounded once on the way out, to the dtypes that inference gives."""
        specs = [None if array is None else spec_of(array) for array in arrays]
        wide = [array if array is None or not _is_narrow(array.dtype) else _widened(array) for array in arrays]
        found = self.run_reference(attrs, wide)
        made = self.infer(attrs, specs, wide)
        with np.errstate(over="ignore"):
            return tuple(array.astype(spec.dtype, copy=False) for array, spec in zip(found, made, strict=True))

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (OPS.__getitem__, (self.name,))


OPS: dict[str, OpDef] = {}


def define(name: str, infer: Infer, reference: Reference, **options: Any) -> OpDef:
    """Add a row to `OPS` and return it."""
    if name in OPS:
        raise ValueError(f"Op {name!r} is defined twice.")
    OPS[name] = OpDef(name, infer, reference, **options)
    return OPS[name]
