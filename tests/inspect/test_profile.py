"""`profile`: its steps add up to the run, and the machine's limits are limits."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from subjects import chain, odd, several, stateful

from graphflow import Input, Model, knobs
from graphflow import layers as L
from graphflow.errors import ArgumentError
from graphflow.inspect import flops, profile, roofline
from graphflow.inspect.roofline import Roofline


def millisecond() -> Model:
    x = y = Input((56, 56, 32))
    for _ in range(24):
        y = L.Conv2D(32, 3, padding="same", activation="relu")(y)
    return Model(x, y, name="millisecond")


def test_steps_add_up_to_the_run() -> None:
    found = profile(millisecond(), repeats=30)
    assert found.total > 1e-3
    assert 0.9 < found.steps_total / found.total <= 1.0
    assert found.steps_total == pytest.approx(sum(one.seconds for one in found.layers))


def test_steps_add_up_to_a_run_that_notes_no_times() -> None:
    """The fastest of many runs of each kind, in turns: what else the machine does has no part in it."""
    session = millisecond().session()
    x = [np.ones((1, 56, 56, 32), "float32")]
    plain, noted = [], []
    with knobs(threads=1):
        for turn in range(400):
            begun = time.perf_counter_ns()
            session.run(x)
            plain.append(time.perf_counter_ns() - begun)
            plan, times = session.timed(x)
            noted.append(times[-1] - times[0])
            assert len(times) == len(plan.program.steps) + 1 and (np.diff(times) >= 0).all()
            if turn > 20 and 0.9 < min(noted) / min(plain) < 1.1:
                break
    assert min(plain) > 1e6 and 0.9 < min(noted) / min(plain) < 1.1


def test_rows_are_the_nodes_of_the_plan_with_their_kernels_and_costs() -> None:
    model = chain()
    found = profile(model, repeats=3)
    plan = model.session().plan([(1, 12, 12, 3)])
    assert [one.op for one in found.steps] == [one.node.op.name for one in plan.nodes]
    assert sum(one.seconds for one in found.steps) == pytest.approx(found.steps_total)
    assert sum(one.share for one in found.layers) == pytest.approx(1.0)
    assert sum(one.flops for one in found.layers) == flops(model, tuned=True).flops
    conv = found.layers[0]
    assert conv.layer == "conv" and conv.kernel.startswith("conv_") and conv.parts
    assert conv.gflops == pytest.approx(conv.flops / conv.seconds / 1e9)
    assert found.slowest(2)[0].seconds >= found.slowest(2)[1].seconds


def test_python_functions_are_timed_and_not_rated() -> None:
    found = profile(odd(), repeats=3)
    (row,) = [one for one in found.layers if one.layer == "twice"]
    assert row.kernel == "reference" and row.flops is None and row.reached is None and row.seconds > 0
    assert "?" in str(found)


def test_the_states_of_a_stateful_model_stay_as_they_are() -> None:
    model, x = stateful(), np.ones((2, 4, 3), "float32")
    before = [one.numpy() for one in model.variables]
    profile(model, x, repeats=3)
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_inputs_and_shapes_can_be_given() -> None:
    model = several()
    found = profile(model, input_shapes={"a": (7, 8), "b": (7, 8), "words": (7, 5), "steps": (7, 5, 3)}, repeats=1)
    assert found.input_shapes["words"] == (7, 5) and found.repeats == 1
    assert json.loads(found.to_json())["machine"]["threads"] == found.machine.threads
    with pytest.raises(ArgumentError, match="repeats must be at least 1"):
        profile(model, repeats=0)


def test_references_can_be_profiled() -> None:
    with knobs(reference=True):
        found = profile(Model.from_config(millisecond().get_config()), input_shapes=(1, 56, 56, 32), repeats=1)
    assert {one.kernel for one in found.steps} == {"reference"}


def test_the_roofline_is_measured_once_and_nothing_exceeds_its_peak() -> None:
    found = roofline(threads=1)
    assert roofline(threads=1) is found
    assert found.gflops > 1 and found.cache_gbps > found.memory_gbps * 0.5 > 0.1
    x = Input((512,))
    model = Model(x, L.Dense(512, name="dense")(x))
    with knobs(threads=1):
        (row,) = profile(model, input_shapes=(512, 512), repeats=20).layers
    assert 0.02 * found.gflops < row.gflops < 1.25 * found.gflops


def test_limits_follow_from_flops_and_bytes() -> None:
    machine = Roofline("isa", 1, gflops=10.0, memory_gbps=2.0, cache_gbps=20.0)
    assert machine.seconds(10**10, 10**9) == (1.0, "compute")
    assert machine.seconds(10**9, 10**9) == (0.5, "memory")
    assert machine.seconds(0, 20_000) == (1e-6, "memory")
