"""Tensors of the file as arrays: every size is checked with Python's integers before anything is allocated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.limits import Limits, shown
from graphflow.formats.onnx_read.external import Folder
from graphflow.ops.shape import MOST_FOLLOWED
from graphflow.variable import Variable

DTYPES: dict[int, tuple[str, int]] = {
    1: ("float32", 32),
    2: ("uint8", 8),
    3: ("int8", 8),
    4: ("uint16", 16),
    5: ("int16", 16),
    6: ("int32", 32),
    7: ("int64", 64),
    9: ("bool", 8),
    10: ("float16", 16),
    11: ("float64", 64),
    12: ("uint32", 32),
    13: ("uint64", 64),
    16: ("bfloat16", 16),
    17: ("float8_e4m3fn", 8),
    18: ("float8_e4m3fnuz", 8),
    19: ("float8_e5m2", 8),
    20: ("float8_e5m2fnuz", 8),
    21: ("uint4", 4),
    22: ("int4", 4),
    23: ("float4_e2m1fn", 4),
    24: ("float8_e8m0fnu", 8),
    25: ("uint2", 2),
    26: ("int2", 2),
}
"""ONNX's number of a data type to its name and the bits of an element."""

NAMES = {0: "UNDEFINED", 8: "STRING", 14: "COMPLEX64", 15: "COMPLEX128"}

_FIELDS = {
    **dict.fromkeys((1, 14), "float_data"),
    **dict.fromkeys((2, 3, 4, 5, 6, 9, 10, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26), "int32_data"),
    7: "int64_data",
    **dict.fromkeys((11, 15), "double_data"),
    **dict.fromkeys((12, 13), "uint64_data"),
}
_PACKED = {4: 2, 2: 4}
"""Bits of an element to elements in a number of `int32_data`."""


def dtype_of_code(code: int, where: str) -> str:
    """The data type that a number of the file means.

    Raises:
        UnsupportedError: strings and complex numbers.
        ModelFormatError: no data type.
    """
    if code in DTYPES:
        return DTYPES[code][0]
    if code in NAMES and code:
        raise UnsupportedError(f"{where}: elements of type {NAMES[code]} are not supported.")
    raise ModelFormatError(f"{where}: there is no element type {code}.")


class Tensors:
    """Reads the tensors of one file, and keeps account of their bytes."""

    def __init__(self, path: str, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._folder = Folder(path, limits)
        self._total = 0

    def array(self, tensor: Any) -> np.ndarray[Any, Any]:
        """A TensorProto as an array."""
        where = f"{self._path}: tensor {shown(tensor.name)}"
        dtype = dtype_of_code(tensor.data_type, where)
        bits = DTYPES[tensor.data_type][1]
        shape = tuple(int(size) for size in tensor.dims)
        if any(size < 0 for size in shape) or len(shape) > 64:
            raise ModelFormatError(f"{where}: {shape} is no shape.")
        count = math.prod(shape)
        expected = -(-count * bits // 8)
        self._limits.check("array_bytes", expected, where, "bytes")
        self._total += expected
        self._limits.check("total_bytes", self._total, where, "bytes of tensors")
        if tensor.HasField("segment"):
            raise UnsupportedError(f"{where}: tensors in segments are not supported.")
        if tensor.data_location == tensor.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            return self._from_bytes(self._folder.read(entries, expected, where), tensor, dtype, bits, shape)
        if tensor.HasField("raw_data"):
            if len(tensor.raw_data) != expected:
                raise ModelFormatError(f"{where}: expected {expected:,} bytes, received {len(tensor.raw_data):,}.")
            return self._from_bytes(tensor.raw_data, tensor, dtype, bits, shape)
        field = _FIELDS[tensor.data_type]
        given = len(getattr(tensor, field))
        if given != (-(-count // _PACKED[bits]) if bits in _PACKED else count):
            raise ModelFormatError(f"{where}: expected {count:,} elements in {field}, received {given:,}.")
        return self._decoded(tensor).reshape(shape)

    @staticmethod
    def _from_bytes(data: Any, tensor: Any, dtype: str, bits: int, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        if bits < 8:
            copy = type(tensor)(data_type=tensor.data_type, dims=tensor.dims, raw_data=bytes(data))
            return Tensors._decoded(copy).reshape(shape)
        if tensor.data_type >= 16:
            import ml_dtypes  # noqa: F401  registers the names of its data types with NumPy
        if dtype == "bool":
            return (np.frombuffer(data, np.uint8) != 0).reshape(shape)
        wanted = np.dtype(dtype).newbyteorder("<") if bits > 8 and tensor.data_type < 16 else np.dtype(dtype)
        return np.frombuffer(data, wanted).reshape(shape).astype(dtype, copy=False)

    @staticmethod
    def _decoded(tensor: Any) -> np.ndarray[Any, Any]:
        from onnx import numpy_helper

        return np.asarray(numpy_helper.to_array(tensor))

    def weight(self, tensor: Any) -> Any:
        """A TensorProto as what a graph refers to: a variable, or an array where it is small and says sizes or axes."""
        return as_weight(self.array(tensor), tensor.name)


def as_weight(array: np.ndarray[Any, Any], name: str) -> Any:
    """A variable, or the array itself where its elements may decide shapes."""
    is_float = array.dtype.kind not in "iub"
    if array.size > MOST_FOLLOWED or (is_float and array.size > 1):
        return Variable(array, name or "constant")
    return array
