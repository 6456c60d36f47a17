"""Every source gives the rows that were written into it; every sink holds the outputs that `predict` gives."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_models import ROWS, WIDTH, two_inputs, vector_model, vectors

from graphflow.batch import Job, predict_stream
from graphflow.batch.sources import open_source
from graphflow.errors import ArgumentError, DataError, ShapeError, UnsupportedError

Array = np.ndarray[Any, Any]
X = vectors()
MODEL = vector_model()
EXPECTED = MODEL.predict(X, verbose=0)
NAMES = [f"n{i}" for i in range(WIDTH)]
IDS = [f'id {i}, "quoted"\nline' if i % 50 == 0 else f"id{i}" for i in range(ROWS)]


def write_npy(folder: Path) -> Any:
    np.save(folder / "x.npy", X)
    return folder / "x.npy"


def write_many_npy(folder: Path) -> Any:
    for index, part in enumerate(np.array_split(X, 4)):
        np.save(folder / f"part{index}.npy", part)
    return str(folder / "part*.npy")


def write_npz(folder: Path) -> Any:
    np.savez(folder / "x.npz", x=X, other=np.arange(ROWS))
    return folder / "x.npz"


def write_small_npz(folder: Path) -> Any:
    np.savez_compressed(folder / "x.npz", x=X)
    return folder / "x.npz"


def write_csv(folder: Path) -> Any:
    for index, rows in enumerate(np.array_split(np.arange(ROWS), 2)):
        with (folder / f"{index}.csv").open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(["id", *NAMES])
            writer.writerows([IDS[i], *X[i].tolist()] for i in rows)
    return folder


def write_jsonl(folder: Path) -> Any:
    lines = [json.dumps({"id": IDS[i], "x": X[i].tolist()}) for i in range(ROWS)]
    (folder / "x.jsonl").write_text("\n".join(lines))
    return folder / "x.jsonl"


def write_parquet(folder: Path) -> Any:
    pa = pytest.importorskip("pyarrow", reason="Parquet files are read by pyarrow")
    import pyarrow.parquet as pq

    inside = folder / "tables"
    inside.mkdir()
    table = pa.table({"id": IDS, **{name: X[:, i] for i, name in enumerate(NAMES)}})
    pq.write_table(table.slice(0, 100), inside / "a.parquet", row_group_size=33)
    pq.write_table(table.slice(100), inside / "b.parquet", row_group_size=1000)
    return inside


def write_arrow(folder: Path) -> Any:
    pa = pytest.importorskip("pyarrow", reason="Arrow files are read by pyarrow")
    array = pa.FixedSizeListArray.from_arrays(pa.array(X.reshape(-1)), WIDTH)
    table = pa.table({"id": IDS, "x": array})
    with pa.OSFile(str(folder / "x.arrow"), "w") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=37)
    return folder / "x.arrow"


def write_zarr(folder: Path) -> Any:
    zarr = pytest.importorskip("zarr", reason="Zarr stores are read by zarr")
    store = zarr.open_group(str(folder / "x.zarr"), mode="w")
    store.create_array("x", data=X, chunks=(40, WIDTH))
    return folder / "x.zarr"


class Dataset:
    """As Keras' PyDataset: batches by number, of unequal sizes."""

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> Any:
        return np.array_split(X, [10, 50, 51, 120, 121, 200])[index], "targets"


FILES: dict[str, Callable[[Path], Any]] = {
    "npy": write_npy,
    "several npy": write_many_npy,
    "npz": write_npz,
    "compressed npz": write_small_npz,
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
    "arrow": write_arrow,
    "zarr": write_zarr,
    "array": lambda folder: X,
    "columns": lambda folder: {"x": X},
    "iterable": lambda folder: [X[i : i + 31] for i in range(0, ROWS, 31)],
    "dataset": lambda folder: Dataset(),
}
WITH_IDS = ("csv", "jsonl", "parquet", "arrow")


