"""A job that is killed or whose disk fails, at any call, goes on to the bytes of an undisturbed run."""

from __future__ import annotations

import _thread
import errno
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_kills import FailingDisk, Killer, MakeJob, assert_little_was_done_twice, files_in, run_child
from batch_models import vector_model, vectors

import graphflow
from graphflow.batch import Job, durable
from graphflow.batch.journal import line_of, read_lines
from graphflow.errors import ArgumentError, DataError, UnsupportedError
from graphflow.kernels import isa

MODEL = vector_model()
X = vectors(150)
SMALL = {"batch_size": 8, "shard_rows": 32}
LINES = "id,a,b,c,d\n" + "\n".join(
    f"r{i}," + ("oops,1,2,3" if i in (7, 40, 41, 149) else ",".join(map(str, X[i]))) for i in range(150)
)


def csv_job(folder: Path, output: Path, **options: Any) -> Job:
    source = folder / "rows.csv"
    if not source.exists():
        source.write_text(LINES)
    return Job(MODEL, source, output, **{"ids": "id", "on_error": "skip", **SMALL, **options})


class Batches:
    """An iterable that can be begun again."""

    def __iter__(self) -> Iterator[Any]:
        return (X[i : i + 13] for i in range(0, 150, 13))


JOBS: dict[str, MakeJob] = {
    "npy to npy": lambda folder: Job(MODEL, X, folder / "o.npy", **SMALL),
    "csv with bad rows to csv": lambda folder: csv_job(folder.parent, folder / "o.csv"),
    "iterable to folder": lambda folder: Job(MODEL, Batches(), f"{folder}/o/", sink_format="npy", **SMALL),
    "npy to heads": lambda folder: Job(MODEL, X, folder / "o-{output}.npy", post="top-2", **SMALL),
    "npy to parquet": lambda folder: Job(MODEL, X, folder / "o.parquet", **SMALL),
    "npy to zarr": lambda folder: Job(MODEL, X, folder / "o.zarr", **SMALL),
}
NEEDS = {"npy to parquet": "pyarrow", "npy to zarr": "zarr"}


@pytest.fixture
def hooks() -> Iterator[None]:
    yield
    durable.hook = None


