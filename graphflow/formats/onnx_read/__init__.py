"""ONNX files as models.

    parse.py         protobuf to plain data (definitions.py); tensors.py and external.py read weights
    registry.py      the table of operators, and the check that a file needs nothing else
    operators/       one file per family: what an operator means, in graphflow.ops
    program.py       applies the nodes one after another, to graph values or to arrays

How to add an operator: write a function in the file of its family (a new file gets its line in operators/__init__.py):

    @operator("LeakyRelu", since=6)
    def leaky_relu(node, x, *, alpha=0.01):
        return ops.relu(x, negative_slope=alpha)

- `node` is a `program.Call` (name, op, version, outputs, `wants(i)`, `run(subgraph, operands)`). Then come the
  inputs, as operands; one that may be left out has the default None; `*xs` takes any number. Keyword-only parameters
  are the attributes, by their names in the standard: the signature is the schema. One without a default is required.
  An attribute that is no parameter is refused, with the name of the node, before anything runs.
- Attributes arrive as float, int, str, tuples of them, `np.ndarray` (tensors), or `GraphDef` (subgraphs). Return an
  operand, or a tuple of them for several outputs (leave None where `node.wants` says that nothing takes it).
- `since` is the version of the operator set from which on this implementation is right. Several rows of one name may
  stand beside each other; the newest that is not above the model's version is taken. Nothing older: nothing is
  registered for it.
- Operands are graph values (specs, perhaps with None in the shape, no numbers), variables, or arrays. Write with
  `graphflow.ops` functions, which take all of them. Arrays alone compute at once: that is how shape arithmetic
  disappears.
- Numbers that decide shapes come through `ops.known`: `value_of(x, "what")`, `integers(x)`, `static_shape(x)`,
  `dimension(x, axis)`. Where they are not known they raise `UnknownValueError`, and the model is run on arrays
  instead: an operator needs no code of its own for that. So never branch on numbers in any other way, and never read
  `x.shape` where a None would go wrong.
- Where no op has the meaning, define one in a file of its own in graphflow/ops (`define(name, infer, reference)`):
  inference for shapes with None, a NumPy reference on arrays, its row in `ops/__init__.py`'s imports and a case in
  tests/cases/library.py.
- Layouts: convolution and pooling ops are channels last: `channels_last(x)`, op, `channels_first(y)`; a pass takes
  inverse transposes out.
- Data types: ONNX never promotes: what an operator is given decides. Ops compute float16, bfloat16 and integers in
  their references; mind that `ops.divide` and others turn integers into float32.
- What is not supported raises `UnsupportedError` naming it, never a plausible number.

Run `python -m tests.onnx.backend -k name` to see a case, and without arguments for the whole table.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphflow.errors import GraphflowError, ModelFormatError, UnsupportedError
from graphflow.formats.limits import Limits


def read_model(path: str, custom: Mapping[str, Any] | None, compile: bool, limits: Limits) -> Any:
    """Read a model.

    Args:
        path: of the file.
        custom, compile: have no meaning here.
        limits: budgets for sizes.

    Returns:
        A `graphflow.models.graph_model.GraphModel`.

    Raises:
        ModelFormatError: the file is not what it should be.
        UnsupportedError: it needs something that is not there, or the package onnx is not.
    """
    state = Path(path).stat()
    if not stat.S_ISREG(state.st_mode):
        raise ModelFormatError(f"{path}: expected a regular file.")
    limits.check("file_bytes", state.st_size, path, "bytes")
    return model_from_bytes(Path(path).read_bytes(), os.fspath(path), limits)


def model_from_bytes(data: bytes, path: str, limits: Limits) -> Any:
    """The model of a file's bytes; `path` says where its external data are, and what messages call it."""
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ImportError as error:
        raise UnsupportedError(
            f"{path}: reading ONNX needs the package onnx: pip install 'graphflow-engine[onnx]' ({error})."
        ) from None
    import graphflow.formats.onnx_read.operators  # noqa: F401  fills the table
    from graphflow.formats.onnx_read.parse import Parser
    from graphflow.formats.onnx_read.program import OnnxProgram
    from graphflow.formats.onnx_read.registry import check
    from graphflow.models.graph_model import GraphModel

    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError as error:
        raise ModelFormatError(f"{path}: not an ONNX file: {error}.") from None
    try:
        graph = Parser(proto, path, limits).model()
        check(graph, path)
    except GraphflowError:
        raise
    except (TypeError, ValueError, LookupError) as error:
        raise ModelFormatError(f"{path}: not a well-formed ONNX model ({type(error).__name__}: {error}).") from error
    return GraphModel(OnnxProgram(graph, path), graph.inputs, graph.outputs, graph.name or Path(path).stem)
