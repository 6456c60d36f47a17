"""What travels to other processes, without an engine."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_models import two_inputs, vector_model, vectors

import graphflow
from graphflow import Input, Model, ops
from graphflow.batch import Job, shipping
from graphflow.batch.engines import engine_of
from graphflow.batch.model import JobModel
from graphflow.batch.progress import Progress
from graphflow.batch.ray import Predictor
from graphflow.batch.shipping import RangeWork, Shipped, absolute, run_ranges
from graphflow.batch.spark import PredictFn, input_tensor_shapes
from graphflow.errors import ArgumentError, GraphflowError, ShapeError
from graphflow.kernels import isa
from graphflow.layers import GRU, Lambda

MODEL = vector_model()
X = vectors(100)
EXPECTED = MODEL.predict(X, verbose=0)


def test_a_session_with_another_instruction_set_keeps_what_it_computes() -> None:
    """The same graph, weights, hash and precision; the orders of that instruction set."""
    with graphflow.knobs(precision="strict"):
        session = two_inputs().session()
    other = JobModel(session, "base")
    assert (other.session.precision, other.isa) == ("strict", "base")
    assert other.hash() == JobModel(session).hash()
    with graphflow.knobs(precision="strict", isa="base"):
        assert other.orders() == JobModel(two_inputs()).orders()


def test_a_model_is_opened_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    content = pickle.dumps(Shipped(MODEL, batch_size=16))
    loads: list[int] = []
    load = Shipped._load
    monkeypatch.setattr(Shipped, "_load", lambda self: (loads.append(1), load(self))[1])
    first, second = pickle.loads(content), pickle.loads(content)
    for one in (first, second, first):
        np.testing.assert_array_equal(one.run([X])[0], EXPECTED)
    assert len(loads) == 1


def test_content_is_of_the_moment_of_shipping() -> None:
    model = vector_model()
    ship = Shipped(model)
    model.set_weights([np.zeros_like(one) for one in model.get_weights()])
    np.testing.assert_array_equal(ship.run([X])[0], EXPECTED)
    assert Shipped(model).hash != ship.hash


def test_functions_of_a_script_travel_too(tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle", reason="plain pickle names functions, and does not carry them")
    x = Input((4,))
    scale = 3.0
    model = Model(x, Lambda(lambda rows: rows * scale)(x))
    (tmp_path / "content").write_bytes(pickle.dumps(Shipped(model)))
    np.save(tmp_path / "x.npy", X)
    load = "import pickle, numpy as np; model = pickle.load(open('content', 'rb'))"
    code = f"{load}; np.save('y.npy', model.run([np.load('x.npy')])[0])"
    folder = Path(graphflow.__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": str(folder)}
    )
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), X * np.float32(3))


def test_outputs_take_what_is_known_of_the_inputs() -> None:
    x = Input((None, 3))
    model = Model(x, GRU(2, return_sequences=True, name="states")(x))
    assert Shipped(model).outputs()[0].shape == (None, None, 2)
    assert Shipped(model).outputs([(None, 5, 3)])[0].shape == (None, 5, 2)


def test_outputs_without_a_row_for_each_row_are_refused() -> None:
    x = Input((4,))
    ship = Shipped(Model(x, ops.sum(x, axis=0)))
    with pytest.raises(ShapeError, match="row"):
        ship.outputs([(None, 4)])
    with pytest.raises(ShapeError, match="has 4 rows for 100"):
        ship.run([X])


def test_rows_must_be_equal_in_number() -> None:
    with pytest.raises(ShapeError, match=r"equal numbers of rows, received \[2, 3\]"):
        Shipped(two_inputs()).run([np.zeros((3, 5), "int32"), np.zeros((2, 2))])


def test_no_rows_give_no_rows() -> None:
    assert Shipped(MODEL).run([X[:0]])[0].shape == (0, 3)


def test_a_process_that_computes_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one whose processor lacks the instruction set, and has kernels of another order."""
    ship = Shipped(MODEL)
    monkeypatch.setattr(shipping, "_open", type(shipping._open)())
    ship.isa, ship.orders = "later", "others"
    with pytest.raises(ArgumentError, match=f"runs 'later'; this one, with '{isa.current().name}'"):
        pickle.loads(pickle.dumps(ship)).run([X])


def test_threads_are_those_that_were_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphflow.runtime.threads import get_num_threads, set_num_threads

    set_num_threads(None)
    seen: list[int] = []
    run = JobModel.run
    monkeypatch.setattr(JobModel, "run", lambda *args: (seen.append(get_num_threads()), run(*args))[1])
    for threads in (1, 3):
        Shipped(MODEL, threads=threads).run([X])
    assert seen == [1, 3]


