"""The command line: real predictions, every kind of mistake in one line, and never half a file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow.cli import main
from graphflow.cli.arrays import read_inputs, write_outputs
from graphflow.errors import ArgumentError
from graphflow.samples import digits
from graphflow.samples.__main__ import main as samples_main

ROOT = Path(graphflow.__file__).parents[1]
MODEL, IMAGES = str(digits.MODEL), str(digits.IMAGES)


def run(*args: str, module: str = "graphflow", **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *args]
    settings = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=settings)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def expected() -> Any:
    return graphflow.load_model(MODEL).predict(np.load(IMAGES), verbose=0)


def test_predict_writes_what_the_model_answers(tmp_path: Path, expected: Any) -> None:
    out = tmp_path / "out.npy"
    result = run("predict", MODEL, IMAGES, "-o", str(out), "--batch-size", "7")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    np.testing.assert_array_equal(np.load(out), expected)
    np.testing.assert_allclose(np.load(out), np.load(digits.KERAS_OUTPUTS), atol=1e-5)
    assert names_in(tmp_path) == ["out.npy"]


@pytest.mark.parametrize("way", ["name", "npz", "order", "fortran", "float64"])
def test_inputs_in_every_form(tmp_path: Path, expected: Any, way: str) -> None:
    images = np.load(IMAGES)
    path = tmp_path / ("run=1.npz" if way == "npz" else "run=1.npy")
    if way == "npz":
        np.savez(path, image=images)
    else:
        forms = {"fortran": np.asfortranarray(images), "float64": images.astype("float64")}
        np.save(path, forms.get(way, images))
    out = tmp_path / "out.npz"
    assert main(["predict", MODEL, f"image={path}" if way == "name" else str(path), "--output", str(out)]) == 0
    with np.load(out) as archive:
        assert archive.files == ["digit"]
        np.testing.assert_array_equal(archive["digit"], expected)


def test_no_rows_give_no_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.zeros((0, 8, 8, 1), "float32"))
    assert main(["predict", MODEL, str(tmp_path / "none.npy"), "-o", str(tmp_path / "out.npy")]) == 0
    assert np.load(tmp_path / "out.npy").shape == (0, 10)


def test_an_existing_file_is_replaced_with_the_usual_permissions(tmp_path: Path, expected: Any) -> None:
    real, link = tmp_path / "real.npy", tmp_path / "link.npy"
    real.write_bytes(b"old")
    link.symlink_to(real)
    assert main(["predict", MODEL, IMAGES, "-o", str(link)]) == 0
    np.testing.assert_array_equal(np.load(real), expected)
    assert link.is_symlink()
    umask = os.umask(0)
    os.umask(umask)
    assert real.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.npy"
    out.write_bytes(b"old")

    def interrupted(*_: Any) -> None:
        assert len(names_in(tmp_path)) == 2
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    assert main(["predict", MODEL, IMAGES, "-o", str(out)]) == 130
    assert names_in(tmp_path) == ["out.npy"]
    assert out.read_bytes() == b"old"


def test_an_output_may_be_called_file(tmp_path: Path) -> None:
    outputs = {"file": np.arange(3), "a/b": np.ones((2, 2), "float32")}
    write_outputs(tmp_path / "o.npz", outputs)
    with np.load(tmp_path / "o.npz") as archive:
        assert archive.files == list(outputs)
        for name, array in outputs.items():
            np.testing.assert_array_equal(archive[name], array)


def test_inputs_by_name_and_by_order(tmp_path: Path) -> None:
    first, second = str(tmp_path / "1.npy"), str(tmp_path / "2.npy")
    np.save(first, np.arange(3))
    np.save(second, np.arange(4))
    found = read_inputs([f"b={second}", f"a={first}"], ["a", "b"])
    assert isinstance(found, dict)
    assert {name: len(array) for name, array in found.items()} == {"a": 3, "b": 4}
    assert all(isinstance(array, np.memmap) for array in found.values())
    assert [len(array) for array in read_inputs([first, second], ["a", "b"])] == [3, 4]
    assert list(read_inputs([f"a=b={first}"], ["a", "a=b"])) == ["a=b"]
    for given, phrase in (
        ([f"a={first}", second], "all by name or all by order"),
        ([f"a={first}", f"a={second}"], "given twice"),
        ([first], "has 2 inputs"),
        ([f"c={first}"], "no input 'c'"),
    ):
        with pytest.raises(ArgumentError, match=phrase):
            read_inputs(given, ["a", "b"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files that are not what they should be."""
    np.save(tmp_path / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    np.save(tmp_path / "text.npy", np.array(["a"] * 64).reshape(1, 8, 8, 1))
    np.savez(tmp_path / "names.npz", img=np.load(IMAGES))
    np.savez(tmp_path / "objects.npz", image=np.array([{}], dtype=object))
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "short.npy").write_bytes(digits.IMAGES.read_bytes()[:1000])
    (tmp_path / "words.npy").write_text("hello, I am not an array")
    (tmp_path / "words.npz").write_text("hello, I am not an archive")
    (tmp_path / "words.keras").write_text("hello, I am not a model")
    (tmp_path / "images.txt").write_bytes(digits.IMAGES.read_bytes())
    (tmp_path / "folder.npy").mkdir()
    return tmp_path


