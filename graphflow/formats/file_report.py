"""What a file is, without building a model of it: `inspect_file` and the `FileReport` it makes."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.container import open_archive
from graphflow.formats.hdf5 import in_child, open_h5
from graphflow.formats.identify import identify
from graphflow.formats.json_text import parse_json
from graphflow.formats.keras_description import QUIRKS, Description, name_of, wrong_shape_is_a_bad_file
from graphflow.formats.keras_files import describe_json, read_description
from graphflow.formats.keras_shards import open_shards
from graphflow.formats.keras_weights import CONTAINERS
from graphflow.formats.limits import DEFAULT_LIMITS, Limits
from graphflow.formats.safetensors_read import SafetensorsFile


@dataclass(frozen=True, slots=True)
class FileValue:
    """An input, an output or an array: its name, its shape (None: not in the file), its data type ("": not there)."""

    name: str
    shape: tuple[int | None, ...] | None = None
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class FileReport:
    """What a file is.

    Attributes:
        path, bytes: of the file.
        format: such as "Keras 3 (.keras)".
        writer: what wrote it, with its version, as far as the file says.
        model: the model's name.
        layers: (path, class) of every layer, those of inner models behind their model; of ONNX files empty.
        inputs, outputs: of the model.
        arrays: the weights in the file; of ONNX files the initializers.
        parameters: how many numbers these hold.
        needs: what must be passed in `custom_objects`: (kind, name, layer).
        refusals: what graphflow does not have; the file can not be opened because of it.
        quirks: what this version of Keras did in another way, each with the layers.
        details: what only files of this format have.
    """

    path: str
    bytes: int
    format: str
    writer: str = ""
    model: str = ""
    layers: tuple[tuple[str, str], ...] = ()
    inputs: tuple[FileValue, ...] = ()
    outputs: tuple[FileValue, ...] = ()
    arrays: tuple[FileValue, ...] = ()
    parameters: int = 0
    needs: tuple[tuple[str, str, str], ...] = ()
    refusals: tuple[str, ...] = ()
    quirks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def opens(self) -> bool:
        """Whether `graphflow.load_model` has all it needs to open the file."""
        return not (self.needs or self.refusals) and bool(self.layers or self.inputs)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return asdict(self)

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    def __str__(self) -> str:
        return "\n".join(_visible(line) for line in _lines(self))


def inspect_file(
    path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS, *, untrusted: bool = False
) -> FileReport:
    """Say what a file is.

    Args:
        path: a `.keras`, `.h5`, `.weights.h5`, `.weights.json`, `.json`, `.safetensors` or `.onnx` file.
        limits: budgets for sizes.
        untrusted: see `graphflow.load_model`.

    Returns:
        The report; `print` shows it as text.

    Raises:
        OSError: the file is missing or not readable.
        ModelFormatError: a damaged file, or one of no known kind.
        UnsupportedError: a kind that is known and not read (SavedModel, checkpoints), or the package onnx is missing.

    Example:
        >>> from graphflow.formats import inspect_file
        >>> from graphflow.samples import digits
        >>> report = inspect_file(digits.MODEL)
        >>> report.format, report.inputs[0].shape, report.parameters
        ('Keras 3 (.keras)', (None, 8, 8, 1), 18074)
    """
    name = os.fspath(path)
    kind = identify(name)
    with ExitStack() as stack:
        if untrusted:
            stack.enter_context(in_child())
        facts = _READERS[kind](name, limits)
    arrays = facts.get("arrays", ())
    facts.setdefault("parameters", sum(math.prod(size or 0 for size in one.shape or ()) for one in arrays))
    return FileReport(name, Path(name).stat().st_size, **facts)


def _keras(path: str, limits: Limits) -> dict[str, Any]:
    facts = _described(read_description(path, limits))
    with open_archive(path, limits) as archive:
        details: dict[str, Any] = {"members": list(archive.names)}
        metadata = parse_json(archive.read("metadata.json"), archive.place("metadata.json"), limits)
        if isinstance(metadata, dict) and isinstance(metadata.get("date_saved"), str):
            details["saved"] = metadata["date_saved"]
        member = "model.weights.h5"
        if member not in archive.names:
            raise ModelFormatError(f"{path}: there is no member {member!r}.")
        with open_h5(archive.mapped(member), archive.place(member), limits) as file:
            arrays = tuple(_keras3_arrays(file, ""))
    return {**facts, "arrays": arrays, "details": details}


def _hdf5(path: str, limits: Limits) -> dict[str, Any]:
    with open_h5(path, limits=limits) as file:
        root = "model_weights" if file.kind("model_weights") == "group" else "/"
        is_model, names = file.text("/", "model_config") is not None, file.texts(root, "layer_names")
        version = file.text(root, "keras_version") or file.text("/", "keras_version")
        backend = file.text(root, "backend") or file.text("/", "backend")
        if names is not None:
            arrays = tuple(_keras2_arrays(file, root, names))
        else:
            arrays = tuple(_keras3_arrays(file, ""))
        if not is_model and names is None and all(file.kind(name) is None for name in (*CONTAINERS, "vars")):
            raise ModelFormatError(f"{path}: an HDF5 file, but not one of Keras: it holds {file.keys()[:10]!r:.200}.")
    if is_model:
        return {**_described(read_description(path, limits)), "arrays": arrays}
    if names is None:
        return {"format": "Keras 3 weights (.weights.h5)", "writer": "Keras 3 or tf.keras", "arrays": arrays}
    writer = f"Keras {version}" if version else "Keras 1"
    details = {"layers_with_weights": sorted({one.name.split("/")[0] for one in arrays}), "layer_names": names}
    return {
        "format": "Keras 2 weights (.h5)",
        "writer": f"{writer}, {backend} backend" if backend else writer,
        "arrays": arrays,
        "details": details,
    }


def _keras3_arrays(file: Any, path: str) -> Iterator[FileValue]:
    """The arrays of the layers, but not an optimizer's."""
    for name in (*CONTAINERS, "vars") if not path else file.keys(path):
        here = f"{path}/{name}" if path else name
        found = file.kind(here)
        if found == "dataset":
            info = file.info(here)
            yield FileValue(here, info.shape, info.dtype)
        elif found == "group":
            yield from _keras3_arrays(file, here)


