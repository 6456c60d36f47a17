"""Dask: lazy collections and jobs, on a cluster of processes that the test starts; a worker is killed on the way."""

from __future__ import annotations

import subprocess
import sys
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

from graphflow import Input, Model
from graphflow.batch import Job
from graphflow.batch.dask import engine, map_array, map_bag, map_dataframe
from graphflow.errors import ArgumentError, DataError, GraphflowError, ShapeError
from graphflow.layers import GRU, Conv1D

pytestmark = pytest.mark.cluster
da = pytest.importorskip("dask.array", reason="graphflow-engine[dask] is not installed")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="graphflow-engine[dask] is not installed")
    options = {"processes": True, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(n_workers=2, **options) as cluster, distributed.Client(cluster) as one:
        yield one


def lazily(array: Any) -> Any:
    """Computed in this process: what is asked of the graph, not of the cluster."""
    return array.compute(scheduler="synchronous")


# arrays


def test_nothing_runs_before_it_is_computed() -> None:
    calls: list[int] = []
    rows = da.from_array(X, chunks=(100, 4)).map_blocks(lambda x: (calls.append(len(x)), x)[1], dtype="f4", meta=X[:0])
    made = map_array(MODEL, rows)
    assert (made.shape, made.chunks, made.dtype) == ((640, 3), ((100,) * 6 + (40,), (3,)), np.dtype("float32"))
    assert (type(made._meta), made._meta.shape, made._meta.dtype) == (np.ndarray, (0, 0), np.dtype("float32"))
    assert calls == []
    np.testing.assert_array_equal(lazily(made), EXPECTED)
    assert sorted(calls) == [40] + [100] * 6


def test_names_are_the_same_for_the_same_work() -> None:
    rows = da.from_array(X, chunks=(100, 4))
    assert map_array(MODEL, rows).name == map_array(MODEL, rows).name
    assert map_array(MODEL, rows).name != map_array(MODEL, rows[::-1]).name


def test_several_inputs_and_outputs() -> None:
    """Chunks of different inputs are brought together; columns in several chunks too."""
    words, meta = da.from_array(WORDS, chunks=(100, 2)), da.from_array(META, chunks=(70, 2))
    for given in ([words, meta], {"meta": meta, "words": words}):
        pair, score = map_array(PAIR, given)
        assert (pair.shape, score.shape) == ((640, 2), (640, 1))
        assert sum(pair.chunks[0]) == 640 and pair.chunks[0] == score.chunks[0]
        np.testing.assert_array_equal(lazily(pair), EXPECTED_PAIR[0])
        np.testing.assert_array_equal(lazily(score), EXPECTED_PAIR[1])
    alone = map_array(PAIR, [words, meta], "score")
    np.testing.assert_array_equal(lazily(alone), EXPECTED_PAIR[1])
    (listed,) = map_array(PAIR, [words, meta], ["score"])
    np.testing.assert_array_equal(lazily(listed), EXPECTED_PAIR[1])


def test_arrays_whose_sizes_are_not_known() -> None:
    rows = da.from_array(X, chunks=(100, 4))
    kept = rows[rows[:, 0] > 0]
    made = map_array(MODEL, kept)
    assert np.isnan(made.shape[0]) and made.shape[1] == 3
    np.testing.assert_array_equal(lazily(made), EXPECTED[X[:, 0] > 0])
    none = map_array(MODEL, rows[rows[:, 0] > 1e9])
    assert lazily(none).shape == (0, 3)


def test_axes_of_unknown_size_are_those_of_the_arrays() -> None:
    x = Input((None, 4))
    model = Model(x, Conv1D(2, 3, name="conv")(GRU(3, return_sequences=True)(x)))
    rows = np.random.default_rng(0).standard_normal((20, 9, 4)).astype("float32")
    made = map_array(model, da.from_array(rows, chunks=(6, 5, 4)))
    assert (made.shape, made.chunks) == ((20, 7, 2), ((6, 6, 6, 2), (7,), (2,)))
    np.testing.assert_array_equal(lazily(made), model.predict(rows, verbose=0))


def test_results_go_on_lazily() -> None:
    made = map_array(MODEL, da.from_array(X, chunks=(100, 4)))
    np.testing.assert_array_equal(lazily(made.argmax(axis=1)), EXPECTED.argmax(1))
    np.testing.assert_array_equal(lazily(made[250:260, 1]), EXPECTED[250:260, 1])


def test_what_does_not_fit_is_said_at_once() -> None:
    rows = da.from_array(X, chunks=(100, 4))
    with pytest.raises(ShapeError, match=r"Input 'x' takes shape \(None, 4\)"):
        map_array(MODEL, rows[:, :3])
    with pytest.raises(ArgumentError, match="2 inputs of this model are words, meta; received 1"):
        map_array(PAIR, rows)
    with pytest.raises(ArgumentError, match="missing: meta"):
        map_array(PAIR, {"words": rows})
    with pytest.raises(ArgumentError, match="no output 'scores'"):
        map_array(PAIR, [da.from_array(WORDS), da.from_array(META)], "scores")


# dataframes and bags


@pytest.fixture(scope="module")
def table() -> Any:
    pandas = pytest.importorskip("pandas", reason="graphflow-engine[dask] is not installed")
    columns = {f"w{i}": WORDS[:, i] for i in range(5)} | {"a": META[:, 0], "b": META[:, 1]}
    return pandas.DataFrame({**columns, "key": [f"k{i}" for i in range(640)], "rest": 1.0}, index=np.arange(640) * 2)


INPUTS = {"words": [f"w{i}" for i in range(5)], "meta": ["a", "b"]}


def test_dataframes(table: Any) -> None:
    import dask.dataframe as dd

    frame = dd.from_pandas(table, npartitions=5)
    made = map_dataframe(PAIR, frame, INPUTS, ids="key")
    assert list(made.columns) == ["key", "pair_0", "pair_1", "score_0"]
    assert (made.npartitions, made.divisions) == (frame.npartitions, frame.divisions)
    assert list(map(str, made.dtypes))[1:] == ["float32"] * 3
    result = made.compute(scheduler="synchronous")
    assert list(map(str, result.dtypes)) == list(map(str, made.dtypes))
    np.testing.assert_array_equal(result[["pair_0", "pair_1"]].to_numpy(), EXPECTED_PAIR[0])
    np.testing.assert_array_equal(result["score_0"], EXPECTED_PAIR[1][:, 0])
    assert list(result["key"]) == list(table["key"]) and list(result.index) == list(table.index)
    one = map_dataframe(PAIR, frame[frame.a > 1e9], INPUTS, "score").compute(scheduler="synchronous")
    assert (list(one.columns), len(one)) == (["score_0"], 0)


def test_dataframes_that_do_not_fit(table: Any) -> None:
    import dask.dataframe as dd

    frame = dd.from_pandas(table, npartitions=2)
    with pytest.raises(ArgumentError, match="no column 'c'"):
        map_dataframe(PAIR, frame, {**INPUTS, "meta": ["a", "c"]})
    with pytest.raises(ArgumentError, match="two columns of the same name"):
        map_dataframe(PAIR, frame.rename(columns={"key": "score_0"}), INPUTS, ids="score_0")
    x = Input((None, 4), name="x")
    with pytest.raises(ArgumentError, match="no fixed size"):
        map_dataframe(Model(x, GRU(2, return_sequences=True)(x)), frame[["a"]])


def test_bags() -> None:
    import dask.bag as db

    rows = db.from_sequence(list(X), npartitions=4)
    made = map_bag(MODEL, rows).compute(scheduler="synchronous")
    np.testing.assert_array_equal(np.stack(made), EXPECTED)
    dicts = [{"w": WORDS[i].tolist(), "m": META[i], "key": i} for i in range(640)]
    both = map_bag(PAIR, db.from_sequence(dicts, npartitions=3), {"words": "w", "meta": "m"})
    listed = both.compute(scheduler="synchronous")
    np.testing.assert_array_equal(np.stack([one["score"] for one in listed]), EXPECTED_PAIR[1])
    np.testing.assert_array_equal(np.stack([one["pair"] for one in listed]), EXPECTED_PAIR[0])
    none = map_bag(MODEL, rows.filter(lambda row: row[0] > 1e9))
    assert none.compute(scheduler="synchronous") == []


# on a cluster


def test_a_worker_that_is_killed_while_it_computes_arrays(client: Any, tmp_path: Path) -> None:
    kills = KillsOnce(tmp_path / "mark")
    rows = da.from_array(X, chunks=(40, 4)).map_blocks(kills, dtype="f4", meta=X[:0])
    made = client.compute(map_array(MODEL, rows)).result(timeout=60)
    assert kills.killed()
    np.testing.assert_array_equal(made, EXPECTED)


def opened_here() -> int:
    from graphflow.batch import shipping

    return sum(isinstance(one, shipping.JobModel) for one in shipping._open.values())


def test_a_worker_opens_a_model_once(client: Any) -> None:
    client.restart()
    rows = da.from_array(X, chunks=(10, 4))
    made = client.gather(client.compute([map_array(MODEL, rows), map_array(MODEL, rows * 2)]))
    np.testing.assert_array_equal(made[0], EXPECTED)
    np.testing.assert_array_equal(made[1], MODEL.predict(X * 2, verbose=0))
    assert set(client.run(opened_here).values()) <= {0, 1} and 1 in client.run(opened_here).values()


@pytest.mark.parametrize("name", ["scores.npy", "scores.parquet", "scores.csv", "folder/"])
def test_a_job_gives_the_bytes_of_the_local_one(client: Any, tmp_path: Path, name: str) -> None:
    """Also when a worker is killed in the middle of a shard."""
    check_job(tmp_path, engine(client), name)


def test_what_one_engine_began_another_goes_on_with(client: Any, tmp_path: Path) -> None:
    """Here, there and in between: the bytes are the same."""

    def until(shards: int) -> Any:
        def some(job: Job, header: Any, ranges: Any, commit: Any) -> None:
            left = iter(range(shards))

            def counted(entry: Any) -> None:
                commit(entry)
                if next(left, None) is None:
                    raise KeyboardInterrupt

            engine(client)(job, header, ranges, counted)

        return some

    job = Job(MODEL, X, tmp_path / "y.parquet", **SETTINGS)
    for shards in (3, 5):
        with pytest.raises(KeyboardInterrupt):
            job.run(engine=until(shards))
    report = job.run()
    assert report.resumed_rows == (4 + 6) * 32
    (tmp_path / "here").mkdir()
    Job(MODEL, X, tmp_path / "here" / "y.parquet", **SETTINGS).run()
    assert (tmp_path / "y.parquet").read_bytes() == (tmp_path / "here" / "y.parquet").read_bytes()


def test_a_bad_row_stops_the_job_and_it_goes_on(client: Any, tmp_path: Path) -> None:
    job = Job(MODEL, X, tmp_path / "y.csv", map=Fails(), **SETTINGS)
    with pytest.raises(DataError, match=r"row 400: ValueError: row of no use"):
        job.run(engine=engine(client))
    assert job.can_resume()
    job.on_error = "skip"
    report = job.run(engine=engine(client))
    assert (report.rows, report.bad_rows) == (640, 1) and report.resumed_rows >= 32
    Job(MODEL, np.delete(X, 400, 0), tmp_path / "z.csv", **SETTINGS).run()
    assert (tmp_path / "y.csv").read_bytes() == (tmp_path / "z.csv").read_bytes()


def test_workers_that_always_die_end_the_job_which_can_go_on(client: Any, tmp_path: Path) -> None:
    job = Job(MODEL, X, tmp_path / "y.npy", map=AlwaysKills(), **SETTINGS)
    with pytest.raises(GraphflowError, match=r"died again and again in one shard|has had no worker for 60 s"):
        job.run(engine=engine(client))
    assert job.can_resume()


def test_a_cluster_without_workers_ends_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    from graphflow.batch import dask

    monkeypatch.setattr(dask, "PATIENCE", 5)
    options = {"n_workers": 0, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster) as none,
        pytest.raises(GraphflowError, match="has had no worker for 5 seconds"),
    ):
        Job(MODEL, X, tmp_path / "y.npy", **SETTINGS).run(engine=engine(none))


def test_the_command_starts_its_own_cluster(tmp_path: Path) -> None:
    from graphflow.samples import digits

    run = [sys.executable, "-m", "graphflow", "batch", digits.MODEL, digits.IMAGES, "--shard-rows", "32", "-o"]
    for name, more in (("near.npy", []), ("far.npy", ["--engine", "dask", "--workers", "2"])):
        subprocess.run([*map(str, run), name, *more], cwd=tmp_path, check=True, timeout=120)
    assert (tmp_path / "near.npy").read_bytes() == (tmp_path / "far.npy").read_bytes()


def test_engines_are_checked() -> None:
    with pytest.raises(ArgumentError, match="at least 1"):
        engine(workers=0)
