"""`memory`: the arena it shows is the one the executor allocates, and nothing in it overlaps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from subjects import SUBJECTS, chain, several, walked
from well_known import mobilenet_v2

from graphflow.inspect import memory
from graphflow.inspect.subject import Subject


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_peak_is_the_arena_that_the_executor_allocates(subject: str) -> None:
    model = SUBJECTS[subject]()
    found = memory(model)
    session = Subject(model).session if subject != "bare" else None
    if session is not None:
        arrays = Subject(model).arrays()
        session.run(arrays)
        shapes = tuple(array.shape for array in arrays)
        assert session.arena_bytes[shapes] == found.peak
        context = session._take_context(session.plan(shapes))
        assert context.arena().nbytes == found.peak
    ends = max((one.offset + one.size for one in found.blocks), default=0)
    assert ends == found.peak >= found.lower_bound == max((one.live for one in found.steps), default=0)
    assert found.unshared == sum(one.size for one in found.blocks) >= found.peak


@pytest.mark.parametrize("build", [several, mobilenet_v2], ids=["several", "mobilenet_v2"])
def test_pieces_that_live_together_do_not_overlap(build) -> None:
    found = memory(build())
    assert len(found.blocks) > 3
    for step in range(len(found.steps)):
        pieces = sorted(found.at(step), key=lambda one: one.offset)
        assert sum(one.size for one in pieces) == found.steps[step].live
        assert len(pieces) == found.steps[step].blocks
        for before, after in pairwise(pieces):
            assert before.offset + before.size <= after.offset


def test_a_smaller_batch_shows_the_arena_it_runs_in() -> None:
    model = chain()
    large = memory(model, (8, 12, 12, 3))
    small = memory(model, (2, 12, 12, 3))
    session = model.session()
    assert session.arena_bytes[((2, 12, 12, 3),)] == small.peak <= large.peak
    assert (large.scale, small.scale) == (1, 4) and "4 times as large" in str(small)
    assert small.inputs * 4 == large.inputs == 8 * 12 * 12 * 3 * 4


def test_weights_and_what_is_bound_of_them_by_hand() -> None:
    model = chain()
    found = memory(model)
    assert found.weights == 4 * model.count_params()
    assert found.outputs == 4 * 5
    assert found.bound >= 4 * (3 * 3 * 3 * 8 + 8 + 8 * 5)
    assert sum("conv: conv" in one.holds for one in found.blocks) == 1


def test_bodies_of_scans_have_their_own_arenas() -> None:
    model = walked()
    found = memory(model)
    plan = model.session().plan([(1, 6, 5)])
    (body,) = [one.body for one in plan.nodes if one.body is not None]
    assert found.bodies == {"walk": body.plan.arena_bytes}
    assert np.isfinite(model.predict(np.ones((1, 6, 5)), verbose=0)).all()
