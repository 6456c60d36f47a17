"""What the tests of engines share: a source that kills the process that first reads some rows, and the local output."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
from batch_models import two_inputs, vector_model, vectors

from graphflow.batch import Job

MODEL, PAIR = vector_model(), two_inputs()
X = vectors(640)
WORDS = np.random.default_rng(5).integers(0, 20, (640, 5)).astype("int32")
META = np.random.default_rng(6).standard_normal((640, 2)).astype("float32")
EXPECTED = MODEL.predict(X, verbose=0)
EXPECTED_PAIR = PAIR.predict([WORDS, META], verbose=0)
SETTINGS: dict[str, Any] = {"batch_size": 8, "shard_rows": 32}


class KillsOnce:
    """Gives back what it takes; the first process that comes to row 400 is killed."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self, columns: Any) -> Any:
        rows = columns["data"] if isinstance(columns, dict) else columns
        if (np.asarray(rows) == X[400]).all(axis=1).any() and not self.mark.exists():
            self.mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return rows

    def killed(self) -> bool:
        """Whether a process other than this one was killed."""
        return self.mark.exists() and int(self.mark.read_text()) != os.getpid()


def check_job(folder: Path, engine: Any, name: str = "scores.parquet") -> None:
    """A job on an engine, of which a worker is killed, gives the bytes of the local one and is done for good."""
    np.save(folder / "x.npy", X)
    kills = KillsOnce(folder / "mark")
    for where, on in (("local", None), ("engine", engine)):
        (folder / where).mkdir(exist_ok=True)
        if on is None:
            kills.mark.write_text("0")
        else:
            kills.mark.unlink()
        to = {"sink_format": "parquet"} if name.endswith("/") else {}
        job = Job(MODEL, folder / "x.npy", f"{folder}/{where}/{name}", map=kills, **SETTINGS, **to)
        report = job.run(engine=on)
        assert (report.status, report.rows, report.shards) == ("finished", 640, 20)
    assert kills.killed()
    written = sorted(path.relative_to(folder / "local") for path in (folder / "local").rglob("*") if path.is_file())
    assert len(written) >= 2
    assert written == sorted(p.relative_to(folder / "engine") for p in (folder / "engine").rglob("*") if p.is_file())
    for path in written:
        assert (folder / "local" / path).read_bytes() == (folder / "engine" / path).read_bytes(), path
    assert job.run(engine=engine).status == "already finished"


class AlwaysKills:
    """A `map=` that kills every process that comes to row 400."""

    def __call__(self, columns: Any) -> Any:
        rows = columns["data"]
        if (rows == X[400]).all(axis=1).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return rows


class Fails:
    """A `map=` that finds a bad row."""

    def __call__(self, columns: Any) -> Any:
        rows = columns["data"]
        if (rows == X[400]).all(axis=1).any():
            raise ValueError("row of no use")
        return rows
