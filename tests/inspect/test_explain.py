"""`explain`: what passes did to layers, and why kernels were chosen or refused."""

from __future__ import annotations

from subjects import chain, odd, walked

from graphflow import Input, Model, knobs
from graphflow import layers as L
from graphflow.inspect import explain
from graphflow.kernels.table import rows_of
from graphflow.passes import PIPELINE


def test_every_change_is_told_with_its_layer_and_every_pass_with_its_number() -> None:
    found = explain(chain())
    told = [(one.rule, one.layer) for one in found.changes]
    assert ("fold_scale", "norm") in told and ("fuse_epilogue", "relu") in told
    assert [name for name, _ in found.passes] == list(dict.fromkeys(one.__name__ for one in PIPELINE))
    assert sum(number for _, number in found.passes) == len(found.changes)
    changes, choices = found.of("conv")
    assert not changes and [one.op for one in choices] == ["conv"]
    assert "norm" in str(found) and "folded into conv" in str(found)


def test_every_other_kernel_is_named_with_its_reason() -> None:
    found = explain(chain())
    for one in found.choices:
        if one.kernel is not None:
            assert {one.kernel, *(name for name, _ in one.others)} == {row.name for row in rows_of(one.op)}
            assert all(reason for _, reason in one.others)
    (conv,) = [one for one in found.choices if one.op == "conv"]
    refused = dict(conv.others)
    assert "only one group" in refused["depthwise_nhwc_f32"]
    assert conv.threads and conv.steps and conv.packed and conv.order


def test_views_references_and_python_functions_say_so() -> None:
    x = Input((4, 6))
    found = explain(Model(x, L.Dense(2)(L.Reshape((6, 4))(x))))
    assert "same memory" in next(one for one in found.choices if one.op.startswith("reshape")).why
    assert any(one.op == "opaque" and one.kernel is None for one in explain(odd()).choices)
    with knobs(reference=True):
        found = explain(chain())
    assert found.isa == "" and all("knob `reference`" in one.why for one in found.choices if "memory" not in one.why)


def test_a_scan_tells_how_its_step_is_computed() -> None:
    (scan,) = [one for one in explain(walked()).choices if one.op == "scan"]
    assert "plan of its body" in scan.why
    assert {one.op for one in scan.body} >= {"dense"}
    assert all(one.kernel for one in scan.body if one.op == "dense")
    assert ("fuse_epilogue", "walk/cell") in [(one.rule, one.layer) for one in explain(walked()).changes]


def test_passes_that_are_off_do_nothing() -> None:
    with knobs(passes_off="fold_scale"):
        found = explain(chain())
    assert dict(found.passes)["fold_scale"] == 0
    assert any(one.op == "batch_norm" for one in found.choices)
