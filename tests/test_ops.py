"""Every op: what is inferred is computed, all interpreters agree, and every kernel gives the reference's answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import library
from cases.ops import CASES
from cases.problem import Array, OpCase

import graphflow
from graphflow.ir import GraphBuilder, verify
from graphflow.kernels import elementwise, isa, placement, reduction
from graphflow.kernels.table import KERNELS
from graphflow.layers.tensor import KerasTensor, infer_only
from graphflow.ops import OPS
from graphflow.ops.activation import NAMES
from graphflow.ops.array import VIEWS
from graphflow.ops.dispatch import apply, tracing
from graphflow.ops.registry import OpDef
from graphflow.runtime import Session
from graphflow.spec import TensorSpec
from graphflow.variable import Variable

ISAS = list(isa.available())

NO_KERNEL: dict[str, str] = {
    **dict.fromkeys(VIEWS, "the output lies where the input lies"),
    **dict.fromkeys(("broadcast_to", "tile", "full_like"), "moved by NumPy"),
    **dict.fromkeys(("sin", "cos", "log1p", "expm1", "floor", "ceil", "round", "sign"), "rare functions, on NumPy"),
    **dict.fromkeys(("floor_divide", "mod", "power", "prod", "argmax", "argmin"), "rare arithmetic, on NumPy"),
    **dict.fromkeys(("cumsum", "cumprod", "one_hot"), "rare, on NumPy"),
    "shape": "known when a plan is made",
    "opaque": "a user's Python function",
    "scan": "its body has a plan of its own",
    **dict.fromkeys(("random_uniform", "random_normal"), "training only"),
    **dict.fromkeys(library.ELSEWHERE, "shapes that tensors hold, on NumPy"),
    **dict.fromkeys((case.op for case in library.CASES), "what only files of other systems ask for, on NumPy"),
}
"""Ops that run on their reference, and why."""


def batch_axes(case: OpCase) -> list[bool]:
    """Which inputs get None as their first size, so that any batch fits."""
    return [one is not None and one.batch and not one.known and len(one.shape) > 0 for one in case.inputs]


def specs_of(case: OpCase) -> list[TensorSpec | None]:
    free = batch_axes(case)
    return [
        None if one is None else TensorSpec(((None, *one.shape[1:]) if is_free else one.shape), one.dtype)
        for one, is_free in zip(case.inputs, free, strict=True)
    ]


def one_node(case: OpCase) -> tuple[Any, list[int]]:
    """A graph of the case's one node, and which of its inputs are given at run time."""
    builder = GraphBuilder(case.name)
    args: list[Any] = []
    moving = []
    for index, (one, array, spec) in enumerate(zip(case.inputs, case.arrays(), specs_of(case), strict=True)):
        if one is None or spec is None:
            args.append(None)
        elif one.known:
            args.append(Variable(array, f"w{index}"))
        else:
            moving.append(index)
            args.append(builder.input(spec, f"x{index}"))
    op: OpDef = OPS[case.op]
    with builder.tracing():
        result = apply(op, args, case.attrs)
    for index, tensor in enumerate((result,) if op.single else result):
        builder.output(tensor, f"y{index}")
    return builder.graph, moving


def computed(case: OpCase) -> tuple[Array, ...]:
    """The reference's answer."""
    with np.errstate(all="ignore"):
        return OPS[case.op].run_reference(case.attrs, case.arrays())


def assert_close(actual: Array, expected: Array, tolerance: float) -> None:
    """Equal but for `tolerance` times the largest finite expected number; exactly equal for zero."""
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    if tolerance == 0.0 or expected.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected)
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    largest = float(np.abs(expected[finite], dtype=np.float64).max(initial=0.0))
    worst = float(np.abs(actual[finite].astype(np.float64) - expected[finite]).max(initial=0.0))
    assert worst <= tolerance * largest, f"{worst} is more than {tolerance} of {largest}"


def ids(case: OpCase) -> str:
    return case.name


def test_every_op_has_cases() -> None:
    assert {case.op for case in CASES} | set(library.ELSEWHERE) == set(OPS)


