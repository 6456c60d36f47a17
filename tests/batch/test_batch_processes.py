"""Jobs in several processes: the bytes of one, also when workers are killed."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_models import vector_model, vectors

from graphflow.batch import Job
from graphflow.batch.local import cut, processes
from graphflow.errors import ArgumentError, DataError, GraphflowError

MODEL = vector_model()
X = vectors(320)
EXPECTED = MODEL.predict(X, verbose=0)
SMALL = {"batch_size": 8, "shard_rows": 32}


class KillsOnce:
    """A `map=` that kills the first process that comes to some rows."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self, columns: Any) -> Any:
        if (columns["data"] == X[200]).all(axis=1).any() and not self.mark.exists():
            self.mark.write_text("killed")
            os.kill(os.getpid(), signal.SIGKILL)
        return columns["data"]


class AlwaysKills:
    """A `map=` that kills every process."""

    def __call__(self, columns: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def test_jobs_are_carried_by_content() -> None:
    job = pickle.loads(pickle.dumps(Job(MODEL, X, "o.npy", post="argmax", **SMALL)))
    assert (job.post, job.shard_rows) == ("argmax", 32)
    np.testing.assert_array_equal(job.model.predict(X, verbose=0), EXPECTED)


def test_a_worker_runs_a_range_of_shards_in_this_process(tmp_path: Path) -> None:
    """The seam that engines stand on: a header, ranges, entries."""

    def engine(job: Job, header: Any, ranges: Any, commit: Any) -> None:
        entries: list[Any] = []
        for first, stop in reversed(cut(ranges, 2)):
            worker = pickle.loads(pickle.dumps(job)).worker(pickle.loads(pickle.dumps(header)))
            worker.run(first, stop, entries.append)
        assert sorted(entry["shard"] for entry in entries) == list(range(10))
        for entry in entries:
            commit(pickle.loads(pickle.dumps(entry)))

    for name in ("o.npy", "o.csv"):
        Job(MODEL, X, tmp_path / f"one-{name}", **SMALL).run()
        Job(MODEL, X, tmp_path / f"two-{name}", **SMALL).run(engine=engine)
        assert (tmp_path / f"one-{name}").read_bytes() == (tmp_path / f"two-{name}").read_bytes()


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    job = Job(MODEL, X, tmp_path / "o.npy", map=KillsOnce(tmp_path / "mark"), **SMALL)
    report = job.run(engine=processes(2))
    assert (tmp_path / "mark").exists()
    assert (report.status, report.rows) == ("finished", 320)
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), EXPECTED)


@pytest.mark.fuzz
def test_workers_that_always_die_end_the_job(tmp_path: Path) -> None:
    job = Job(MODEL, X[:64], tmp_path / "o.npy", map=AlwaysKills(), **SMALL)
    with pytest.raises(GraphflowError, match="Worker processes died 3 times"):
        job.run(engine=processes(1))
    assert job.can_resume()


def test_a_bad_row_in_a_worker_stops_the_job(tmp_path: Path) -> None:
    spoiled = X.copy().astype("float64")
    job = Job(MODEL, {"x": spoiled.astype("U")}, tmp_path / "o.npy", **SMALL)
    with pytest.raises(DataError, match="are not numbers"):
        job.run(engine=processes(1))


def test_processes_need_random_access(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="any row can be reached"):
        Job(MODEL, [X], tmp_path / "o.npy", **SMALL).run(engine=processes(2))
    with pytest.raises(ArgumentError, match="at least 1"):
        processes(0)