P = ("predict", MODEL)
MISTAKES: list[tuple[tuple[str, ...], str]] = [
    ((), "required: COMMAND"),
    (("train",), "invalid choice: 'train'"),
    (("predict",), "required: MODEL, INPUT, -o/--output"),
    ((*P, IMAGES), "required: -o/--output"),
    ((*P, IMAGES, "-o", "{0}/o.npy", "--batch-size", "0"), "expected a positive integer, received '0'"),
    ((*P, IMAGES, "-o", "{0}/o.npy", "--batch-size", "many"), "received 'many'"),
    ((*P, IMAGES, "-o", "{0}/o.csv"), "the output must be a .npy or .npz file"),
    ((*P, IMAGES, "-o", "{0}/o"), "the ending '' is not known"),
    ((*P, IMAGES, "-o", "{0}/nowhere/o.npy"), "/nowhere: No such file or directory"),
    ((*P, IMAGES, "-o", "{0}/folder.npy"), "Is a directory"),
    (("predict", "{0}/none.keras", IMAGES, "-o", "{0}/o.npy"), "none.keras: No such file or directory"),
    (("predict", "{0}/words.keras", IMAGES, "-o", "{0}/o.npy"), "not a model file of a known format"),
    ((*P, "{0}/none.npy", "-o", "{0}/o.npy"), "none.npy: No such file or directory"),
    ((*P, "{0}/none.npz", "-o", "{0}/o.npy"), "none.npz: No such file or directory"),
    ((*P, "{0}/folder.npy", "-o", "{0}/o.npy"), "folder.npy: Is a directory"),
    ((*P, "{0}/images.txt", "-o", "{0}/o.npy"), "the ending '.txt' is not known"),
    ((*P, "{0}/objects.npy", "-o", "{0}/o.npy"), "objects.npy: not a readable .npy file"),
    ((*P, "{0}/objects.npz", "-o", "{0}/o.npy"), "objects.npz: not a readable .npz file: it holds Python objects"),
    ((*P, "{0}/empty.npy", "-o", "{0}/o.npy"), "empty.npy: not a readable .npy file"),
    ((*P, "{0}/short.npy", "-o", "{0}/o.npy"), "short.npy: not a readable .npy file"),
    ((*P, "{0}/words.npy", "-o", "{0}/o.npy"), "words.npy: not a readable .npy file"),
    ((*P, "{0}/words.npz", "-o", "{0}/o.npy"), "words.npz: not a readable .npz file"),
    ((*P, "{0}/names.npz", "-o", "{0}/o.npy"), "missing: image; unknown: img. Did you mean 'image'?"),
    ((*P, f"img={IMAGES}", "-o", "{0}/o.npy"), "no input 'img'. Did you mean 'image'?"),
    ((*P, f"image={IMAGES}", f"image={IMAGES}", "-o", "{0}/o.npy"), "given twice"),
    ((*P, "image={0}/names.npz", "-o", "{0}/o.npy"), "here a .npy is needed"),
    ((*P, IMAGES, IMAGES, "-o", "{0}/o.npy"), "has 1 inputs (image), received 2 files"),
    ((*P, str(digits.LABELS), "-o", "{0}/o.npy"), "Input 'image' takes shape (None, 8, 8, 1)"),
    ((*P, "{0}/text.npy", "-o", "{0}/o.npy"), "Input 'image' takes float32"),
    (("summary", "{0}/none.keras"), "none.keras: No such file or directory"),
    (("summary", "{0}/none\x1b[2J\n.keras"), r"none\x1b[2J .keras: No such file or directory"),
    (("summary", "{0}"), "received a directory"),
    (("summary", IMAGES), "not a model file of a known format"),
    (("summary", MODEL, "--line-length", "9"), "do not fit into a line of 9"),
]