def test_no_case_is_listed_twice() -> None:
    seen = [(case.name, repr(case.inputs), repr(case.attrs)) for case in CASES]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_what_is_inferred_is_what_is_computed_in_every_interpreter(case: OpCase) -> None:
    op, results = OPS[case.op], computed(case)
    symbolic = infer_only(op, [None if spec is None else KerasTensor(spec) for spec in specs_of(case)], case.attrs)
    graph, _ = one_node(case)
    verify(graph)
    inferred = [tensor.spec for tensor in ((symbolic,) if op.single else symbolic)]
    assert [value.spec for value in graph.outputs] == inferred
    assert len(results) == len(inferred)
    for array, spec in zip(results, inferred, strict=True):
        assert array.dtype.name == spec.dtype
        assert array.ndim == spec.rank
        assert all(want is None or want == got for want, got in zip(spec.shape, array.shape, strict=True))
    static = [None if one is None else TensorSpec(one.shape, one.dtype) for one in case.inputs]
    exact = op.infer(case.attrs, static, [None] * len(static))
    assert [spec.shape for spec in exact] == [array.shape for array in results]


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_arrays_are_computed_by_the_reference(case: OpCase) -> None:
    op = OPS[case.op]
    with tracing(None), np.errstate(all="ignore"):
        result = apply(op, case.arrays(), case.attrs)
    for actual, expected in zip((result,) if op.single else result, computed(case), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("isa_name", ISAS)
@pytest.mark.parametrize("case", CASES, ids=ids)
def test_kernels_give_the_reference_s_answer(case: OpCase, isa_name: str) -> None:
    graph, moving = one_node(case)
    arrays = case.arrays()
    with graphflow.knobs(isa=isa_name):
        session = Session(graph)
        actual = session.run([arrays[index] for index in moving])
    for one, expected in zip(actual, computed(case), strict=True):
        assert_close(one, expected, OPS[case.op].tolerance)


BATCHED = [
    case for case in CASES if all(batch_axes(case)[i] for i, one in enumerate(case.inputs) if one and not one.known)
]
SPLITTABLE = [
    case
    for case in BATCHED
    if case.op in OPS  # else the tests of that case say so
    if len({one.shape[0] for one in case.inputs if one and not one.known}) == 1
    and next(one.shape[0] for one in case.inputs if one and not one.known) > 1
    and 0 not in case.attrs.get("axes", ())
    and case.attrs.get("axis") != 0
    and case.op not in ("random_uniform", "random_normal")
    and all(array.size for array in computed(case))
]


@pytest.mark.parametrize("isa_name", ISAS)
@pytest.mark.parametrize("case", SPLITTABLE, ids=ids)
def test_a_row_has_the_same_bits_alone_and_in_a_batch(case: OpCase, isa_name: str) -> None:
    graph, moving = one_node(case)
    arrays = [case.arrays()[index] for index in moving]
    with graphflow.knobs(isa=isa_name):
        session = Session(graph)
        whole = session.run(arrays)
        rows = [session.run([array[row : row + 1] for array in arrays]) for row in range(len(arrays[0]))]
    for index, expected in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([row[index] for row in rows]), expected)


def test_the_compiled_tables_are_those_of_python() -> None:
    from graphflow.kernels import _leaf

    assert _leaf.ACTIVATIONS == NAMES
    assert _leaf.BINARIES == elementwise.BINARIES
    assert _leaf.REDUCTIONS == reduction.REDUCTIONS
    assert _leaf.INDEX_KINDS == placement.INDEX_KINDS


def test_every_op_has_a_kernel_or_a_reason() -> None:
    with_kernel = {row.op for row in KERNELS}
    assert with_kernel <= set(OPS)
    assert set(OPS) - with_kernel == set(NO_KERNEL)


def test_every_kernel_is_run_by_a_case() -> None:
    run = set()
    for case in CASES:
        graph, moving = one_node(case)
        plan = Session(graph).plan([case.arrays()[index].shape for index in moving])
        run |= {planned.kernel.name for planned in plan.nodes if planned.kernel is not None}
    assert run == {row.name for row in KERNELS}


def test_kernel_rows_have_their_own_names_and_epilogues_that_are_known() -> None:
    assert len({row.name for row in KERNELS}) == len(KERNELS)
    for row in KERNELS:
        assert row.epilogues <= {"bias", "residual", "activation"}
        assert row.order