def read_npy(path: Path) -> Array:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def read_csv(path: Path) -> Array:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return np.array([[row[f"classes_{i}"] for i in range(3)] for row in rows], "float32").reshape(-1, 3)


def read_jsonl(path: Path) -> Array:
    return np.array([json.loads(line)["classes"] for line in path.read_text().split("\n")[:-1]], "float32")


def read_parquet(path: Path) -> Array:
    import pyarrow.parquet as pq

    column = pq.read_table(path)["classes"].combine_chunks()
    return column.flatten().to_numpy().reshape(-1, 3)


def read_arrow(path: Path) -> Array:
    import pyarrow as pa

    return pa.ipc.open_file(str(path)).read_all()["classes"].combine_chunks().flatten().to_numpy().reshape(-1, 3)


def read_zarr(path: Path) -> Array:
    import zarr

    return zarr.open_group(str(path), mode="r")["classes"][:]


READERS = {
    ".npy": read_npy,
    ".csv": read_csv,
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
    ".arrow": read_arrow,
    ".zarr": read_zarr,
}
NEEDS = {".parquet": "pyarrow", ".arrow": "pyarrow", ".zarr": "zarr"}


def test_one_block_and_many(tmp_path: Path) -> None:
    for rows in (1, 16, 32, 64, 1000):
        Job(MODEL, X, tmp_path / f"{rows}.npy", batch_size=rows, shard_rows=rows).run()
        np.testing.assert_array_equal(np.load(tmp_path / f"{rows}.npy"), EXPECTED)


@pytest.mark.parametrize("name", FILES)
def test_every_source(name: str, tmp_path: Path) -> None:
    source = FILES[name](tmp_path)
    ids = ["id"] if name in WITH_IDS else []
    report = Job(MODEL, source, tmp_path / "out.jsonl", batch_size=16, shard_rows=64, ids=ids).run()
    assert (report.status, report.rows, report.rows_written, report.bad_rows) == ("finished", ROWS, ROWS, 0)
    np.testing.assert_array_equal(read_jsonl(tmp_path / "out.jsonl"), EXPECTED)
    if ids:
        found = [json.loads(line)["id"] for line in (tmp_path / "out.jsonl").read_text().split("\n")[:-1]]
        assert found == IDS
    assert not (tmp_path / "out.jsonl.parts").exists()


@pytest.mark.parametrize("ending", READERS)
@pytest.mark.parametrize("known", [True, False], ids=["known rows", "unknown rows"])
def test_every_sink(ending: str, known: bool, tmp_path: Path) -> None:
    if ending in NEEDS:
        pytest.importorskip(NEEDS[ending], reason=f"{ending} is written by it")
    output = tmp_path / f"out{ending}"
    source = X if known else [X[i : i + 31] for i in range(0, ROWS, 31)]
    Job(MODEL, source, output, batch_size=16, shard_rows=64).run()
    found = READERS[ending](output)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, EXPECTED)
    metadata = json.loads((tmp_path / f"out{ending}.job.json").read_text())
    assert metadata["rows"] == {"source": ROWS, "written": ROWS, "bad": 0}
    assert metadata["job"]["graphflow"] == sys.modules["graphflow"].__version__
    assert len(metadata["job"]["model"]) == 64


def test_parquet_carries_what_it_is(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="Parquet files are written by pyarrow")
    Job(MODEL, X, tmp_path / "o.parquet", shard_rows=64, batch_size=16).run()
    file = pq.ParquetFile(tmp_path / "o.parquet")
    carried = json.loads(file.schema_arrow.metadata[b"graphflow"])
    assert carried == json.loads((tmp_path / "o.parquet.job.json").read_text())
    assert file.num_row_groups == 4


