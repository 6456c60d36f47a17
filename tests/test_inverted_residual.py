"""Blocks of three convolutions as one node: the same bits as three, in every plan; and which blocks are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.layers import randomize
from cases.models import MODELS

import graphflow
from graphflow import Input, Model, ops
from graphflow import layers as L
from graphflow.inspect.counting import count
from graphflow.kernels import inverted_residual, isa
from graphflow.passes import tune
from graphflow.runtime import Session

Array = np.ndarray[Any, Any]
ISAS = list(isa.available())
OFF = "fuse_inverted_residual"


def block(x: Any, hidden: int, out: int, strides: int = 1, padding: str = "same", kernel: Any = 3) -> Any:
    y = L.ReLU(6.0)(L.Conv2D(hidden, 1)(x))
    y = L.Activation("relu")(L.DepthwiseConv2D(kernel, strides, padding)(y))
    y = L.Conv2D(out, 1)(y)
    return L.Add()([x, y]) if strides == 1 and out == x.shape[-1] and padding == "same" else y


def model(function: Any, shape: tuple[int | None, ...]) -> Model:
    x = Input(shape)
    made = graphflow.Model(x, function(x))
    randomize(made)
    return made


def ops_of(made: Model) -> list[str]:
    graph = made.graph()
    tune(graph)
    return [node.op.name for node in graph.ordered() if node.stage == "run"]


def kernels(session: Session, *shape: int) -> list[str | None]:
    plan = session.plan([shape])
    return [one.kernel.name if one.kernel else None for one in plan.nodes]


BLOCKS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "residual": (lambda x: block(x, 70, 9), (17, 19, 9)),
    "stride 2": (lambda x: block(x, 40, 16, 2), (26, 27, 8)),
    "valid": (lambda x: block(x, 33, 5, 1, "valid", (5, 3)), (15, 17, 3)),
    "alone": (lambda x: L.Conv2D(11, 1)(L.DepthwiseConv2D(3, padding="same")(x)), (12, 13, 21)),
    "separable": (lambda x: L.SeparableConv2D(11, 3)(x), (14, 15, 21)),
    "two": (lambda x: block(block(x, 50, 8), 40, 6), (14, 12, 8)),
    "small": (lambda x: block(x, 70, 9), (5, 6, 9)),
    "joined": (lambda x: L.Concatenate()([block(x, 32, 16), block(x, 20, 7)]), (13, 14, 9)),
}


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("isa_name", ISAS)
def test_a_block_has_the_bits_of_three_convolutions(name: str, isa_name: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(inverted_residual, "FEWEST_PIXELS", dict.fromkeys(ISAS, 100))
    made = model(*BLOCKS[name])
    x = np.random.default_rng(1).standard_normal((5, *BLOCKS[name][1])).astype(np.float32)
    with graphflow.knobs(isa=isa_name, passes_off=OFF):
        session = Session(made.graph())
        assert not any("inverted" in str(one) for one in kernels(session, *x.shape))
        (expected,) = session.run([x])
    for threads in (1, 2, 3):
        with graphflow.knobs(isa=isa_name, threads=threads):
            session = Session(made.graph())
            small = "separate" if name == "small" else "nhwc"
            assert f"inverted_residual_{small}_f32" in kernels(session, *x.shape)
            for split in (5, 1, 2, 3):
                parts = [session.run([x[at : at + split]])[0] for at in range(0, 5, split)]
                np.testing.assert_array_equal(np.concatenate(parts), expected)
    with graphflow.knobs(reference=True):
        (near,) = Session(made.graph()).run([x])
    np.testing.assert_allclose(expected, near, rtol=0, atol=4e-5 * np.abs(near).max())


def test_a_block_of_open_size_is_planned_for_each() -> None:
    made = model(lambda x: block(x, 30, 8), (None, None, 8))
    session = Session(made.graph())
    assert kernels(session, 2, 20, 20, 8) == ["inverted_residual_nhwc_f32"]
    assert kernels(session, 2, 6, 6, 8) == ["inverted_residual_separate_f32"]


def test_the_journal_names_the_parts() -> None:
    made = model(*BLOCKS["stride 2"])
    rows = [one for one in Session(made.graph()).journal.records if one.rule == "fuse_inverted_residual"]
    expand, depthwise, project = (one.name for one in made.layers if "conv" in one.name)
    assert [one.origin for one in rows] == [(depthwise,), (expand,)]
    assert all(one.what == f"joined {project}" and one.into == (project,) for one in rows)


class Moving(L.Layer):
    """A pointwise convolution whose weights are computed during the run."""

    def call(self, inputs: Any) -> Any:
        x, w = inputs
        return ops.conv(x, ops.reshape(w, (1, 1, 8, 6)))


LEFT_ALONE: dict[str, Any] = {
    "the expansion is an output": lambda x: (lambda e: [e, L.Conv2D(4, 1)(L.DepthwiseConv2D(3)(e))])(L.Conv2D(9, 1)(x)),
    "the depthwise result is used twice": lambda x: (lambda d: L.Add()([L.Conv2D(8, 1)(d), d]))(
        L.DepthwiseConv2D(3)(x)
    ),
    "strided projection": lambda x: L.Conv2D(4, 1, strides=2)(L.DepthwiseConv2D(3)(x)),
    "grouped projection": lambda x: L.Conv2D(4, 1, groups=2)(L.DepthwiseConv2D(3)(x)),
    "several outputs a channel": lambda x: L.Conv2D(4, 1)(L.DepthwiseConv2D(3, depth_multiplier=2)(x)),
    "a larger projection": lambda x: L.Conv2D(4, 2)(L.DepthwiseConv2D(3)(x)),
    "a sum between": lambda x: L.Conv2D(4, 1)(L.Add()([L.DepthwiseConv2D(3, padding="same")(x), x])),
}


@pytest.mark.parametrize("why", LEFT_ALONE)
def test_what_is_no_block_stays_what_it_is(why: str) -> None:
    found = ops_of(model(LEFT_ALONE[why], (14, 14, 8)))
    if why == "the expansion is an output":
        assert found.count("inverted_residual") == 1 and found.count("conv") == 1
    else:
        assert "inverted_residual" not in found


def test_weights_that_a_run_computes_are_left_to_convolution() -> None:
    x, w = Input((14, 14, 8)), Input((6,), batch_size=8)
    y = Moving()([L.DepthwiseConv2D(3)(x), w])
    assert "inverted_residual" not in ops_of(graphflow.Model([x, w], y))


def test_a_block_of_float64_is_left_to_its_parts() -> None:
    x = Input((14, 14, 8), dtype="float64")
    y = L.Conv2D(4, 1, dtype="float64")(L.DepthwiseConv2D(3, dtype="float64")(x))
    assert "inverted_residual" not in ops_of(graphflow.Model(x, y))


@pytest.mark.parametrize("name", ["residual", "stride 2", "alone"])
def test_a_block_costs_what_its_parts_cost(name: str) -> None:
    made = model(*BLOCKS[name])
    found = []
    for off in (OFF, ""):
        with graphflow.knobs(passes_off=off):
            session = Session(made.graph())
            plan = session.plan([(2, *BLOCKS[name][1])])
            found.append([count(one.node, plan.specs) for one in plan.nodes])
    apart, together = found
    assert len(together) == 1 < len(apart)
    assert together[0].macs == sum(one.macs or 0 for one in apart) > 0
    assert together[0].flops == sum(one.flops or 0 for one in apart)


def test_the_models_of_other_tests_hold_a_block() -> None:
    made = model(*MODELS["mobile"])
    assert ops_of(made).count("inverted_residual") == 3