def undisturbed(name: str, folder: Path) -> tuple[dict[str, bytes], int]:
    """What an undisturbed run writes, and how many calls of the system it takes."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason="the output is written by it")
    (folder / "plain").mkdir()
    durable.hook = counter = Killer()
    JOBS[name](folder / "plain").run()
    durable.hook = None
    return files_in(folder / "plain"), counter.calls


def finish(name: str, folder: Path, expected: dict[str, bytes]) -> None:
    """Run the job again, to its end, and compare every byte."""
    report = JOBS[name](folder).run()
    assert report.rows == 150
    assert files_in(folder) == expected


def steps(calls: int, thorough: bool) -> list[int]:
    """Which calls are tried: all, or some with the first and the last ones."""
    if thorough:
        return list(range(calls))
    return sorted({0, 2, 3, *range(5, calls - 12, 11), *range(max(0, calls - 12), calls)})


def kill_at_every_call(name: str, folder: Path, thorough: bool) -> None:
    expected, calls = undisturbed(name, folder)
    for at in steps(calls, thorough):
        here = folder / f"kill{at}"
        here.mkdir()
        log = folder / f"log{at}"
        job = JOBS[name](here)
        assert run_child(job, log, Killer(at)) == -9
        assert run_child(job, log) == 0
        assert files_in(here) == expected, f"killed at call {at}"
        assert_little_was_done_twice(log)


@pytest.mark.parametrize("name", ["npy to npy", "csv with bad rows to csv"])
def test_killed_at_commit_steps(name: str, tmp_path: Path, hooks: None) -> None:
    kill_at_every_call(name, tmp_path, thorough=False)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", JOBS)
def test_killed_at_every_commit_step(name: str, tmp_path: Path, hooks: None) -> None:
    kill_at_every_call(name, tmp_path, thorough=True)


def kill_at_random(name: str, folder: Path, kills: int, seed: int) -> None:
    expected, _ = undisturbed(name, folder)
    rng = random.Random(seed)
    (folder / "timed").mkdir()
    start = time.perf_counter()
    assert run_child(JOBS[name](folder / "timed"), folder / "log") == 0
    most = time.perf_counter() - start
    done = attempt = 0
    while done < kills:
        here = folder / f"random{attempt}"
        here.mkdir()
        log = folder / f"log{attempt}"
        attempt += 1
        while True:
            status = run_child(JOBS[name](here), log, after=rng.uniform(0, most))
            assert status in (0, -9)
            if status == 0:
                break
            done += 1
        assert files_in(here) == expected
        assert_little_was_done_twice(log)


def test_killed_at_random_instants(tmp_path: Path) -> None:
    kill_at_random("csv with bad rows to csv", tmp_path, kills=10, seed=1)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", JOBS)
def test_killed_at_two_hundred_random_instants(name: str, tmp_path: Path) -> None:
    kill_at_random(name, tmp_path, kills=int(os.environ.get("GRAPHFLOW_TEST_KILLS", "200")), seed=2)


def fail_at_every_call(name: str, folder: Path, thorough: bool) -> None:
    expected, calls = undisturbed(name, folder)
    kinds: list[dict[str, Any]] = [{}, {"part": True}, {"code": errno.EIO, "once": True}]
    for index, at in enumerate(steps(calls, thorough)):
        for kind in kinds if thorough else [kinds[index % 3]]:
            here = folder / f"fail{at}{len(kind)}{kind.get('once')}"
            here.mkdir()
            durable.hook = disk = FailingDisk(at, **kind)
            with pytest.raises(OSError, match=r"No space left|Input/output"):
                JOBS[name](here).run()
            assert disk.failed
            durable.hook = None
            finish(name, here, expected)


@pytest.mark.parametrize("name", ["npy to npy", "csv with bad rows to csv", "npy to parquet"])
def test_a_disk_that_fails_at_commit_steps(name: str, tmp_path: Path, hooks: None) -> None:
    fail_at_every_call(name, tmp_path, thorough=False)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", JOBS)
def test_a_disk_that_fails_at_every_call(name: str, tmp_path: Path, hooks: None) -> None:
    fail_at_every_call(name, tmp_path, thorough=True)


@pytest.mark.parametrize("name", JOBS)
def test_short_writes_change_nothing(name: str, tmp_path: Path, hooks: None) -> None:
    expected, _ = undisturbed(name, tmp_path)
    (tmp_path / "short").mkdir()
    durable.hook = lambda call, path, size: max(1, size // 3) if call == "write" else None
    finish(name, tmp_path / "short", expected)


def stopped_job(folder: Path, **options: Any) -> Path:
    """A job that stopped in its middle, because the disk was full."""
    folder.mkdir(exist_ok=True)
    durable.hook = FailingDisk(30)
    with pytest.raises(OSError, match="No space left"):
        Job(MODEL, X, folder / "o.npy", **{**SMALL, **options}).run()
    durable.hook = None
    return folder / "o.npy"


def test_nothing_that_is_done_is_read_or_run_again(tmp_path: Path, hooks: None) -> None:
    output = stopped_job(tmp_path)
    entries, _ = read_lines((tmp_path / "o.npy.parts" / "journal.jsonl").read_bytes(), output)
    done = [entry["shard"] for entry in entries if entry["kind"] == "shard"]
    assert 0 < len(done) < 5
    slices: list[slice] = []

    class Watched:
        shape, dtype = X.shape, X.dtype

        def __getitem__(self, rows: slice) -> Any:
            slices.append(rows)
            return X[rows]

    report = Job(MODEL, Watched(), output, **SMALL).run()
    assert report.resumed_rows == 32 * len(done)
    assert min(one.start for one in slices[1:]) == 32 * len(done)
    np.testing.assert_array_equal(np.load(output), MODEL.predict(X, verbose=0))


def test_another_model_source_or_setting_is_refused(tmp_path: Path, hooks: None) -> None:
    output = stopped_job(tmp_path)
    other = vector_model()
    other.set_weights([weight + 1 for weight in other.get_weights()])
    changed = X.copy()
    changed[17, 2] += 1
    cases: list[tuple[str, Job]] = [
        ("model: was", Job(other, X, output, **SMALL)),
        ("source.columns.data.sample: was", Job(MODEL, changed, output, **SMALL)),
        ("source.columns.data.shape", Job(MODEL, X[:-1], output, **SMALL)),
        ("settings.batch_size: was 8, is 4", Job(MODEL, X, output, batch_size=4, shard_rows=32)),
        ("settings.post: was None, is 'softmax'", Job(MODEL, X, output, post="softmax", **SMALL)),
        ("settings.map: was None", Job(MODEL, X, output, map=lambda columns: columns["data"], **SMALL)),
    ]
    for message, job in cases:
        with pytest.raises(ArgumentError, match=message.replace(".", r"\.")):
            job.run()
    assert Job(MODEL, X, output, **SMALL).run().resumed_rows > 0
    for _, job in cases:
        with pytest.raises(ArgumentError, match="written by another job"):
            job.run()
    assert Job(MODEL, X, output, **SMALL).run().status == "already finished"
    report = Job(other, X, output, **SMALL).run(resume=False)
    assert (report.status, report.resumed_rows) == ("finished", 0)
    np.testing.assert_array_equal(np.load(output), other.predict(X, verbose=0))


@pytest.mark.parametrize("policy", ["skip", "fill"])
def test_a_job_that_stopped_at_a_bad_row_may_go_on_over_it(policy: str, tmp_path: Path) -> None:
    clean = [line.replace("oops", "1") if i < 41 else line for i, line in enumerate(LINES.split("\n"))]
    (tmp_path / "rows.csv").write_text("\n".join(clean))
    with pytest.raises(DataError, match=r"row 40 \(line 42\)"):
        csv_job(tmp_path, tmp_path / "o.csv", on_error="stop").run()
    with pytest.raises(ArgumentError, match=r"settings\.post"):
        csv_job(tmp_path, tmp_path / "o.csv", on_error=policy, post="argmax").run()
    report = csv_job(tmp_path, tmp_path / "o.csv", on_error=policy).run()
    assert (report.resumed_rows, report.bad_rows) == (32, 3)
    csv_job(tmp_path, tmp_path / "whole.csv", on_error=policy).run()
    assert (tmp_path / "o.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert csv_job(tmp_path, tmp_path / "o.csv", on_error=policy).run().status == "already finished"


def test_a_changed_file_is_refused(tmp_path: Path, hooks: None) -> None:
    source, output = tmp_path / "x.npy", tmp_path / "o.npy"
    np.save(source, X)
    durable.hook = FailingDisk(30)
    with pytest.raises(OSError, match="No space left"):
        Job(MODEL, source, output, **SMALL).run()
    durable.hook = None
    np.save(source, X * 2)
    with pytest.raises(ArgumentError, match=r"source.*sample: was"):
        Job(MODEL, source, output, **SMALL).run()


def test_what_no_job_wrote_is_not_replaced(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", X)
    with pytest.raises(ArgumentError, match="no batch job wrote it"):
        Job(MODEL, X, tmp_path / "o.npy").run()
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), X)


def test_a_shard_that_was_changed_is_found(tmp_path: Path, hooks: None) -> None:
    output = stopped_job(tmp_path)
    draft = tmp_path / "o.npy.parts" / "whole-o.npy"
    data = bytearray(draft.read_bytes())
    data[200] ^= 1
    draft.write_bytes(data)
    with pytest.raises(DataError, match="not as the job wrote it"):
        Job(MODEL, X, output, **SMALL).run()


def test_a_torn_line_is_cut_off_and_a_broken_one_refused(tmp_path: Path, hooks: None) -> None:
    output = stopped_job(tmp_path)
    journal = tmp_path / "o.npy.parts" / "journal.jsonl"
    whole = journal.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in (last + 1, len(whole) - 1):
        journal.write_bytes(whole[:cut])
        entries, size = read_lines(journal.read_bytes(), journal)
        assert size == last
        assert len(entries) == whole.count(b"\n") - 1
    journal.write_bytes(whole[:-2] + b"?\n" + line_of({"kind": "end"}))
    with pytest.raises(DataError, match="is damaged, and lines follow it"):
        Job(MODEL, X, output, **SMALL).run()
    journal.write_bytes(whole + b'12345678 {"kind":')
    assert Job(MODEL, X, output, **SMALL).run().status == "finished"
    np.testing.assert_array_equal(np.load(output), MODEL.predict(X, verbose=0))


def test_two_processes_can_not_run_one_job(tmp_path: Path, hooks: None) -> None:
    from graphflow.batch.journal import Journal

    output = stopped_job(tmp_path)
    held = Journal(tmp_path / "o.npy.parts" / "journal.jsonl")
    for resume in (True, False):
        with pytest.raises(ArgumentError, match="another process is running this job"):
            Job(MODEL, X, output, **SMALL).run(resume)
    held.close()
    assert Job(MODEL, X, output, **SMALL).run().status == "finished"


def test_an_iterator_is_skipped_forward_and_checked(tmp_path: Path, hooks: None) -> None:
    output = tmp_path / "o.jsonl"
    durable.hook = FailingDisk(30)
    with pytest.raises(OSError, match="No space left"):
        Job(MODEL, (X[i : i + 13] for i in range(0, 150, 13)), output, **SMALL).run()
    durable.hook = None
    with pytest.raises(DataError, match="checksums differ"):
        Job(MODEL, (X[i : i + 13] + 1 for i in range(0, 150, 13)), output, **SMALL).run()
    with pytest.raises(DataError, match="gave only 13 this time"):
        Job(MODEL, (X[:13] for _ in range(1)), output, **SMALL).run()
    report = Job(MODEL, (X[i : i + 40] for i in range(0, 150, 40)), output, **SMALL).run()
    assert report.resumed_rows in (32, 64, 96)
    found = [json.loads(line)["classes"] for line in output.read_text().splitlines()]
    np.testing.assert_array_equal(np.array(found, "float32"), MODEL.predict(X, verbose=0))


def test_an_interrupt_stops_cleanly(tmp_path: Path) -> None:
    calls = 0

    def map_rows(columns: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            while b'"kind": "shard"' not in (tmp_path / "o.npy.parts" / "journal.jsonl").read_bytes():
                time.sleep(0.01)
            _thread.interrupt_main()
            time.sleep(0.3)
        return columns["data"]

    job = Job(MODEL, X, tmp_path / "o.npy", map=map_rows, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        job.run()
    report = job.run()
    assert report.resumed_rows > 0
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), MODEL.predict(X, verbose=0))


def test_the_instruction_set_is_kept_or_refused(tmp_path: Path, hooks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = list(isa.available())
    with graphflow.knobs(isa=sets[0]):
        output = stopped_job(tmp_path)
        expected = vector_model().predict(X, verbose=0)
    report = Job(MODEL, X, output, **SMALL).run()
    assert report.resumed_rows > 0
    np.testing.assert_array_equal(np.load(output), expected)
    assert json.loads((tmp_path / "o.npy.job.json").read_text())["settings"]["isa"] == sets[0]

    second = stopped_job(tmp_path / "second")
    journal = second.with_name("o.npy.parts") / "journal.jsonl"
    entries, _ = read_lines(journal.read_bytes(), journal)
    entries[0]["settings"]["isa"] = "sve2"
    journal.write_bytes(b"".join(map(line_of, entries)))
    entries[0]["orders"] = "others"
    Job(MODEL, X, second, **SMALL).run()
    np.testing.assert_array_equal(np.load(second), MODEL.predict(X, verbose=0))

    third = stopped_job(tmp_path / "third")
    journal = third.with_name("o.npy.parts") / "journal.jsonl"
    journal.write_bytes(b"".join(map(line_of, entries[:2])))
    with pytest.raises(ArgumentError, match=r"began with the instruction set 'sve2'.*would not give the same bits"):
        Job(MODEL, X, third, **SMALL).run()


def test_a_model_with_state_is_refused(tmp_path: Path) -> None:
    from graphflow import Input, Model
    from graphflow.layers import LSTM

    x = Input(batch_shape=(4, 3, 2))
    with pytest.raises(UnsupportedError, match="keeps state from batch to batch"):
        Job(Model(x, LSTM(2, stateful=True)(x)), np.zeros((8, 3, 2), "float32"), tmp_path / "o.npy").run()


def test_drafts_of_a_killed_run_are_no_ones_and_go(tmp_path: Path, hooks: None) -> None:
    """A writer that a later run has forgotten still writes to a name of its own; the later run clears it away."""
    one, two = durable.DurableFile(tmp_path / "a"), durable.DurableFile(tmp_path / "a")
    with two:
        two.write(b"whole")
        one.write(b"orphan")
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert [path.read_bytes() for path in tmp_path.glob("*.draft")] == [b"orphan"]
    os.close(one._file)
    for name in ("iterable to folder", "csv with bad rows to csv"):
        here = tmp_path / name
        (here / "plain").mkdir(parents=True)
        JOBS[name](here / "plain").run()
        expected = files_in(here / "plain")
        left = 0
        for at in range(4, 40, 2):
            killed = here / f"killed{at}"
            killed.mkdir()
            if run_child(JOBS[name](killed), here / "log", Killer(at)) and list(killed.rglob("*.draft")):
                left += 1
                JOBS[name](killed).run()
                assert files_in(killed) == expected
        assert left