@pytest.mark.parametrize("kind", ["npy", "csv", "parquet"])
def test_a_folder_has_a_file_for_each_shard(kind: str, tmp_path: Path) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet files are written by pyarrow")
    Job(MODEL, X, f"{tmp_path}/out/", batch_size=16, shard_rows=64, sink_format=kind).run()
    paths = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in paths] == [f"part-{i:06d}.{kind}" for i in range(4)]
    np.testing.assert_array_equal(np.concatenate([READERS[f".{kind}"](path) for path in paths]), EXPECTED)
    assert Job(MODEL, X, f"{tmp_path}/out/", batch_size=16, shard_rows=64, sink_format=kind).run().status == (
        "already finished"
    )


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    model = two_inputs()
    rng = np.random.default_rng(5)
    words, meta = rng.integers(0, 20, (70, 5)), rng.standard_normal((70, 2)).astype("float32")
    pair, score = model.predict([words, meta], verbose=0)
    np.save(tmp_path / "w.npy", words)
    np.save(tmp_path / "m.npy", meta)
    source = {"words": tmp_path / "w.npy", "meta": str(tmp_path / "m.npy")}
    Job(model, source, tmp_path / "o-{output}.npy", batch_size=8, shard_rows=32).run()
    np.testing.assert_array_equal(np.load(tmp_path / "o-pair.npy"), pair)
    np.testing.assert_array_equal(np.load(tmp_path / "o-score.npy"), score)
    with pytest.raises(ArgumentError, match="one array, there are the columns pair, score"):
        Job(model, source, tmp_path / "both.npy").run()
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "a", "b", *(f"w{i}" for i in range(5))])
        writer.writerows([f"k{i}", *meta[i].tolist(), *words[i].tolist()] for i in range(70))
    inputs = {"words": [f"w{i}" for i in range(5)], "meta": ["a", "b"]}
    Job(
        model, tmp_path / "rows.csv", tmp_path / "{output}.csv", inputs=inputs, ids="key", post={"pair": "argmax"}
    ).run()
    lines = (tmp_path / "pair.csv").read_text().splitlines()
    assert lines[:2] == ["key,pair", f"k0,{pair[0].argmax()}"]
    assert len(lines) == 71
    heads = np.loadtxt(tmp_path / "score.csv", delimiter=",", skiprows=1, usecols=1, dtype="float32")
    np.testing.assert_array_equal(heads, score[:, 0])
    assert (tmp_path / "score.csv").read_text().startswith("key,score_0\n")


def test_columns_are_expanded_by_a_function(tmp_path: Path) -> None:
    texts = ["".join("abcd"[(i * k) % 4] for k in range(WIDTH)) for i in range(90)]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"text": text, "k": i}) for i, text in enumerate(texts)))

    def expand(columns: dict[str, Array]) -> Array:
        assert set(columns) == {"text"}
        return np.array([[ord(letter) - 97 for letter in text] for text in columns["text"]], "float32")

    Job(MODEL, tmp_path / "t.jsonl", tmp_path / "o.npy", map=expand, inputs={"text": "text"}, batch_size=16).run()
    rows = expand({"text": np.array(texts, object)})
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), MODEL.predict(rows, verbose=0))


