"""Runs one kernel of the table on one problem, as a plan would: packs, work buffers, steps, shared by threads.

Every buffer lies in guarded memory at any alignment, what is not given yet is NaN, operands that may have gaps between
their rows have them, and an input that the kernel may overwrite is overwritten now and then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from cases.problem import Array, OpCase

from graphflow.errors import ShapeError
from graphflow.kernels import _leaf
from graphflow.kernels.isa import Isa, available
from graphflow.kernels.layout import Call, KernelDef, Layout, Ref, Step
from graphflow.ops import OPS
from graphflow.runtime.windows import ITEM, Window, moved
from graphflow.spec import spec_of
from problems.draw import Draw
from problems.memory import PATTERN, Block, Memory
from problems.problem import Family, Problem

NOTHING = 0xFF
"""The byte of what was not written yet: a NaN of every float type, true for a bool."""


def call_of(case: OpCase, arrays: Sequence[Array | None], isa: Isa, threads: int) -> Call:
    """The call that a planner would make of a case.

    Raises:
        ShapeError: the case is none.
    """
    specs = [None if one is None else spec_of(one) for one in arrays]
    outputs = OPS[case.op].infer(case.attrs, specs, [None] * len(specs))
    known = tuple(one is None or one.known for one in case.inputs)
    return Call(case.attrs, tuple(specs), outputs, known, isa, threads)


def fresh(seed: Sequence[int], row: KernelDef, family: Family) -> tuple[Problem, list[Array | None]] | None:
    """The problem of a seed and its inputs; None where the generator drew one that this kernel does not take."""
    rng = np.random.default_rng([*seed])
    problem = family.make(Draw(rng), row.name)
    arrays = [None if one is None else one.make(rng) for one in problem.case.inputs]
    try:
        calls = [call_of(problem.case, arrays, isa, 1) for isa in available().values()]
    except ShapeError:
        return None
    if not family.forced and any(row.refuses(call) is not None for call in calls):
        return None
    return problem, arrays


def exact(problem: Problem, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
    """The reference's answer, computed in float64."""
    wide = [one.astype(np.float64) if one is not None and one.dtype == np.float32 else one for one in arrays]
    with np.errstate(all="ignore"):
        return OPS[problem.case.op].run_reference(problem.case.attrs, wide)


class Runner:
    """Runs kernels, in memory that is used again and again."""

    def __init__(self) -> None:
        self.memory = Memory()

    def run(
        self,
        row: KernelDef,
        case: OpCase,
        arrays: Sequence[Array | None],
        isa: Isa,
        threads: int,
        gaps: bool,
        rng: np.random.Generator,
    ) -> list[Array]:
        """The outputs of a kernel.

        Args:
            threads: how many the layout is made for; their pieces are run one after another, in any order.
            gaps: whether there are gaps between rows where the kernel takes them.
        """
        try:
            return _Run(self.memory, row, case, arrays, isa, threads, gaps, rng).outputs()
        finally:
            self.memory.clear()


