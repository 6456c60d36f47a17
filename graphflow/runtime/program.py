"""The steps of a plan as the executor takes them: arguments in slots of eight bytes, and where pointers go."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from graphflow.kernels.isa import Isa
from graphflow.kernels.layout import Ref, Step
from graphflow.runtime.bindings import Key
from graphflow.runtime.storage import Storage

PARALLEL_FROM_NS = 6_000.0
"""Steps that are guessed to take less are not shared between threads."""


class StepRow(NamedTuple):
    """A step for the executor: its leaf's address, its first slot, how its items are shared, and how many steps, this
    one included, run side by side from here on."""

    leaf: int
    slot: int
    items: int
    grain: int
    shared: int
    beside: int = 1


def step_row(leaf: int, slot: int, items: int, nanoseconds: float, limit: int | None, threads: int) -> StepRow:
    """How a step's items are divided: among the threads when it is long enough."""
    shared = threads > 1 and nanoseconds > PARALLEL_FROM_NS
    grain = items if not shared else max(1, -(-items // (4 * threads)))
    return StepRow(leaf, slot, items, min(grain, limit) if limit else grain, int(shared))


def slot_of(value: Any, kind: str) -> int:
    """A number as the eight bytes of a slot: "F" a double, "I" an integer."""
    return int(struct.unpack("q", struct.pack("d", value))[0]) if kind == "F" else int(value)


class _Form(NamedTuple):
    """What every node that has a step in common gives the program: all but where its operands lie."""

    step: Step
    row: StepRow
    slots: list[int]
    pointers: list[tuple[int, Ref]]


class ProgramWriter:
    """Collects steps, slots and relocations.

    Args:
        arrays: how many arrays of a run come before its results.
    """

    def __init__(self, isa: Isa | None, threads: int, arrays: int) -> None:
        self.isa = isa
        self.threads = threads
        self.rows: list[StepRow] = []
        self.slots: list[int] = []
        self.bound: list[Key] = []
        self._arrays = arrays
        self._moves: list[tuple[int, Storage, int]] = []
        self._bases: dict[Key, int] = {}
        self._forms: dict[int, _Form] = {}
        self._scratch = 0

    def python_step(self) -> int:
        """A step that returns to Python; its number."""
        self.rows.append(StepRow(0, 0, 0, 1, 0))
        return len(self.rows) - 1

    def leaf_step(self, step: Step, place: Callable[[Ref], Storage]) -> tuple[int, int]:
        """A step of a leaf.

        Args:
            place: from a pointer to where it leads.

        Returns:
            Its number, and its first slot.
        """
        form = self._forms.get(id(step))
        if form is None:
            form = self._forms[id(step)] = self._form(step)
        number, first = len(self.rows), len(self.slots)
        self.rows.append(form.row._replace(slot=first))
        self.slots += form.slots
        for at, ref in form.pointers:
            self._moves.append((first + at, place(ref), ref.offset))
        return number, first

    def _form(self, step: Step) -> _Form:
        from graphflow.kernels._leaf import FIELDS

        assert self.isa is not None
        names = FIELDS[step.leaf]
        if len(step.fields) != len(names):
            raise KeyError(f"Leaf {step.leaf} takes {[name for name, _ in names]}, received {list(step.fields)}.")
        self._scratch = max(self._scratch, step.scratch)
        leaf = self.isa.leaves[step.leaf]
        row = step_row(leaf, 0, step.items, step.nanoseconds, step.limit, self.threads)
        given = [(step.fields[name], kind) for name, kind in names]
        slots = [slot_of(value, kind) if kind in "FI" else 0 for value, kind in given]
        pointers = [(at, ref) for at, (ref, kind) in enumerate(given) if kind not in "FI" and ref is not None]
        return _Form(step, row, slots, pointers)

    def beside(self, steps: Sequence[int]) -> None:
        """Let steps run side by side, which must be distinct and follow one another."""
        first, count = min(steps), len(steps)
        if sorted(steps) == list(range(first, first + count)) and all(self.rows[step].leaf for step in steps):
            self.rows[first] = self.rows[first]._replace(beside=count)

    def needs(self, storage: Storage) -> None:
        """Let an array be bound although no leaf takes it."""
        if storage.kind == "bound":
            self._base(storage)

    def _base(self, storage: Storage) -> int:
        """Bases: the arena, bound arrays, then the arrays of a run (inputs, states, results)."""
        if storage.kind == "arena":
            return 0
        if storage.kind == "bound":
            if storage.index not in self._bases:
                self._bases[storage.index] = len(self._bases)
                self.bound.append(storage.index)
            return 1 + self._bases[storage.index]
        return int(storage.index) + (0 if storage.kind == "input" else self._arrays)

    def program(self, arena_bytes: int) -> Any:
        """The program; nothing is added afterwards."""
        from graphflow.runtime._executor import Program

        fixed, moving = [], []
        for slot, storage, offset in self._moves:
            base = self._base(storage)
            if storage.kind == "arena":
                fixed.append((slot, base, storage.index + offset))
            elif storage.kind == "bound":
                fixed.append((slot, base, offset))
            else:
                moving.append((slot, base, offset))
        first = 1 + len(self._bases)
        threads = self.threads if any(row.shared for row in self.rows) else 1
        moving = [(slot, base + first, offset) for slot, base, offset in moving]
        return Program(self.rows, self.slots, fixed, moving, arena_bytes, self._scratch, threads)
