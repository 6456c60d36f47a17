"""Every op in every case of the tests: checked by onnx, and the reference's numbers out of ONNX Runtime."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest
from cases.ops import CASES
from cases.problem import OpCase, x
from test_ops import computed, one_node

from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_write import NEWEST_OPSET, OLDEST_OPSET, to_onnx
from onnx_export.runtime import ALLOWED, difference, runner

pytestmark = pytest.mark.oracle

REFUSED = {
    **dict.fromkeys(("deform_conv", "dft", "fold_blocks", "grid_sample", "roi_align"), "is read but not written"),
    "opaque": "could not be traced",
    "random_normal": "draws random numbers",
    "random_uniform": "draws random numbers",
}
"""Ops that ONNX can not say, and what the message says."""

NEEDS_NEWER = {
    **dict.fromkeys(("bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor"), 18),
    "bitcast": 26,
    "cast_narrow": 19,
    "dequantize": 21,
    "quantize": 21,
    "pad_from_inside": 19,
    "pool_channels_first": 19,
    "scatter_elements": 16,
    "scatter_nd": 18,
    "triangle": 14,
}
"""Ops of which some forms need a newer opset than the oldest, and the newest that one of them needs."""

WIDE_PADDING = ("max_pool_places", "pool_channels_first")
"""Ops that may have more padding than ONNX Runtime takes: less than the window has elements, dilated or not."""

STOPS_ON_NO_ROWS = ("cumprod", "gru", "locally_connected", "lstm", "rnn", "scan")
"""Ops whose operators stop the process of ONNX Runtime 1.31 when they are given an array without elements."""

REFUSES_NO_ELEMENTS = ("conv", "matmul")
"""Ops whose operators ONNX Runtime 1.31 does not compute where a size other than the batch is 0."""

LOSES_NAN = ("max", "max_pool", "min")
"""Ops whose operators in ONNX Runtime do not carry NaN on in the way of NumPy; ONNX says nothing about it."""

NO_FLOAT64 = (
    *("average_pool", "conv", "conv_transpose", "elu", "erf", "gelu", "group_norm", "gru", "hard_sigmoid", "log1p"),
    *("inverted_residual", "lstm", "rnn", "selu", "softplus", "softsign"),
)
"""Ops whose operators ONNX Runtime 1.31 computes in float32 alone, although ONNX has them in float64."""


def narrow_padding() -> list[OpCase]:
    """Pools that ONNX Runtime takes, too."""
    found = []
    for (kind, include), dilation, ceil in product(
        (("max", False), ("average", False), ("average", True), ("lp", False)), ((1, 1), (1, 2)), (False, True)
    ):
        window = {"size": (3, 2), "strides": (2, 1), "dilation": dilation, "padding": ((1, 0), (1, 1)), "ceil": ceil}
        tag = f"{kind}{include}{dilation[1]}{ceil}"
        attrs = {**window, "kind": kind, "include": include, "p": 2}
        found.append(OpCase("pool_channels_first", (x(2, 3, 7, 6),), attrs, tag))
        if kind == "max":
            attrs = {**window, "by_column": ceil}
            found.append(OpCase("max_pool_places", (x(2, 3, 7, 6, batch=False),), attrs, tag))
    return found


@pytest.mark.parametrize("opset", [OLDEST_OPSET, NEWEST_OPSET])
@pytest.mark.parametrize(
    "case", [case for case in [*CASES, *narrow_padding()] if case.op not in REFUSED], ids=lambda case: case.name
)
def test_an_op_of_the_cases(case: OpCase, opset: int) -> None:
    import onnx

    graph, moving = one_node(case)
    try:
        proto = to_onnx(graph, opset=opset)
    except UnsupportedError as error:
        needed = re.search(rf"needs opset (\d+) or newer, received opset={opset}", str(error))
        assert needed and opset < int(needed[1]) <= NEEDS_NEWER.get(case.op, 0), error
        return
    onnx.checker.check_model(proto, full_check=True)
    arrays = case.arrays()
    given = [arrays[index] for index in moving]
    no_rows = case.op in STOPS_ON_NO_ROWS and any(one is not None and 0 in one.shape for one in case.inputs)
    loses = case.op in LOSES_NAN and any(one is not None and one.kind == "special" for one in case.inputs)
    doubles = case.op in NO_FLOAT64 and any(one is not None and one.dtype == "float64" for one in case.inputs)
    empty = case.op in REFUSES_NO_ELEMENTS and any(one is not None and 0 in one.shape[1:] for one in case.inputs)
    if no_rows or loses:
        return
    try:
        session = runner(proto)
        found = session.run(None, {f"x{index}": array for index, array in zip(moving, given, strict=True)})
    except Exception as error:
        said = str(error)
        missing = doubles and ("NOT_IMPLEMENTED" in said or "does not support double" in said)
        wide = case.op in WIDE_PADDING and "Pad should be smaller than kernel" in said
        assert missing or wide or empty or (case.op == "cast_narrow" and "No corresponding Numpy type" in said), error
        return
    assert difference(found, computed(case)) <= ALLOWED


@pytest.mark.parametrize("case", [case for case in CASES if case.op in REFUSED], ids=lambda case: case.name)
def test_what_onnx_can_not_say_is_refused(case: OpCase) -> None:
    graph: Any
    graph, _ = one_node(case)
    with pytest.raises(UnsupportedError, match=f"node '{case.op}' can not be written as ONNX: .*{REFUSED[case.op]}"):
        to_onnx(graph)
