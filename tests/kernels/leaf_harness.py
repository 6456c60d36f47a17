"""Calls one compiled leaf directly: packs its arguments by name, and hands out arrays with guards around them."""

import ctypes
import mmap

import numpy as np

from graphflow.kernels import _leaf

ISAS = list(_leaf.TABLES)

GUARD = 32
_GUARD_VALUE = 1.25e-30


def run_leaf(isa, leaf, items, scratch_bytes=0, ranges=None, **fields):
    """Run items [0, items) of a leaf, or the given (begin, end) ranges in their order.

    Returns (code, row, value) of the last range; a failing range ends the run.

    Every field of the leaf is given by name: an array or None for a pointer, an int for an integer, a number for a
    double.
    """
    words = pack_fields(leaf, fields)
    scratch = np.full(scratch_bytes // 4 + 16 + 2 * GUARD, np.nan, np.float32)
    start = GUARD + (-(scratch.ctypes.data + 4 * GUARD) % 64) // 4
    end = start + scratch_bytes // 4
    scratch[:start] = scratch[end:] = _GUARD_VALUE
    address = _leaf.TABLES[isa]["leaves"][leaf]
    result = (0, 0, 0)
    for first, last in [(0, items)] if ranges is None else ranges:
        result = _leaf.call(address, words.ctypes.data, first, last, scratch.ctypes.data + 4 * start)
        if result[0] != 0:
            break
    guards = np.concatenate([scratch[:start], scratch[end:]])
    assert (guards == np.float32(_GUARD_VALUE)).all(), f"{leaf} wrote outside its scratch"
    return result


def pack_fields(leaf, fields):
    """The argument struct of a leaf as an int64 array, one word per field."""
    names = [name for name, _ in _leaf.FIELDS[leaf]]
    assert set(fields) == set(names), (
        f"{leaf}: missing {sorted(set(names) - set(fields))}, unknown {sorted(set(fields) - set(names))}"
    )
    words = np.zeros(len(names), np.int64)
    for slot, (name, kind) in enumerate(_leaf.FIELDS[leaf]):
        value = fields[name]
        if kind == "P":
            assert value is None or isinstance(value, np.ndarray), f"{leaf}: {name} must be an array or None"
            words[slot] = 0 if value is None else value.ctypes.data
        elif kind == "I":
            words[slot] = int(value)
        else:
            words[slot : slot + 1].view(np.float64)[0] = value
    return words


def guarded(shape, fill=np.nan, dtype=np.float32):
    """An array prefilled with `fill` (NaN by default) between guard elements, and a function that checks the guards."""
    size = int(np.prod(shape))
    whole = np.full(size + 2 * GUARD, 77, dtype)
    array = whole[GUARD : GUARD + size].reshape(shape)
    array[...] = fill

    def check():
        assert (whole[:GUARD] == 77).all(), "written before the array"
        assert (whole[GUARD + size :] == 77).all(), "written after the array"

    return array, check


def at_page_end(array):
    """A read-only copy that ends where unreadable memory begins, so that a read past its end is a crash."""
    size = max(array.nbytes, 1)
    page = mmap.PAGESIZE
    pages = -(-size // page)
    memory = mmap.mmap(-1, (pages + 1) * page)
    whole = np.frombuffer(memory, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    status = libc.mprotect(ctypes.c_void_p(whole.ctypes.data + pages * page), ctypes.c_size_t(page), 0)
    assert status == 0
    copy = whole[pages * page - array.nbytes : pages * page].view(array.dtype).reshape(array.shape)
    copy[...] = array
    copy.flags.writeable = False
    return copy


def pack_panels(matrix, isa):
    """The packed form of a (k, n) matrix that gemm.h describes, as a flat array."""
    table = _leaf.TABLES[isa]
    vector, tile_n = table["vector"], table["tile_n"]
    k, n = matrix.shape
    panels = []
    for start in range(0, n, tile_n):
        columns = matrix[:, start : start + tile_n]
        width = -(-columns.shape[1] // vector) * vector
        panel = np.zeros((k, width), np.float32)
        panel[:, : columns.shape[1]] = columns
        panels.append(panel.ravel())
    packed = np.concatenate(panels) if panels else np.zeros(0, np.float32)
    aligned = np.empty(packed.size + 16, np.float32)
    start = (-aligned.ctypes.data % 64) // 4
    aligned = aligned[start : start + packed.size]
    aligned[...] = packed
    return aligned
