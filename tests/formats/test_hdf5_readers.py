"""The three readers of an HDF5 file's tree say the same; what breaks one is an error of ours."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
import pytest

from graphflow.errors import GraphflowError, ModelFormatError
from graphflow.formats import hdf5_child
from graphflow.formats.hdf5 import WeightsFile, in_child, open_h5, readers
from graphflow.formats.hdf5_direct import DirectTree
from graphflow.samples import digits

LIBRARY = readers.get()[1]


def of(build: Callable[[h5py.File], Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        build(file)
    return buffer.getvalue()


@contextmanager
def read_by(*chosen: Any) -> Iterator[None]:
    token = readers.set(chosen)
    try:
        yield
    finally:
        readers.reset(token)


def dump(file: WeightsFile, path: str = "") -> dict[str, Any]:
    """Everything that can be asked about a file; errors by their class."""
    kind = file.kind(path)
    found: dict[str, Any] = {"kind": kind}
    for name in sorted(file.attributes(path)):
        try:
            found[f"@{name}"] = file.texts(path, name)
        except ModelFormatError:
            value = file.numbers(path, name)
            assert value is not None
            found[f"@{name}"] = (value.dtype.str, value.shape, value.tobytes())
    if kind == "dataset":
        value = file.read(path)
        return found | {"info": file.info(path), "data": (value.dtype.str, value.shape, value.tobytes())}
    for name in file.keys(path):
        found[name] = dump(file, f"{path}/{name}")
    return found


def everything(file: h5py.File) -> None:
    rng = np.random.default_rng(0)
    for index in range(60):
        group = file.create_group(f"layers/dense_{index}/vars")
        group.create_dataset("0", data=rng.standard_normal((3, index), "f4"))
    for code in ("<f2", ">f4", "<f8", "|i1", ">i2", "<u4", "<u8"):
        file.create_dataset(f"types/{code[1:]}", data=rng.integers(0, 100, (4, 2)).astype(code))
    file.create_dataset("scalar", data=np.float32(3))
    file.create_dataset("empty", data=np.empty((0, 3), "f4"))
    file.create_dataset("packed", data=np.arange(1000.0), chunks=(300,), compression="gzip", shuffle=True)
    file.create_dataset("bool", data=np.array([True, False]))
    file.create_dataset("bfloat", data=np.arange(5, dtype="u2")).attrs["dtype"] = "bfloat16"
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    compact.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((5,))
    dataset = h5py.h5d.create(file.id, b"compact", h5py.h5t.IEEE_F32LE, space, compact)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(5, dtype="f4"))
    file.attrs["names"] = ["a", "größe", "", "x" * 3000]
    file.attrs["fixed"] = np.array([b"one", b"three"])
    file.attrs["number"] = 3.5
    file.attrs["array"] = np.arange(6, dtype=">i4").reshape(2, 3)
    file.attrs["none"] = h5py.Empty("f4")
    file.attrs["flag"] = True


@pytest.mark.parametrize("options", [{}, {"libver": "latest"}, {"track_order": True}], ids=str)
def test_the_three_readers_agree(options: dict[str, Any]) -> None:
    data = of(everything, **options)
    found = []
    for chosen in ((LIBRARY,), readers.get(), (hdf5_child.ChildTree,)):
        with read_by(*chosen), open_h5(data) as file:
            found.append(dump(file))
    assert found[0]["layers"]["dense_59"]["vars"]["0"]["info"].shape == (3, 59)
    assert found[0] == found[1]
    assert found[0] == found[2]


def test_what_keras_writes_needs_no_library() -> None:
    code = "import sys, graphflow; graphflow.load_model(sys.argv[1]); sys.exit('h5py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, str(digits.MODEL)], check=False).returncode == 0


def weights(file: h5py.File) -> None:
    file.attrs["layer_names"] = ["dense", "conv"]
    for name in ("dense", "conv"):
        group = file.create_group(f"layers/{name}/vars")
        group.attrs["weight_names"] = np.array([b"kernel:0", b"bias:0"])
        group.create_dataset("0", data=np.arange(12, dtype="<f4").reshape(3, 4))
        group.create_dataset("1", data=np.arange(4, dtype="<f4"))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_damaged_bytes_are_refused_or_harmless(libver: str) -> None:
    source, seed, refused = of(weights, libver=libver), random.Random(7), 0
    with read_by(DirectTree):
        for turn in range(1200):
            data = bytearray(source)
            for _ in range(1 + turn % 3):
                at = seed.randrange(len(data))
                data[at] = seed.choice((0, 255, data[at] ^ 1 << seed.randrange(8), seed.randrange(256)))
            try:
                with open_h5(bytes(data)) as file:
                    dump(file)
            except GraphflowError:
                refused += 1
    assert refused > 120


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_every_truncation_is_refused(libver: str) -> None:
    source = of(weights, libver=libver)
    for size in range(0, len(source), 7):
        with pytest.raises(ModelFormatError), open_h5(source[:size]) as file:
            dump(file)


class TestChild:
    DATA = of(lambda file: file.create_dataset("x", data=np.arange(1000.0), chunks=(300,), compression="gzip"))

    def test_only_what_is_not_direct_goes_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hdf5_child, "_PROGRAM", "raise SystemExit(3)")
        with in_child(), open_h5(of(weights)) as file:
            assert file.read("layers/dense/vars/1").tolist() == [0, 1, 2, 3]
        with (
            in_child(),
            open_h5(self.DATA, "model.h5") as file,
            pytest.raises(ModelFormatError, match=r"model.h5.*could not read the file within the limits"),
        ):
            file.read("x")

    @pytest.mark.parametrize(
        ("program", "phrase"),
        [
            ("import os; os.kill(os.getpid(), 11)", "ended by SIGSEGV"),
            ("import ctypes; ctypes.string_at(0)", "ended by SIGSEGV"),
            ("print('x' * 1000)", "not valid JSON"),
            ("print('[' * 500)", "levels of nesting"),
            ("import time; time.sleep(60)", "ended by SIGKILL"),
        ],
    )
    def test_a_crash_is_an_error_that_names_the_file(
        self, monkeypatch: pytest.MonkeyPatch, program: str, phrase: str
    ) -> None:
        monkeypatch.setattr(hdf5_child, "_PROGRAM", program)
        monkeypatch.setattr(hdf5_child, "WALL_SECONDS", 1.0)
        refused = pytest.raises(ModelFormatError, match=f"model.h5.*{phrase}")
        with in_child(), open_h5(self.DATA, "model.h5") as file, refused:
            file.read("x")

    def test_errors_of_the_child_name_the_place(self) -> None:
        def build(file: h5py.File) -> None:
            file.create_dataset("a/lzf", data=np.arange(10.0), compression="lzf")
            file["a/soft"] = h5py.SoftLink("/a")

        with read_by(hdf5_child.ChildTree), open_h5(of(build), "model.h5") as file:
            with pytest.raises(GraphflowError, match=r"^model.h5, 'a/lzf': data may be compressed .* filter 32000"):
                file.read("a/lzf")
            with pytest.raises(ModelFormatError, match=r"^model.h5, 'a/soft/x': links out of the tree are refused"):
                file.kind("a/soft/x")
        refused = pytest.raises(ModelFormatError, match=r"^model.h5: not readable as HDF5")
        with refused, read_by(hdf5_child.ChildTree), open_h5(self.DATA[:700], "model.h5"):
            pass
