"""Rows that can not be used: each policy, hostile text, and tables whose bytes make no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_models import two_inputs, vector_model, vectors

from graphflow import Input, Model
from graphflow.batch import Job
from graphflow.batch.sources import open_source
from graphflow.errors import ArgumentError, DataError, GraphflowError, UnsupportedError

Array = np.ndarray[Any, Any]
MODEL = vector_model()
X = vectors(12)
EXPECTED = MODEL.predict(X, verbose=0)
HEADER = "id,a,b,c,d\n"


def row(index: int) -> str:
    return f"r{index}," + ",".join(map(str, X[index])) + "\n"


def write_csv(path: Path, bad: dict[int, str]) -> Path:
    path.write_bytes((HEADER + "".join(bad.get(i, row(i)) for i in range(12))).encode("utf-8", "surrogateescape"))
    return path


def run(source: Any, output: Path, **options: Any) -> tuple[Any, list[dict[str, Any]]]:
    given = {"ids": "id", "batch_size": 2, "shard_rows": 4, **options}
    report = Job(MODEL, source, output, **given).run()
    return report, [json.loads(line) for line in output.read_text().split("\n")[:-1]]


def rejects(report: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(report.rejects).read_text().split("\n")[:-1]]


HOSTILE = {
    "too few fields": ("x,1,2\n", "expected 5 fields, received 3"),
    "too many fields": ("x,1,2,3,4,5\n", "expected 5 fields, received 6"),
    "words": ("x,one,2,3,4\n", "column 'a': 'one' is not a number"),
    "an empty field": ("x,1,,3,4\n", "column 'b': an empty field is not a number"),
    "an underscore": ("x,1_000,2,3,4\n", "'1_000' is not a number"),
    "a NUL": ("x,1\0,2,3,4\n", r"'1\x00' is not a number"),
    "bytes that are no text": ("x\udcff,1,2,3,4\n", "byte 0xff is not utf-8 text"),
    "a quote in the wrong place": ('x,"1"2,2,3,4\n', "',' expected after '\"'"),
    "a huge field": (f"{'x' * 200_000},1,2,3,4\n", "field larger than field limit (131072)"),
    "a carriage return": ("x\ry,1,2,3,4\n", "new-line character seen in unquoted field"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_csv(name: str, tmp_path: Path) -> None:
    text, reason = HOSTILE[name]
    source = write_csv(tmp_path / "h.csv", {5: text, 10: text})
    with pytest.raises(DataError) as stopped:
        run(source, tmp_path / "stop.jsonl")
    assert f"{source}, row 5 (line 7): " in str(stopped.value)
    assert reason in str(stopped.value)
    report, rows = run(source, tmp_path / "skip.jsonl", on_error="skip")
    good = [i for i in range(12) if i not in (5, 10)]
    assert [one["id"] for one in rows] == [f"r{i}" for i in good]
    np.testing.assert_array_equal(np.array([one["classes"] for one in rows], "float32"), EXPECTED[good])
    assert (report.rows, report.rows_written, report.bad_rows) == (12, 10, 2)
    assert [(one["row"], reason in one["reason"]) for one in rejects(report)] == [(5, True), (10, True)]
    report, rows = run(source, tmp_path / "fill.jsonl", on_error="fill", fill=-1.5)
    assert (report.rows_written, report.bad_rows) == (12, 2)
    found = np.array([one["classes"] for one in rows], "float32")
    np.testing.assert_array_equal(found[[5, 10]], np.full((2, 3), -1.5))
    np.testing.assert_array_equal(found[good], EXPECTED[good])
    assert [one["id"] for one in rows][:5] == [f"r{i}" for i in range(5)]
    assert rows[5]["id"] in (None, "x")


def test_csv_that_is_odd_but_right(tmp_path: Path) -> None:
    odd = {
        0: '"r0\n,""x""",' + ",".join(f'"{value}"' for value in X[0]) + "\r\n",
        1: "\n\n" + row(1),
        2: row(2).replace("\n", "\r\n"),
        3: "r3,nan,inf,-inf, 1e3 \n",
    }
    _, rows = run(write_csv(tmp_path / "o.csv", odd), tmp_path / "o.jsonl")
    assert rows[0]["id"] == 'r0\n,"x"'
    assert len(rows) == 12
    found = np.array([one["classes"] for one in rows], "float32")
    keep = [i for i in range(12) if i != 3]
    np.testing.assert_array_equal(found[keep], EXPECTED[keep])
    assert np.isnan(found[3]).all()