def test_images_are_resized_and_scaled_as_declared(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="images are read by Pillow")
    from graphflow import Input, Model
    from graphflow.layers import GlobalAveragePooling2D

    rng = np.random.default_rng(8)
    pixels = rng.integers(0, 256, (5, 6, 7, 3)).astype("uint8")
    for index, one in enumerate(pixels):
        image.fromarray(one).save(tmp_path / f"{index}.png")
    x = Input((6, 7, 3))
    model = Model(x, GlobalAveragePooling2D(name="mean")(x))
    expected = pixels.astype("float64").mean(axis=(1, 2))
    for scale, wanted in (("none", expected), ("unit", expected / 255), ("signed", expected / 127.5 - 1)):
        options = {"resize": (6, 7), "scale": scale}
        output = tmp_path / f"{scale}.jsonl"
        Job(
            model,
            f"{tmp_path}/*.png",
            output,
            source_options=options,
            ids="path",
            inputs={model.input_names[0]: "image"},
        ).run()
        rows = [json.loads(line) for line in output.read_text().splitlines()]
        assert [Path(row["path"]).name for row in rows] == [f"{i}.png" for i in range(5)]
        np.testing.assert_allclose([row["mean"] for row in rows], wanted, rtol=1e-5, atol=1e-5)
    (tmp_path / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    job = Job(model, f"{tmp_path}/*.png", tmp_path / "s.npy", source_options={"resize": (6, 7)}, on_error="skip")
    job.inputs = {model.input_names[0]: "image"}
    report = job.run()
    assert (report.rows, report.rows_written, report.bad_rows) == (5, 4, 1)
    assert "2.png" in Path(report.rejects).read_text()
    with pytest.raises(ArgumentError, match="resize="):
        open_source(f"{tmp_path}/*.png")


def test_standard_input_to_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = "id," + ",".join(NAMES) + "\n" + "\n".join(f"{i}," + ",".join(map(str, X[i])) for i in range(20))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    report = Job(MODEL, "-", "-", batch_size=8, ids="id", source_format="csv", sink_format="csv").run()
    assert report.rows == 20
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[0] == "id,classes_0,classes_1,classes_2"
    found = np.array([line.split(",") for line in lines[1:]])
    assert found[:, 0].tolist() == [str(i) for i in range(20)]
    np.testing.assert_array_equal(found[:, 1:].astype("float32"), EXPECTED[:20])


def test_a_stream_writes_as_it_goes_and_tells_of_bad_rows(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    text = ",".join(NAMES) + "\n" + "".join(",".join(map(str, row)) + "\n" for row in X[:5]) + "1,2\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    job = Job(MODEL, "-", "-", batch_size=2, on_error="skip", source_format="csv", sink_format="jsonl")
    report = job.run()
    assert (report.rows, report.rows_written, report.bad_rows, report.shards) == (6, 5, 1, 3)
    said = capfd.readouterr()
    assert len(said.out.splitlines()) == 5
    assert json.loads(said.err)["reason"] == "expected 4 fields, received 2"
    assert json.loads(said.err)["place"] == "standard input, row 5 (line 7)"
    assert not job.can_resume()


def test_steps_take_outputs_of_whole_numbers() -> None:
    from graphflow.batch.post import Post

    counts = np.array([[3, 200, 7], [1, 0, 255]], "uint8")
    made = Post("top-2", ["y"])({"y": counts})
    np.testing.assert_array_equal(made["y_index"], [[1, 2], [2, 0]])
    np.testing.assert_array_equal(made["y_value"], [[200, 7], [255, 1]])
    np.testing.assert_array_equal(Post("threshold:0.5", ["y"])({"y": counts[1]})["y"], [True, False, True])
    np.testing.assert_allclose(Post("softmax", ["y"])({"y": counts})["y"].sum(1), 1, rtol=1e-6)


def test_identifiers_of_several_kinds_are_refused_by_tables(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet files are written by pyarrow")
    rows = [{"id": i if i < 20 else f"r{i}", "x": X[i].tolist()} for i in range(40)]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for shard, message in ((40, "'id' holds values of several kinds"), (20, "not of the kinds of the first shard")):
        with pytest.raises(DataError, match=message):
            Job(MODEL, tmp_path / "m.jsonl", tmp_path / f"{shard}.parquet", 20, ids="id", shard_rows=shard).run()
    Job(MODEL, tmp_path / "m.jsonl", tmp_path / "o.jsonl", ids="id").run()
    found = [json.loads(line)["id"] for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert found == [row["id"] for row in rows]


def test_a_function_is_called_with_the_rows_in_order() -> None:
    calls: list[tuple[int, Array]] = []
    Job(MODEL, X, lambda row, columns: calls.append((row, columns["classes"])), batch_size=16, shard_rows=96).run()
    assert [row for row, _ in calls] == [0, 96, 192]
    np.testing.assert_array_equal(np.concatenate([array for _, array in calls]), EXPECTED)


def test_steps_behind_the_model(tmp_path: Path) -> None:
    steps = {"argmax": EXPECTED.argmax(1), "threshold:0.4": np.float32(0.4) <= EXPECTED}
    for step, expected in steps.items():
        Job(MODEL, X, tmp_path / "o.npy", post=step).run(resume=False)
        np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), expected)
    Job(MODEL, X, tmp_path / "o-{output}.npy", post=["softmax", "top-2"]).run()
    order = np.argsort(-EXPECTED, axis=1)[:, :2]
    np.testing.assert_array_equal(np.load(tmp_path / "o-classes_index.npy"), order)
    shares = np.exp(EXPECTED.astype("f8")) / np.exp(EXPECTED.astype("f8")).sum(1, keepdims=True)
    found = np.load(tmp_path / "o-classes_value.npy")
    np.testing.assert_allclose(found, np.take_along_axis(shares, order, 1), rtol=1e-6)
    with pytest.raises(ArgumentError, match=r"no step 'argmx'.*'argmax'"):
        Job(MODEL, X, tmp_path / "p.npy", post="argmx").run()
    with pytest.raises(ShapeError, match="top-5"):
        Job(MODEL, X, tmp_path / "p-{output}.npy", post="top-5").run()


@pytest.mark.parametrize("ending", READERS)
@pytest.mark.parametrize("known", [True, False], ids=["known rows", "unknown rows"])
def test_no_rows(ending: str, known: bool, tmp_path: Path) -> None:
    if ending in NEEDS:
        pytest.importorskip(NEEDS[ending], reason=f"{ending} is written by it")
    (tmp_path / "empty.csv").write_text(",".join(NAMES) + "\n")
    report = Job(MODEL, X[:0] if known else tmp_path / "empty.csv", tmp_path / f"o{ending}").run()
    assert (report.status, report.rows) == ("finished", 0)
    assert READERS[ending](tmp_path / f"o{ending}").size == 0


def test_batches_are_predicted_as_they_come() -> None:
    taken: list[int] = []

    def batches() -> Any:
        for start in range(0, ROWS, 50):
            taken.append(start)
            yield X[start : start + 50], "targets"

    stream = predict_stream(MODEL, batches())
    assert taken == []
    first = next(stream)
    assert taken == [0]
    np.testing.assert_array_equal(np.concatenate([first, *stream]), EXPECTED)


def test_what_can_not_be_a_source(tmp_path: Path) -> None:
    np.save(tmp_path / "scalar.npy", np.float32(1))
    np.save(tmp_path / "objects.npy", np.array([None, 1]), allow_pickle=True)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(X))
    np.save(tmp_path / "short.npy", X)
    data = (tmp_path / "short.npy").read_bytes()
    (tmp_path / "short.npy").write_bytes(data[:-1])
    (tmp_path / "text.npy").write_text("no")
    (tmp_path / "z.npz").write_text("no")
    cases: dict[str, tuple[type[Exception], str]] = {
        "scalar.npy": (ShapeError, "single number"),
        "objects.npy": (DataError, "Python objects"),
        "fortran.npy": (UnsupportedError, "Fortran"),
        "short.npy": (DataError, "cut short"),
        "text.npy": (DataError, "not a readable .npy"),
        "z.npz": (DataError, "not a readable .npz"),
        "gone.npy": (FileNotFoundError, "gone.npy"),
        "none*.npy": (ArgumentError, "holds no file"),
    }
    for name, (kind, message) in cases.items():
        with pytest.raises(kind, match=message):
            open_source(tmp_path / name)
    with pytest.raises(ShapeError, match=r"a: 230.*b: 3"):
        open_source({"a": X, "b": np.zeros(3)})
    with pytest.raises(ArgumentError, match="needs a format"):
        open_source("-")
    with pytest.raises(ArgumentError, match="take no option 'resize'"):
        open_source(write_npy(tmp_path), options={"resize": (1, 1)})
