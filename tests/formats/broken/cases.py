"""The table of broken files: a name, how the file's name ends, its bytes, and what the error says."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import h5py
import numpy as np

from tests.formats.broken.make import (
    Config,
    array,
    doubling,
    good,
    layer,
    members,
    patched,
    replaced,
    spoiled,
    virtual,
    with_config,
    with_h5,
    with_h5_config,
    with_item,
    with_layer,
    with_text,
    with_weights,
    zipped,
)


class Case(NamedTuple):
    """One broken file.

    Attributes:
        name: of the case.
        ending: of the file's name; of weights alone "weights.h5" and the like, which are read by load_weights.
        data: the file's bytes, made when they are asked for.
        says: a regular expression that the message has besides the file's name.
    """

    name: str
    ending: str
    data: Callable[[], bytes]
    says: str


def _truncated() -> Iterator[Case]:
    for ending in (".keras", ".h5", ".weights.h5"):
        for part in (0, 1, 7, 40, 130, 350, 600, 900, 990, 999):

            def cut(ending: str = ending, part: int = part) -> bytes:
                whole = good(ending)
                return whole[: len(whole) * part // 1000 if part > 7 else part]

            says = "empty" if part == 0 else "known format|truncated|archive|not readable|must lie|damaged|inside"
            yield Case(f"{ending} cut at {part}", ending, cut, says)


def _without(*names: str) -> Callable[[], bytes]:
    return lambda: zipped({name: data for name, data in members(good(".keras")).items() if name not in names})


def _doubled_member() -> bytes:
    parts = members(good(".keras"))
    return zipped({**parts, "config.jsom": b"{}"}).replace(b"config.jsom", b"config.json")


def _lying_size() -> bytes:
    data = zipped({"config.json": b" " * 1000, "metadata.json": b"{}"}, zipfile.ZIP_DEFLATED)
    entry, small = data.find(b"PK\1\2"), struct.pack("<L", 10)
    return patched(patched(data, 22, small), entry + 24, small)


ARCHIVES = [
    Case("no metadata", ".keras", _without("metadata.json"), "no member named 'metadata.json'"),
    Case("no config", ".keras", _without("config.json"), "no member named 'config.json'"),
    Case("no weights", ".keras", _without("model.weights.h5"), "no member 'model.weights.h5'"),
    Case("nothing", ".keras", lambda: zipped({}), "known format|no member"),
    Case("repeated member", ".keras", _doubled_member, "'config.json' is repeated"),
    Case("climbing member", ".keras", lambda: zipped({**members(good(".keras")), "../x": b""}), "relative path"),
    Case("absolute member", ".keras", lambda: zipped({**members(good(".keras")), "/x": b""}), "relative path"),
    Case("lying size", ".keras", _lying_size, "'metadata.json'|'config.json'"),
    Case(
        "damaged config",
        ".keras",
        lambda: good(".keras").replace(b"Functional", b"Functionbl", 1),
        "config.json.*CRC-32",
    ),
    Case(
        "bomb",
        ".keras",
        lambda: zipped({**members(good(".keras")), "config.json": bytes(64 << 20)}, zipfile.ZIP_DEFLATED),
        "config.json.*decompressed bytes per stored byte",
    ),
    Case(
        "weights that are a ZIP",
        ".keras",
        lambda: zipped({**members(good(".keras")), "model.weights.h5": b"PK"}),
        "not an HDF5 file",
    ),
    Case("words", ".keras", lambda: b"just words", "known format"),
]

TEXTS = [
    Case("not JSON", ".keras", lambda: with_text(b"{"), "config.json.*not valid JSON"),
    Case("not UTF-8", ".keras", lambda: with_text(b'{"a": "\xff"}'), "config.json.*UTF-8"),
    Case("a list", ".keras", lambda: with_text(b"[]"), "config.json.*expected a JSON object"),
    Case("null", ".keras", lambda: with_text(b"null"), "config.json.*expected a JSON object"),
    Case("empty object", ".keras", lambda: with_text(b"{}"), "config.json.*must list its layers"),
    Case("deep lists", ".keras", lambda: with_text(b"[" * 100_000), "config.json.*levels of nesting"),
    Case("deep objects", ".keras", lambda: with_text(b'{"a":' * 100_000), "config.json.*levels of nesting"),
    Case(
        "long integer",
        ".keras",
        lambda: with_text(b'{"a": ' + b"9" * 1_000_000 + b"}"),
        "config.json.*(digits|integer)",
    ),
    Case(
        "repeated key", ".keras", lambda: with_text(b'{"config": 1, "config": 2}'), "config.json.*'config' is repeated"
    ),
    Case(
        "long name",
        ".keras",
        lambda: with_text(b'{"class_name": "' + b"a" * (17 << 20) + b'"}'),
        "config.json.*characters",
    ),
    Case("many values", ".keras", lambda: with_text(b"[" + b"0," * 1_100_000 + b"0]"), "config.json.*values in JSON"),
    Case(
        "metadata is a list",
        ".keras",
        lambda: zipped({**members(good(".keras")), "metadata.json": b"[1]"}),
        "metadata.json",
    ),
]


def _arguments() -> Iterator[Case]:
    rows: list[tuple[str, str, dict[str, Any], str]] = [
        ("units NaN", "last", {"units": float("nan")}, "units|last"),
        ("units infinite", "last", {"units": float("inf")}, "units|last"),
        ("units negative", "last", {"units": -4}, "units|last"),
        ("units zero", "last", {"units": 0}, "last"),
        ("units 2^62", "last", {"units": 1 << 62}, "last"),
        ("units a billion", "last", {"units": 10**9}, r"dense/vars/0'.*expected shape \(29, 1000000000\)"),
        ("units text", "last", {"units": "four"}, "last"),
        ("units a list", "last", {"units": [4]}, "last"),
        ("units missing", "last", {"units": None}, "last"),
        ("filters 2^62", "conv", {"filters": 1 << 62}, "conv"),
        ("kernel of zero", "conv", {"kernel_size": [0, 0]}, "conv"),
        ("kernel negative", "conv", {"kernel_size": [-2, 2]}, "conv"),
        ("kernel huge", "conv", {"kernel_size": [10**6, 10**6]}, "conv"),
        ("kernel of three", "conv", {"kernel_size": [2, 2, 2]}, "conv"),
        ("strides zero", "conv", {"strides": [0, 0]}, "conv"),
        ("padding unknown", "conv", {"padding": "sideways"}, "conv"),
        ("rows 2^40", "table", {"input_dim": 1 << 40}, r"embedding/vars/0'.*expected shape \(1099511627776, 4\)"),
        ("shape bomb", "again", {"target_shape": [10**6, 10**6, 10**6]}, "again"),
        ("shape of another size", "again", {"target_shape": [28]}, "again"),
        ("batch shape NaN", "image", {"batch_shape": [None, float("nan"), 4, 2]}, "image|config.json"),
        ("batch shape negative", "image", {"batch_shape": [None, -4, 4, 2]}, "image|config.json"),
        ("batch shape of words", "image", {"batch_shape": [None, "four", 4, 2]}, "image|config.json"),
        ("batch shape a number", "image", {"batch_shape": 7}, "image|config.json"),
        ("dtype unknown", "last", {"dtype": "float7"}, "float7"),
        ("axis far away", "norm", {"axis": 1 << 40}, "norm"),
        ("activation unknown", "last", {"activation": "os.system"}, "'os.system'.*'last'|'last'.*'os.system'"),
        (
            "activation of a module",
            "last",
            {"activation": {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}},
            "'system'",
        ),
        (
            "initializer of a module",
            "last",
            {"kernel_initializer": {"module": "subprocess", "class_name": "Popen", "config": {"args": ["true"]}}},
            "Popen",
        ),
        ("an argument that is none", "last", {"shell": "rm -rf /"}, "shell"),
        (
            "bytecode as an argument",
            "last",
            {"activation": {"class_name": "__lambda__", "config": {"code": "4wEAAA==", "defaults": None}}},
            "last.*(code|never run)|(code|never run).*last",
        ),
    ]
    for name, where, arguments, says in rows:
        yield Case(name, ".keras", lambda where=where, arguments=arguments: with_layer(where, **arguments), says)  # type: ignore[misc]


def _history(config: Config, name: str, place: list[Any]) -> None:
    """Let the first tensor that a layer takes be another one."""
    found = layer(config, name)["inbound_nodes"][0]["args"][0]
    (found[0] if isinstance(found, list) else found)["config"]["keras_history"] = place


def _cycle(config: Config) -> None:
    _history(config, "norm", ["flat", 0, 0])
    _history(config, "flat", ["norm", 0, 0])


def _lambda() -> bytes:
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAA==", "defaults": None, "closure": None}}
    return with_config(
        lambda config: layer(config, "flat").update(
            class_name="Lambda", config={"name": "flat", "function": code, "arguments": {}}
        )
    )


GRAPHS = [
    Case(
        "unknown class",
        ".keras",
        lambda: with_item("last", class_name="Capsule", registered_name="Capsule"),
        "'Capsule'.*'last'",
    ),
    Case(
        "a function as a class",
        ".keras",
        lambda: with_item("last", module="os", class_name="system", registered_name=None),
        "'system'.*'last'",
    ),
    Case(
        "a builtin as a class",
        ".keras",
        lambda: with_item("last", module="builtins", class_name="eval"),
        "'eval'.*'last'",
    ),
    Case(
        "a class by registered name",
        ".keras",
        lambda: with_item("last", class_name="subprocess.run", registered_name="subprocess>run"),
        "'last'",
    ),
    Case("class of no name", ".keras", lambda: with_item("last", class_name=None), "last|config.json"),
    Case("class is a list", ".keras", lambda: with_item("last", class_name=["Dense"]), "last|config.json"),
    Case("configuration is text", ".keras", lambda: with_item("last", config="units=4"), "last"),
    Case("Lambda bytecode", ".keras", _lambda, "'flat'.*never run|never run.*'flat'"),
    Case(
        "a subclassed model",
        ".keras",
        lambda: with_config(lambda c: c.update(class_name="Net", config={"a": 1})),
        "Net",
    ),
    Case("cycle", ".keras", lambda: with_config(_cycle), "cycle"),
    Case(
        "a layer that takes itself",
        ".keras",
        lambda: with_config(lambda c: _history(c, "norm", ["norm", 0, 0])),
        "cycle|norm",
    ),
    Case(
        "tensor of no layer", ".keras", lambda: with_config(lambda c: _history(c, "norm", ["ghost", 0, 0])), "'ghost'"
    ),
    Case(
        "call that is not there", ".keras", lambda: with_config(lambda c: _history(c, "norm", ["conv", 7, 0])), "conv"
    ),
    Case(
        "call before the first",
        ".keras",
        lambda: with_config(lambda c: _history(c, "norm", ["conv", -1, 0])),
        "conv|norm",
    ),
    Case("call 2^62", ".keras", lambda: with_config(lambda c: _history(c, "norm", ["conv", 1 << 62, 0])), "conv|norm"),
    Case(
        "output that is not there", ".keras", lambda: with_config(lambda c: _history(c, "norm", ["conv", 0, 5])), "conv"
    ),
    Case(
        "call infinite",
        ".keras",
        lambda: with_config(lambda c: _history(c, "norm", ["conv", float("inf"), 0])),
        "config.json",
    ),
    Case(
        "history of words",
        ".keras",
        lambda: with_config(lambda c: _history(c, "norm", ["conv", "0", None])),
        "conv|norm|config.json",
    ),
    Case("history too short", ".keras", lambda: with_config(lambda c: _history(c, "norm", [])), "norm|config.json"),
    Case(
        "two layers of one name",
        ".keras",
        lambda: with_config(lambda c: c["config"]["layers"].append(layer(c, "last"))),
        "last",
    ),
    Case("layers is no list", ".keras", lambda: with_config(lambda c: c["config"].update(layers={"a": 1})), "layers"),
    Case(
        "a layer is a number",
        ".keras",
        lambda: with_config(lambda c: c["config"]["layers"].insert(0, 3)),
        "config.json",
    ),
    Case("no inputs", ".keras", lambda: with_config(lambda c: c["config"].update(input_layers=[])), "config.json"),
    Case("no outputs", ".keras", lambda: with_config(lambda c: c["config"].update(output_layers=None)), "config.json"),
    Case(
        "output of no layer",
        ".keras",
        lambda: with_config(lambda c: c["config"].update(output_layers=[["ghost", 0, 0]])),
        "ghost",
    ),
    Case("input of another rank", ".keras", lambda: with_layer("image", batch_shape=[None, 4]), "conv"),
    Case("models that double", ".keras", lambda: with_config(lambda c: doubling(14)), "."),
    Case("models without end", ".keras", lambda: with_config(lambda c: doubling(60)), "nesting"),
    Case("nodes of another form", ".keras", lambda: with_item("last", inbound_nodes="join"), "last"),
]

KERNEL, GROUP = "layers/dense/vars/0", "layers/dense/vars"


def _self_link(file: h5py.File) -> None:
    del file[GROUP]
    file[GROUP] = file["layers/dense"]


def _huge(file: h5py.File, path: str) -> None:
    file.create_dataset(path, (10**6, 10**6, 10**6), "f4", chunks=(1, 1, 10))


WEIGHTS = [
    Case(f"weights: {name}", ".keras", lambda change=change: with_weights(change), says)  # type: ignore[misc]
    for name, change, says in (
        (
            "another shape",
            replaced(KERNEL, array(4, 29)),
            r"dense/vars/0'.*expected shape \(29, 4\), received \(4, 29\)",
        ),
        ("a dimension more", replaced(KERNEL, array(29, 4, 1)), r"received \(29, 4, 1\)"),
        ("missing array", lambda file: file.__delitem__(KERNEL), "'last'.*must hold 2 arrays, it holds 1"),
        ("missing group", lambda file: file.__delitem__("layers/dense"), "'last'.*must hold 2 arrays, it holds 0"),
        ("no layers", lambda file: file.__delitem__("layers"), "must hold"),
        ("one array too many", lambda file: array(3)(file, f"{GROUP}/2"), "'last'.*must hold 2 arrays, it holds 3"),
        ("another name", lambda file: file.move(KERNEL, f"{GROUP}/kernel"), "'last'.*must hold"),
        ("group for array", replaced(KERNEL, lambda file, path: file.create_group(path)), "received a group"),
        ("array for group", replaced(GROUP, array(3)), "must hold|expected"),
        (
            "strings",
            replaced(KERNEL, lambda file, path: file.create_dataset(path, data=np.array([b"ab"]))),
            "class string",
        ),
        ("complex", replaced(KERNEL, array(29, 4, dtype="c8")), "class compound"),
        ("integers", replaced(KERNEL, array(29, 4, dtype="i8")), "expected data of type float32, received int64"),
        (
            "references",
            replaced(KERNEL, lambda file, path: file.create_dataset(path, (3,), h5py.ref_dtype)),
            "reference",
        ),
        ("opaque", replaced(KERNEL, array(29, 4, dtype="V3")), "class opaque"),
        (
            "null",
            replaced(KERNEL, lambda file, path: file.create_dataset(path, data=h5py.Empty("f4"))),
            "declared empty",
        ),
        (
            "unwritten",
            replaced(KERNEL, lambda file, path: file.create_dataset(path, (29, 4), "f4")),
            "the file holds 0",
        ),
        ("petabytes", replaced(KERNEL, _huge), "expected shape"),
        (
            "soft link",
            replaced(KERNEL, lambda file, path: file.__setitem__(path, h5py.SoftLink("/layers"))),
            "soft link",
        ),
        (
            "dangling link",
            replaced(KERNEL, lambda file, path: file.__setitem__(path, h5py.SoftLink("/no"))),
            "soft link",
        ),
        (
            "external link",
            replaced(GROUP, lambda file, path: file.__setitem__(path, h5py.ExternalLink("/etc/passwd", "/x"))),
            "external link",
        ),
        ("group inside itself", _self_link, "'last'.*must hold"),
        ("virtual", replaced(KERNEL, virtual), "virtual"),
        (
            "external storage",
            replaced(
                KERNEL, lambda file, path: file.create_dataset(path, (29, 4), "f4", external=[("/etc/passwd", 0, 464)])
            ),
            "external storage",
        ),
        (
            "lzf",
            replaced(
                KERNEL, lambda file, path: file.create_dataset(path, data=np.zeros((29, 4), "f4"), compression="lzf")
            ),
            "filter 32000",
        ),
        (
            "chunks missing",
            replaced(KERNEL, lambda file, path: file.create_dataset(path, (29, 4), "f4", chunks=(3, 4))),
            "expected 10 chunks",
        ),
    )
]


def _attribute(name: str, value: Any, path: str = "/") -> Callable[[], bytes]:
    def apply(file: h5py.File) -> None:
        del file[path].attrs[name]
        if value is not None:
            file[path].attrs[name] = value

    return lambda: with_h5(apply)


def _names(path: str) -> list[str]:
    with h5py.File(io.BytesIO(good(".h5"))) as file:
        return [str(name) for name in file[path].attrs["weight_names"]]


LAST = "model_weights/last"
LEGACY = [
    Case("no model_config", ".h5", _attribute("model_config", None), "holds weights alone|no attribute 'model_config'"),
    Case("model_config is a number", ".h5", _attribute("model_config", 7), "model_config"),
    Case("model_config is not JSON", ".h5", _attribute("model_config", "{"), "model_config.*not valid JSON"),
    Case("model_config is a list", ".h5", _attribute("model_config", "[]"), "model_config"),
    Case("model_config is deep", ".h5", _attribute("model_config", "[" * 60_000), "model_config.*nesting"),
    Case("model_config is not UTF-8", ".h5", _attribute("model_config", np.bytes_(b"\xff\xfe")), "UTF-8"),
    Case("no model_weights", ".h5", lambda: with_h5(lambda file: file.__delitem__("model_weights")), "model_weights"),
    Case("no layer_names", ".h5", _attribute("layer_names", None, "model_weights"), "layer_names"),
    Case(
        "layer_names are numbers",
        ".h5",
        _attribute("layer_names", np.arange(3), "model_weights"),
        "layer_names.*strings",
    ),
    Case(
        "layer_names of others",
        ".h5",
        _attribute("layer_names", ["a", "b"], "model_weights"),
        "'?a|layers without weights",
    ),
    Case(
        "weight_names of nothing",
        ".h5",
        _attribute("weight_names", ["a", "b"], LAST),
        "model_weights/last/a.*nothing there",
    ),
    Case("weight_names that climb", ".h5", _attribute("weight_names", ["../conv", "/x"], LAST), "nothing there"),
    Case("one weight name", ".h5", _attribute("weight_names", _names(LAST)[:1], LAST), "'last'.*2 weights"),
    Case("weight names repeated", ".h5", _attribute("weight_names", _names(LAST) * 2, LAST), "'last'.*2 weights"),
    Case(
        "a layer's group is a soft link",
        ".h5",
        lambda: with_h5(
            replaced(LAST, lambda file, path: file.__setitem__(path, h5py.SoftLink("/model_weights/conv")))
        ),
        "soft link",
    ),
    Case(
        "another shape in .h5",
        ".h5",
        lambda: with_h5(replaced(f"{LAST}/{_names(LAST)[0]}", array(29, 5))),
        r"\(29, 5\)",
    ),
    Case(
        "negative units in .h5",
        ".h5",
        lambda: with_h5_config(lambda c: layer(c, "last")["config"].update(units=-1)),
        "last",
    ),
    Case(
        "unknown class in .h5",
        ".h5",
        lambda: with_h5_config(lambda c: layer(c, "last").update(class_name="Capsule")),
        "'Capsule'",
    ),
    Case(
        "nodes of words in .h5",
        ".h5",
        lambda: with_h5_config(lambda c: layer(c, "last").update(inbound_nodes=[["x"]])),
        "last|x",
    ),
]


def _bytes(at: int, new: bytes, ending: str = ".h5") -> Callable[[], bytes]:
    return lambda: patched(good(ending), at, new)


def _at(mark: bytes, offset: int, new: bytes) -> Callable[[], bytes]:
    return lambda: patched(good(".h5"), good(".h5").index(mark) + offset, new)


STRUCTURES = [
    Case("version 9 of HDF5", ".h5", _bytes(8, b"\x09"), "version 9|addresses"),
    Case("addresses of 4 bytes", ".h5", _bytes(13, b"\4\4"), "addresses and lengths of 8 bytes"),
    Case("a longer file than it is", ".h5", _bytes(40, struct.pack("<Q", 1 << 60)), "truncated"),
    Case("root outside", ".h5", _bytes(64, struct.pack("<Q", 1 << 60)), "inside the file"),
    Case("root is not a header", ".h5", _bytes(64, struct.pack("<Q", 0)), "no object header"),
    Case("index that leads back", ".h5", lambda: _looped(), "leads back|no index"),
    Case("names outside the heap", ".h5", _at(b"SNOD", 8, struct.pack("<Q", 1 << 40)), "damaged"),
    Case("header outside", ".h5", _at(b"SNOD", 16, struct.pack("<Q", 1 << 61)), "inside the file"),
    Case("heap elsewhere", ".h5", _at(b"HEAP", 24, struct.pack("<Q", 1 << 61)), "inside the file"),
    Case("heap of 16 EiB", ".h5", _at(b"HEAP", 8, struct.pack("<Q", (1 << 64) - 1)), "inside the file"),
    Case("strings elsewhere", ".h5", _at(b"GCOL", 8, struct.pack("<Q", (1 << 64) - 1)), "inside the file|heap"),
]


def _looped() -> bytes:
    data = good(".h5")
    at = data.index(b"TREE")
    return patched(data, at + 32, struct.pack("<Q", at))


def _weights_alone(change: Callable[[h5py.File], Any]) -> Callable[[], bytes]:
    return lambda: spoiled(good(".weights.h5"), change)


ALONE = [
    Case(
        "weights of another shape",
        ".weights.h5",
        _weights_alone(replaced(KERNEL, array(4, 29))),
        r"'last'.*\(29, 4\).*\(4, 29\)",
    ),
    Case(
        "weights with an external link",
        ".weights.h5",
        _weights_alone(replaced(GROUP, lambda f, p: f.__setitem__(p, h5py.ExternalLink("/etc/passwd", "/")))),
        "external link",
    ),
    Case(
        "weights of nothing",
        ".weights.h5",
        _weights_alone(lambda file: file.__delitem__("layers")),
        "no weights of Keras|layers",
    ),
    Case(
        "an index that climbs",
        ".weights.json",
        lambda: json.dumps({"weight_map": {"/x": "../../etc/passwd"}}).encode(),
        "beside its index",
    ),
    Case(
        "an index of nothing",
        ".weights.json",
        lambda: json.dumps({"weight_map": {"/x": "gone.h5"}}).encode(),
        "'gone.h5'",
    ),
    Case("an index that is none", ".weights.json", lambda: b'{"layers": []}', "weight_map"),
    Case("a header of 16 EiB", ".safetensors", lambda: b"\xff" * 8 + b"{}", "must lie in the file"),
    Case("tensors of 2^62", ".safetensors", lambda: _tensors([1 << 62, 4], 8), "'a'.*expected"),
    Case("tensors outside", ".safetensors", lambda: _tensors([2], 4), "must fill"),
]


def _tensors(shape: list[int], size: int) -> bytes:
    text = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


CASES: list[Case] = [
    *_truncated(),
    *ARCHIVES,
    *TEXTS,
    *_arguments(),
    *GRAPHS,
    *WEIGHTS,
    *LEGACY,
    *STRUCTURES,
    *ALONE,
]
assert len({case.name for case in CASES}) == len(CASES)
