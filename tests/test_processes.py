"""Models in forks and pickles, over many runs, and after steps that failed."""

from __future__ import annotations

import gc
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.models import MODELS, as_list, data, make

from graphflow import Input, Model, Sequential
from graphflow.layers import Conv2D, Dense, Flatten, Lambda, MaxPooling2D

Array = np.ndarray[Any, Any]


def conv_model() -> Model:
    first = Conv2D(24, 3, padding="same", activation="relu", input_shape=(17, 15, 5))
    return Sequential([first, MaxPooling2D(2), Conv2D(33, 3, strides=2), Flatten(), Dense(10, activation="tanh")])


def dense_model() -> Model:
    return Sequential([Dense(601, activation="gelu", input_shape=(70,)), Dense(130, activation="tanh"), Dense(1)])


def random_input(model: Model, rows: int) -> Array:
    shape = model.input_shape[1:]
    return np.random.default_rng(rows).standard_normal((rows, *shape)).astype("float32")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_runs_the_model_with_threads() -> None:
    code = """
import os, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, graphflow
from graphflow.layers import Conv2D
graphflow.set_num_threads(2)
x = graphflow.Input((40, 40, 16))
model = graphflow.Model(x, Conv2D(32, 3)(x))
data = np.random.default_rng(0).standard_normal((8, 40, 40, 16)).astype("float32")
expected = model.predict(data)
pid = os.fork()
if pid == 0:
    os._exit(0 if all(np.array_equal(model.predict(data), expected) for _ in range(5)) else 3)
for _ in range(600):
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        assert np.array_equal(model.predict(data), expected)
        sys.exit(os.waitstatus_to_exitcode(status))
    time.sleep(0.05)
os.kill(pid, 9)
sys.exit(9)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"mixed"}))
def test_models_and_sessions_are_pickled_by_content(name: str) -> None:
    model = make(name)
    x = data(name)
    expected = as_list(model.predict(x))
    for twin in (pickle.loads(pickle.dumps(model)), pickle.loads(pickle.dumps(model, 5))):
        assert twin.name == model.name
        assert [one.name for one in twin.layers] == [one.name for one in model.layers]
        for actual, other in zip(as_list(twin.predict(x)), expected, strict=True):
            np.testing.assert_array_equal(actual, other)
    session = pickle.loads(pickle.dumps(model.session()))
    assert session.input_names == model.session().input_names
    for actual, other in zip(session.run({"x": x}), expected, strict=True):
        np.testing.assert_array_equal(actual, other)


def test_a_closed_session_runs_again() -> None:
    model = dense_model()
    x = random_input(model, 3)
    expected = model.predict(x)
    model.session().close()
    assert model.session().arena_bytes == {}
    np.testing.assert_array_equal(model.predict(x), expected)


def test_closing_a_session_gives_its_memory_back() -> None:
    x = Input((1000,))
    session = Model(x, Dense(10)(Dense(4000)(x))).session()
    given = np.zeros((2000, 1000), "float32")
    for _ in range(3):
        session.run([given])
    held = resident_bytes()
    (arena,) = session.arena_bytes.values()
    assert arena > 30_000_000
    session.close()
    gc.collect()
    assert held - resident_bytes() > 0.8 * arena


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_two_thousand_runs_of_changing_sizes_leave_memory_where_it_was() -> None:
    model = conv_model()
    x = random_input(model, 48)
    sizes = np.random.default_rng(0).integers(1, 48, 2000)
    session = model.session()
    for rows in range(1, 48):
        session.run([x[:rows]])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for rows in sizes:
        session.run([x[:rows]])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 30_000, f"{grown} kB"


def test_a_failing_step_leaves_the_session_usable() -> None:
    x = Input((4,))

    def picky(v: Any) -> Any:
        values = np.asarray(v)
        if (values == 13).any():
            raise ValueError("unlucky")
        return values * 2

    model = Model(x, Dense(4, kernel_initializer="identity")(Lambda(picky, output_shape=(4,))(x)))
    good = np.arange(8.0, dtype="float32").reshape(2, 4)
    for _ in range(3):
        np.testing.assert_array_equal(model.predict(good), good * 2)
        with pytest.raises(ValueError, match="unlucky"):
            model.predict(good + 13)


def test_an_opaque_function_may_run_a_model_itself() -> None:
    inner = dense_model()
    x = Input((70,))
    model = Model(x, Lambda(lambda v: inner.predict(np.asarray(v)), output_shape=(1,))(x))
    given = random_input(inner, 40)
    np.testing.assert_array_equal(model.predict(given), inner.predict(given))