def _keras2_arrays(file: Any, root: str, names: list[str]) -> Iterator[FileValue]:
    for layer in names:
        for weight in file.texts(f"{root}/{layer}", "weight_names") or []:
            info = file.info(f"{root}/{layer}/{weight}")
            yield FileValue(f"{layer}/{weight}", info.shape, info.dtype)


def _json(path: str, limits: Limits) -> dict[str, Any]:
    limits.check("member_bytes", Path(path).stat().st_size, path, "bytes of JSON")
    data = Path(path).read_bytes()
    item = parse_json(data, path, limits)
    if isinstance(item, dict) and "weight_map" in item:
        with open_shards(path, limits) as shards:
            details = {"shards": [Path(part.where).name for part in shards.parts]}
            arrays = tuple(one for part in shards.parts for one in _keras3_arrays(part, ""))
        return {"format": "Keras 3 sharded weights", "writer": "Keras 3", "arrays": arrays, "details": details}
    return _described(describe_json(data, path, limits))


def _safetensors(path: str, limits: Limits) -> dict[str, Any]:
    file = SafetensorsFile(path, limits)
    arrays = tuple(FileValue(name, info.shape, info.dtype) for name, info in file.arrays.items())
    return {"format": "safetensors", "arrays": arrays, "details": {"metadata": file.metadata}}


def _onnx(path: str, limits: Limits) -> dict[str, Any]:
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ImportError:
        raise UnsupportedError(
            f"{path}: reading ONNX needs the package onnx: pip install 'graphflow-engine[onnx]'."
        ) from None
    from graphflow.formats.onnx_read import operators  # noqa: F401  fills the table
    from graphflow.formats.onnx_read.parse import Parser
    from graphflow.formats.onnx_read.registry import check

    limits.check("file_bytes", Path(path).stat().st_size, path, "bytes of file")
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(Path(path).read_bytes())
    except DecodeError as error:
        raise ModelFormatError(f"{path}: not an ONNX file: {error}.") from None
    refusals: tuple[str, ...] = ()
    try:
        check(Parser(proto, path, limits).model(), path)
    except UnsupportedError as error:
        refusals = (str(error).removeprefix(f"{path}: ").removeprefix("not supported: "),)
    graph, held = proto.graph, {one.name for one in proto.graph.initializer}

    def kinds(code: int) -> str:
        name: str = onnx.TensorProto.DataType.Name(code)
        return {"FLOAT": "float32", "DOUBLE": "float64"}.get(name, name.lower())

    def value(one: Any) -> FileValue:
        kind = one.type.tensor_type
        sizes = tuple(dim.dim_value if dim.WhichOneof("value") == "dim_value" else None for dim in kind.shape.dim)
        return FileValue(one.name, sizes if kind.HasField("shape") else None, kinds(kind.elem_type))

    counts = Counter(f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in graph.node)
    return {
        "format": "ONNX (.onnx)",
        "writer": f"{proto.producer_name} {proto.producer_version}".strip(),
        "model": graph.name,
        "inputs": tuple(value(one) for one in graph.input if one.name not in held),
        "outputs": tuple(value(one) for one in graph.output),
        "arrays": tuple(FileValue(one.name, tuple(one.dims), kinds(one.data_type)) for one in graph.initializer),
        "refusals": refusals,
        "details": {
            "ir_version": proto.ir_version,
            "opsets": {one.domain or "ai.onnx": one.version for one in proto.opset_import},
            "operators": dict(counts.most_common()),
            "functions": [one.name for one in proto.functions],
        },
    }


