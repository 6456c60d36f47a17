"""The commands that docs/batch.md shows run as they stand there, and write what the model predicts."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphflow import Input, Model
from graphflow.cli import main
from graphflow.layers import Concatenate, Dense, Flatten

PAGE = Path(__file__).parents[2] / "docs" / "batch.md"
COMMANDS = [line.strip() for line in PAGE.read_text().splitlines() if line.startswith(("    graphflow ", "    cat "))]
NEEDS = {"parquet": "pyarrow", "arrow": "pyarrow", "zarr": "zarr", "photos/": "PIL"}
ROWS = np.random.default_rng(5).integers(-9, 9, (40, 3)).astype("float32") / 4
KEYS = [f"k{index}" for index in range(len(ROWS))]


def dense(units: int, name: str) -> Dense:
    return Dense(units, kernel_initializer="ones", bias_initializer="ones", name=name)


def save_models(folder: Path) -> None:
    x = Input((3,), name="x")
    Model(x, dense(1, "y")(x)).save(folder / "model.keras")
    left, right = Input((2,), name="left"), Input((1,), name="right")
    both = Concatenate()([left, right])
    Model([left, right], [dense(1, "sum")(both), dense(2, "twice")(both)]).save(folder / "pair.keras")
    image = Input((24, 24, 3), name="image")
    Model(image, dense(4, "class")(Flatten()(image))).save(folder / "photos.keras")


def save_rows(folder: Path) -> None:
    np.save(folder / "rows.npy", ROWS)
    np.savez(folder / "rows.npz", x=ROWS)
    np.save(folder / "a.npy", ROWS[:, :2])
    np.save(folder / "b.npy", ROWS[:, 2:])
    for mark, name in ((",", "rows.csv"), ("\t", "rows.tsv")):
        lines = [mark.join([key, *map(str, row)]) for key, row in zip(KEYS, ROWS, strict=True)]
        (folder / name).write_text("\n".join([mark.join(["key", "a", "b", "c"]), *lines, ""]))
    made = [json.dumps({"key": key, "values": row.tolist()}) for key, row in zip(KEYS, ROWS, strict=True)]
    (folder / "rows.jsonl").write_text("\n".join(made))


def save_tables(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = pa.table({"key": KEYS, **{name: ROWS[:, index] for index, name in enumerate("abc")}})
    (folder / "table").mkdir()
    parquet.write_table(table.slice(0, 25), folder / "table" / "0.parquet")
    parquet.write_table(table.slice(25), folder / "table" / "1.parquet")
    with pa.ipc.new_file(str(folder / "table.arrow"), table.schema) as writer:
        writer.write_table(table)


def save_zarr(folder: Path) -> None:
    import zarr

    zarr.open_array(str(folder / "rows.zarr"), mode="w", shape=ROWS.shape, chunks=(16, 3), dtype="f4")[:] = ROWS


def save_photos(folder: Path) -> None:
    from PIL import Image

    (folder / "photos").mkdir()
    for level in (0, 255):
        Image.new("RGB", (48, 48), (level, level, level)).save(folder / "photos" / f"{level}.png")


def numbers_of(path: Path) -> Any:
    """The numbers of the output column `y`, whatever the file."""
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix in (".csv", ".tsv"):
        mark = "," if path.suffix == ".csv" else "\t"
        lines = [line.split(mark) for line in path.read_text().splitlines()]
        assert lines[0][-1] == "y_0"
        return [float(line[-1]) for line in lines[1:]]
    if path.suffix == ".jsonl":
        return [json.loads(line)["y"] for line in path.read_text().splitlines()]
    if path.suffix == ".zarr":
        import zarr

        return zarr.open_group(str(path), mode="r")["y"][:]
    from pyarrow import feather, parquet

    table = feather.read_table(path) if path.suffix == ".arrow" else parquet.read_table(path)
    return table["y"].to_pylist()


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_page(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for word, package in NEEDS.items():
        if word in command:
            pytest.importorskip(package, reason=f"{word} is read or written by it")
    save_models(tmp_path)
    save_rows(tmp_path)
    for word, save in (("table", save_tables), ("rows.zarr", save_zarr), ("photos", save_photos)):
        if word in command:
            save(tmp_path)
    monkeypatch.chdir(tmp_path)
    expected = ROWS.sum(axis=1, dtype="float32") + 1
    if command.startswith("cat "):
        shell = command.replace("graphflow", f"{shlex.quote(sys.executable)} -m graphflow")
        root = str(PAGE.parents[1])
        done = subprocess.run(shell, shell=True, capture_output=True, check=False, env={"PYTHONPATH": root})
        assert done.returncode == 0, done.stderr.decode()
        found = [json.loads(line)["y"][0] for line in done.stdout.splitlines()]
        np.testing.assert_array_equal(found, expected)
        return
    words = shlex.split(command)[1:]
    assert main(words) == 0
    output = tmp_path / words[words.index("-o") + 1]
    if words[1] == "model.keras":
        np.testing.assert_array_equal(np.ravel(numbers_of(output)), expected)
    elif output.name == "scores-{output}.npy":
        assert np.load("scores-sum.npy").shape == (40, 1)
        np.testing.assert_array_equal(np.load("scores-twice.npy"), np.stack([expected, expected], axis=1))
    elif output.name == "pair.jsonl":
        lines = [json.loads(line) for line in output.read_text().splitlines()]
        assert lines == [
            {"key": key, "sum": [y], "twice": [y, y]} for key, y in zip(KEYS, expected.tolist(), strict=True)
        ]
    else:
        lines = output.read_text().splitlines()
        assert lines[0] == "path,class_index_0,class_index_1,class_value_0,class_value_1"
        assert [line.split(",", 1)[1] for line in lines[1:]] == ["0,1,1.0,1.0", "0,1,1729.0,1729.0"]


def test_the_page_shows_every_kind() -> None:
    endings = [".npy", ".npz", ".parquet", ".arrow", ".zarr", ".csv", ".tsv", ".jsonl", "photos/", "{output}", " - "]
    shown = " ".join(COMMANDS)
    assert [one for one in endings if one not in shown] == []
    assert len(COMMANDS) >= 14
