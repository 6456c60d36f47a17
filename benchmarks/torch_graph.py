"""An ONNX file as a PyTorch module, by our own reading: straight-line code that PyTorch itself writes and compiles.

    ONNX file --ONNX Runtime, basic optimisations--> folded file --`build`--> torch.fx.GraphModule

ONNX Runtime's basic optimisations fold batch normalisation into convolutions and constants into one another, so that
eager PyTorch is not charged for what any of its users would fold. They hold nothing that belongs to one provider.

`build` runs the model once on the given arrays while it writes each operation down in a `torch.fx.Graph`: shapes are
those of the arrays, and what follows from them alone is computed here and now. Filters of two and three dimensions lie
in PyTorch's channels_last formats, as do the images of Keras' models behind their first transposition, which PyTorch
takes as a view. A rectification of what nobody else reads works in place, as most modules written by hand do.
"""

from __future__ import annotations

import operator
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.fx import Graph, GraphModule, Node

Array = np.ndarray[Any, Any]


class NotCovered(ValueError):  # noqa: N818
    """An operation, or a way of using it, that is not translated."""


class Value:
    """A tensor of the run that is written down: its numbers now, and where the graph has it (constants: nowhere)."""

    __slots__ = ("node", "tensor")

    def __init__(self, tensor: torch.Tensor, node: Node | None = None) -> None:
        self.tensor = tensor
        self.node = node

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    @property
    def rank(self) -> int:
        return self.tensor.dim()

    @property
    def is_constant(self) -> bool:
        return self.node is None

    def constant(self) -> torch.Tensor:
        """The numbers of a constant.

        Raises:
            NotCovered: they are computed from the inputs.
        """
        if self.node is not None:
            raise NotCovered("an input that must be known beforehand is computed")
        return self.tensor


class Recorder:
    """Runs functions and writes them into a graph; what depends on no input is only run."""

    def __init__(self) -> None:
        self.root = torch.nn.Module()
        self.graph = Graph()
        self._names: dict[int, tuple[Value, Node]] = {}
        self._count = 0

    def constant(self, tensor: torch.Tensor) -> Value:
        return Value(tensor)

    def input(self, name: str, tensor: torch.Tensor) -> Value:
        return Value(tensor, self.graph.placeholder(name))

    def changed(self, value: Value, change: Callable[[torch.Tensor], torch.Tensor]) -> Value:
        """A constant made anew."""
        return Value(change(value.constant()))

    def filters(self, w: Value) -> Value:
        """Filters with their channels innermost."""
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        if not w.is_constant or w.rank not in formats:
            return w
        return self.changed(w, lambda array: array.contiguous(memory_format=formats[w.rank]))

    def module(self, module: torch.nn.Module) -> str:
        """The name under which a module is called."""
        self._count += 1
        name = f"m{self._count}"
        self.root.add_module(name, module)
        return name

    def call(self, name: str, outputs: int, x: Value, state: Any = None) -> tuple[Value, list[Value]]:
        """A recurrent module: its sequence, and its last states."""
        given = (x,) if state is None else (x, state)
        result = getattr(self.root, name)(*self._tensors(given))
        node = self.graph.call_module(name, tuple(self._nodes(given)))
        get = lambda node, at: self.graph.call_function(operator.getitem, (node, at))  # noqa: E731
        tensors = [result[0], *(result[1] if isinstance(result[1], tuple) else [result[1]])]
        assert len(tensors) == outputs
        inner = get(node, 1)
        nodes = [get(node, 0), *([get(inner, 0), get(inner, 1)] if outputs == 3 else [inner])]
        y, *last = [Value(tensor, one) for tensor, one in zip(tensors, nodes, strict=True)]
        return y, last

    def __call__(self, function: Callable[..., Any], *args: Any, **options: Any) -> Value:
        result = function(*self._tensors(args), **options)
        if all(value.is_constant for value in _values(args)):
            return Value(result)
        return Value(result, self.graph.call_function(function, tuple(self._nodes(args)), options))

    def _tensors(self, args: Iterable[Any]) -> list[Any]:
        return [_each(arg, lambda value: value.tensor) for arg in args]

    def _nodes(self, args: Iterable[Any]) -> list[Any]:
        return [_each(arg, self._node) for arg in args]

    def _node(self, value: Value) -> Node:
        if value.node is not None:
            return value.node
        if id(value) not in self._names:
            name = f"c{len(self._names)}"
            self.root.register_buffer(name, value.tensor)
            self._names[id(value)] = (value, self.graph.get_attr(name))
        return self._names[id(value)][1]

    def finish(self, outputs: Sequence[Value]) -> GraphModule:
        """The module; nothing is written down afterwards."""
        self.graph.output(tuple(self._node(value) for value in outputs))
        module = GraphModule(self.root, self.graph)
        module.graph.eliminate_dead_code()
        rectify_in_place(module.graph)
        module.graph.lint()
        module.recompile()
        return module


