# cython: language_level=3, boundscheck=False, wraparound=False
"""The executor: a plan's steps as C structs, run in one call without the GIL.

    Program   what all runs of a plan share: the steps, their arguments, and where pointers must be put in
    Context   what one run at a time needs for itself: the arena, scratch, and its own copy of the arguments

A pointer argument is a base and an offset. Base 0 is the arena; then come the bound arrays, which stay; then the
arrays of one run: inputs, outputs, updates.
"""

from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memcpy
from cpython.exc cimport PyErr_CheckSignals
cimport numpy as cnp

import numpy as np

cnp.import_array()


cdef extern from "abi.h" nogil:
    ctypedef struct gf_worker:
        char *scratch
        int64_t row, value
    ctypedef int (*gf_leaf)(const void *, int64_t, int64_t, gf_worker *) noexcept

cdef extern from "loop.h" nogil:
    ctypedef struct gf_step:
        gf_leaf run
        const void *args
        int64_t items, grain, shared, beside
    ctypedef struct gf_program:
        const gf_step *steps
        int64_t count, at
        gf_worker *workers
        int threads, code
        int64_t row, value
        int64_t *times
    int GF_DONE, GF_PYTHON, GF_FAILED, GF_PAUSED
    int gf_loop(gf_program *) noexcept
    int64_t gf_now() noexcept
    void *gf_memory(size_t) noexcept
    void *gf_zeros(size_t) noexcept
    void gf_memory_free(void *, size_t) noexcept
    void gf_memory_trim() noexcept
    int64_t gf_memory_fail_after(int64_t) noexcept


def fail_allocations_after(int64_t count):
    """For tests: let every allocation of a context fail after `count` more; -1: none. Returns how many are in use."""
    return gf_memory_fail_after(count)


def trim_memory():
    """Give freed memory that the C library keeps back to the system, where it can."""
    with nogil:
        gf_memory_trim()


cdef class _Memory:
    """Memory that arrays lie in."""

    cdef char *start
    cdef size_t bytes

    def __cinit__(self, size_t bytes):
        self.bytes = bytes
        self.start = <char *>gf_memory(bytes)
        if not self.start:
            raise MemoryError(f"Packed weights need {bytes} bytes of memory.")

    def __dealloc__(self):
        gf_memory_free(self.start, self.bytes)


def _placed(cnp.npy_intp size):
    cdef _Memory memory = _Memory(size)
    made = cnp.PyArray_SimpleNewFromData(1, &size, cnp.NPY_UINT8, memory.start)
    cnp.set_array_base(made, memory)
    return made


def packed_memory(floats):
    """Memory that lies as kernels read best: from a border of lines, if large on huge pages."""
    return _placed(4 * floats).view(np.float32)


def settled(array):
    """A C-contiguous array as a copy in such memory, or itself if it lies there."""
    holder = array
    while isinstance(holder, np.ndarray):
        holder = holder.base
    if isinstance(holder, _Memory):
        return array
    copied = _placed(array.nbytes).view(array.dtype).reshape(array.shape)
    np.copyto(copied, array)
    return copied


cdef class Program:
    """The part of a plan that never changes.

    Args:
        steps: (address of the leaf or 0, first argument slot, items, grain, shared, beside) for each step.
        slots: the arguments of all steps, eight bytes each.
        fixed, moving: relocations (slot, base, offset) that hold for a context, and that each run makes anew.
        arena, scratch: bytes of the arena, and of each thread's scratch.
        threads: how many threads share the steps.
    """

    cdef readonly object steps, slots, fixed, moving
    cdef readonly int64_t arena, scratch
    cdef readonly int threads

    def __init__(self, steps, slots, fixed, moving, int64_t arena, int64_t scratch, int threads):
        self.steps = np.ascontiguousarray(steps, np.int64).reshape(-1, 6)
        self.slots = np.ascontiguousarray(slots, np.int64)
        self.fixed = np.ascontiguousarray(fixed, np.int64).reshape(-1, 3)
        self.moving = np.ascontiguousarray(moving, np.int64).reshape(-1, 3)
        self.arena = arena
        self.scratch = scratch
        self.threads = threads


