"""From the protobuf of a model to plain data, with the calls of its functions written out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.limits import Limits, shown
from graphflow.formats.onnx_read.definitions import GraphDef, NodeDef
from graphflow.formats.onnx_read.registry import find
from graphflow.formats.onnx_read.tensors import Tensors, as_weight, dtype_of_code
from graphflow.models.graph_model import ValueSpec

MOST_DEPTH = 64
"""Calls of functions, and subgraphs, inside one another."""

Versions = Mapping[str, int]


def domain_of(name: str) -> str:
    """The default domain has two names."""
    return "" if name == "ai.onnx" else name


class _Names:
    """What names inside a function are called outside: parameters as the call says, the rest with the call's path."""

    def __init__(self, prefix: str = "", given: Mapping[str, str] | None = None) -> None:
        self._prefix = prefix
        self._given = given or {}

    def __call__(self, name: str) -> str:
        if not name or not self._prefix:
            return name
        return self._given.get(name, f"{self._prefix}::{name}")


class _Context:
    """Where a node stands: inside which function call, and what its attributes may refer to."""

    def __init__(
        self, versions: Versions, names: _Names, path: tuple[str, ...], attrs: Mapping[str, Any] | None, depth: int
    ) -> None:
        self.versions = versions
        self.names = names
        self.path = path
        self.attrs = attrs
        self.depth = depth


