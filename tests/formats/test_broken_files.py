"""Every broken file is one clear error, soon, in little memory, with nothing opened, imported or run beside it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.formats.broken.cases import CASES, Case
from tests.formats.broken.make import good

ROOT = Path(__file__).parents[2]
SECONDS, MEGABYTES = 1.0, 100.0
REFUSALS = ("ModelFormatError", "UnsupportedError")
CHILD = ("subprocess.Popen", "os.", "fcntl.", "open ('/dev/null'")
"""What starting a process does besides, when files are opened as those of strangers."""


class Row(NamedTuple):
    """What happened to one file."""

    file: str
    action: str
    error: str | None
    message: str
    seconds: float
    peak: int
    events: list[str]
    same: bool


def written(folder: Path) -> dict[str, Case]:
    """All files, and which case each is."""
    for name in ("good", "first", "broken"):
        (folder / name).mkdir()
    for ending in (".keras", ".h5", ".weights.h5"):
        (folder / "good" / f"good{ending}").write_bytes(good(ending))
    (folder / "first" / "first.keras").write_bytes(good(".keras")[:-40])
    (folder / "first" / "first.h5").write_bytes(good(".h5")[:-40])
    names = {}
    for index, case in enumerate(CASES):
        name = f"{index}{case.ending}"
        (folder / "broken" / name).write_bytes(case.data())
        names[name] = case
    return names


@pytest.fixture(scope="module", params=["trusted", "untrusted"])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What a process of its own said about all files, by case and action."""
    folder = tmp_path_factory.mktemp(request.param)
    names = written(folder)
    before = sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.formats.broken.watch", str(folder), request.param],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = [Row(*json.loads(line)) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"ended with {done.returncode} after {found[-1:]}: {done.stderr[-2000:]}"
    assert sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*")) == before
    yield {(names[row.file].name, row.action): row for row in found} | {"mode": request.param}


def test_there_are_enough() -> None:
    assert len(CASES) >= 100


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_clear_error(rows: dict[Any, Any], case: Case) -> None:
    row = rows[case.name, "open"]
    assert row.error in REFUSALS, row.message
    assert row.file in row.message
    assert re.search(f"(?s){case.says}", row.message.replace(row.file, "")), row.message
    assert row.message.isprintable()
    assert len(row.message) < 2000
    assert "\n" not in row.message


@pytest.mark.parametrize("action", ["open", "inspect"])
def test_costs(rows: dict[Any, Any], action: str) -> None:
    each = [row for key, row in rows.items() if key != "mode" and row.action == action]
    assert len(each) == len(CASES)
    slow = [(row.file, row.seconds) for row in each if row.seconds > SECONDS]
    large = [(row.file, row.peak / 1e6) for row in each if row.peak > MEGABYTES * 1e6]
    assert not slow
    assert not large


@pytest.mark.parametrize("action", ["open", "inspect"])
def test_nothing_else_happens(rows: dict[Any, Any], action: str) -> None:
    each = [row for key, row in rows.items() if key != "mode" and row.action == action]
    allowed = CHILD if rows["mode"] == "untrusted" else ()
    odd = [
        (row.file, event)
        for row in each
        for event in row.events
        if not event.startswith(allowed) and not (allowed and event.startswith("open (") and event[6].isdigit())
    ]
    assert not odd


def test_models_keep_their_weights(rows: dict[Any, Any]) -> None:
    assert all(row.same for key, row in rows.items() if key != "mode")


def test_looking_is_refused_or_answered(rows: dict[Any, Any]) -> None:
    each = [row for key, row in rows.items() if key != "mode" and row.action == "inspect"]
    strange = [(row.file, row.error, row.message) for row in each if row.error not in (*REFUSALS, None)]
    assert not strange
    assert all(row.file in row.message for row in each if row.error)
