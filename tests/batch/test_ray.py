"""Ray: datasets and jobs, on a Ray that the test starts, which listens to this machine only; a worker is killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_rows import (
    EXPECTED,
    EXPECTED_PAIR,
    META,
    MODEL,
    PAIR,
    SETTINGS,
    WORDS,
    AlwaysKills,
    Fails,
    KillsOnce,
    X,
    check_job,
)

from graphflow.batch import Job
from graphflow.batch.ray import Predictor, engine, map_dataset
from graphflow.batch.shipping import Shipped
from graphflow.errors import ArgumentError, DataError, GraphflowError

pytestmark = pytest.mark.cluster
HERE = str(Path(__file__).parent)


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Two processors; workers find the modules of these tests."""
    folder = tempfile.mkdtemp(prefix="gf-ray-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
        patch.setenv("PYTHONPATH", HERE)
        one = pytest.importorskip("ray", reason="graphflow-engine[ray] is not installed")
        one.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="warning",
            object_store_memory=100 << 20,
            _temp_dir=folder,
        )
        try:
            yield one
        finally:
            one.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def in_order(dataset: Any) -> dict[str, Any]:
    """All rows by column, in the order of their keys."""
    rows = sorted(dataset.take_all(), key=lambda row: row["key"])
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def test_it_listens_to_this_machine_only(ray: Any) -> None:
    assert ray.util.get_node_ip_address() == "127.0.0.1"


def test_datasets(ray: Any) -> None:
    """A predictor in each of two actors."""
    rows = ray.data.from_numpy(list(np.arange(640).reshape(8, 80))).rename_columns({"data": "key"})
    rows = rows.map_batches(lambda batch: {"key": batch["key"], "x": X[batch["key"]]}, batch_size=100)
    made = in_order(map_dataset(MODEL, rows, {"x": "x"}, ids="key", workers=2))
    assert list(made) == ["key", *MODEL.output_names]
    np.testing.assert_array_equal(made["key"], np.arange(640))
    np.testing.assert_array_equal(made[list(made)[1]], EXPECTED)


def test_several_inputs_and_outputs(ray: Any) -> None:
    """The class as `map_batches` takes it."""
    listed = [{"key": i, "w": WORDS[i], "a": META[i, 0], "b": META[i, 1]} for i in range(640)]
    arguments = (Shipped(PAIR), {"words": "w", "meta": ["a", "b"]}, None, "key")
    rows = ray.data.from_items(listed, override_num_blocks=4)
    made = in_order(rows.map_batches(Predictor, fn_constructor_args=arguments, concurrency=1))
    np.testing.assert_array_equal(made["pair"], EXPECTED_PAIR[0])
    np.testing.assert_array_equal(made["score"], EXPECTED_PAIR[1])


def test_an_actor_that_is_killed_is_replaced(ray: Any, tmp_path: Path) -> None:
    kills = KillsOnce(tmp_path / "mark")

    class Kills(Predictor):
        def __call__(self, batch: Any) -> Any:
            kills(batch["x"])
            return super().__call__(batch)

    rows = ray.data.from_items([{"key": i, "x": X[i]} for i in range(640)], override_num_blocks=8)
    arguments = (Shipped(MODEL), {"x": "x"}, None, "key")
    made = in_order(rows.map_batches(Kills, fn_constructor_args=arguments, concurrency=1))
    assert kills.killed()
    np.testing.assert_array_equal(made["key"], np.arange(640))
    np.testing.assert_array_equal(made[MODEL.output_names[0]], EXPECTED)


@pytest.mark.parametrize("name", ["scores.npy", "scores.parquet", "scores.csv", "folder/"])
def test_a_job_gives_the_bytes_of_the_local_one(ray: Any, tmp_path: Path, name: str) -> None:
    """Also when a worker is killed in the middle of a shard."""
    check_job(tmp_path, engine(), name)
    assert ray.is_initialized()


def test_a_worker_opens_a_job_once(ray: Any, tmp_path: Path) -> None:
    """Twenty shards, no more openings than processes."""
    marks = tmp_path / "opened"
    marks.mkdir()

    Job(MODEL, X, tmp_path / "y.npy", map=Notes(marks), **SETTINGS).run(engine=engine())
    assert len(list(marks.iterdir())) <= 3


class Notes:
    """A `map=` that leaves a file for each time that it was unpickled and used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._noted = False

    def __call__(self, columns: Any) -> Any:
        if not self._noted:
            self._noted = True
            (self.folder / f"{os.getpid()}-{id(self)}").touch()
        return columns["data"]


def test_a_bad_row_stops_the_job_and_it_goes_on(ray: Any, tmp_path: Path) -> None:
    job = Job(MODEL, X, tmp_path / "y.csv", map=Fails(), **SETTINGS)
    with pytest.raises(DataError, match=r"row 400: ValueError: row of no use"):
        job.run(engine=engine())
    assert job.can_resume()
    job.on_error = "skip"
    report = job.run(engine=engine())
    assert (report.rows, report.bad_rows) == (640, 1) and report.resumed_rows >= 32
    Job(MODEL, np.delete(X, 400, 0), tmp_path / "z.csv", **SETTINGS).run()
    assert (tmp_path / "y.csv").read_bytes() == (tmp_path / "z.csv").read_bytes()


def test_workers_that_always_die_end_the_job_which_can_go_on(ray: Any, tmp_path: Path) -> None:
    job = Job(MODEL, X, tmp_path / "y.npy", map=AlwaysKills(), **SETTINGS)
    with pytest.raises(GraphflowError, match="died again and again in one shard"):
        job.run(engine=engine())
    assert job.can_resume()


def test_the_command_starts_its_own_ray(tmp_path: Path) -> None:
    from graphflow.samples import digits

    run = [sys.executable, "-m", "graphflow", "batch", digits.MODEL, digits.IMAGES, "--shard-rows", "32", "-o"]
    for name, more in (("near.npy", []), ("far.npy", ["--engine", "ray", "--workers", "2"])):
        subprocess.run([*map(str, run), name, *more], cwd=tmp_path, check=True, timeout=120)
    assert (tmp_path / "near.npy").read_bytes() == (tmp_path / "far.npy").read_bytes()


def test_engines_are_checked() -> None:
    with pytest.raises(ArgumentError, match="at least 1"):
        engine(workers=0)