class Parser:
    """Parses one model.

    Args:
        proto: an onnx.ModelProto.
        path: of its file.
        limits: budgets for sizes.
    """

    def __init__(self, proto: Any, path: str, limits: Limits) -> None:
        self._proto = proto
        self._path = path
        self._limits = limits
        self._tensors = Tensors(path, limits)
        self._functions = {(domain_of(one.domain), one.name, one.overload): one for one in proto.functions}
        self._count = 0
        self._known_types: dict[str, bytes] | None = None

    def model(self) -> GraphDef:
        """The model's graph.

        Raises:
            ModelFormatError: the file breaks a rule of the format.
            UnsupportedError: it holds something that is never read.
        """
        versions = {domain_of(one.domain): int(one.version) for one in self._proto.opset_import}
        if not versions:
            raise ModelFormatError(f"{self._path}: a model must import an operator set.")
        graph = self._graph(self._proto.graph, _Context(versions, _Names(), (), None, 0))
        for one in graph.inputs:
            if one.kind == "tensor" and one.dtype == "unknown":
                raise ModelFormatError(f"{self._path}: input {shown(one.name)} must declare the type of its elements.")
        return graph

    def _graph(self, proto: Any, context: _Context) -> GraphDef:
        if context.depth > MOST_DEPTH:
            raise ModelFormatError(f"{self._path}: subgraphs and functions are nested deeper than {MOST_DEPTH}.")
        graph = GraphDef(proto.name)
        if proto.sparse_initializer:
            raise UnsupportedError(f"{self._path}: sparse initializers are not supported.")
        for tensor in proto.initializer:
            graph.initializers[context.names(tensor.name)] = self._tensors.weight(tensor)
        inputs = [one for one in proto.input if context.names(one.name) not in graph.initializers]
        graph.inputs = tuple(self._value(one, context) for one in inputs)
        graph.outputs = tuple(self._value(one, context) for one in proto.output)
        self._nodes(proto.node, context, graph)
        return graph

    def _value(self, proto: Any, context: _Context) -> ValueSpec:
        where = f"{self._path}: value {shown(proto.name)}"
        name, kind = context.names(proto.name), proto.type.WhichOneof("value")
        if kind is None:
            return ValueSpec(name, None, "unknown")
        if kind != "tensor_type":
            plain = {"sequence_type": "sequence", "optional_type": "optional"}.get(kind)
            if plain is None:
                raise UnsupportedError(f"{where}: values of {kind} are not supported.")
            return ValueSpec(name, None, "unknown", plain)
        tensor = proto.type.tensor_type
        dtype = dtype_of_code(tensor.elem_type, where) if tensor.elem_type else "unknown"
        if not tensor.HasField("shape"):
            return ValueSpec(name, None, dtype)
        sizes = (int(one.dim_value) if one.HasField("dim_value") else None for one in tensor.shape.dim)
        shape = tuple(None if size is None or size < 0 else size for size in sizes)
        return ValueSpec(name, shape, dtype)

    # -- nodes

    def _nodes(self, nodes: Any, context: _Context, graph: GraphDef) -> None:
        for index, node in enumerate(nodes):
            self._count += 1
            self._limits.check("nodes", self._count, self._path, "nodes")
            domain = domain_of(node.domain)
            name = node.name or f"{node.op_type}_{index}"
            path = (*context.path, *(part for part in name.split("/") if part))
            body = self._functions.get((domain, node.op_type, node.overload))
            if body is not None:
                self._call(body, body.attribute_proto, node, path, context, graph)
                continue
            standard = self._standard(node, domain, context)
            if standard is not None:
                self._call(*standard, node, path, context, graph)
                continue
            if domain not in context.versions:
                raise ModelFormatError(
                    f"{self._path}: node {shown(name)} uses operator set {shown(domain)}, which is not imported."
                )
            attrs = self._attrs(node, context)
            names = context.names
            outputs = tuple(names(one) for one in node.output)
            if node.op_type == "Constant" and not domain and set(attrs) == {"value"} and outputs:
                graph.initializers[outputs[0]] = as_weight(attrs["value"], "/".join(path))
                continue
            inputs = tuple(names(one) for one in node.input)
            version = context.versions[domain]
            graph.nodes.append(NodeDef(node.op_type, domain, version, path, inputs, outputs, attrs))

    def _standard(self, node: Any, domain: str, context: _Context) -> tuple[Any, list[Any]] | None:
        """The body that the standard itself gives for an operator that is not implemented, and its defaults."""
        version = context.versions.get(domain)
        if version is None or find(domain, node.op_type, version) is not None:
            return None
        import onnx

        try:
            schema: Any = onnx.defs.get_schema(node.op_type, version, domain)
        except Exception:
            return None
        body = schema.function_body if schema.has_function else None
        if body is None and schema.has_context_dependent_function:
            body = self._body_for_types(schema, node, version, context)
        if body is None:
            return None
        return body, [one.default_value for one in schema.attributes.values() if one.default_value.name]

    def _body_for_types(self, schema: Any, node: Any, version: int, context: _Context) -> Any:
        """The body of an operator whose description depends on the types of its inputs."""
        import onnx

        types = [self._types().get(context.names(name), b"") if name else b"" for name in node.input]
        offered = [one for one in schema.context_dependent_function_opset_versions if one <= version]
        try:
            data = schema.get_context_dependent_function_with_opset_version(
                max(offered), node.SerializeToString(), types
            )
        except Exception:
            return None
        body = onnx.FunctionProto.FromString(data)
        return body if body.node else None

    def _types(self) -> dict[str, bytes]:
        """The types of the model's values, as far as they are declared or follow; computed when they are needed."""
        if self._known_types is None:
            import onnx

            model = self._proto
            try:
                model = onnx.shape_inference.infer_shapes(model)
            except Exception:
                model = self._proto
            values = [*model.graph.input, *model.graph.value_info, *model.graph.output]
            self._known_types = {one.name: one.type.SerializeToString() for one in values}
            for tensor in model.graph.initializer:
                made = onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
                self._known_types.setdefault(tensor.name, made.SerializeToString())
        return self._known_types

    def _call(
        self, body: Any, defaults: Any, node: Any, path: tuple[str, ...], context: _Context, graph: GraphDef
    ) -> None:
        """Write out the call of a function."""
        if context.depth >= MOST_DEPTH:
            raise ModelFormatError(f"{self._path}: functions call each other deeper than {MOST_DEPTH}.")
        if len(node.input) > len(body.input) or len(node.output) > len(body.output):
            raise ModelFormatError(
                f"{self._path}: node {shown('/'.join(path))} gives {len(node.input)} inputs and takes "
                f"{len(node.output)} outputs of function {body.name!r}, which has {len(body.input)} and "
                f"{len(body.output)}."
            )
        given = dict.fromkeys(body.input, "")
        given.update(zip(body.input, (context.names(one) for one in node.input), strict=False))
        given.update((a, context.names(b)) for a, b in zip(body.output, node.output, strict=False) if b)
        attrs = self._attrs(node, context)
        for default in defaults:
            attrs.setdefault(default.name, self._attr(default, context))
        versions = {**context.versions, **{domain_of(one.domain): int(one.version) for one in body.opset_import}}
        prefix = f"{'/'.join(path)}#{self._count}"
        inner = _Context(versions, _Names(prefix, given), path, attrs, context.depth + 1)
        self._nodes(body.node, inner, graph)

    def _attrs(self, node: Any, context: _Context) -> dict[str, Any]:
        attrs: dict[str, Any] = {}
        for one in node.attribute:
            if not one.ref_attr_name:
                attrs[one.name] = self._attr(one, context)
            elif context.attrs is None:
                raise ModelFormatError(
                    f"{self._path}: attribute {shown(one.name)} refers to a function's, but stands in none."
                )
            elif one.ref_attr_name in context.attrs:
                attrs[one.name] = context.attrs[one.ref_attr_name]
        return attrs

    def _attr(self, proto: Any, context: _Context) -> Any:
        kind = proto.AttributeType.Name(proto.type)
        if kind in ("FLOAT", "INT"):
            return proto.f if kind == "FLOAT" else proto.i
        if kind == "STRING":
            return self._text(proto.s)
        if kind in ("FLOATS", "INTS"):
            return tuple(proto.floats if kind == "FLOATS" else proto.ints)
        if kind == "STRINGS":
            return tuple(self._text(one) for one in proto.strings)
        if kind == "TENSOR":
            return self._tensors.array(proto.t)
        if kind == "GRAPH":
            inner = _Context(context.versions, context.names, context.path, context.attrs, context.depth + 1)
            return self._graph(proto.g, inner)
        if kind == "TYPE_PROTO":
            return str(proto.tp.WhichOneof("value"))
        raise UnsupportedError(f"{self._path}: attribute {shown(proto.name)} of type {kind} is not supported.")

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise ModelFormatError(f"{self._path}: an attribute is no UTF-8 text: {data[:40]!r}.") from None