class _Run:
    def __init__(
        self,
        memory: Memory,
        row: KernelDef,
        case: OpCase,
        arrays: Sequence[Array | None],
        isa: Isa,
        threads: int,
        gaps: bool,
        rng: np.random.Generator,
    ) -> None:
        self.memory, self.rng, self.isa = memory, rng, isa
        self.arrays = [None if one is None else np.asarray(one, order="C") for one in arrays]
        self.call = call_of(case, arrays, isa, threads)
        self.layout: Layout = row.lay(self.call)
        self.gaps = row.strided is not None and row.name != "concatenate" and gaps
        self.strided = row.strided or frozenset()
        self.windows: dict[tuple[str, int], Window] = {}
        self.blocks: dict[tuple[str, int], Block] = {}
        self.views: dict[tuple[str, int], Array] = {}

    def outputs(self) -> list[Array]:
        self._give_inputs()
        overwritten = self._give_outputs()
        for index, pack in enumerate(self.layout.packs):
            packed = np.ascontiguousarray(pack.make(*(self.arrays[i] for i in pack.inputs)))
            self._give(("packed", index), packed.reshape(-1), False)
        for index, size in enumerate(self.layout.work):
            self._give(("work", index), np.full(-(-size // 8), -1, np.int64), False)
        for step in self.layout.steps:
            if step.items:
                self._step(moved(step, self.windows) if self.windows else step)
        for place, block in self.blocks.items():
            block.check(" ".join(map(str, place)))
        for index, array in enumerate(self.arrays):
            if array is not None and ("in", index) not in overwritten:
                found = self.views["in", index]
                assert found.tobytes() == array.tobytes(), f"input {index} was overwritten"
        for place in self.windows:
            self._check_gaps(place)
        return [self.views["out", index].copy() for index in range(len(self.call.outputs))]

    def _give_inputs(self) -> None:
        for index, array in enumerate(self.arrays):
            if array is not None:
                self._give(("in", index), array, index in self.strided)

    def _give_outputs(self) -> set[tuple[str, int]]:
        overwritten: set[tuple[str, int]] = set()
        for index, spec in enumerate(self.call.outputs):
            free = [i for i in self.layout.in_place if not self.call.known[i] and not self.windows]
            if free and not self.gaps and self.rng.integers(0, 2):
                taken = ("in", free[int(self.rng.integers(0, len(free)))])
                overwritten.add(taken)
                self.blocks["out", index], self.views["out", index] = self.blocks[taken], self.views[taken]
                continue
            size = math.prod(spec.shape) * np.dtype(spec.dtype).itemsize  # type: ignore[arg-type]
            empty = np.full(size, NOTHING, np.uint8).view(spec.dtype).reshape(spec.shape)  # type: ignore[arg-type]
            self._give(("out", index), empty, index == 0)
        return overwritten

    def _give(self, place: tuple[str, int], array: Array, may_have_gaps: bool) -> None:
        if may_have_gaps and self.gaps and array.ndim and array.size and array.dtype == np.float32:
            width = array.shape[-1]
            before, after = int(self.rng.integers(0, 5)), int(self.rng.integers(1, 5))
            ld = before + width + after
            rows = array.size // width
            block = self.memory.give(rows * ld * ITEM, ITEM, self.rng)
            block.data[:] = PATTERN if place[0] == "out" else NOTHING
            whole = block.data.view(np.float32).reshape(rows, ld)
            view = whole[:, before : before + width]
            view[...] = array.reshape(rows, width)
            self.windows[place] = Window(None, before * ITEM, ld)  # type: ignore[arg-type]
            view = np.lib.stride_tricks.as_strided(
                view, array.shape, _strides_with_gaps(array.shape, ld), writeable=True
            )
        else:
            block = self.memory.give(array.nbytes, max(array.itemsize, 1), self.rng)
            view = block.data.view(array.dtype).reshape(array.shape)
            view[...] = array
        self.blocks[place], self.views[place] = block, view

    def _check_gaps(self, place: tuple[str, int]) -> None:
        window, view = self.windows[place], self.views[place]
        whole = self.blocks[place].data.reshape(-1, window.ld * ITEM)
        after = window.offset + view.shape[-1] * ITEM
        expected = PATTERN if place[0] == "out" else NOTHING
        kept = (whole[:, : window.offset] == expected).all() and (whole[:, after:] == expected).all()
        assert kept, f"written between the rows of {place}"

    def _step(self, step: Step) -> None:
        names = _leaf.FIELDS[step.leaf]
        assert len(step.fields) == len(names), (step.leaf, sorted(step.fields))
        words = np.zeros(len(names), np.int64)
        for slot, (name, kind) in enumerate(names):
            given: Any = step.fields[name]
            if kind == "F":
                words[slot : slot + 1].view(np.float64)[0] = given
            elif isinstance(given, Ref):
                words[slot] = self.blocks[given.kind, given.position].address + given.offset
            else:
                words[slot] = 0 if given is None else int(given)
        scratch = self.memory.give(step.scratch + 63, 1, self.rng)
        scratch.data[:] = NOTHING
        aligned = scratch.address + (-scratch.address) % 64
        around = scratch.data.size - step.scratch
        for first, last in self._pieces(step):
            code, row, value = _leaf.call(self.isa.leaves[step.leaf], words.ctypes.data, first, last, aligned)
            assert code == 0, f"{step.leaf} failed with code {code} at {row}: {value}"
        if around > 64:
            raise AssertionError("scratch is larger than the step asked for")
        scratch.check(f"the scratch of {step.leaf}")

    def _pieces(self, step: Step) -> list[tuple[int, int]]:
        """All items in pieces of random lengths, none above the limit, in any order."""
        cuts = {0, step.items, *self.rng.integers(0, step.items + 1, int(self.rng.integers(0, 4))).tolist()}
        found = []
        for first, last in pairwise(sorted(cuts)):
            size = step.limit or last - first
            found += [(at, min(at + size, last)) for at in range(first, last, size)]
        self.rng.shuffle(found)
        return [(int(first), int(last)) for first, last in found]


def _strides_with_gaps(shape: Sequence[int], ld: int) -> list[int]:
    strides = [ITEM]
    step = ld * ITEM
    for size in reversed(shape[1:-1] if len(shape) > 1 else ()):
        strides.append(step)
        step *= size
    if len(shape) > 1:
        strides.append(step)
    return strides[::-1]
