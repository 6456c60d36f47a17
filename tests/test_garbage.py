"""Full collections are put off while graphs are lowered, tuned and planned, and only then."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from graphflow import Input, Model
from graphflow.errors import GraphflowError
from graphflow.garbage import NEVER, full_collections_put_off
from graphflow.layers import Dense, Lambda
from graphflow.runtime import Session

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 14), reason="the third threshold means nothing from 3.14 on")

OWN = (690, 9, 8)


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*OWN)
    yield
    gc.set_threshold(*before)


def is_put_off() -> bool:
    return gc.get_threshold() == (*OWN[:2], NEVER)


def test_it_nests_and_ends_with_the_outermost() -> None:
    with full_collections_put_off():
        with full_collections_put_off():
            assert is_put_off()
        assert is_put_off()
    assert gc.get_threshold() == OWN


def test_it_ends_with_an_error() -> None:
    with pytest.raises(KeyError), full_collections_put_off():
        raise KeyError
    assert gc.get_threshold() == OWN


def test_the_collector_stays_enabled_or_disabled_as_it_was() -> None:
    with full_collections_put_off():
        assert gc.isenabled()
        gc.disable()
    try:
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_thresholds_that_were_changed_inside_stay() -> None:
    with full_collections_put_off():
        gc.set_threshold(500, 5, 5)
    assert gc.get_threshold() == (500, 5, 5)


def test_threads_that_overlap_end_it_together() -> None:
    entered, go = threading.Event(), threading.Event()

    def other() -> None:
        with full_collections_put_off():
            entered.set()
            go.wait(10)

    thread = threading.Thread(target=other)
    with full_collections_put_off():
        thread.start()
        assert entered.wait(10)
    assert is_put_off()
    go.set()
    thread.join()
    assert gc.get_threshold() == OWN


class Ring:
    """A cycle."""

    def __init__(self) -> None:
        self.own = self


def test_young_cycles_are_freed_inside_and_old_ones_wait() -> None:
    gc.collect()
    full = gc.get_stats()[2]["collections"]
    old = weakref.ref(held := Ring())
    kept: list[Any] = []
    with full_collections_put_off():
        kept += [[] for _ in range(20_000)]
        del held
        young = weakref.ref(Ring())
        kept += [[] for _ in range(200_000)]
        assert young() is None
        assert old() is not None
        assert gc.get_stats()[2]["collections"] == full
    kept += [[] for _ in range(200_000)]
    assert old() is None


FORK = """
import gc, os, threading
from graphflow.garbage import full_collections_put_off, NEVER
gc.set_threshold(690, 9, 8)
entered, go = threading.Event(), threading.Event()
def other():
    with full_collections_put_off():
        entered.set(); go.wait(20)
thread = threading.Thread(target=other); thread.start(); entered.wait(20)
assert gc.get_threshold()[2] == NEVER
def child():
    # the other thread is not here; this one may be inside itself
    assert gc.get_threshold()[2] == (NEVER if inside else 8), gc.get_threshold()
    with full_collections_put_off():
        assert gc.get_threshold()[2] == NEVER
    return inside
for inside in (False, True):
    if inside:
        with full_collections_put_off():
            pid = os.fork()
            if not pid:
                child()
        if not pid:
            os._exit(0 if gc.get_threshold() == (690, 9, 8) else 1)
    else:
        pid = os.fork()
        if not pid:
            child()
            os._exit(0 if gc.get_threshold() == (690, 9, 8) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
go.set(); thread.join()
assert gc.get_threshold() == (690, 9, 8)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_keeps_what_its_only_thread_put_off() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_lowering_tuning_and_planning_put_them_off_and_runs_do_not() -> None:
    seen: dict[str, bool] = {}

    def noted(x: Any) -> Any:
        seen["call"] = is_put_off()
        return x * 2.0

    x = Input((4,))
    model = Model(x, Lambda(noted)(Dense(3)(x)))
    assert not seen.pop("call")  # while the model is described
    graph = model.graph()
    assert seen["call"]
    assert gc.get_threshold() == OWN
    session = Session(graph)
    session.run([np.ones((2, 4), "float32")])
    assert gc.get_threshold() == OWN
    with pytest.raises(GraphflowError):
        session.plan([(2, 5)])
    assert gc.get_threshold() == OWN