cdef class Context:
    """Memory and arguments for one run at a time.

    Args:
        program: what to run.
        bound: the arrays of the bound bases, which must stay alive and in place.
        versions: of the variables they were computed from, for the owner.

    Raises:
        MemoryError: there is not enough memory.
    """

    cdef Program program
    cdef object bound
    cdef char *memory
    cdef char *scratch
    cdef size_t memory_bytes, scratch_bytes, slots_bytes, steps_bytes, workers_bytes
    cdef int64_t *slots
    cdef gf_step *steps
    cdef gf_worker *workers
    cdef const int64_t *moving
    cdef int64_t moves, first_moving_base
    cdef gf_program run_state
    cdef readonly object versions

    def __cinit__(self, Program program, list bound, versions=None):
        cdef int64_t count = program.steps.shape[0], slots = program.slots.shape[0], i
        cdef int64_t each = (program.scratch + 63) // 64 * 64
        self.bound = bound
        self.versions = versions
        self.memory_bytes = program.arena
        self.scratch_bytes = each * program.threads
        self.slots_bytes = (slots + 1) * sizeof(int64_t)
        self.steps_bytes = (count + 1) * sizeof(gf_step)
        self.workers_bytes = program.threads * sizeof(gf_worker)
        self.memory = <char *>gf_memory(self.memory_bytes)
        self.scratch = <char *>gf_memory(self.scratch_bytes)
        self.slots = <int64_t *>gf_zeros(self.slots_bytes)
        self.steps = <gf_step *>gf_zeros(self.steps_bytes)
        self.workers = <gf_worker *>gf_zeros(self.workers_bytes)
        if not (self.memory and self.scratch and self.slots and self.steps and self.workers):
            raise MemoryError(f"A plan needs {program.arena + each * program.threads} bytes of working memory.")
        for i in range(program.threads):
            self.workers[i].scratch = self.scratch + i * each
        self.first_moving_base = 1 + len(bound)
        self.run_state.steps = self.steps
        self.run_state.count = count
        self.run_state.workers = self.workers
        self.run_state.threads = program.threads
        self.load(program)

    cpdef load(self, Program program):
        """Take over another program that was scaled from the same plan: of the same size, in the same memory."""
        cdef int64_t i
        cdef const int64_t[:, ::1] rows
        cdef const int64_t[::1] template
        if self.program is program:
            return
        rows = program.steps
        template = program.slots
        if self.program is not None and not (
            program.arena == self.program.arena and program.scratch == self.program.scratch
            and program.threads == self.program.threads and rows.shape[0] == self.program.steps.shape[0]
            and template.shape[0] == self.program.slots.shape[0]
        ):
            raise ValueError("A context takes over only programs of the plan it was made for.")
        self.program = program
        if template.shape[0]:
            memcpy(self.slots, &template[0], template.shape[0] * sizeof(int64_t))
        for i in range(rows.shape[0]):
            self.steps[i].run = <gf_leaf><uintptr_t>rows[i, 0]
            self.steps[i].args = self.slots + rows[i, 1]
            self.steps[i].items = rows[i, 2]
            self.steps[i].grain = rows[i, 3]
            self.steps[i].shared = rows[i, 4]
            self.steps[i].beside = rows[i, 5]
        self._relocate(self.bound)
        self.moves = program.moving.shape[0]
        self.moving = NULL
        if self.moves:
            self.moving = <const int64_t *>cnp.PyArray_DATA(program.moving)

    def __dealloc__(self):
        gf_memory_free(self.memory, self.memory_bytes)
        gf_memory_free(self.scratch, self.scratch_bytes)
        gf_memory_free(self.slots, self.slots_bytes)
        gf_memory_free(self.steps, self.steps_bytes)
        gf_memory_free(self.workers, self.workers_bytes)

    cdef void _relocate(self, list bound):
        cdef const int64_t[:, ::1] rows = self.program.fixed
        cdef int64_t i
        cdef char *base
        for i in range(self.program.fixed.shape[0]):
            base = self.memory if rows[i, 1] == 0 else <char *>cnp.PyArray_DATA(bound[rows[i, 1] - 1])
            self.slots[rows[i, 0]] = <int64_t><uintptr_t>(base + rows[i, 2])

    def arena(self):
        """The arena as an array of bytes; it keeps the context alive."""
        cdef cnp.npy_intp size = self.program.arena
        array = cnp.PyArray_SimpleNewFromData(1, &size, cnp.NPY_UINT8, self.memory)
        cnp.set_array_base(array, self)
        return array

    def bound_arrays(self):
        return self.bound

    def timed(self, list arrays, python_step, int64_t[::1] times):
        """Run all steps as `run` does, and note when each ended.

        Args:
            times: one place more than there are steps: nanoseconds of a clock at the start, then after each step.
        """
        if times.shape[0] != self.run_state.count + 1:
            raise ValueError("A timed run needs one place more than there are steps.")
        self.run_state.times = &times[1] if self.run_state.count else NULL
        times[0] = gf_now()
        try:
            return self.run(arrays, python_step)
        finally:
            self.run_state.times = NULL

    def run(self, list arrays, python_step):
        """Run all steps.

        Args:
            arrays: the inputs, outputs and updates of this run, C-contiguous, in the order of their bases.
            python_step: called with the number of each step that needs Python.

        Returns:
            None, or (step, code, row, value) of the leaf that failed.
        """
        cdef int64_t i
        cdef int64_t base
        cdef int result
        for i in range(self.moves):
            base = self.moving[3 * i + 1] - self.first_moving_base
            self.slots[self.moving[3 * i]] = <int64_t><uintptr_t>(
                <char *>cnp.PyArray_DATA(arrays[base]) + self.moving[3 * i + 2]
            )
        self.run_state.at = 0
        while True:
            with nogil:
                result = gf_loop(&self.run_state)
            if result == GF_DONE:
                return None
            if result == GF_FAILED:
                return self.run_state.at, self.run_state.code, self.run_state.row, self.run_state.value
            if result == GF_PYTHON:
                python_step(self.run_state.at)
                if self.run_state.times != NULL:
                    self.run_state.times[self.run_state.at] = gf_now()
                self.run_state.at += 1
            else:
                PyErr_CheckSignals()

    cdef bint run_batches(self, list arrays, const int64_t *strides, int64_t batches) except -1:
        """Run all steps for each of many batches, without the GIL in between; whether none failed.

        Args:
            arrays: as `run` takes them, the first batch of each.
            strides: bytes from a batch of each array to the next.
            batches: how many there are; the program needs no Python.
        """
        cdef char *bases[64]
        cdef int64_t batch, i, base, started
        cdef int result = GF_DONE
        for i in range(len(arrays)):
            bases[i] = <char *>cnp.PyArray_DATA(arrays[i])
        with nogil:
            started = gf_now()
            for batch in range(batches):
                for i in range(self.moves):
                    base = self.moving[3 * i + 1] - self.first_moving_base
                    self.slots[self.moving[3 * i]] = <int64_t><uintptr_t>(
                        bases[base] + batch * strides[base] + self.moving[3 * i + 2]
                    )
                self.run_state.at = 0
                result = GF_PAUSED
                while result == GF_PAUSED:
                    result = gf_loop(&self.run_state)
                    if gf_now() - started > 50000000:
                        with gil:
                            PyErr_CheckSignals()
                        started = gf_now()
                if result != GF_DONE:
                    break
        return result == GF_DONE


