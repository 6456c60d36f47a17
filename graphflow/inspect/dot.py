"""`to_dot`: a model's graph as text in Graphviz' language, and what Graphviz makes of it where it is there."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from graphflow.errors import UnsupportedError
from graphflow.inspect.faces import CATEGORIES, Shown, category_of, lines_of, shortened
from graphflow.inspect.graphs import GraphData, graph_data
from graphflow.inspect.layout import Group, group_tree
from graphflow.inspect.text import escaped

PATIENCE = 600.0


def to_dot(
    model: Any,
    level: str | None = None,
    expand_nested: bool = True,
    rankdir: str = "TB",
    shown: Shown | None = None,
    dpi: int | None = None,
    **options: Any,
) -> str:
    """A model's graph in the DOT language.

    Args:
        model: a model of any kind, or `GraphData`.
        level, expand_nested, input_shapes, times: as for `graph_data`; nested models become clusters.
        rankdir: "TB", "BT", "LR" or "RL".
        shown: what boxes say besides the kind.
        dpi: dots per inch, for pictures of pixels.

    Example:
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import to_dot
        >>> from graphflow.layers import Dense
        >>> x = Input((4,), name="x")
        >>> print(to_dot(Model(x, Dense(2, name='a "b"')(x), name="m")))
        digraph "m" {
          graph [rankdir=TB, fontname="Helvetica", ranksep=0.4];
          node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica", fontsize=11];
          edge [color="#94a3b8", arrowsize=0.7];
          n0 [label="InputLayer\\nx\\n(?, 4)", color="#0891b2"];
          n1 [label="Dense\\na \\"b\\"\\n(?, 2)", color="#4f46e5"];
          n0 -> n1;
        }
    """
    data = model if isinstance(model, GraphData) else graph_data(model, level, expand_nested, **options)
    resolution = f", dpi={int(dpi)}" if dpi else ""
    lines = [
        f"digraph {_quoted(data.name)} {{",
        f'  graph [rankdir={rankdir}, fontname="Helvetica", ranksep=0.4{resolution}];',
        '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica", fontsize=11];',
        '  edge [color="#94a3b8", arrowsize=0.7];',
        *_members(data, group_tree(data, least=1 if data.level == "layer" else 2), shown or Shown(), "  "),
    ]
    place = {node.id: index for index, node in enumerate(data.nodes)}
    lines += [f"  n{place[edge.source]} -> n{place[edge.target]};" for edge in data.edges]
    return "\n".join([*lines, "}"])


def _members(data: GraphData, group: Group, shown: Shown, indent: str) -> Iterator[str]:
    for member in group.members:
        if isinstance(member, Group):
            yield f"{indent}subgraph cluster_{member.start}_{member.end} {{"
            yield f'{indent}  label={_quoted(shortened(member.title))}; color="#94a3b8"; style="rounded";'
            yield from _members(data, member, shown, indent + "  ")
            yield f"{indent}}}"
        else:
            node = data.nodes[member]
            label = "\\n".join(_inside(line) for line in lines_of(node, shown))
            yield f'{indent}n{member} [label="{label}", color="{CATEGORIES[category_of(node.kind)][0]}"];'


def _inside(text: str) -> str:
    """Text inside quotes: Graphviz takes backslashes and quotes for its own."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(text: str) -> str:
    return f'"{_inside(escaped(text))}"'


def render_dot(text: str, form: str) -> bytes:
    """What Graphviz makes of DOT text.

    Args:
        form: "png", "pdf", or another of Graphviz' formats.

    Raises:
        UnsupportedError: Graphviz is not installed, or does not make it.
    """
    program = shutil.which("dot")
    if program is None:
        raise UnsupportedError(
            f"A .{form} picture needs Graphviz' program `dot`, which is not installed. "
            ".svg, .html, .json and .dot files are written without it."
        )
    made = subprocess.run(
        [program, f"-T{form}"], input=text.encode(), capture_output=True, timeout=PATIENCE, check=False
    )
    if made.returncode != 0:
        said = escaped(made.stderr.decode("utf-8", "replace").strip()[-500:])
        raise UnsupportedError(f"Graphviz made no .{form} picture: {said or f'exit code {made.returncode}'}")
    return made.stdout
