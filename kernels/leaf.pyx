# cython: language_level=3
"""The compiled leaves as Python sees them: addresses, argument names, tile sizes; and a direct call, for tests."""

from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport free, malloc

cimport numpy as cnp

cnp.import_array()


cdef extern from "names.h" nogil:
    ctypedef struct gf_worker:
        char *scratch
        int64_t row
        int64_t value
    ctypedef int (*gf_leaf)(const void *, int64_t, int64_t, gf_worker *) noexcept
    ctypedef struct gf_leaf_row:
        const char *name
        gf_leaf run
    ctypedef struct gf_leaf_table:
        const char *isa
        int64_t vector, tile_m, tile_n
        const gf_leaf_row *rows
    ctypedef struct gf_field_row:
        const char *leaf
        const char *fields
    const gf_field_row gf_field_rows[]
    const char *gf_activation_names
    const char *gf_binary_names
    const char *gf_reduction_names
    const char *gf_pool_names
    const char *gf_index_kind_names
    int gf_cpu_has(int isa)


cdef extern from * nogil:
    """
    #if defined(__x86_64__)
    static const gf_leaf_table *const gf_tables[] = {&gf_leaves_base, &gf_leaves_avx2, &gf_leaves_avx512};
    enum { GF_TABLES = 3 };
    #else
    static const gf_leaf_table *const gf_tables[] = {&gf_leaves_base};
    enum { GF_TABLES = 1 };
    #endif
    """
    const gf_leaf_table *gf_tables[]
    const int GF_TABLES


cdef tuple _words(const char *text):
    return tuple((<bytes>text).decode().split())


cdef dict _table(int which):
    cdef const gf_leaf_table *table = gf_tables[which]
    cdef const gf_leaf_row *row = table.rows
    leaves = {}
    while row.name != NULL:
        leaves[(<bytes>row.name).decode()] = <uintptr_t>row.run
        row += 1
    return {"vector": table.vector, "tile_m": table.tile_m, "tile_n": table.tile_n, "leaves": leaves}


cdef dict _fields():
    cdef int i = 0
    found = {}
    while gf_field_rows[i].leaf != NULL:
        words = _words(gf_field_rows[i].fields)
        found[(<bytes>gf_field_rows[i].leaf).decode()] = tuple((word[2:], word[0]) for word in words)
        i += 1
    return found


TABLES = {(<bytes>gf_tables[i].isa).decode(): _table(i) for i in range(GF_TABLES) if gf_cpu_has(i)}
"""Instruction sets this CPU has, worst first: vector width, tile sizes, and the address of every leaf."""

FIELDS = _fields()
"""For every leaf its arguments in order, as (name, kind): "P" a pointer, "I" an int64, "F" a double."""

ACTIVATIONS = _words(gf_activation_names)
BINARIES = _words(gf_binary_names)
REDUCTIONS = _words(gf_reduction_names)
POOLS = _words(gf_pool_names)
INDEX_KINDS = _words(gf_index_kind_names)


def call(uintptr_t leaf, uintptr_t args, int64_t begin, int64_t end, uintptr_t scratch):
    """Run items [begin, end) of a leaf on the argument struct at address `args`; returns (code, row, value)."""
    cdef gf_worker worker
    cdef int code
    worker.scratch = <char *>scratch
    worker.row = worker.value = 0
    with nogil:
        code = (<gf_leaf>leaf)(<const void *>args, begin, end, &worker)
    return code, worker.row, worker.value


def interleave_columns(uintptr_t leaf, list columns, cnp.ndarray out):
    """Make columns the rows of a matrix with the leaf `interleave`; whether they could be.

    Args:
        leaf: its address.
        columns: contiguous, equally long, of the matrix's dtype: else nothing is done.
        out: contiguous, with a column for each, its elements of 1, 2, 4 or 8 bytes.
    """
    cdef int64_t words[4]
    cdef gf_worker worker
    cdef cnp.npy_intp rows
    cdef Py_ssize_t i, count = len(columns)
    cdef void **places
    cdef object one, dtype = out.dtype
    if cnp.PyArray_NDIM(out) != 2 or not cnp.PyArray_ISCARRAY(out) or cnp.PyArray_DIM(out, 1) != count:
        return False
    if cnp.PyArray_ITEMSIZE(out) not in (1, 2, 4, 8):
        return False
    rows = cnp.PyArray_DIM(out, 0)
    places = <void **>malloc((count + 1) * sizeof(void *))
    if places == NULL:
        raise MemoryError
    try:
        for i in range(count):
            one = columns[i]
            if type(one) is not cnp.ndarray or cnp.PyArray_NDIM(one) != 1 or cnp.PyArray_DIM(one, 0) != rows:
                return False
            if not cnp.PyArray_ISCARRAY_RO(one) or one.dtype != dtype:
                return False
            places[i] = cnp.PyArray_DATA(one)
        words[0], words[1] = <int64_t><uintptr_t>places, <int64_t><uintptr_t>cnp.PyArray_DATA(out)
        words[2], words[3] = count, cnp.PyArray_ITEMSIZE(out)
        worker.scratch = NULL
        with nogil:
            (<gf_leaf>leaf)(<const void *>words, 0, rows, &worker)
    finally:
        free(places)
    return True
