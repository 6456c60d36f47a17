"""From plain nodes to ONNX' own objects, and to a file."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_write.entries import ELEMENT_TYPES, Block, Entry
from graphflow.spec import TensorSpec

Array = np.ndarray[Any, Any]
ALIGNMENT = 64
MOST_INSIDE = 2**31 - 2**20
"""Bytes of weights above which they can not stand in the file itself: protobuf ends at two gigabytes."""


def require_onnx() -> Any:
    """The onnx package.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise UnsupportedError(
            "Writing ONNX needs the package onnx, which is not installed: pip install 'graphflow-engine[onnx]'."
        ) from None
    return onnx


def value_info(name: str, spec: TensorSpec, dims: Sequence[Any] | None = None) -> Any:
    """A name with its type; a dimension is a number, a name, or None."""
    onnx = require_onnx()
    return onnx.helper.make_tensor_value_info(
        name, ELEMENT_TYPES[spec.dtype], list(spec.shape if dims is None else dims)
    )


def nodes(entries: Sequence[Entry]) -> list[Any]:
    """Nodes, each named after what it makes first."""
    onnx = require_onnx()
    made = []
    for entry in entries:
        attrs = {
            key: _body(value) if isinstance(value, Block) else list(value) if isinstance(value, tuple) else value
            for key, value in entry.attrs.items()
        }
        made.append(onnx.helper.make_node(entry.kind, entry.inputs, entry.outputs, name=entry.outputs[0], **attrs))
    return made


def _body(block: Block) -> Any:
    onnx = require_onnx()
    inputs = [value_info(name, spec) for name, spec in block.inputs]
    outputs = [value_info(name, spec) for name, spec in zip(block.outputs, block.specs, strict=True)]
    return onnx.helper.make_graph(nodes(block.entries), block.name, inputs, outputs)


def model_proto(
    name: str,
    entries: Sequence[Entry],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    arrays: Mapping[str, Array],
    opset: int,
    notes: Mapping[str, str],
) -> Any:
    """A ModelProto, weights inside it.

    Raises:
        UnsupportedError: onnx is not installed, or is older than the opset.
    """
    onnx = require_onnx()
    import graphflow

    newest = int(onnx.defs.onnx_opset_version())
    if opset > newest:
        raise UnsupportedError(f"The onnx package that is installed knows opsets up to {newest}, received {opset}.")
    weights = [onnx.numpy_helper.from_array(np.asarray(array, order="C"), key) for key, array in arrays.items()]
    graph = onnx.helper.make_graph(nodes(entries), name, inputs, outputs, weights)
    versions = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(
        graph, opset_imports=versions, producer_name="graphflow", producer_version=graphflow.__version__
    )
    model.ir_version = onnx.helper.find_min_ir_version_for(versions)
    if notes:
        onnx.helper.set_model_props(model, dict(notes))
    return model


def save(model: Any, arrays: Mapping[str, Array], path: str) -> None:
    """Write a model whose weights may stand in a file beside it; until all is written, what was there before stays.

    Args:
        model: without the arrays that go outside.
        arrays: those of the weights that go outside, by name; empty for one file.
        path: of the model; the weights go to `path` + ".data".
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(target.name + ".data")
    drafts = [one.with_name(f".{one.name[:100]}.{secrets.token_hex(6)}.tmp") for one in (target, beside)]
    try:
        if arrays:
            with drafts[1].open("xb") as file:
                for name, array in arrays.items():
                    file.write(b"\0" * (-file.tell() % ALIGNMENT))
                    _refer(model, name, array, beside.name, file.tell())
                    np.asarray(array, array.dtype.newbyteorder("<"), order="C").tofile(file)
                file.flush()
                os.fsync(file.fileno())
        with drafts[0].open("xb") as file:
            file.write(model.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
        if drafts[1].exists():
            drafts[1].replace(beside)
        drafts[0].replace(target)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


def _refer(model: Any, name: str, array: Array, location: str, offset: int) -> None:
    """Add a weight that stands in the file beside."""
    onnx = require_onnx()
    tensor = model.graph.initializer.add()
    tensor.name = name
    tensor.data_type = ELEMENT_TYPES[array.dtype.name]
    tensor.dims.extend(array.shape)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", array.nbytes)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
