"""What a kernel is asked, and what it answers: a call, and the steps, packed weights and work buffers it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphflow.kernels.isa import Isa
from graphflow.ops.activation import LINEAR, NAMES, Numbers
from graphflow.spec import TensorSpec

Array = np.ndarray[Any, Any]


class Ref(NamedTuple):
    """A pointer that is not known yet: operand `position` among the call's inputs, outputs, packs or work buffers."""

    kind: str
    position: int
    offset: int = 0


def operand(index: int) -> Ref:
    return Ref("in", index)


def result(index: int = 0) -> Ref:
    return Ref("out", index)


class Pack(NamedTuple):
    """An array made once per set of weights.

    Args:
        name: with the inputs, what makes it equal to another pack.
        inputs: which inputs of the call it is made from.
        make: from their arrays (None for one left out) to the packed array.
    """

    name: str
    inputs: tuple[int, ...]
    make: Callable[..., Array]


class Step(NamedTuple):
    """One run of a leaf.

    Args:
        leaf: its name in `fields.h`.
        fields: every argument of it, by name; pointers as `Ref` or None.
        items: how many items there are.
        nanoseconds: a rough guess of its time on one thread, which decides whether threads share it.
        limit: the most items in one call, if there is a limit.
        scratch: bytes that each thread needs for itself.
    """

    leaf: str
    fields: dict[str, Any]
    items: int
    nanoseconds: float
    limit: int | None = None
    scratch: int = 0


class Layout(NamedTuple):
    """A kernel's answer: steps in order, what must be packed before, work buffers (bytes), inputs it may overwrite."""

    steps: list[Step]
    packs: Sequence[Pack] = ()
    work: Sequence[int] = ()
    in_place: tuple[int, ...] = ()


BYTES_PER_NS = 20.0
"""What a kernel that only moves memory is reckoned to do, on one thread."""


def elements(shape: Any) -> int:
    """The elements of a concrete shape."""
    return math.prod(shape)


def dimension(size: int | None) -> int:
    """A dimension of a shape that is planned, where none is unknown."""
    assert size is not None
    return size


class Call(NamedTuple):
    """One node as kernels see it: concrete specs, attributes, and which inputs are known before a run."""

    attrs: dict[str, Any]
    inputs: tuple[TensorSpec | None, ...]
    outputs: tuple[TensorSpec, ...]
    known: tuple[bool, ...]
    isa: Isa
    threads: int
    precision: str = "default"
    """ "default", "strict", or "bounded": as "default", but Winograd's weights have no place in memory."""
    beside: bool = False
    """Whether it runs at the same time as others; then `threads` are its share, and its layout has one step."""


class KernelDef(NamedTuple):
    """One row of the kernel table.

    Args:
        name: its contract, such as "conv_nhwc_f32".
        op: the op it computes.
        order: the name of its chain of operations; equal order, equal bits.
        refuses: from a call to the reason why not, or None.
        lay: from a call to its layout.
        epilogues: what may be fused behind it: "bias", "residual", "activation".
        strided: the inputs whose rows (along the last axis) may have gaps between them, as then its first output's may;
            None where nothing may.
        beside: whether a call is better computed beside others of its kind, on a share of the threads, than shared by
            all of them; None: never.
    """

    name: str
    op: str
    order: str
    refuses: Callable[[Call], str | None]
    lay: Callable[[Call], Layout]
    epilogues: frozenset[str] = frozenset()
    strided: frozenset[int] | None = None
    beside: Callable[[Call], bool] | None = None


def not_float32(call: Call, *integer_inputs: int) -> str | None:
    """The reason why float32 kernels refuse a call, or None."""
    for index, spec in enumerate(call.inputs):
        if spec is not None and spec.dtype != "float32" and index not in integer_inputs:
            return f"input {index} is {spec.dtype}"
    return None


def act_fields(numbers: Numbers = LINEAR, prefix: str = "") -> dict[str, Any]:
    """The epilogue arguments of a leaf; `prefix` for a second activation."""
    name, alpha, beta, gamma = numbers
    key = prefix or "act"
    names = ("alpha", "beta", "gamma") if not prefix else (f"{prefix}_alpha", f"{prefix}_beta", f"{prefix}_gamma")
    return {key: NAMES.index(name), **dict(zip(names, (alpha, beta, gamma), strict=True))}