cdef class FastPath:
    """The run that a session repeats most: the plan it used last, for inputs that need no conversion, without Python.

    Args:
        epoch: a list of one number, which changes whenever what was remembered may not hold any more.
    """

    cdef list epoch, pool
    cdef object seen
    cdef Program program
    cdef int inputs, outputs
    cdef int types[64]
    cdef int ranks[64]
    cdef cnp.npy_intp dims[64][8]

    def __cinit__(self, list epoch):
        self.epoch = epoch
        self.pool = None

    def remember(self, list pool, Program program, list inputs, list outputs):
        """Repeat the run that turned these inputs into these outputs, with contexts of `pool`."""
        cdef int i = 0, axis
        self.pool = None
        if len(inputs) + len(outputs) > 64 or any(array.ndim > 8 for array in inputs + outputs):
            return
        for array in inputs + outputs:
            self.types[i] = cnp.PyArray_TYPE(array)
            self.ranks[i] = cnp.PyArray_NDIM(array)
            for axis in range(self.ranks[i]):
                self.dims[i][axis] = cnp.PyArray_DIM(array, axis)
            i += 1
        self.inputs = len(inputs)
        self.outputs = len(outputs)
        self.seen = self.epoch[0]
        self.program = program
        self.pool = pool

    cdef bint _fits(self, object array, int i, cnp.npy_intp rows=-1):
        """Whether an array is like the remembered one; `rows`: of that many rows, instead of as many."""
        cdef int axis
        if type(array) is not cnp.ndarray or cnp.PyArray_TYPE(array) != self.types[i]:
            return False
        if cnp.PyArray_NDIM(array) != self.ranks[i] or not cnp.PyArray_ISCARRAY_RO(array):
            return False
        for axis in range(self.ranks[i]):
            if cnp.PyArray_DIM(array, axis) != (rows if rows >= 0 and axis == 0 else self.dims[i][axis]):
                return False
        return True

    def run(self, inputs):
        """The outputs, or None when the inputs are of another kind, or anything has changed."""
        cdef int i
        cdef list arrays, results, pool = self.pool
        cdef object seen = self.seen
        cdef Context context
        if pool is None or not pool or self.epoch[0] != seen or len(inputs) != self.inputs:
            return None
        arrays = list(inputs)
        for i in range(self.inputs):
            if not self._fits(arrays[i], i):
                return None
        results = []
        for i in range(self.inputs, self.inputs + self.outputs):
            results.append(cnp.PyArray_EMPTY(self.ranks[i], self.dims[i], self.types[i], 0))
        arrays.extend(results)
        context = pool.pop()
        if context.program is not self.program:
            context.load(self.program)
        if context.run(arrays, None) is not None:
            return None
        if self.epoch[0] == seen:
            pool.append(context)
        return results

    def run_batches(self, list inputs, cnp.npy_intp rows, cnp.npy_intp batch):
        """The outputs of `rows` rows, whole batches, as runs of each batch give them; or None, as `run`."""
        cdef int i
        cdef list arrays, results = [], pool = self.pool
        cdef object seen = self.seen
        cdef Context context
        cdef int64_t strides[64]
        cdef cnp.npy_intp dims[8]
        if pool is None or not pool or self.epoch[0] != seen or len(inputs) != self.inputs:
            return None
        if batch < 1 or rows < batch or rows % batch:
            return None
        for i in range(self.inputs + self.outputs):
            if self.ranks[i] == 0 or self.dims[i][0] != batch:
                return None
        for i in range(self.inputs):
            if not self._fits(inputs[i], i, rows):
                return None
        for i in range(self.inputs, self.inputs + self.outputs):
            dims = self.dims[i]
            dims[0] = rows
            results.append(cnp.PyArray_EMPTY(self.ranks[i], dims, self.types[i], 0))
        arrays = inputs + results
        for i in range(len(arrays)):
            strides[i] = <int64_t>cnp.PyArray_NBYTES(arrays[i]) // rows * batch
        context = pool.pop()
        if context.program is not self.program:
            context.load(self.program)
        if not context.run_batches(arrays, strides, rows // batch):
            return None
        if self.epoch[0] == seen:
            pool.append(context)
        return results
