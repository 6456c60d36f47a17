"""What a job shows: a bar on terminals, lines for machines, nothing elsewhere; and a report that adds up."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_models import vector_model, vectors

from graphflow.batch import Job, progress
from graphflow.batch.model import JobModel, sizes
from graphflow.errors import ArgumentError, ArgumentTypeError

MODEL = vector_model()
X = vectors(200)
SMALL = {"batch_size": 8, "shard_rows": 16}


def test_nothing_is_shown_without_a_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for kind in ("auto", "none"):
        Job(MODEL, X, tmp_path / f"{kind}.npy", progress=kind, **SMALL).run()  # type: ignore[arg-type]
    assert capfd.readouterr() == ("", "")


def test_a_terminal_sees_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    error = Terminal()
    monkeypatch.setattr("sys.stderr", error)
    Job(MODEL, X, tmp_path / "o.npy", progress="auto", **SMALL).run()  # type: ignore[arg-type]
    assert "200/200" in error.getvalue()
    assert "MiB" in error.getvalue()


def test_lines_for_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    Job(MODEL, X, tmp_path / "o.npy", progress="json", **SMALL).run()  # type: ignore[arg-type]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    rows = [line["rows"] for line in lines if line["event"] == "progress"]
    assert rows == [min(16 * (i + 1), 200) for i in range(13)]
    assert all(line["memory_bytes"] > 1e6 and line["total"] == 200 for line in lines[:-1])
    assert lines[-2]["remaining_seconds"] == 0
    assert lines[-1]["event"] == "report"


def test_the_limiting_stage_is_named(tmp_path: Path) -> None:
    def slow(columns: Any) -> Any:
        time.sleep(0.01)
        return columns["data"]

    report = Job(MODEL, X, tmp_path / "o.npy", map=slow, **SMALL).run()  # type: ignore[arg-type]
    assert report.limiting == "preparing"
    assert report.stage_seconds["preparing"] > 0.1
    assert report.seconds >= max(report.stage_seconds.values())
    assert report.rows_per_second == pytest.approx(200 / report.seconds)
    assert report.peak_memory > 10e6
    assert "the limiting stage was preparing" in str(report)


def test_sizes_follow_the_bytes_of_a_row() -> None:
    row_bytes, arena = JobModel(MODEL).bytes_per_row()
    assert row_bytes == 4 * 4 + 3 * 4
    batch, shard = sizes(row_bytes, arena, None, None)
    assert shard % batch == 0
    assert sizes(row_bytes, arena, 7, 20) == (7, 21)
    assert sizes(10**9, 0, None, None) == (16, 32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a positive integer"),
        ({"batch_size": "big"}, "batch_size must be a positive integer"),
        ({"shard_rows": True}, "shard_rows must be a positive integer"),
        ({"on_error": "ignore"}, "on_error must be one of stop, skip, fill"),
        ({"map": 3}, "map must be a function"),
        ({"progress": "loud"}, "progress must be"),
        ({"post": {"nothing": "argmax"}}, "output 'nothing'"),
        ({"post": "threshold:x"}, "needs a number"),
        ({"post": "argmax:3"}, "takes no argument"),
    ],
)
def test_arguments_that_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises((ArgumentError, ArgumentTypeError), match=message):
        Job(MODEL, X, tmp_path / "o.npy", **options).run()
    with pytest.raises(ArgumentTypeError, match="A job takes a Model"):
        Job(3, X, tmp_path / "o.npy").run()
    with pytest.raises(ArgumentTypeError, match="A job reads paths"):
        Job(MODEL, 3, tmp_path / "o.npy").run()
    with pytest.raises(ArgumentTypeError, match="A job writes to a path"):
        Job(MODEL, X, 3).run()


def test_a_row_of_an_output_is_written_for_each_row(tmp_path: Path) -> None:
    from graphflow import Input, Model, ops
    from graphflow.errors import UnsupportedError

    x = Input((4,), name="x")
    with pytest.raises(UnsupportedError, match="a job writes a row for each row"):
        Job(Model(x, ops.sum(x, axis=0)), X, tmp_path / "o.npy", **SMALL).run()  # type: ignore[arg-type]
    np.save(tmp_path / "one.npy", X[:1])
    assert Job(MODEL, tmp_path / "one.npy", tmp_path / "p.npy").run().rows == 1
