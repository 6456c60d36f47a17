"""`untrusted=True`: the same model, and HDF5's library in no process but a child's."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import graphflow
from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats import hdf5_child, inspect_file
from tests.formats.broken.make import good, members, zipped


def compressed(data: bytes) -> bytes:
    """An HDF5 file whose arrays are compressed, as only HDF5's library describes them."""

    def pack(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.size:
            options = {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True}
            packed.create_dataset(name, data=item[()], **(options if item.shape else {}))
        elif isinstance(item, h5py.Group):
            packed.require_group(name)
        if name in packed:
            packed[name].attrs.update(item.attrs)

    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(data)) as source, h5py.File(buffer, "w") as packed:
        packed.attrs.update(source.attrs)
        source.visititems(pack)
    return buffer.getvalue()


def keras(weights: bytes) -> bytes:
    return zipped({**members(good(".keras")), "model.weights.h5": weights})


def packed(ending: str) -> bytes:
    if ending == ".keras":
        return keras(compressed(members(good(".keras"))["model.weights.h5"]))
    return compressed(good(ending))


@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5"])
def test_compressed_weights_are_the_same(tmp_path: Path, ending: str) -> None:
    plain, path = tmp_path / f"plain{ending}", tmp_path / f"packed{ending}"
    plain.write_bytes(good(ending))
    path.write_bytes(packed(ending))
    if ending == ".weights.h5":
        (tmp_path / "model.keras").write_bytes(good(".keras"))
        model, wanted = (graphflow.load_model(tmp_path / "model.keras") for _ in range(2))
        model.load_weights(path, untrusted=True)
        wanted.load_weights(plain)
    else:
        model, wanted = graphflow.load_model(path, untrusted=True), graphflow.load_model(plain)
    assert any(weight.any() for weight in wanted.get_weights())
    for ours, theirs in zip(model.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert inspect_file(path, untrusted=True).arrays == inspect_file(plain).arrays


def test_the_library_stays_out_of_the_process(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(packed(".keras"))
    code = "import sys, graphflow; graphflow.load_model(sys.argv[1], untrusted={0}); sys.exit('h5py' in sys.modules)"
    for untrusted, imported in ((True, 0), (False, 1)):
        command = [sys.executable, "-c", code.format(untrusted), str(tmp_path / "m.keras")]
        assert subprocess.run(command, check=False, capture_output=True).returncode == imported


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_crash_names_the_file(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"evil{ending}"
    path.write_bytes(packed(ending))
    monkeypatch.setattr(hdf5_child, "_PROGRAM", "import os; os.kill(os.getpid(), 11)")
    with pytest.raises(ModelFormatError, match=rf"evil{ending}.*ended by SIGSEGV while it read the file"):
        graphflow.load_model(path, untrusted=True)
    assert graphflow.load_model(path).name == "good"


@pytest.mark.parametrize(
    "answer",
    [
        "[]",
        "{}",
        "7",
        '[{"kind": "group"}]',
        '[{"kind": "group", "links": {"layers": ["hard", 99]}, "attributes": {}}]',
        '[{"kind": "group", "links": {"layers": ["hard", 0], "conv2d": ["hard", 0], "vars": ["hard", 0], '
        '"0": ["hard", 1]}, "attributes": {}}, '
        '{"kind": "dataset", "links": {}, "attributes": {}, "stored": {"shape": "x"}}]',
    ],
)
def test_what_the_child_says_is_not_believed(tmp_path: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "evil.keras"
    path.write_bytes(packed(".keras"))
    monkeypatch.setattr(hdf5_child, "_PROGRAM", f"import sys; sys.stdin.buffer.read(); print({answer!r})")
    with pytest.raises(ModelFormatError, match=r"evil.keras"):
        graphflow.load_model(path, untrusted=True)


def test_onnx_is_not_covered(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07")
    with pytest.raises(UnsupportedError, match=r"m.onnx: ONNX files are parsed by the package onnx"):
        graphflow.load_model(tmp_path / "m.onnx", untrusted=True)