def test_a_quote_that_is_never_closed_is_a_bad_row(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "q.csv", {8: 'r8,"1,2,3,4\n'})
    report, rows = run(source, tmp_path / "q.jsonl", on_error="skip")
    assert [one["id"] for one in rows] == [f"r{i}" for i in range(8)]
    assert "unexpected end of data" in rejects(report)[0]["reason"]
    assert report.bad_rows == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("a,a\n1,2\n", "names 'a' twice"),
        ('"a\n', "the header is not readable"),
    ],
)
def test_headers_that_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        open_source(tmp_path / "h.csv")


def test_files_with_other_columns_and_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("b,a\n1,2\n")
    x = Input((2,))
    with pytest.raises(DataError, match=r"2\.csv: the header is b, a; that of the first file is a, b"):
        Job(Model(x, x * 2), tmp_path, tmp_path / "o.npy", source_format="csv").run()
    for encoding, message in (("utf-16", "line by line"), ("klingon", "not known")):
        with pytest.raises(ArgumentError, match=message):
            open_source(tmp_path / "1.csv", options={"encoding": encoding})
    (tmp_path / "latin.csv").write_bytes("key,a,b\nM\xfcller,1,2\n".encode("latin-1"))
    job = Job(Model(x, x * 2), tmp_path / "latin.csv", tmp_path / "l.jsonl", ids="key")
    job.source_options = {"encoding": "latin-1"}
    job.run()
    assert json.loads((tmp_path / "l.jsonl").read_text())["key"] == "Müller"


