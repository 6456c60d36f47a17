"""Weights that are let go of once they are bound, and what a changed weight makes anew."""

from __future__ import annotations

import gc
import pickle
import weakref
from pathlib import Path

import numpy as np
import pytest

from graphflow import Input, Model
from graphflow.errors import DataError, GraphError
from graphflow.layers import Conv2D, Dense, Flatten


def network() -> Model:
    x = Input((9, 9, 4))
    y = Conv2D(8, 3, strides=2, activation="relu", name="first")(x)
    return Model(x, Dense(6, name="last")(Flatten()(y)))


def rows(count: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(1).standard_normal((count, 9, 9, 4)).astype("float32")


def test_a_session_runs_on_without_the_weights() -> None:
    model = network()
    session = model.session()
    expected = session.run([rows(5)])[0]
    session.release_weights()
    for count in (5, 3, 1, 5):
        np.testing.assert_array_equal(session.run([rows(5)[:count]])[0], expected[:count])
    np.testing.assert_array_equal(session.run([np.concatenate([rows(5), rows(5)])])[0][5:], expected)


def test_the_arrays_are_freed() -> None:
    model = network()
    session = model.session()
    session.run([rows(2)])
    kernel = weakref.ref(model.get_layer("last").kernel.value)
    session.release_weights()
    gc.collect()
    assert kernel() is None


def test_what_needs_the_weights_says_that_they_are_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    model = network()
    session = model.session()
    session.run([rows(2)])
    session.release_weights()
    for use in (model.get_weights, lambda: pickle.dumps(session), lambda: model.save("gone.keras")):
        with pytest.raises(DataError, match="'first/kernel' were released"):
            use()


def test_set_weights_brings_them_back() -> None:
    model, other = network(), network()
    session = model.session()
    session.run([rows(2)])
    session.release_weights()
    model.set_weights(other.get_weights())
    np.testing.assert_array_equal(session.run([rows(2)])[0], other.session().run([rows(2)])[0])


def test_nothing_is_released_before_a_run() -> None:
    with pytest.raises(GraphError, match="has run"):
        network().session().release_weights()


def test_a_changed_weight_leaves_what_does_not_depend_on_it() -> None:
    model = network()
    session = model.session()
    session.run([rows(2)])
    plan = session.plan([(2, 9, 9, 4)])
    before = {key: session._bindings.array(key) for key in plan.bound}
    kernel = model.get_layer("last").kernel
    kernel.assign(kernel.value + 1.0)
    session.run([rows(2)])
    anew = {key for key in plan.bound if session._bindings.array(key) is not before[key]}
    assert len(anew) == 1 < len(plan.bound)
    ((value,), _) = anew.pop()
    assert value.payload is kernel
