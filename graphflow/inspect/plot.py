"""`plot_model`: pictures of models with Keras' arguments; the file's ending says which kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphflow.errors import ArgumentError, UnsupportedError, nearest
from graphflow.formats.write_file import whole_file
from graphflow.inspect.dot import render_dot, to_dot
from graphflow.inspect.faces import Shown
from graphflow.inspect.graph_json import graph_json
from graphflow.inspect.graphs import GraphData, graph_data
from graphflow.inspect.html import to_html
from graphflow.inspect.summary import ranged
from graphflow.inspect.svg import DIRECTIONS, to_svg
from graphflow.models import Model

IGNORED = frozenset(("splines", "subgraph", "dot_options"))
"""Arguments that only say how Graphviz draws."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture shall be.

    Args:
        shown: what its boxes say.
        rankdir, dpi: see `plot_model`.
        expand_nested: whether models inside the model are shown by their layers.
    """

    shown: Shown = field(default_factory=Shown)
    rankdir: str = "TB"
    dpi: int = 200
    expand_nested: bool = True


Writer = Callable[[GraphData, Look], bytes]


def _svg(data: GraphData, look: Look) -> bytes:
    return to_svg(data, rankdir=look.rankdir, shown=look.shown).encode()


def _html(data: GraphData, look: Look) -> bytes:
    return to_html(data, rankdir=look.rankdir).encode("ascii")


def _dot(data: GraphData, look: Look) -> bytes:
    return (to_dot(data, rankdir=look.rankdir, shown=look.shown) + "\n").encode()


def _json(data: GraphData, look: Look) -> bytes:
    return (graph_json(data, indent=1) + "\n").encode("ascii")


def _rendered(form: str) -> Writer:
    def make(data: GraphData, look: Look) -> bytes:
        return render_dot(to_dot(data, rankdir=look.rankdir, shown=look.shown, dpi=look.dpi), form)

    return make


WRITERS: dict[str, Writer] = {
    ".svg": _svg,
    ".html": _html,
    ".dot": _dot,
    ".gv": _dot,
    ".json": _json,
    ".png": _rendered("png"),
    ".pdf": _rendered("pdf"),
    ".jpg": _rendered("jpg"),
}
"""From a file's ending to what writes it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was written, for notebooks to show.

    Attributes:
        path: where it is.
        svg: the same as SVG, where that is what was written.
    """

    path: Path
    svg: str | None = None

    def _repr_svg_(self) -> str | None:
        return self.svg


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
    level: str | None = None,
    **kwargs: Any,
) -> Picture:
    """Draw a model into a file.

    Args:
        model: a model of any kind.
        to_file: where; .svg, .html, .dot and .json need nothing else, .png, .pdf and .jpg need Graphviz.
        show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable: what boxes say besides the
            layer's class.
        rankdir: "TB": from top to bottom; "LR": from left to right; "BT", "RL": the other way round.
        expand_nested: whether models inside the model are shown by their layers; a page can always open them.
        dpi: dots per inch, for .png and .jpg.
        layer_range: the first and the last layer to draw, by name or regular expression.
        level: "layer", "op" or "plan"; see `graph_data`.

    Returns:
        The picture; a notebook shows it.

    Raises:
        ArgumentError: an ending or argument that is not known.
        UnsupportedError: a picture that needs Graphviz, which is not there.

    Source: https://keras.io/api/utils/model_plotting_utils/

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from graphflow import Input, Model
        >>> from graphflow.layers import Dense
        >>> from graphflow.utils import plot_model
        >>> x = Input((4,), name="x")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     picture = plot_model(Model(x, Dense(2, name="y")(x)), Path(folder) / "model.svg", show_shapes=True)
        ...     picture.path.read_text()[:4]
        '<svg'
    """
    unknown = set(kwargs) - IGNORED
    if unknown:
        raise ArgumentError(f"plot_model does not take the argument {sorted(unknown)[0]!r}.")
    shown = Shown(show_layer_names, show_shapes, show_dtype, show_layer_activations, show_trainable)
    if layer_range is not None and not isinstance(model, Model):
        raise UnsupportedError(f"layer_range needs a model of layers, received a {type(model).__name__}.")
    path = Path(os.fspath(to_file))
    writer = _writer(path)
    data = graph_data(model, level, expand_nested or path.suffix.lower() == ".html")
    if layer_range is not None:
        data = _part(data, {one.name for one in ranged(model.operations, layer_range)})
    return write_picture(data, path, writer, Look(shown, rankdir, dpi))


def _writer(path: Path) -> Writer:
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise ArgumentError(f"{path}: the ending {suffix!r} is not known.{nearest(suffix, WRITERS)}")
    return WRITERS[suffix]


def write_picture(data: GraphData, path: Path, writer: Writer | None, look: Look) -> Picture:
    """Write a graph into a file, whole or not at all.

    Raises:
        ArgumentError: an ending or direction that is not known.
        UnsupportedError: a picture that needs Graphviz, which is not there.
    """
    if look.rankdir not in DIRECTIONS:
        raise ArgumentError(f"rankdir must be one of {', '.join(DIRECTIONS)}, received {look.rankdir!r}.")
    made = (writer or _writer(path))(data, look)
    with whole_file(path) as beside:
        beside.write_bytes(made)
    return Picture(path, made.decode() if path.suffix.lower() == ".svg" else None)


def _part(data: GraphData, names: set[str]) -> GraphData:
    """The nodes of these layers of the model, and of what is inside them."""
    kept = {node.id for node in data.nodes if node.origin[0] in names}
    return GraphData(
        data.name,
        data.level,
        [node for node in data.nodes if node.id in kept],
        [edge for edge in data.edges if edge.source in kept and edge.target in kept],
        [one for one in data.inputs if one in kept],
        [one for one in data.results if one.node in kept],
        {name: kind for name, kind in data.groups.items() if any(name in node.path for node in data.nodes)},
    )