def _each(arg: Any, change: Callable[[Value], Any]) -> Any:
    if isinstance(arg, Value):
        return change(arg)
    return type(arg)(_each(part, change) for part in arg) if type(arg) in (list, tuple) else arg


def _values(args: Any) -> Iterator[Value]:
    for arg in args:
        if isinstance(arg, Value):
            yield arg
        elif type(arg) in (list, tuple):
            yield from _values(arg)


FRESH = frozenset(
    (F.conv1d, F.conv2d, F.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d, F.linear, torch.add)
) | {torch.mul, torch.sub, torch.matmul, F.batch_norm}
"""Functions whose result shares memory with nothing."""


def rectify_in_place(graph: Graph) -> None:
    """Let a rectification overwrite what only it reads."""
    for node in graph.nodes:
        source = node.args[0] if node.args else None
        if isinstance(source, Node) and source.target in FRESH and len(source.users) == 1:
            if node.target is torch.relu:
                node.target = torch.relu_
            elif node.target is F.relu6:
                node.kwargs = {"inplace": True}


def optimised(path: str | Path, folder: str | Path) -> Path:
    """The file that ONNX Runtime's basic optimisations make of another, in a folder."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(Path(folder) / "basic.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Path(options.optimized_model_filepath)


def operations() -> dict[str, Callable[..., Any]]:
    """Every operation that is translated."""
    from benchmarks import torch_ops, torch_recurrent, torch_shapes

    return {**torch_ops.OPERATIONS, **torch_shapes.OPERATIONS, **torch_recurrent.OPERATIONS}


def read(path: str | Path) -> Any:
    """The ONNX graph of a file behind the basic optimisations."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        model = onnx.load(optimised(path, folder))
    missing = Counter(node.op_type for node in model.graph.node if node.domain not in ("", "ai.onnx"))
    missing += Counter(node.op_type for node in model.graph.node if node.op_type not in operations())
    if missing:
        raise NotCovered(f"Not translated to PyTorch: {', '.join(sorted(missing))}.")
    return model.graph


def build(graph: Any, arrays: Sequence[Array]) -> GraphModule:
    """The module that computes an ONNX graph on arrays of these shapes.

    Args:
        graph: as `read` gives it.
        arrays: the inputs in order.

    Raises:
        NotCovered: an operation, or a way of using it, is not translated; the message names the node.
    """
    from onnx import helper, numpy_helper

    def attribute(one: Any) -> Any:
        value = helper.get_attribute_value(one)
        if hasattr(value, "data_type"):
            return torch.from_numpy(numpy_helper.to_array(value).copy())
        if isinstance(value, list):
            return [part.decode() if isinstance(part, bytes) else part for part in value]
        return value.decode() if isinstance(value, bytes) else value

    known = operations()
    record = Recorder()
    values: dict[str, Value | None] = {"": None}
    for one in graph.initializer:
        values[one.name] = Value(torch.from_numpy(numpy_helper.to_array(one).copy()))
    given = [one for one in graph.input if one.name not in values]
    with torch.no_grad():
        for index, (one, array) in enumerate(zip(given, arrays, strict=True)):
            values[one.name] = record.input(f"x{index}", torch.from_numpy(np.ascontiguousarray(array)))
        for node in graph.node:
            attributes = {one.name: attribute(one) for one in node.attribute}
            try:
                made = known[node.op_type](record, *(values[name] for name in node.input), **attributes)
            except (NotCovered, TypeError) as error:
                raise NotCovered(f"{node.op_type} {node.name!r}: {error}") from error
            values.update(zip(node.output, made if isinstance(made, list) else [made], strict=False))
        values[""] = None
        return record.finish([values[one.name] for one in graph.output])  # type: ignore[misc]