_READERS = {"keras": _keras, "hdf5": _hdf5, "json": _json, "safetensors": _safetensors, "onnx": _onnx}


def _described(description: Description) -> dict[str, Any]:
    """The facts of a Keras configuration."""
    with wrong_shape_is_a_bad_file(description.where):
        return _facts(description)


def _facts(description: Description) -> dict[str, Any]:
    model = description.model
    config = model.get("config") or {}
    layers = config.get("layers") or []
    if "input_layers" in config:
        inputs, outputs = config["input_layers"], config["output_layers"]
    else:  # Sequential
        inputs, outputs = (name_of(layers[0]) if layers else None), (name_of(layers[-1]) if layers else None)
    held = {name_of(item): item for item in layers}
    built = config.get("build_input_shape")
    version, backend = description.keras_version, description.backend
    writer = f"Keras {version}" if version else "Keras"
    return {
        "format": description.format,
        "writer": f"{writer}, {backend} backend" if backend else writer,
        "model": str(config.get("name") or ""),
        "layers": tuple(description.layers()),
        "inputs": tuple(_input(held.get(name, {}), name, built) for name in _places(inputs)),
        "outputs": tuple(FileValue(name) for name in _places(outputs)),
        "needs": tuple((need.kind, need.name, need.layer) for need in description.needs),
        "refusals": description.refusals,
        "quirks": {QUIRKS.get(key, key): layers for key, layers in description.quirks.items()},
    }


def _places(nested: Any) -> Iterator[str]:
    """The layers' names in a nest of [layer, node, tensor]."""
    if isinstance(nested, str):
        yield nested
    elif isinstance(nested, dict):
        for item in nested.values():
            yield from _places(item)
    elif isinstance(nested, (list, tuple)):
        if len(nested) == 3 and isinstance(nested[0], str) and isinstance(nested[1], int):
            yield nested[0]
            return
        for item in nested:
            yield from _places(item)


def _input(item: dict[str, Any], name: str, built: Any) -> FileValue:
    config = item.get("config") or {}
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if shape is None and isinstance(config.get("shape"), (list, tuple)):
        shape = (None, *config["shape"])
    shape = shape or built
    dtype = config.get("dtype")
    return FileValue(name, tuple(shape) if isinstance(shape, (list, tuple)) else None, str(dtype or ""))


def _visible(text: str) -> str:
    """Text from a file as a terminal may show it: characters that have no picture of their own as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


_MOST = 60


def _lines(report: FileReport) -> Iterator[str]:
    """The report as lines of text."""
    yield f"{report.path}: {report.format}, {report.bytes:,} bytes"
    for label, text in (("written by", report.writer), ("model", report.model)):
        if text:
            yield f"{label}: {text}"
    for label, values in (("input", report.inputs), ("output", report.outputs)):
        for one in values:
            yield f"{label}: {_value(one)}"
    if report.layers:
        counts = Counter(name for _, name in report.layers)
        listed = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        yield f"layers: {len(report.layers)} ({listed})"
    yield f"parameters: {report.parameters:,} in {len(report.arrays)} arrays"
    for name, found in report.details.items():
        if found:
            listed = ", ".join(f"{key} {item}" for key, item in found.items()) if isinstance(found, dict) else found
            yield f"{name}: {', '.join(map(str, listed)) if isinstance(listed, list) else listed}"
    for quirk, layers in report.quirks.items():
        yield f"note: {quirk}: {_some(layers)}"
    for kind, name, layer in report.needs:
        yield f"needs: {kind} {name!r} of layer {layer!r} in custom_objects"
    for refusal in report.refusals:
        yield f"not supported: {refusal}"
    if not report.layers:
        yield from (f"  {_value(one)}" for one in report.arrays[:_MOST])
        if len(report.arrays) > _MOST:
            yield f"  and {len(report.arrays) - _MOST} more"
    for path, name in report.layers[:_MOST]:
        yield f"  {path}: {name}"
    if len(report.layers) > _MOST:
        yield f"  and {len(report.layers) - _MOST} more"


def _value(one: FileValue) -> str:
    shape = "" if one.shape is None else f" {one.shape}"
    return f"{one.name}{shape} {one.dtype}".rstrip()


def _some(items: tuple[str, ...]) -> str:
    return ", ".join(items[:10]) + (f" and {len(items) - 10} more" if len(items) > 10 else "")
