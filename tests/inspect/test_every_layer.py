"""Every configuration of every layer: inspections agree with what the layer computes and with each other."""

from __future__ import annotations

import numpy as np
import pytest
from cases.layers import CASES, LayerCase

from graphflow.inspect import compare, diff, explain, flops, memory, trace
from graphflow.layers.nest import leaves


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_inspections_of_every_layer(case: LayerCase) -> None:
    model = case.model(case.make())
    arrays = case.arrays()
    shapes = [np.shape(array) for array in arrays]
    outputs = list(leaves(model.predict(arrays, verbose=0)))

    values = trace(model, arrays)
    given = [values[name] for name in values.names[-len(outputs) :]]
    for array, expected in zip(given, outputs, strict=True):
        np.testing.assert_allclose(array, expected, rtol=0, atol=2e-5 * np.abs(expected).max(initial=0.0))

    cost = flops(model, shapes)
    assert cost.unknown == () or any(one.op in ("opaque", "scan") for one in cost.ops)
    assert all(one.macs >= 0 and one.flops >= 2 * one.macs for one in cost.ops if one.flops is not None)
    assert sum(one.flops for one in cost.layers) == cost.flops

    plan = model.session().plan(shapes)
    need = memory(model, shapes)
    assert need.peak == plan.arena_bytes >= need.lower_bound
    told = explain(model, shapes)
    assert [one.kernel for one in told.choices] == [one.kernel and one.kernel.name for one in plan.nodes]

    if not case.layer.startswith(("Random", "Gaussian")):
        found = compare(model, inputs=arrays, settings={"reference": True}, tolerance=2e-5)
        assert found.same, str(found)
    assert not diff(model, model)