def test_numbers_are_checked() -> None:
    for wrong in ({"batch_size": 0}, {"batch_size": "all"}, {"threads": -1}, {"threads": 1.5}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            Shipped(MODEL, **wrong)


def test_ranges_run_in_the_process_that_has_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths are those of the process that began the job."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    settings: dict[str, Any] = {"batch_size": 8, "shard_rows": 16, "post": "argmax"}

    def engine(job: Job, header: Any, ranges: Any, commit: Any) -> None:
        content = pickle.dumps(RangeWork(job, header))
        monkeypatch.chdir("/")
        run_ranges(
            ranges, lambda *one: one, lambda r: r[-1], lambda h: pickle.loads(content).run(*h), lambda: 3, commit
        )
        monkeypatch.chdir(tmp_path)

    Job(MODEL, "x.npy", "far.npy", **settings).run(engine=engine)
    Job(MODEL, "x.npy", "near.npy", **settings).run()
    assert Path("far.npy").read_bytes() == Path("near.npy").read_bytes()


def test_a_worker_that_sees_another_source_or_folder_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)

    def engine(job: Job, header: Any, ranges: Any, commit: Any) -> None:
        changed = pickle.loads(pickle.dumps(header))
        changed["identity"]["source"]["files" if "files" in changed["identity"]["source"] else "rows"] = "others"
        with pytest.raises(ArgumentError, match="another source"):
            RangeWork(job, changed).run(0, 1)
        elsewhere = Job(job.model, job.source, tmp_path / "nowhere.npy", batch_size=8, shard_rows=16)
        with pytest.raises(ArgumentError, match="does not see the folder"):
            RangeWork(elsewhere, header).run(0, 1)
        RangeWork(job, header).run(0, 1)
        raise GraphflowError("enough")

    with pytest.raises(GraphflowError, match="enough"):
        Job(MODEL, tmp_path / "x.npy", tmp_path / "y.npy", batch_size=8, shard_rows=16).run(engine=engine)


def test_shards_that_run_elsewhere_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []
    monkeypatch.setattr(Progress, "advance", lambda self, rows: shown.append(rows))

    def engine(job: Job, header: Any, ranges: Any, commit: Any) -> None:
        work = RangeWork(job, header)
        run_ranges(ranges, lambda *one: one, lambda running: running[0], lambda h: work.run(*h), lambda: 1, commit)

    Job(MODEL, X, tmp_path / "y.npy", batch_size=8, shard_rows=32).run(engine=engine)
    assert shown == [32, 32, 32, 4]


def test_a_range_that_fails_lets_the_others_end() -> None:
    """Nothing new is begun; what runs is committed."""
    begun: list[int] = []
    committed: list[Any] = []

    def result(handle: int) -> list[Any]:
        if handle == 1:
            raise ValueError("bad")
        return [{"shard": handle}]

    with pytest.raises(ValueError, match="bad"):
        run_ranges(
            [(0, 9)],
            lambda first, stop: (begun.append(first), first)[1],
            lambda running: running[0] if len(running) == 1 else running[1],
            result,
            lambda: 3,
            committed.append,
        )
    assert begun == [0, 1, 2]
    assert [one["shard"] for one in committed] == [2, 0]


def test_engines_have_names() -> None:
    with pytest.raises(ArgumentError, match=r"no engine 'dsk'.*dask"):
        engine_of("dsk")
    assert absolute(["a.npy", {"x": "-"}, X[0]])[0] == f"{Path.cwd()}/a.npy"
    assert absolute("folder/") == f"{Path.cwd()}/folder/"


# what Ray and Spark call, called here


def test_a_predictor_takes_columns_and_gives_columns() -> None:
    model = two_inputs()
    rng = np.random.default_rng(0)
    batch = {"w": rng.integers(0, 20, (7, 5)), "a": rng.random(7), "b": rng.random(7), "key": np.arange(7)}
    predictor = pickle.loads(pickle.dumps(Predictor(model, {"words": "w", "meta": ["a", "b"]}, "score", "key")))
    made = predictor(batch)
    expected = model.predict([batch["w"], np.stack([batch["a"], batch["b"]], 1)], verbose=0)
    assert list(made) == ["key", "score"]
    np.testing.assert_array_equal(made["score"], expected[1])
    with pytest.raises(ArgumentError, match="no output 'scor'"):
        Predictor(model, outputs="scor")
    with pytest.raises(ArgumentError, match="name of an output"):
        Predictor(model, ids="pair")


def test_what_spark_calls() -> None:
    model = two_inputs()
    assert input_tensor_shapes(model) == [[5], [2]]
    made = PredictFn(model)()(np.zeros((3, 5), "int32"), np.ones((3, 2)))
    assert {name: array.shape for name, array in made.items()} == {"pair": (3, 2), "score": (3, 1)}
    x = Input((2, 2))
    assert PredictFn(Model(x, x * 2))()(np.ones((0, 2, 2))).shape == (0, 4)
