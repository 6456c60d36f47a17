"""The readers below every file format: good files read right, and each way to build a bad one is refused by name."""

from __future__ import annotations

import io
import json
import math
import os
import random
import stat
import struct
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from graphflow.errors import ArgumentError, GraphflowError, ModelFormatError, UnsupportedError
from graphflow.formats.container import map_file, open_archive
from graphflow.formats.hdf5 import open_h5, readers
from graphflow.formats.hdf5_data import fletcher32
from graphflow.formats.json_text import parse_json
from graphflow.formats.limits import Limits

ROOT = Path(__file__).resolve().parents[2]
CONFIG = json.dumps({"class_name": "Functional", "config": {"layers": list(range(50))}}).encode()


def h5_bytes(build: Callable[[h5py.File], None], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        build(file)
    return buffer.getvalue()


def two_weights(file: h5py.File) -> None:
    file.create_dataset("layers/dense/vars/0", data=np.arange(12, dtype="<f4").reshape(3, 4))
    file.create_dataset("layers/dense/vars/1", data=np.arange(4, dtype="<f4"))


WEIGHTS = h5_bytes(two_weights)


def zip_bytes(
    members: dict[str, bytes] | None = None, method: int = zipfile.ZIP_STORED, force_zip64: bool = False
) -> bytes:
    buffer = io.BytesIO()
    chosen = members if members is not None else {"config.json": CONFIG, "model.weights.h5": WEIGHTS}
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in chosen.items():
            with archive.open(name, "w", force_zip64=force_zip64) as member:
                member.write(data)
    return buffer.getvalue()


def as_content(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


class TestFile:
    def test_symlink_to_a_file_is_the_users_choice(self, tmp_path: Path) -> None:
        (tmp_path / "model").write_bytes(b"abc")
        (tmp_path / "link").symlink_to(tmp_path / "model")
        content = map_file(tmp_path / "link")
        assert content.tobytes() == b"abc"
        assert not content.flags.writeable

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            map_file(tmp_path / "none")

    def test_other_kinds_of_file_are_refused_without_opening_them(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        (tmp_path / "link").symlink_to(tmp_path / "fifo")
        for path, kind in (("fifo", "FIFO"), ("link", "FIFO"), (".", "directory"), ("/dev/zero", "device")):
            with pytest.raises(ModelFormatError, match=f"regular file, received a {kind}"):
                open_archive(tmp_path / path)
            with pytest.raises(ModelFormatError, match=f"regular file, received a {kind}"), open_h5(tmp_path / path):
                pass

    def test_empty_and_oversized(self, tmp_path: Path) -> None:
        path = tmp_path / "model.keras"
        path.write_bytes(b"")
        with pytest.raises(ModelFormatError, match="empty"):
            map_file(path)
        path.write_bytes(b"12345")
        with pytest.raises(ModelFormatError, match=r"at most 4, received 5.*limits=Limits\(file_bytes="):
            map_file(path, Limits(file_bytes=4))
        with path.open("wb") as sparse:
            sparse.truncate(9 << 30)
        with pytest.raises(ModelFormatError, match="file_bytes"):
            open_archive(path)

    @pytest.mark.parametrize("value", [0, -1, 1.5, True, "8"])
    def test_limits_are_positive_integers(self, value: Any) -> None:
        with pytest.raises(ArgumentError, match="depth"):
            Limits(depth=value)


class TestGoodArchives:
    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    @pytest.mark.parametrize("force_zip64", [False, True])
    def test_round_trip(self, tmp_path: Path, method: int, force_zip64: bool) -> None:
        path = tmp_path / "model.keras"
        path.write_bytes(zip_bytes(method=method, force_zip64=force_zip64))
        with open_archive(path) as archive:
            assert archive.names == ("config.json", "model.weights.h5")
            assert archive.read("config.json") == CONFIG
            content = archive.mapped("model.weights.h5")
        assert content.tobytes() == WEIGHTS
        assert not content.flags.writeable
        with open_h5(content, "model.weights.h5") as weights:
            np.testing.assert_array_equal(weights.read("layers/dense/vars/1"), [0, 1, 2, 3])

    def test_stored_members_are_views(self) -> None:
        content = as_content(zip_bytes())
        assert np.shares_memory(open_archive(content).mapped("model.weights.h5"), content)

    def test_written_to_a_pipe_with_sizes_after_the_data(self) -> None:
        class Pipe(io.RawIOBase):
            def __init__(self) -> None:
                self.data = b""

            def writable(self) -> bool:
                return True

            def write(self, data: Any) -> int:
                self.data += bytes(data)
                return len(data)

        pipe = Pipe()
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
            archive.writestr("config.json", CONFIG)
            archive.writestr("b", b"")
        opened = open_archive(as_content(pipe.data))
        assert opened.read("config.json") == CONFIG
        assert opened.read("b") == b""

    def test_comment_folders_and_unicode(self) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.comment = b"note"
            archive.mkdir("assets") if hasattr(archive, "mkdir") else archive.writestr("assets/", b"")
            archive.writestr("assets/größe.txt", b"1")
        assert open_archive(as_content(buffer.getvalue())).names == ("assets/größe.txt",)

    def test_empty_archive(self) -> None:
        assert open_archive(as_content(zip_bytes({}))).names == ()


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def central(data: bytes, index: int = 0) -> int:
    """Where the directory's entry of a member begins."""
    at = data.find(b"PK\1\2")
    for _ in range(index):
        at = data.find(b"PK\1\2", at + 4)
    return at


def both(data: bytes, local_at: int, central_at: int, new: bytes) -> bytes:
    """The first member's local header and directory entry changed alike."""
    return patched(patched(data, local_at, new), central(data) + central_at, new)


def with_duplicate() -> bytes:
    data = zip_bytes({"a.json": b"1", "b.json": b"2"})
    return data.replace(b"b.json", b"a.json")


def with_overlap() -> bytes:
    """Two names for the same bytes, as the quine-like bombs have them."""
    inner = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, 1, 0) + b"b"
    data = zip_bytes({"a": inner, "b": b""})
    first = data.find(inner)
    return patched(data, central(data, 1) + 42, struct.pack("<L", first))


def with_symlink() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("config.json")
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def with_ratio(size: int = 64 << 20) -> bytes:
    return zip_bytes({"config.json": bytes(size)}, zipfile.ZIP_DEFLATED)


PLAIN = zip_bytes({"config.json": CONFIG})
DEFLATED = zip_bytes({"config.json": CONFIG}, zipfile.ZIP_DEFLATED)
END = PLAIN.rfind(b"PK\5\6")

BAD_ARCHIVES: list[tuple[str, bytes, type[GraphflowError], str]] = [
    ("not a zip", b"hello world, this is no archive", ModelFormatError, "not a ZIP archive"),
    ("three bytes", b"PK\3", ModelFormatError, "not a ZIP archive"),
    ("no end record", PLAIN[:END], ModelFormatError, "truncated: no end record"),
    ("cut in the end record", PLAIN[:-1], ModelFormatError, "truncated"),
    ("bytes after the end", PLAIN + b"x", ModelFormatError, "must end the file"),
    ("bytes before the start", b"PKxx" + PLAIN, ModelFormatError, "directory must end at the end record"),
    ("directory cut out", PLAIN[: END - 10] + PLAIN[END:], ModelFormatError, "directory must end at the end record"),
    ("more entries claimed", patched(PLAIN, END + 8, b"\2\0\2\0"), ModelFormatError, "truncated: the directory entry"),
    (
        "fewer entries claimed",
        patched(PLAIN, END + 8, struct.pack("<2H", 0, 0)),
        ModelFormatError,
        "must hold 0 entries",
    ),
    ("several parts", patched(PLAIN, END + 4, struct.pack("<H", 1)), UnsupportedError, "several parts"),
    ("encrypted", both(PLAIN, 6, 8, struct.pack("<H", 1)), UnsupportedError, "encrypted"),
    ("strongly encrypted", both(PLAIN, 6, 8, struct.pack("<H", 65)), UnsupportedError, "encrypted"),
    ("lzma", zip_bytes({"a": b"1"}, zipfile.ZIP_LZMA), UnsupportedError, "stored or deflated, received method 14"),
    ("bzip2", zip_bytes({"a": b"1"}, zipfile.ZIP_BZIP2), UnsupportedError, "stored or deflated, received method 12"),
    ("repeated name", with_duplicate(), ModelFormatError, "must be unique; 'a.json' is repeated"),
    ("overlap", with_overlap(), ModelFormatError, "must not overlap"),
    ("symbolic link", with_symlink(), ModelFormatError, "not a link or device"),
    ("absolute name", zip_bytes({"/etc/passwd": b""}), ModelFormatError, "relative path"),
    ("climbing name", zip_bytes({"a/../../b": b""}), ModelFormatError, "relative path"),
    ("dot name", zip_bytes({"./a": b""}), ModelFormatError, "relative path"),
    ("empty part", zip_bytes({"a//b": b""}), ModelFormatError, "relative path"),
    ("drive name", zip_bytes({"c:/a": b""}), ModelFormatError, "relative path"),
    ("backslash", PLAIN.replace(b"config.json", b"con\\ig.json"), ModelFormatError, "relative path"),
    ("escape sequence", PLAIN.replace(b"config.json", b"\x1b[2Jfg.json"), ModelFormatError, r"control.*\\x1b\[2J"),
    ("null byte", PLAIN.replace(b"config.json", b"config\0json"), ModelFormatError, "control"),
    ("other local name", PLAIN.replace(b"config.json", b"Config.json", 1), ModelFormatError, "repeat the directory"),
    ("other local method", patched(PLAIN, 8, struct.pack("<H", 8)), ModelFormatError, "repeat the directory"),
    ("other local size", patched(PLAIN, 22, struct.pack("<L", 7)), ModelFormatError, "repeat the directory"),
    ("other local checksum", patched(PLAIN, 14, struct.pack("<L", 7)), ModelFormatError, "repeat the directory"),
    ("stored sizes differ", both(PLAIN, 22, 24, struct.pack("<L", 7)), ModelFormatError, "says that it takes"),
    ("size beyond the file", both(PLAIN, 18, 20, struct.pack("<2L", 1 << 30, 1 << 30)), ModelFormatError, "overlap"),
    (
        "header beyond the file",
        patched(PLAIN, central(PLAIN) + 42, struct.pack("<L", 1 << 30)),
        ModelFormatError,
        "truncated",
    ),
    ("header elsewhere", patched(PLAIN, central(PLAIN) + 42, struct.pack("<L", 5)), ModelFormatError, "no header"),
    ("64-bit size missing", both(PLAIN, 18, 20, b"\xff" * 8), ModelFormatError, "announced and missing"),
]

BAD_MEMBERS: list[tuple[str, bytes, Limits, str]] = [
    ("checksum", PLAIN.replace(b"Functional", b"Functionbl"), Limits(), "CRC-32"),
    ("declared smaller", both(DEFLATED, 22, 24, struct.pack("<L", 7)), Limits(), "expected 7 .* received more than 7"),
    ("declared larger", both(DEFLATED, 22, 24, struct.pack("<L", 9999)), Limits(), "expected 9,999 .* received"),
    ("damaged stream", patched(DEFLATED, 41, b"\xff\xff\xff"), Limits(), "damaged compressed data"),
    ("ratio bomb", with_ratio(), Limits(), r"decompressed bytes per stored byte.*Limits\(ratio="),
    ("size bomb", with_ratio(1 << 20), Limits(member_bytes=1000), r"at most 1,000, received 1,048,576.*member_bytes="),
]


class TestBadArchives:
    @pytest.mark.parametrize(("name", "data", "error", "phrase"), BAD_ARCHIVES, ids=[row[0] for row in BAD_ARCHIVES])
    def test_refused_at_opening(self, name: str, data: bytes, error: type[GraphflowError], phrase: str) -> None:
        with pytest.raises(error, match=f"(?s)model.keras.*{phrase}"):
            open_archive(as_content(data), where="model.keras")

    @pytest.mark.parametrize(("name", "data", "limits", "phrase"), BAD_MEMBERS, ids=[row[0] for row in BAD_MEMBERS])
    def test_refused_at_reading(self, name: str, data: bytes, limits: Limits, phrase: str) -> None:
        archive = open_archive(as_content(data), limits, "model.keras")
        with pytest.raises(ModelFormatError, match=f"(?s)model.keras, member 'config.json': .*{phrase}"):
            archive.read("config.json")

    def test_missing_member_names_those_there_are(self) -> None:
        with pytest.raises(ModelFormatError, match=r"no member named 'x'. Members: 'config.json'"):
            open_archive(as_content(PLAIN)).mapped("x")

    def test_too_many_members(self) -> None:
        with pytest.raises(ModelFormatError, match=r"members of the archive.*Limits\(members="):
            open_archive(as_content(zip_bytes({f"a{i}": b"" for i in range(11)})), Limits(members=10))

    def test_bomb_allocates_little(self) -> None:
        import tracemalloc

        data = as_content(both(with_ratio(), 22, 24, struct.pack("<L", 1000)))
        tracemalloc.start()
        with pytest.raises(ModelFormatError, match="more than 1,000"):
            open_archive(data).read("config.json")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20

    def test_any_damaged_byte_is_refused_or_harmless(self) -> None:
        source, seed = zip_bytes(method=zipfile.ZIP_DEFLATED), random.Random(5)
        harmless = 0
        for _ in range(3000):
            data = bytearray(source)
            data[seed.randrange(len(data))] ^= 1 << seed.randrange(8)
            try:
                archive = open_archive(as_content(bytes(data)))
                members = [archive.mapped(name).tobytes() for name in archive.names]
            except GraphflowError:
                continue
            assert members == [CONFIG, WEIGHTS]
            harmless += 1
        assert harmless < 1000


class TestJson:
    def test_values_are_those_of_the_standard_parser(self) -> None:
        text = (
            '{"a": [1, -2.5e3, true, null, "x,]}\\"\\u00e9 \\ud83d\\ude00"], "b": {"c": []}, "d": 12345678901234567890}'
        )
        assert parse_json(text.encode(), "t") == json.loads(text)

    def test_not_a_number_and_infinity_are_floats(self) -> None:
        value = parse_json(b"[NaN, Infinity, -Infinity]", "t")
        assert isinstance(value, list)
        assert np.isnan(value[0])
        assert value[1:] == [np.inf, -np.inf]

    @pytest.mark.parametrize(
        ("data", "phrase"),
        [
            (b"{", "not valid JSON"),
            (b"", "not valid JSON"),
            (b"[1,]", "line 1"),
            (b'["abc', "Unterminated string"),
            (b'"' + b'\\"' * 200_000, "Unterminated string"),
            (b'"' + b'\\"' * 200_000 + b"\\", "Unterminated string"),
            (b"]" * 1000 + b"[" * 1000, "not valid JSON|levels of nesting"),
            (b"\xff", "UTF-8; byte 0"),
            (b'"\xed\xa0\x80"', "UTF-8"),
            (b'\xef\xbb\xbf{"a": 1}', "not valid JSON"),
            (b'["\\ud800"]', "surrogate"),
            (b'{"units": 1, "units": 2}', "unique; 'units' is repeated"),
            (b'[{"a": {"\\u0062": 1, "b": 2}}]', "'b' is repeated"),
            (b"[" * 100_000 + b"]" * 100_000, r"levels of nesting.*Limits\(depth="),
            (b'{"a":' * 101 + b"1" + b"}" * 101, "expected at most 100, received 101"),
            (b"[" + b"9" * 1_000_000 + b"]", r"digits in an integer.*Limits\(integer_digits="),
            (b"-" + b"9" * 41, "digits in an integer"),
            (b"[" + b"1," * 1_000_001 + b"1]", r"values in JSON.*Limits\(nodes="),
        ],
    )
    def test_refused(self, data: bytes, phrase: str) -> None:
        with pytest.raises(ModelFormatError, match=f"model.keras, member 'config.json'.*{phrase}"):
            parse_json(data, "model.keras, member 'config.json'")

    def test_budgets(self) -> None:
        with pytest.raises(ModelFormatError, match="string_bytes"):
            parse_json(json.dumps({"n" * 2000: 1}).encode(), "t", Limits(string_bytes=1000))
        with pytest.raises(ModelFormatError, match="member_bytes"):
            parse_json(b"[1, 2, 3]", "t", Limits(member_bytes=5))
        with pytest.raises(ModelFormatError, match="stack"):
            parse_json(b"[" * 500_000 + b"]" * 500_000, "t", Limits(depth=1_000_000))
        assert parse_json(b"[" * 100 + b"]" * 100, "t") is not None
        assert parse_json(b"9" * 40, "t") == int("9" * 40)
        assert parse_json(b'["[[[[", "{{{{"]', "t", Limits(depth=1, nodes=2)) == ["[[[[", "{{{{"]


@pytest.fixture(params=["direct", "library"])
def reader(request: pytest.FixtureRequest) -> Iterator[None]:
    """Everything about HDF5 holds for the reader of bytes with HDF5's library behind it, and for the library alone."""
    token = readers.set(readers.get()[-1:] if request.param == "library" else readers.get())
    yield
    readers.reset(token)


def opened(data: bytes, action: Callable[[Any], Any], limits: Limits | None = None) -> Any:
    with open_h5(data, "model.keras, member 'model.weights.h5'", limits or Limits()) as weights:
        return action(weights)


CHUNKED = ("chunked", "gzip", "all filters")
STORED_SHAPES = [
    *((storage, shape) for storage in ("contiguous", "compact") for shape in [(), (1,), (5,), (3, 7, 2), (0, 4)]),
    *((storage, shape) for storage in CHUNKED for shape in [(1,), (5,), (3, 7, 2)]),
]


@pytest.mark.usefixtures("reader")
class TestGoodHdf5:
    @pytest.mark.parametrize(
        "code", ["<f2", "<f4", ">f4", "<f8", "|i1", "<i2", ">i4", "<i8", "|u1", ">u2", "<u8", "|b1"]
    )
    @pytest.mark.parametrize(("storage", "shape"), STORED_SHAPES)
    def test_every_type_and_storage(self, code: str, shape: tuple[int, ...], storage: str) -> None:
        data = (np.arange(max(1, math.prod(shape))) % 120 - (5 if code[1] in "fi" else 0)).astype(code)
        data = data[: math.prod(shape)].reshape(shape)
        chunks = tuple(min(size, 2) for size in shape)
        options: dict[str, Any] = {}
        if storage in CHUNKED:
            options = {"chunks": chunks}
        if storage in ("gzip", "all filters"):
            options["compression"] = "gzip"
        if storage == "all filters":
            options |= {"shuffle": True, "fletcher32": True}

        def build(file: h5py.File) -> None:
            if storage != "compact":
                file.create_dataset("g/x", data=data, **options)
                return
            properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            properties.set_layout(h5py.h5d.COMPACT)
            space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
            kind = h5py.h5t.py_create(data.dtype, logical=True)
            group = file.create_group("g")
            dataset = h5py.h5d.create(group.id, b"x", kind, space, dcpl=properties)
            dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(data), kind)

        file = h5_bytes(build)
        info = opened(file, lambda weights: weights.info("g/x"))
        assert info.shape == shape
        assert info.dtype == data.dtype.name
        for mapped in (False, True):
            result = opened(file, lambda weights, mapped=mapped: weights.read("g/x", shape, code, mapped))
            assert result.shape == shape
            assert result.dtype == np.dtype(code)
            np.testing.assert_array_equal(result, data)
        plain = opened(file, lambda weights: weights.read("/g/x/"))
        assert plain.dtype.isnative
        assert plain.flags.writeable
        np.testing.assert_array_equal(plain, data)

    def test_mapped_is_a_view_and_a_copy_is_not(self, tmp_path: Path) -> None:
        path = tmp_path / "w.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("x", data=np.arange(100_000, dtype="<f4"))
        content = map_file(path)
        with open_h5(content) as weights:
            view = weights.read("x", (100_000,), "float32", mapped=True)
            copy = weights.read("x", (100_000,), "float32")
        assert np.shares_memory(view, content)
        assert not view.flags.writeable
        assert not np.shares_memory(copy, content)
        assert view[99_999] == copy[99_999] == 99_999
        shifted = np.empty(len(content) + 1, np.uint8)
        shifted[1:] = content
        with open_h5(shifted[1:]) as weights:
            result = weights.read("x", mapped=True)
        assert np.shares_memory(result, shifted)
        assert not result.flags.aligned
        assert not result.flags.writeable
        np.testing.assert_array_equal(result, view)

    @pytest.mark.parametrize("stored", ["uint16", "void2"])
    @pytest.mark.parametrize("shape", [(), (6,), (2, 3)])
    def test_bfloat16(self, stored: str, shape: tuple[int, ...]) -> None:
        wanted = np.array([0, 1, -2.5, 3e38, -np.inf, 2**-126], np.float32)[: math.prod(shape)]
        wanted = (wanted.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32).reshape(shape)
        bits = (wanted.view(np.uint32) >> np.uint32(16)).astype("<u2")

        def build(file: h5py.File) -> None:
            dataset = file.create_dataset("x", data=bits if stored == "uint16" else bits.view("V2"))
            dataset.attrs["dtype"] = "bfloat16"

        file = h5_bytes(build)
        assert opened(file, lambda weights: weights.info("x")).dtype == "bfloat16"
        for dtype in (None, "float32", "float64"):
            result = opened(file, lambda weights, dtype=dtype: weights.read("x", shape, dtype))
            assert isinstance(result, np.ndarray)
            np.testing.assert_array_equal(result, wanted)

    @pytest.mark.parametrize("libver", ["earliest", "latest"])
    @pytest.mark.parametrize("track_order", [False, True])
    def test_strings_in_old_and_new_headers(self, libver: str, track_order: bool) -> None:
        def build(file: h5py.File) -> None:
            group = file.create_group("g", track_order=track_order)
            for index in range(7):
                group.attrs[f"name{index}"] = [f"value {index}" * 50, "", "ü"]
            group.attrs["one"] = "x"

        file = h5_bytes(build, libver=libver, track_order=track_order)
        wanted = [text for index in range(7) for text in (f"value {index}" * 50, "", "ü")]
        assert opened(file, lambda weights: weights.texts("g", "name")) == wanted
        assert opened(file, lambda weights: weights.text("g", "one")) == "x"

    def test_strings_outside_the_header_are_not_supported(self) -> None:
        def build(file: h5py.File) -> None:
            for index in range(20):
                file.attrs[f"name{index}"] = "x"
                file.attrs[f"fixed{index}"] = np.bytes_(b"y")

        file = h5_bytes(build, libver="latest")
        assert opened(file, lambda weights: weights.text("", "fixed7")) == "y"
        with pytest.raises(UnsupportedError, match="attribute 'name7': attributes stored outside the header"):
            opened(file, lambda weights: weights.text("", "name7"))

    def test_attributes(self) -> None:
        names = [f"layer_{index}" for index in range(6)]

        def build(file: h5py.File) -> None:
            file.attrs["text"] = "größe"
            file.attrs["bytes"] = "größe".encode()
            file.attrs["fixed"] = np.bytes_(b"abc")
            file.attrs["one"] = np.array([b"abc"])
            file.attrs["none"] = h5py.Empty("S1")
            file.attrs["names"] = [name.encode() for name in names]
            file.attrs["vlen"] = names
            file.attrs["empty"] = np.asarray([])
            file.attrs["many0"] = np.array([b"a", b"b"])
            file.attrs["many1"] = np.array([b"c"])
            file.attrs["number"] = 3
            file.attrs["array"] = np.array([1.5, 2.5], ">f4")

        def check(weights: Any) -> None:
            assert len(weights.attributes()) == 12
            assert weights.text("", "text") == weights.text("/", "bytes") == "größe"
            assert weights.text("", "fixed") == weights.text("", "one") == "abc"
            assert weights.text("", "absent") is weights.texts("", "absent") is weights.numbers("", "absent") is None
            assert weights.texts("", "names") == weights.texts("", "vlen") == names
            assert weights.texts("", "empty") == weights.texts("", "none") == []
            assert weights.texts("", "many") == ["a", "b", "c"]
            assert weights.numbers("", "number") == 3
            assert weights.numbers("", "array").tolist() == [1.5, 2.5]
            for action, name in ((weights.text, "names"), (weights.text, "number"), (weights.texts, "number")):
                with pytest.raises(ModelFormatError, match=f"attribute '{name}': expected"):
                    action("", name)
            with pytest.raises(ModelFormatError, match="expected numbers"):
                weights.numbers("", "text")

        opened(h5_bytes(build), check)

    @pytest.mark.parametrize("libver", ["earliest", "latest"])
    def test_groups(self, libver: str) -> None:
        def build(file: h5py.File) -> None:
            two_weights(file)
            for index in range(40):
                file.create_group(f"many/g{index:02}")
            file.attrs["long"] = "x" * 200_000

        def check(weights: Any) -> None:
            assert weights.keys() == ["layers", "many"]
            assert weights.keys("layers/dense/vars") == ["0", "1"]
            assert weights.keys("many") == [f"g{index:02}" for index in range(40)]
            assert weights.kind("") == weights.kind("layers") == "group"
            assert weights.kind("/layers/dense/vars/0") == "dataset"
            assert weights.kind("layers/conv") is weights.kind("layers/dense/vars/0/x") is weights.kind("x/y") is None
            assert weights.kind("layers/./dense") is weights.kind("layers/dense\0x") is None
            assert weights.text("", "long") == "x" * 200_000

        opened(h5_bytes(build, libver=libver), check)

    def test_sample(self) -> None:
        sample = ROOT / "graphflow/samples/digits/digits.keras"
        archive = open_archive(sample)
        config = parse_json(archive.read("config.json"), archive.place("config.json"))
        assert isinstance(config, dict)
        assert config["class_name"] == "Functional"
        with open_h5(archive.mapped("model.weights.h5")) as weights:
            assert weights.read("layers/dense/vars/0", (32, 10), "float32").std() > 0.1


def with_link(link: Any) -> bytes:
    def build(file: h5py.File) -> None:
        two_weights(file)
        file["layers/other"] = link

    return h5_bytes(build)


def with_dataset(*arguments: Any, **options: Any) -> bytes:
    return h5_bytes(lambda file: file.create_dataset("layers/other", *arguments, **options) and None)


def with_virtual() -> bytes:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", (4,))
    return h5_bytes(lambda file: file.create_virtual_dataset("layers/other", layout) and None)


def with_null() -> bytes:
    return with_dataset(data=h5py.Empty("f4"))


def with_named_type() -> bytes:
    def build(file: h5py.File) -> None:
        file.create_group("layers")
        file["layers/other"] = np.dtype("f8")

    return h5_bytes(build)


def with_holes() -> bytes:
    def build(file: h5py.File) -> None:
        file.create_dataset("layers/other", (1000,), "f4", chunks=(10,))[:10] = 1

    return h5_bytes(build)


def with_chunk_bomb() -> bytes:
    """A chunk of 40 bytes whose compressed data expand to 16 MiB."""
    import zlib

    def build(file: h5py.File) -> None:
        dataset = file.create_dataset("layers/other", (10,), "f4", chunks=(10,), compression="gzip")
        dataset.id.write_direct_chunk((0,), zlib.compress(bytes(16 << 20)))

    return h5_bytes(build)


def with_bad_checksum() -> bytes:
    data = with_dataset(data=np.arange(300, dtype="f4"), chunks=(300,), fletcher32=True)
    return data.replace(np.float32(200).tobytes() + np.float32(201).tobytes(), bytes(8))


def with_long_double() -> bytes:
    return with_dataset(data=np.zeros(3, np.longdouble))


TEN = np.arange(10, dtype="f4")
BAD_DATASETS: list[tuple[str, bytes, type[GraphflowError], str]] = [
    ("soft link", with_link(h5py.SoftLink("/layers/dense/vars/0")), ModelFormatError, "'other' is a soft link"),
    ("external link", with_link(h5py.ExternalLink("o.h5", "/x")), ModelFormatError, "'other' is an external link"),
    ("virtual", with_virtual(), ModelFormatError, "virtual datasets are refused"),
    (
        "external storage",
        with_dataset((10,), "f4", external=[("/dev/zero", 0, 40)]),
        ModelFormatError,
        "external storage is refused",
    ),
    ("missing", WEIGHTS, ModelFormatError, "nothing there"),
    ("group", h5_bytes(lambda file: file.create_group("layers/other") and None), ModelFormatError, "received a group"),
    ("named type", with_named_type(), ModelFormatError, "must be a group or a dataset"),
    ("null", with_null(), ModelFormatError, "declared empty"),
    ("never written", with_dataset((10,), "f4"), ModelFormatError, "expected 40 bytes of data, the file holds 0"),
    ("chunks missing", with_holes(), ModelFormatError, "expected 100 chunks .* holds 1"),
    ("petabytes unwritten", with_dataset((10**6, 10**6, 10**3), "f4"), ModelFormatError, "array_bytes"),
    (
        "petabytes chunked",
        with_dataset((10**6, 10**6, 10**3), "f4", chunks=(1, 1, 10)),
        ModelFormatError,
        "array_bytes",
    ),
    ("chunk bomb", with_chunk_bomb(), ModelFormatError, "expected 40 decompressed bytes, received more than 40"),
    (
        "chunk larger than all",
        with_dataset((10,), "f4", maxshape=(None,), chunks=(1 << 20,)),
        ModelFormatError,
        "chunk",
    ),
    ("fletcher32", with_bad_checksum(), ModelFormatError, "Fletcher-32"),
    ("strings", with_dataset(data=np.array([b"ab"])), ModelFormatError, "class string"),
    ("variable strings", with_dataset(data=["ab"], dtype=h5py.string_dtype()), ModelFormatError, "class string"),
    ("variable length", with_dataset((3,), h5py.vlen_dtype("f4")), ModelFormatError, "class vlen"),
    ("references", with_dataset((3,), h5py.ref_dtype), ModelFormatError, "class reference"),
    ("compound", with_dataset((3,), [("a", "f4"), ("b", "f4")]), ModelFormatError, "class compound"),
    ("complex", with_dataset(data=np.zeros(3, "c8")), ModelFormatError, "class compound"),
    ("array type", with_dataset((3,), np.dtype(("f4", (2,)))), ModelFormatError, "class array"),
    ("opaque", with_dataset(data=np.zeros(3, "V8")), ModelFormatError, "class opaque"),
    ("opaque without a name", with_dataset(data=np.zeros(3, "V2")), UnsupportedError, "dtype='bfloat16'"),
    ("enumeration", with_dataset((3,), h5py.enum_dtype({"A": 1})), UnsupportedError, "layout that NumPy lacks"),
    ("long double", with_long_double(), UnsupportedError, "16 bytes in a layout"),
    ("lzf", with_dataset(data=TEN, compression="lzf"), UnsupportedError, "received filter 32000"),
    ("scale-offset", with_dataset(data=TEN, scaleoffset=2), UnsupportedError, "received filter 6"),
]


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_files_of_keras(tmp_path: Path) -> None:
    """With so many and such long names that the legacy format splits `layer_names`."""
    keras = pytest.importorskip("keras")
    dense = [keras.layers.Dense(3, name=f"{'n' * 230}_{index}") for index in range(290)]
    model = keras.Sequential([keras.Input((3,)), *dense])
    wanted = [np.asarray(value) for value in model.get_weights()]

    model.save(tmp_path / "model.h5")
    with open_h5(tmp_path / "model.h5") as weights:
        config = parse_json((weights.text("", "model_config") or "").encode(), "model_config")
        assert isinstance(config, dict)
        assert config["class_name"] == "Sequential"
        assert "layer_names1" in weights.attributes("model_weights")
        layers = weights.texts("model_weights", "layer_names")
        assert layers == [layer.name for layer in dense]
        found = []
        for layer in layers:
            names = weights.texts(f"model_weights/{layer}", "weight_names") or []
            found += [weights.read(f"model_weights/{layer}/{name}") for name in names]
    check_equal(found, wanted)

    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    for source in (
        open_archive(tmp_path / "model.keras").mapped("model.weights.h5"),
        tmp_path / "model.weights.h5",
    ):
        found = []
        with open_h5(source) as weights:
            for index, layer in enumerate(dense):
                place = f"layers/dense_{index}/vars" if index else "layers/dense/vars"
                assert weights.text(place, "name") == layer.name
                found += [weights.read(f"{place}/{key}", dtype="float32") for key in weights.keys(place)]
        check_equal(found, wanted)


def check_equal(found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    assert len(found) == len(wanted)
    for left, right in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.usefixtures("reader")
class TestBadHdf5:
    @pytest.mark.parametrize(("name", "data", "error", "phrase"), BAD_DATASETS, ids=[row[0] for row in BAD_DATASETS])
    def test_refused(self, name: str, data: bytes, error: type[GraphflowError], phrase: str) -> None:
        with pytest.raises(error, match=f"model.keras, member 'model.weights.h5', 'layers/other': .*{phrase}"):
            opened(data, lambda weights: weights.read("layers/other"))

    @pytest.mark.parametrize("link", [h5py.SoftLink("/layers/dense"), h5py.ExternalLink("o.h5", "/layers/dense")])
    def test_links_on_the_way_are_refused_by_every_method(self, link: Any) -> None:
        def check(weights: Any) -> None:
            assert weights.keys("layers") == ["dense", "other"]
            for action in (
                lambda: weights.kind("layers/other"),
                lambda: weights.keys("layers/other"),
                lambda: weights.attributes("layers/other/vars"),
                lambda: weights.text("layers/other", "name"),
                lambda: weights.info("layers/other/vars/0"),
                lambda: weights.read("layers/other/vars/0"),
            ):
                with pytest.raises(ModelFormatError, match="links out of the tree are refused"):
                    action()

        opened(with_link(link), check)

    def test_a_group_inside_itself_ends(self) -> None:
        def build(file: h5py.File) -> None:
            group = file.create_group("a")
            group["a"] = group

        with pytest.raises(ModelFormatError, match=r"levels of groups.*Limits\(depth="):
            opened(h5_bytes(build), lambda weights: weights.kind("/".join("a" * 200)))

    def test_shape_and_type_are_compared_before_reading(self) -> None:
        def check(weights: Any) -> None:
            path = "layers/dense/vars/0"
            with pytest.raises(
                ModelFormatError, match=r"'layers/dense/vars/0': expected shape \(4, 3\), received \(3, 4\)"
            ):
                weights.read(path, (4, 3))
            with pytest.raises(ModelFormatError, match="expected data of type int32, received float32"):
                weights.read(path, (3, 4), "int32")
            with pytest.raises(ModelFormatError, match=r"bytes of arrays in this file.*Limits\(total_bytes="):
                for _ in range(3):
                    weights.read(path, (3, 4))

        opened(WEIGHTS, check, Limits(total_bytes=100))

    @pytest.mark.parametrize(("stored", "wanted"), [("int64", "int32"), ("int32", "float32"), ("float32", "int8")])
    def test_conversions_that_can_lose_values(self, stored: str, wanted: str) -> None:
        with pytest.raises(ModelFormatError, match=f"expected data of type {wanted}, received {stored}"):
            opened(with_dataset(data=np.zeros(3, stored)), lambda weights: weights.read("layers/other", dtype=wanted))

    @pytest.mark.parametrize("fixed", [True, False])
    def test_attribute_bomb(self, fixed: bool) -> None:
        texts = np.array([b"abcdefgh"] * 100) if fixed else ["abcdefgh"] * 100
        file = h5_bytes(lambda file: file.attrs.create("layer_names", texts))
        assert opened(file, lambda weights: weights.texts("", "layer_names")) == ["abcdefgh"] * 100
        with pytest.raises(ModelFormatError, match=r"attribute 'layer_names': .*Limits\(member_bytes="):
            opened(file, lambda weights: weights.texts("", "layer_names"), Limits(member_bytes=500))

    @pytest.mark.parametrize(
        ("at", "damage", "phrase"),
        [
            (0, struct.pack("<L", 9), "a string of 9 bytes is not in the heap"),
            (0, struct.pack("<L", 2**32 - 1), "a string of 4,294,967,295 bytes is not in the heap"),
            (4, struct.pack("<Q", 5), "no heap of strings at byte 5"),
            (4, struct.pack("<Q", 2**63), "data must lie inside the file"),
            (12, struct.pack("<L", 9), "is not in the heap"),
            ("heap", struct.pack("<2HLQ", 0, 0, 0, 0), "is not in the heap"),
            ("heap", struct.pack("<2HLQ", 2, 1, 0, 2**64 - 16), "heap of strings .* is damaged"),
        ],
    )
    def test_damaged_strings_neither_hang_nor_allocate(self, at: Any, damage: bytes, phrase: str) -> None:
        file = h5_bytes(lambda file: file.attrs.create("names", ["abcdefgh", "ijklm"]))
        heap = file.find(b"GCOL")
        reference = max(file.find(struct.pack("<LQL", 8, heap, index)) for index in (1, 2))
        assert reference > 0
        place = heap + 16 if at == "heap" else reference + at
        with pytest.raises(ModelFormatError, match=f"attribute 'names': .*{phrase}"):
            opened(patched(file, place, damage), lambda weights: weights.texts("", "names"))

    def test_many_references_to_one_long_string(self) -> None:
        file = h5_bytes(lambda file: file.attrs.create("names", ["x" * 50_000, *"abcdefghij"]))
        heap = file.find(b"GCOL")
        long = next(at for index in range(20) if (at := file.find(struct.pack("<LQL", 50_000, heap, index))) > 0)
        data = patched(file, long, file[long : long + 16] * 11)
        assert opened(data, lambda weights: weights.texts("", "names")) == ["x" * 50_000] * 11
        with pytest.raises(ModelFormatError, match=r"received 550,000.*Limits\(member_bytes=|received [0-9]+50,000"):
            opened(data, lambda weights: weights.texts("", "names"), Limits(member_bytes=500_000))

    def test_attributes_of_other_kinds(self) -> None:
        def build(file: h5py.File) -> None:
            file.attrs["a"] = np.zeros(2, [("x", "f4")])
            file.attrs["b"] = file.ref
            file.attrs["c"] = np.bytes_(b"\xff\xfe")

        def check(weights: Any) -> None:
            for name, phrase in (("a", "compound"), ("b", "reference"), ("c", "UTF-8")):
                with pytest.raises(ModelFormatError, match=f"attribute '{name}': .*{phrase}"):
                    weights.text("", name)

        opened(h5_bytes(build), check)

    def test_names(self) -> None:
        file = h5_bytes(lambda file: file.id.links.create_hard(b"\xff\xfe", file.create_group("a").id, b".") and None)
        with pytest.raises(ModelFormatError, match=r"name b'\\xff\\xfe' is not UTF-8"):
            opened(file, lambda weights: weights.keys())
        with pytest.raises(ModelFormatError, match=r"links in a group.*Limits\(nodes="):
            opened(
                h5_bytes(lambda file: [file.create_group(str(i)) for i in range(5)] and None),
                lambda w: w.keys(),
                Limits(nodes=4),
            )

    @pytest.mark.parametrize("data", [b"", b"\x89HDF", b"hello", b"x" * 512 + WEIGHTS, WEIGHTS[:600], WEIGHTS[:-1]])
    def test_no_hdf5_file(self, data: bytes) -> None:
        with pytest.raises(ModelFormatError, match=r"'model.weights.h5': not (an|readable as) HDF5"):
            opened(data, lambda weights: weights.keys())

    def test_fletcher32_is_that_of_hdf5(self) -> None:
        for size in (1, 2, 3, 1000, 70_001):
            values = np.random.default_rng(size).integers(0, 256, size, np.uint8)
            for data in (values, np.full(size, 255, np.uint8), np.zeros(size, np.uint8)):
                file = with_dataset(data=data, chunks=data.shape, fletcher32=True)
                assert fletcher32(data).to_bytes(4, "little") in file
                np.testing.assert_array_equal(opened(file, lambda weights: weights.read("layers/other")), data)


WATCHED = """
import sys
import numpy as np
from pathlib import Path
from graphflow.errors import GraphflowError
from graphflow.formats import container, hdf5, json_text
assert "h5py" not in sys.modules, "h5py must be imported when it is needed"

def load(path):
    try:
        archive = container.open_archive(path)
        json_text.parse_json(archive.read("config.json"), path)
        with hdf5.open_h5(archive.mapped("model.weights.h5")) as weights:
            for key in weights.keys("layers"):
                weights.texts("layers/" + key, "names")
                weights.read("layers/" + key)
    except GraphflowError as error:
        return type(error).__name__
    return "read"

files = sorted(str(path) for path in Path(sys.argv[1]).glob("*.keras"))
load(files[0])
load(next(path for path in files if path.endswith("lzf.keras")))
events, seen = [], []
sys.addaudithook(lambda event, arguments: events.append((event, arguments)))
results = {}
for path in files:
    events.clear()
    results[path] = load(path)
    seen += [(path, event, arguments) for event, arguments in list(events)]
allowed = {"builtins.id", "mmap.__new__", "object.__getattr__", "sys._getframe"}
for path, event, arguments in seen:
    if event == "open" and arguments[0] == path or event in allowed:
        continue
    raise SystemExit(f"unexpected {event} {arguments} in {path}")
assert sum(event == "open" for _, event, _ in seen) == len(files)
print(sum(result == "read" for result in results.values()), len(results))
"""


def test_nothing_else_is_opened_imported_or_run(tmp_path: Path) -> None:
    """Links and storage point at FIFOs, so a reader that opened one of them would wait for ever."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    layout = h5py.VirtualLayout((4,), "f4", maxshape=(None,))
    layout[:] = h5py.VirtualSource(str(fifo), "x", (4,), maxshape=(None,))[:]
    bad = {
        "good": with_dataset(data=TEN),
        "external": with_link(h5py.ExternalLink(str(fifo), "/x")),
        "soft": with_link(h5py.SoftLink("/layers")),
        "storage": with_dataset((10,), "f4", external=[(str(fifo), 0, 40)]),
        "virtual": h5_bytes(lambda file: file.create_virtual_dataset("layers/other", layout) and None),
        "lzf": with_dataset(data=TEN, compression="lzf"),
        "truncated": WEIGHTS[:700],
    }
    for name, weights in bad.items():
        config = json.dumps({"path": str(fifo), "class_name": "subprocess.run", "url": "http://127.0.0.1:9/"}).encode()
        (tmp_path / f"{name}.keras").write_bytes(zip_bytes({"config.json": config, "model.weights.h5": weights}))
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WATCHED), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["1", str(len(bad))]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["fifo", *(f"{name}.keras" for name in bad)])