@pytest.mark.parametrize(("args", "phrase"), MISTAKES, ids=[phrase for _, phrase in MISTAKES])
def test_a_mistake_is_one_line(
    args: tuple[str, ...], phrase: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = names_in(folder)
    assert main([arg.replace("{0}", str(folder)) for arg in args]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("graphflow: error: ")
    assert phrase in printed.err
    assert printed.err.count("\n") == 1
    assert printed.err.isascii()
    assert "unexpected" not in printed.err
    assert names_in(folder) == before


def test_several_outputs_need_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from graphflow import Input, Model, formats
    from graphflow.layers import Dense

    a, b = Input((3,), name="a"), Input((2,), name="b")
    model = Model([a, b], [Dense(2, name="one")(a), Dense(1, name="two")(b)])
    monkeypatch.setattr(formats, "load_model", lambda path: model)
    given = {"a": np.ones((5, 3), "float32"), "b": np.ones((5, 2), "float32")}
    np.savez(tmp_path / "in.npz", **given)
    assert main(["predict", "m", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npy")]) == 2
    assert "2 outputs (one, two), which need a .npz file" in capsys.readouterr().err
    assert main(["predict", "m", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as archive:
        for name, array in zip(("one", "two"), model.predict(given), strict=True):
            np.testing.assert_array_equal(archive[name], array)


@pytest.mark.oracle
def test_a_keras_file_of_two_inputs_by_name(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    merged = keras.layers.Concatenate()([keras.layers.Dense(4, activation="tanh")(a), b])
    model = keras.Model([a, b], [keras.layers.Dense(2, name="one")(merged), keras.layers.Dense(1, name="two")(merged)])
    model.save(tmp_path / "two.keras")
    rng = np.random.default_rng(1)
    given = [rng.normal(size=(9, 3)).astype("float32"), rng.normal(size=(9, 2)).astype("float32")]
    for name, array in zip("ab", given, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    first, second, out = (str(tmp_path / name) for name in ("a.npy", "b.npy", "out.npz"))
    wanted = model.predict(given, verbose=0)
    for inputs in ([f"b={second}", f"a={first}"], [first, second]):
        result = run("predict", str(tmp_path / "two.keras"), *inputs, "-o", out)
        assert (result.returncode, result.stderr) == (0, "")
        with np.load(out) as archive:
            for name, array in zip(("one", "two"), wanted, strict=True):
                np.testing.assert_allclose(archive[name], array, atol=1e-6)


def test_summary_prints_the_table() -> None:
    result = run("summary", MODEL, "--line-length", "120", "--expand-nested")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == graphflow.inspect.format_summary(graphflow.load_model(MODEL), line_length=120) + "\n"


def test_version_and_help() -> None:
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"graphflow {graphflow.__version__}\n")
    assert "predict" in run("--help").stdout
    assert "name=file.npy" in run("predict", "--help").stdout


def test_starting_up_loads_neither_numpy_nor_models() -> None:
    code = "import sys; from graphflow.cli import main; main(['--version']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not {"numpy", "graphflow.models", "graphflow.formats"} & set(loaded.split())


@pytest.mark.parametrize("args", [("--debug", "summary", "none.keras"), ("summary", "none.keras", "--debug")])
def test_debug_shows_the_traceback(args: tuple[str, ...]) -> None:
    result = run(*args)
    assert result.returncode == 2
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("graphflow: error: none.keras: No such file or directory\n")


def test_an_error_nobody_expected_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from graphflow import formats

    monkeypatch.setattr(formats, "load_model", lambda path: {}["x"])
    assert main(["summary", "m"]) == 2
    assert capsys.readouterr().err == "graphflow: error: unexpected KeyError: 'x' (--debug shows where)\n"


@pytest.mark.parametrize("module", ["graphflow", "graphflow.samples"])
def test_a_closed_pipe_is_quiet(module: str) -> None:
    args = ["summary", MODEL] if module == "graphflow" else [str(digits.KERAS_OUTPUTS)]
    read, write = os.pipe()
    os.close(read)
    try:
        command = [sys.executable, "-m", module, *args]
        result = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, cwd=ROOT, check=False, timeout=120)
    finally:
        os.close(write)
    assert result.stderr == b""
    assert result.returncode == (141 if module == "graphflow" else 0)


def test_samples_compare_with_the_truth_and_with_keras(tmp_path: Path, expected: Any) -> None:
    np.save(tmp_path / "p.npy", expected)
    for encoding, ink in (("utf-8", "█"), ("ascii", "@")):
        result = run(str(tmp_path / "p.npy"), module="graphflow.samples", PYTHONIOENCODING=encoding)
        assert (result.returncode, result.stderr) == (0, "")
        assert ink in result.stdout
        assert "accuracy: 100 of 100 (Keras: 100 of 100)\n" in result.stdout
        assert "largest difference to Keras' outputs: " in result.stdout
        assert all(len(line) <= 79 for line in result.stdout.split("\n"))


def test_samples_show_mistakes_first(tmp_path: Path, capsys: Any) -> None:
    wrong = np.load(digits.KERAS_OUTPUTS)
    wrong[70] = np.roll(wrong[70], 1)
    np.save(tmp_path / "p.npy", wrong)
    label = int(np.load(digits.LABELS)[70])
    assert samples_main([str(tmp_path / "p.npy")]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert lines[8].startswith(f"{(label + 1) % 10} (")
    assert lines[9].startswith(f"true: {label}")
    assert "accuracy: 99 of 100 (Keras: 100 of 100)" in lines


def test_samples_refuse_other_files(tmp_path: Path, capsys: Any) -> None:
    for path, phrase in (
        (IMAGES, "expected floats of shape (100, 10)"),
        (MODEL, "received an archive"),
        ("none.npy", "No such file"),
    ):
        assert samples_main([path]) == 2
        printed = capsys.readouterr()
        assert phrase in printed.err
        assert printed.err.count("\n") == 1


def test_samples_tell_their_paths_to_a_makefile(capsys: Any) -> None:
    assert samples_main(["--paths"]) == 0
    assert capsys.readouterr().out.split() == [MODEL, IMAGES]
