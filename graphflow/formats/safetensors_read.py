"""`.safetensors` files: a header in JSON that says where each array lies, then the arrays.

    8 bytes: length of the header | {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ...} | data

The arrays must fill the data without gap or overlap, so there is one way to read a file.
Source: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.container import copied, map_file
from graphflow.formats.hdf5 import ArrayInfo
from graphflow.formats.json_text import parse_json
from graphflow.formats.limits import DEFAULT_LIMITS, Limits, shown

_TYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
}


class SafetensorsFile:
    """An open file; its arrays can be listed, described and read.

    Args:
        path: the file.
        limits: budgets; `file_bytes`, those of JSON, and `mapped_from` apply.

    Attributes:
        where: the file, as messages name it.
        arrays: name to shape and type, in the order of the data.
        metadata: strings that the writer added.

    Raises:
        OSError: the file is missing or not readable.
        ModelFormatError: damaged; the message names the array.
        UnsupportedError: numbers of an unknown kind.
    """

    def __init__(self, path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> None:
        self.where = os.fspath(path)
        self._limits = limits
        content = map_file(path, limits)
        size = int.from_bytes(content[:8].tobytes(), "little")
        if len(content) < 8 or size > len(content) - 8:
            raise ModelFormatError(
                f"{self.where}: the header of {size:,} bytes must lie in the file, which has {len(content):,}."
            )
        limits.check("member_bytes", size, self.where, "bytes of header")
        header = parse_json(content[8 : 8 + size].tobytes(), f"{self.where}, header", limits)
        if not isinstance(header, dict):
            raise ModelFormatError(f"{self.where}, header: expected a JSON object, received {type(header).__name__}.")
        metadata = header.pop("__metadata__", {})
        self.metadata: dict[str, str] = metadata if isinstance(metadata, dict) else {}
        self._data = content[8 + size :]
        self.arrays: dict[str, ArrayInfo] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0
        for name, item in sorted(header.items(), key=lambda row: (_offset(row[1], 0), _offset(row[1], 1))):
            self._add(name, item)
        if self._end != len(self._data):
            raise ModelFormatError(
                f"{self.where}: the arrays must fill the {len(self._data):,} bytes of data; they have {self._end:,}."
            )

    def _add(self, name: str, item: Any) -> None:
        where = f"{self.where}, array {shown(name)}"
        if not isinstance(item, dict) or not isinstance(item.get("shape"), list):
            raise ModelFormatError(f"{where}: expected dtype, shape and data_offsets.")
        offsets = item.get("data_offsets")
        numbers = [*item["shape"], *(offsets if isinstance(offsets, list) and len(offsets) == 2 else [-1])]
        if any(isinstance(one, bool) or not isinstance(one, int) or one < 0 for one in numbers):
            raise ModelFormatError(f"{where}: shape and data_offsets must be non-negative integers.")
        if item.get("dtype") not in _TYPES:
            raise UnsupportedError(f"{where}: numbers of the kind {str(item.get('dtype'))!r:.40} are not supported.")
        kind = _TYPES[item["dtype"]]
        begin, end = numbers[-2:]
        width = 2 if kind == "bfloat16" else np.dtype(kind).itemsize
        wanted = math.prod(item["shape"]) * width
        if end - begin != wanted or begin != self._end:
            raise ModelFormatError(
                f"{where}: expected {wanted:,} bytes from {self._end:,} on, received data_offsets {begin:,} to {end:,}."
            )
        self._end = end
        self.arrays[name] = ArrayInfo(tuple(item["shape"]), kind)
        self._places[name] = (begin, end)

    def read(
        self, name: str, shape: tuple[int, ...] | None = None, dtype: npt.DTypeLike | None = None
    ) -> npt.NDArray[Any]:
        """One array.

        Args:
            name: one of `arrays`.
            shape: what it must be.
            dtype: what to convert to; floating types convert to each other, others where no value can change.

        Raises:
            ModelFormatError: no such array, another shape or type, or data outside the file.
        """
        where = f"{self.where}, array {shown(name)}"
        if name not in self.arrays:
            raise ModelFormatError(f"{where}: nothing there.")
        info, (begin, end) = self.arrays[name], self._places[name]
        if shape is not None and info.shape != tuple(shape):
            raise ModelFormatError(f"{where}: expected shape {tuple(shape)}, received {info.shape}.")
        if end > len(self._data):
            raise ModelFormatError(f"{where}: its data reach beyond the file.")
        self._limits.check("array_bytes", end - begin, where, "bytes of array")
        raw = self._data[begin:end]
        if info.dtype == "bfloat16":
            plain = np.left_shift(raw.view("<u2"), 16, dtype=np.uint32).view(np.float32).reshape(info.shape)
        else:
            plain = raw.view(np.dtype(info.dtype).newbyteorder("<")).reshape(info.shape)
        target = plain.dtype.newbyteorder("=") if dtype is None else np.dtype(dtype)
        if not (plain.dtype.kind == target.kind == "f" or np.can_cast(plain.dtype, target, "safe")):
            raise ModelFormatError(f"{where}: expected data of type {target.name}, received {info.dtype}.")
        if plain.dtype == target and plain.nbytes >= self._limits.mapped_from:
            return plain
        return copied(plain, target)


def _offset(item: Any, index: int) -> int:
    """Where an array says that it begins (0) or ends (1); nonsense comes last and is refused."""
    offsets = item.get("data_offsets") if isinstance(item, dict) else None
    found = offsets[index] if isinstance(offsets, list) and len(offsets) == 2 else None
    return found if isinstance(found, int) else 1 << 62
