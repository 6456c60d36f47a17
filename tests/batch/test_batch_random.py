"""Jobs of random sizes, sources, policies and failures, beside the plainest possible loop."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_kills import FailingDisk
from batch_models import vector_model, vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from graphflow.batch import Job, durable

MODEL = vector_model()
FOLDER = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())
SPOILED = ("1,2,3\n", "r,x,2,3,4\n", 'r,"1"1,2,3,4\n', "r,,,,\n")


@pytest.fixture(autouse=True)
def no_hook() -> Iterator[None]:
    yield
    durable.hook = None


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    rows = draw(st.integers(0, 60))
    return {
        "rows": rows,
        "bad": sorted(draw(st.sets(st.integers(0, max(0, rows - 1)), max_size=6))) if rows else [],
        "spoiled": draw(st.sampled_from(SPOILED)),
        "batch_size": draw(st.integers(1, 20)),
        "shard_rows": draw(st.integers(1, 40)),
        "policy": draw(st.sampled_from(["skip", "fill"])),
        "kind": draw(st.sampled_from(["csv", "jsonl", "two csv", "parquet", "arrays", "iterable"])),
        "stops": draw(st.lists(st.integers(0, 60), max_size=3)),
        "piece": draw(st.integers(1, 25)),
    }


def source_of(case: dict[str, Any], x: Any, folder: Path) -> tuple[Any, list[int]]:
    """A source with some bad rows, and which they are."""
    rows, bad, kind = case["rows"], case["bad"], case["kind"]
    if kind == "arrays":
        return {"x": x}, []
    if kind == "iterable":
        made = [x[at : at + case["piece"]] for at in range(0, rows, case["piece"])]
        return made or [x], []
    if kind == "parquet":
        pa = pytest.importorskip("pyarrow", reason="Parquet files are read by pyarrow")
        import pyarrow.parquet as pq

        columns = {name: [None if r in bad and i == 2 else float(x[r, i]) for r in range(rows)] for i, name in COLUMNS}
        table = pa.table({name: pa.array(values, pa.float32()) for name, values in columns.items()})
        pq.write_table(table, folder / "x.parquet", row_group_size=case["piece"])
        return folder / "x.parquet", bad
    if kind == "jsonl":
        if 0 in bad or not rows:
            bad = [one for one in bad if one]
        lines = [json.dumps({"x": None if r in bad else x[r].tolist()}) for r in range(rows)] or ['{"x": [0, 0, 0, 0]}']
        (folder / "x.jsonl").write_text("\n".join(lines))
        return folder / "x.jsonl", bad
    lines = [case["spoiled"] if r in bad else f"r{r}," + ",".join(map(str, x[r])) + "\n" for r in range(rows)]
    cut = rows // 2 if kind == "two csv" else rows
    for name, part in (("a.csv", lines[:cut]), ("b.csv", lines[cut:])):
        (folder / name).write_text("id,a,b,c,d\n" + "".join(part))
    return [folder / "a.csv", folder / "b.csv"], bad


COLUMNS = list(enumerate("abcd"))


def check(case: dict[str, Any], parent: Path) -> None:
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        x = vectors(case["rows"], seed=case["rows"])
        if case["kind"] == "jsonl" and not case["rows"]:
            x = np.zeros((1, 4), "float32")
        source, bad = source_of(case, x, folder)
        inputs = {"x": list("abcd")} if case["kind"] in ("csv", "two csv") else None
        options = {"batch_size": case["batch_size"], "shard_rows": case["shard_rows"], "on_error": case["policy"]}
        job = Job(MODEL, source, folder / "o.jsonl", inputs=inputs, **options)
        for stop in case["stops"]:
            durable.hook = FailingDisk(stop)
            try:
                job.run()
            except OSError as error:
                assert error.errno == 28
            durable.hook = None
        report = job.run()
        expected = MODEL.predict(x, verbose=0).astype("float64") if len(x) else np.zeros((0, 3))
        if case["policy"] == "skip":
            expected = np.delete(expected, bad, 0)
        else:
            expected[bad] = np.nan
        lines = (folder / "o.jsonl").read_text().split("\n")[:-1]
        found = np.array([json.loads(line)["classes"] for line in lines], "float64").reshape(-1, 3)
        np.testing.assert_array_equal(found.astype("float32"), expected.astype("float32"))
        assert (report.rows, report.bad_rows) == (len(x), len(bad))
        rejects = folder / "o.jsonl.rejects.jsonl"
        listed = [json.loads(line)["row"] for line in rejects.read_text().splitlines()] if rejects.exists() else []
        assert listed == bad


@given(cases())
@settings(max_examples=15)
def test_random_jobs(case: dict[str, Any]) -> None:
    check(case, FOLDER)


@pytest.mark.fuzz
@given(cases())
@settings(max_examples=500)
def test_many_random_jobs(case: dict[str, Any]) -> None:
    check(case, FOLDER)