HOSTILE_JSON = {
    "not JSON": ("{'id': 1}", "not JSON"),
    "no object": ("[1, 2]", "expected a JSON object, received list"),
    "a missing key": ('{"id": "x"}', "the key 'x' is missing"),
    "a key twice": ('{"id": "x", "x": [1,2,3,4], "x": [1,2,3,4]}', "the key 'x' is there twice"),
    "too short": ('{"id": "x", "x": [1, 2, 3]}', "takes shape (None, 4), received (1, 3)"),
    "nested": ('{"id": "x", "x": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    "null inside": ('{"id": "x", "x": [1, 2, null, 4]}', "is not made of numbers only"),
    "text inside": ('{"id": "x", "x": [1, 2, "3", 4]}', "is not made of numbers only"),
    "ragged": ('{"id": "x", "x": [1, 2, [3], 4]}', "unequal lengths"),
    "a number of a million digits": ('{"id": "x", "x": [1, 2, 3, ' + "9" * 1_000_000 + "]}", "not JSON: Exceeds"),
    "text for numbers": ('{"id": "x", "x": "1 2 3 4"}', "'1 2 3 4' is not a number"),
    "null": ('{"id": "x", "x": null}', "null is not a number"),
}


@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_hostile_json_lines(name: str, tmp_path: Path) -> None:
    text, reason = HOSTILE_JSON[name]
    lines = [json.dumps({"id": f"r{i}", "x": X[i].tolist()}) for i in range(12)]
    lines[6] = text
    source = tmp_path / "h.jsonl"
    source.write_text("\n".join(lines))
    with pytest.raises(DataError) as stopped:
        run(source, tmp_path / "stop.jsonl")
    assert str(stopped.value).startswith(f"{source}, row 6 (line 7): ")
    assert reason in str(stopped.value)
    assert len(str(stopped.value)) < 1000
    report, rows = run(source, tmp_path / "skip.jsonl", on_error="skip")
    assert [one["id"] for one in rows] == [f"r{i}" for i in range(12) if i != 6]
    assert [one["row"] for one in rejects(report)] == [6]
    assert Path(report.rejects).stat().st_size < 2000


def parquet_with(folder: Path, columns: dict[str, Any], group: int = 4) -> Path:
    pa = pytest.importorskip("pyarrow", reason="Parquet files are read by pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), folder / "t.parquet", row_group_size=group, compression="none")
    return folder / "t.parquet"


def test_nulls_in_numbers_are_bad_rows_and_in_identifiers_are_not(tmp_path: Path) -> None:
    a = [None if i == 9 else float(X[i, 0]) for i in range(12)]
    rest = {name: X[:, i + 1] for i, name in enumerate("bcd")}
    ids = [None if i == 1 else i for i in range(12)]
    source = parquet_with(tmp_path, {"id": ids, "a": a, **rest})
    with pytest.raises(DataError, match=r"t\.parquet, row 9: column 'a' holds null"):
        run(source, tmp_path / "stop.jsonl")
    report, rows = run(source, tmp_path / "skip.jsonl", on_error="skip")
    assert report.bad_rows == 1
    assert [one["id"] for one in rows] == [0, None, *range(2, 9), 10, 11]
    good = [i for i in range(12) if i != 9]
    np.testing.assert_array_equal(np.array([one["classes"] for one in rows], "float32"), EXPECTED[good])


@pytest.mark.parametrize("on_error", ["stop", "skip", "fill"])
def test_a_row_group_that_can_not_be_read(on_error: str, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    source = parquet_with(tmp_path, {"id": [f"r{i}" for i in range(12)], **{n: X[:, i] for i, n in enumerate("abcd")}})
    place = pq.ParquetFile(source).metadata.row_group(1).column(2)
    data = bytearray(source.read_bytes())
    start = place.dictionary_page_offset or place.data_page_offset
    data[start : start + place.total_compressed_size] = b"\xff" * place.total_compressed_size
    source.write_bytes(data)
    if on_error == "stop":
        with pytest.raises(DataError, match=r"t\.parquet, row 4: row group 1 can not be read"):
            run(source, tmp_path / "o.jsonl")
        return
    report, rows = run(source, tmp_path / "o.jsonl", on_error=on_error)
    assert (report.rows, report.bad_rows) == (12, 4)
    good = [0, 1, 2, 3, 8, 9, 10, 11]
    if on_error == "skip":
        assert [one["id"] for one in rows] == [f"r{i}" for i in good]
    else:
        assert [one["id"] for one in rows] == [f"r{i}" if i in good else None for i in range(12)]
        assert all(np.isnan(rows[i]["classes"]).all() for i in range(4, 8))
        rows = [rows[i] for i in good]
    np.testing.assert_array_equal(np.array([one["classes"] for one in rows], "float32"), EXPECTED[good])
    assert [one["row"] for one in rejects(report)] == [4, 5, 6, 7]


def test_tables_of_other_types(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="Parquet files are read by pyarrow")
    from decimal import Decimal

    listed = pa.array(X.tolist(), pa.list_(pa.float64()))
    source = parquet_with(tmp_path, {"id": pa.array([f"r{i}" for i in range(12)]).dictionary_encode(), "x": listed})
    _, rows = run(source, tmp_path / "o.jsonl")
    assert [one["id"] for one in rows] == [f"r{i}" for i in range(12)]
    np.testing.assert_array_equal(np.array([one["classes"] for one in rows], "float32"), EXPECTED)
    source = parquet_with(
        tmp_path, {"d": [Decimal("1.50"), Decimal("-2.25")], "when": pa.array([1, 2], pa.timestamp("s"))}
    )
    x = Input((1,), name="x")
    Job(Model(x, x * 2), source, tmp_path / "d.npy", inputs={"x": "d"}).run()
    np.testing.assert_array_equal(np.load(tmp_path / "d.npy"), [[3.0], [-4.5]])
    with pytest.raises(UnsupportedError, match=r"Column 'when' holds timestamp"):
        Job(Model(x, x * 2), source, tmp_path / "t.npy", inputs={"x": "when"}).run()
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        open_source(tmp_path / "t.parquet")
    (tmp_path / "t.arrow").write_bytes(b"ARROW1 nothing")
    with pytest.raises(DataError, match="not a readable Arrow file"):
        open_source(tmp_path / "t.arrow")


@pytest.mark.parametrize("on_error", ["stop", "skip", "fill"])
def test_rows_that_the_model_refuses(on_error: str, tmp_path: Path) -> None:
    model = two_inputs()
    rng = np.random.default_rng(4)
    words, meta = rng.integers(0, 20, (30, 5)), rng.standard_normal((30, 2)).astype("float32")
    expected = model.predict([words, meta], verbose=0)
    spoiled = words.copy()
    spoiled[13, 2], spoiled[29, 0] = 20, -1
    output = tmp_path / "{output}.npy"
    options = {"on_error": on_error, "batch_size": 8, "shard_rows": 16}
    job = Job(model, {"words": spoiled, "meta": meta}, output, **options)  # type: ignore[arg-type]
    if on_error == "stop":
        with pytest.raises(DataError, match=r"row 13: .*20"):
            job.run()
        return
    report = job.run()
    good = [i for i in range(30) if i not in (13, 29)]
    assert [one["row"] for one in rejects(report)] == [13, 29]
    for name, one in zip(("pair", "score"), expected, strict=True):
        found = np.load(tmp_path / f"{name}.npy")
        if on_error == "fill":
            assert np.isnan(found[[13, 29]]).all()
            found = found[good]
        np.testing.assert_array_equal(found, one[good])


def test_rows_that_the_users_function_refuses(tmp_path: Path) -> None:
    def halve(columns: dict[str, Array]) -> Array:
        if (columns["data"][:, 0] > 1).any():
            raise KeyError("a surprise")
        return columns["data"] / 2

    large = X[:, 0] > 1
    assert 0 < large.sum() < 12
    first = int(np.flatnonzero(large)[0])
    with pytest.raises(DataError, match=f"row {first}: KeyError: 'a surprise'"):
        Job(MODEL, X, tmp_path / "stop.npy", map=halve).run()
    report = Job(MODEL, X, tmp_path / "skip.npy", map=halve, on_error="skip").run()
    assert report.bad_rows == large.sum()
    np.testing.assert_array_equal(np.load(tmp_path / "skip.npy"), MODEL.predict(X[~large] / 2, verbose=0))
    with pytest.raises(GraphflowError, match="map= gave 1 rows of 'x' for 12"):
        Job(MODEL, X, tmp_path / "wrong.npy", map=lambda columns: columns["data"][:1]).run()


def test_whole_numbers_can_not_be_filled_with_nan(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "f.csv", {5: "bad\n"})
    with pytest.raises(ArgumentError, match="int64, can not be filled with nan; say fill="):
        run(source, tmp_path / "f.jsonl", on_error="fill", post="argmax")
    _, rows = run(source, tmp_path / "g.jsonl", on_error="fill", fill=-1, post="argmax")
    assert [one["classes"] for one in rows][4:7] == [int(EXPECTED[4].argmax()), -1, int(EXPECTED[6].argmax())]


def test_all_rows_bad(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "a.csv", dict.fromkeys(range(12), "bad\n"))
    report, rows = run(source, tmp_path / "s.jsonl", on_error="skip")
    assert (report.rows, report.rows_written, report.bad_rows, rows) == (12, 0, 12, [])
    report, rows = run(source, tmp_path / "f.jsonl", on_error="fill", fill=0)
    assert [one["classes"] for one in rows] == [[0, 0, 0]] * 12


def test_which_columns_an_input_takes_must_be_clear(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "c.csv", {})
    with pytest.raises(ArgumentError, match=r"Say which columns .* takes x \(None, 4\); the source has id, a, b, c, d"):
        Job(MODEL, source, tmp_path / "o.csv").run()
    with pytest.raises(ArgumentError, match="no identifier column 'key'"):
        Job(MODEL, source, tmp_path / "o.csv", ids="key").run()
    with pytest.raises(ArgumentError, match="no input 'y'"):
        Job(MODEL, source, tmp_path / "o.csv", inputs={"y": "a"}).run()
    with pytest.raises(ArgumentError, match="no column 'e'"):
        Job(MODEL, source, tmp_path / "o.csv", inputs={"x": ["a", "b", "c", "e"]}).run()
    with pytest.raises(DataError, match=r"received \(1, 3\)"):
        Job(MODEL, source, tmp_path / "o.csv", inputs={"x": ["a", "b", "c"]}).run()
