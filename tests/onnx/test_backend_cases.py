"""Every case of the backend tests that ship inside the onnx package passes or is refused by name."""

import pytest

pytestmark = [pytest.mark.oracle]


def test_no_case_is_wrong_and_as_many_pass_as_were_seen_to() -> None:
    pytest.importorskip("onnx", reason="the cases are in the package onnx; make parity installs it")
    from tests.onnx.backend import PASSING, cases, run_case

    outcomes = [run_case(case) for case in cases()]
    bad = [(one.name, one.result, one.reason) for one in outcomes if one.result in ("WRONG", "ERROR")]
    assert not bad
    assert all(one.detail for one in outcomes if one.result == "refused")
    assert sum(one.result == "pass" for one in outcomes) >= PASSING
