"""What a caller gives: the arrays that a graph's inputs take, and those that its outputs are written into.

Values are cast to the input's dtype as Keras does: float64 to float32, integers to floats, floats that are whole to
integers. What would lose its meaning is refused: NaN, fractions or overflow to an integer, complex numbers, objects,
strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, DataError, DTypeError, ShapeError, nearest
from graphflow.spec import TensorSpec, format_shape

Array = np.ndarray[Any, Any]


def check_names(given: Mapping[str, Any], names: Iterable[str]) -> None:
    """Check that a dict has every input by name, and nothing else.

    Raises:
        ArgumentError: the message names what is missing and what is unknown.
    """
    wanted = list(names)
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    if missing or unknown:
        parts = [f"missing: {', '.join(missing)}"] if missing else []
        parts += [f"unknown: {', '.join(map(str, unknown))}.{nearest(str(unknown[0]), wanted)}"] if unknown else []
        raise ArgumentError(f"The inputs of this model are {', '.join(wanted)}; {'; '.join(parts)}")


def as_input(given: Any, spec: TensorSpec, name: str) -> Array:
    """An array of the dtype, rank and sizes an input takes, C-contiguous; not copied when it is that already.

    Raises:
        ShapeError: another rank or size.
        DTypeError: a kind of data that can not be cast.
        DataError: values that can not be cast without losing their meaning.
    """
    if type(given) is np.ndarray and given.dtype == spec.dtype and given.flags.c_contiguous and given.dtype.isnative:
        array = given
    else:
        array = _cast(as_array(given, name), spec.dtype, name)
    shape = spec.shape
    if array.ndim == len(shape) - 1 and shape and shape[-1] == 1:
        array = array.reshape(*array.shape, 1)
    check_shape(array.shape, spec, name)
    return array


def as_array(given: Any, name: str) -> Array:
    """What is given for an input as an array, whatever its dtype; sparse matrices are filled.

    Raises:
        ShapeError: nested lists of unequal lengths.
    """
    if hasattr(given, "toarray"):
        given = given.toarray()
    try:
        return np.asarray(given)
    except ValueError as error:
        raise ShapeError(f"Input {name!r} takes an array, received lists that do not make one: {error}") from None


def check_shape(shape: tuple[int, ...], spec: TensorSpec, name: str) -> None:
    """Check the rank and sizes of what is given for an input; a last axis of one may be left out.

    Raises:
        ShapeError: another rank or size.
    """
    wanted = spec.shape
    full = (*shape, 1) if len(shape) == len(wanted) - 1 and wanted[-1] == 1 else shape
    if len(full) != len(wanted) or any(
        want is not None and want != got for want, got in zip(wanted, full, strict=True)
    ):
        raise ShapeError(f"Input {name!r} takes shape {format_shape(wanted)}, received {format_shape(shape)}.")


def _cast(array: Array, dtype: str, name: str) -> Array:
    kind, wanted = array.dtype.kind, np.dtype(dtype)
    if kind not in "fiub":
        raise DTypeError(f"Input {name!r} takes {dtype}, received {array.dtype} data.")
    if wanted.kind in "iu" and kind == "f":
        bad = ~np.isfinite(array) | (array != np.floor(array))
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise DataError(f"Input {name!r} takes {dtype}: {array[at]!r} at {at} is not a whole number.")
    if wanted.kind in "iu" and array.size:
        limits = np.iinfo(wanted)
        low, high = int(array.min()), int(array.max())
        if low < limits.min or high > limits.max:
            raise DataError(f"Input {name!r} takes {dtype}: values from {low} to {high} do not fit.")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=wanted).reshape(array.shape)


def checked_out(
    out: Sequence[Array] | None, specs: Sequence[TensorSpec], names: Sequence[str], inputs: list[Array]
) -> list[Array]:
    """The arrays of a caller for the outputs of a run, in order; none where nothing was given.

    Raises:
        ArgumentError: one does not fit, or overlaps another or an input.
    """
    if out is None:
        return []
    if len(out) != len(names):
        raise ArgumentError(f"This model has {len(names)} outputs, received {len(out)} arrays to write into.")
    for array, spec, name in zip(out, specs, names, strict=False):
        if (
            array.shape != spec.shape
            or array.dtype != spec.dtype
            or not array.flags.c_contiguous
            or not array.flags.writeable
        ):
            raise ArgumentError(
                f"Output {name!r} needs a writable C-contiguous array of {spec}, received {array.dtype}{array.shape}."
            )
        if any(np.may_share_memory(array, other) for other in (*inputs, *(one for one in out if one is not array))):
            raise ArgumentError(f"The array for output {name!r} must not overlap an input or another output.")
    return list(out)
