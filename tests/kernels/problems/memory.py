"""Memory that notices who leaves it: pages that can not be touched around it, or the heap under AddressSanitizer.

    | no access | guard ......... | array | no access |      "end": a read or write past the end is a crash
    | no access | array | guard ............| no access |    "start": the same before the beginning

What lies between the array and the far page holds a pattern, which `check` looks at. Arrays begin at any multiple of
their item, so hardly ever at a multiple of a vector.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

PAGE = mmap.PAGESIZE
PATTERN = 0x5A
HEAP = bool(os.environ.get("GRAPHFLOW_TEST_HEAP"))
"""Whether arrays lie on the heap, each by itself, where a sanitizer guards them."""

_protect = ctypes.CDLL(None, use_errno=True).mprotect


class _Region:
    """Some pages between two that can not be touched."""

    def __init__(self, pages: int) -> None:
        self.map = mmap.mmap(-1, (pages + 2) * PAGE)
        whole = np.frombuffer(self.map, np.uint8)
        for page in (0, pages + 1):
            assert _protect(ctypes.c_void_p(whole.ctypes.data + page * PAGE), ctypes.c_size_t(PAGE), 0) == 0
        self.data = whole[PAGE : (pages + 1) * PAGE]
        self.data[:] = PATTERN


class Block:
    """An array in guarded memory.

    Args:
        data: its bytes.
        around: the bytes beside it that must keep the pattern.
    """

    def __init__(self, data: Array, around: tuple[Array, ...], region: _Region | None) -> None:
        self.data = data
        self.address = data.ctypes.data
        self._around = around
        self._region = region

    def check(self, name: str) -> None:
        for side in self._around:
            assert (side == PATTERN).all(), f"written beside {name}"


class Memory:
    """Blocks for one problem after another."""

    def __init__(self) -> None:
        self._free: dict[int, list[_Region]] = {}
        self._used: list[tuple[int, _Region, Array]] = []

    def give(self, size: int, item: int, rng: np.random.Generator) -> Block:
        """`size` bytes that begin at a multiple of `item`, at one end or the other of what may be touched."""
        if HEAP:
            skip = int(rng.integers(0, 4)) * item
            return Block(np.empty(size + skip, np.uint8)[skip:], (), None)
        pages = 1
        while pages * PAGE < size + 256:
            pages *= 2
        free = self._free.setdefault(pages, [])
        region = free.pop() if free else _Region(pages)
        at_start = bool(rng.integers(0, 4) == 0)
        near = region.data[: size + 256] if at_start else region.data[len(region.data) - size - 256 :]
        data, far = (near[:size], near[size:]) if at_start else (near[256:], near[:256])
        self._used.append((pages, region, near))
        return Block(data, (far,), region)

    def clear(self) -> None:
        """Take all blocks back."""
        for pages, region, near in self._used:
            near[:] = PATTERN
            self._free[pages].append(region)
        self._used = []
