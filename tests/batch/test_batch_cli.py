"""`graphflow batch`: what the shell sees: files, messages, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow.batch import durable
from graphflow.cli import main
from graphflow.samples import digits

EXPECTED = graphflow.load_model(digits.MODEL).predict(np.load(digits.IMAGES), verbose=0)
MODEL, IMAGES = str(digits.MODEL), str(digits.IMAGES)


def test_a_job_from_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "classes.npy"
    assert main(["batch", MODEL, IMAGES, "-o", str(output), "--post", "argmax"]) == 0
    np.testing.assert_array_equal(np.load(output), EXPECTED.argmax(1))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("finished: 100 rows (0 of them before), 100 written, 0 bad;")
    assert "the limiting stage was " in said.err
    assert main(["batch", MODEL, IMAGES, "-o", str(output), "--post", "argmax"]) == 0
    assert capsys.readouterr().err.startswith("already finished: 100 rows")


def test_progress_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", MODEL, IMAGES, "-o", f"{tmp_path}/o.csv", "--json", "--batch-size", "7"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[-1]["event"] == "report"
    assert (lines[-1]["status"], lines[-1]["rows"], lines[-1]["batch_size"]) == ("finished", 100, 7)
    assert set(lines[-1]["stage_seconds"]) == {"reading", "preparing", "running", "writing"}
    assert lines[-1]["limiting"] in lines[-1]["stage_seconds"]


def write_rows(path: Path, bad: tuple[int, ...]) -> None:
    rows = np.load(digits.IMAGES).reshape(100, 64)
    with path.open("w") as file:
        file.write("key," + ",".join(f"p{i}" for i in range(64)) + "\n")
        for index, row in enumerate(rows):
            values = ["?"] if index in bad else [f"k{index}", *map(str, row)]
            file.write(",".join(values) + "\n")


def test_exit_codes_of_bad_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = graphflow.Input((64,), name="x")
    model = graphflow.Model(x, graphflow.layers.Dense(2, kernel_initializer="ones", name="y")(x))
    model.save(tmp_path / "m.keras")
    write_rows(tmp_path / "rows.csv", (3, 60))
    common = ["batch", f"{tmp_path}/m.keras", f"{tmp_path}/rows.csv", "--id", "key"]
    assert main([*common, "-o", f"{tmp_path}/stop.csv"]) == 4
    error = capsys.readouterr().err
    assert f"{tmp_path}/rows.csv, row 3 (line 5): expected 65 fields, received 1" in error
    assert "the same command goes on where it stood" in error
    assert main([*common, "-o", f"{tmp_path}/skip.csv", "--on-error", "skip"]) == 3
    assert f"bad rows: {tmp_path}/skip.csv.rejects.jsonl" in capsys.readouterr().err
    rejects = [json.loads(line) for line in (tmp_path / "skip.csv.rejects.jsonl").read_text().splitlines()]
    assert [(one["row"], one["text"]) for one in rejects] == [(3, "?"), (60, "?")]
    assert len((tmp_path / "skip.csv").read_text().splitlines()) == 99


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.keras", IMAGES, "-o", "o.npy"], "gone.keras: No such file or directory"),
        ([MODEL, "gone.npy", "-o", "o.npy"], "gone.npy: No such file or directory"),
        ([MODEL, IMAGES, "-o", "nowhere/o.npy"], "nowhere: No such file or directory"),
        ([MODEL, IMAGES, "-o", "o.xlsx"], "the ending of an output must be"),
        ([MODEL, IMAGES, "-o", "o.npy", "--engine", "cluster"], "There is no engine 'cluster'"),
        ([MODEL, IMAGES, "-o", "o.npy", "--input", "x=data"], "NAME=col:COLUMN"),
        ([MODEL, IMAGES, "-o", "o.npy", "--resize", "8x8"], "take no option 'resize'"),
        ([MODEL, "-", "-o", "-"], "Standard input needs a format"),
        ([MODEL, IMAGES, "-o", "o.npy", "--batch-size", "0"], "expected a positive integer"),
        ([MODEL, IMAGES, "-o", "o.npy", "--post", "top-11"], "needs 11 numbers a row, it has 10"),
    ],
)
def test_what_can_not_begin(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["batch", *arguments])
    assert message in capsys.readouterr().err
    assert code == (4 if "top-11" in arguments else 2)


def test_a_full_disk_stops_a_job_that_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from batch_kills import FailingDisk

    command = ["batch", MODEL, IMAGES, "-o", f"{tmp_path}/o.npy", "--batch-size", "8", "--shard-rows", "16"]
    durable.hook = FailingDisk(25)
    try:
        assert main(command) == 4
    finally:
        durable.hook = None
    assert "No space left on device; what is done stays done" in capsys.readouterr().err
    assert main(command) == 0
    assert "(0 of them before)" not in capsys.readouterr().err
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), EXPECTED)
    assert main([*command, "--shard-rows", "32"]) == 2
    assert "settings.shard_rows: was 16, is 32" in capsys.readouterr().err
    assert main([*command, "--no-resume"]) == 0


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "graphflow", "batch", *arguments]


def test_standard_input_and_output_of_a_process(tmp_path: Path) -> None:
    images = np.load(digits.IMAGES)[:10]
    lines = "".join(json.dumps({"n": i, "image": one.tolist()}) + "\n" for i, one in enumerate(images))
    name = graphflow.load_model(digits.MODEL).input_names[0]
    arguments = command(MODEL, "-", "-o", "-", "--from", "jsonl", "--to", "jsonl", "--id", "n", "--batch-size", "4")
    done = subprocess.run([*arguments, "--input", f"{name}=col:image"], input=lines.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["n"] for row in rows] == list(range(10))
    output = next(key for key in rows[0] if key != "n")
    np.testing.assert_array_equal(np.array([row[output] for row in rows], "float32"), EXPECTED[:10])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_process_that_goes_on(sent: signal.Signals, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.repeat(np.load(digits.IMAGES), 200, axis=0))
    options = ["--batch-size", "1", "--shard-rows", "10"]
    arguments = command(MODEL, f"{tmp_path}/x.npy", "-o", f"{tmp_path}/o.npy", *options)
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, env={**os.environ, "GRAPHFLOW_THREADS": "1"})
    journal = tmp_path / "o.npy.parts" / "journal.jsonl"
    while not journal.exists() or journal.stat().st_size < 3000:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(sent)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 4, error.decode()
    assert b"stopped; the same command goes on where it stood" in error
    done = (tmp_path / "o.npy.parts" / "journal.jsonl").read_bytes().count(b'"kind": "shard"')
    assert 0 < done < 2000
    with (tmp_path / "o.npy.parts" / "whole-o.npy").open("rb") as file:
        assert len(file.read()) == 20000 * 40 + 128


def test_two_processes_give_the_bytes_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--batch-size", "8", "--shard-rows", "16"]
    assert main(["batch", MODEL, IMAGES, "-o", f"{tmp_path}/one.npy", *options]) == 0
    assert main(["batch", MODEL, IMAGES, "-o", f"{tmp_path}/two.npy", *options, "--workers", "2"]) == 0
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "two.npy").read_bytes()
    np.testing.assert_array_equal(np.load(tmp_path / "two.npy"), EXPECTED)
