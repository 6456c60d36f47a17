"""`to_html`: one page that shows a model's graph, for any browser: no server, no network, nothing from elsewhere.

The page holds the graph, the rows of its groups, and histograms of the weights as JSON. Its content security policy
allows the page's own script and style, by their hashes, and no request of any kind. Names from files only ever become
text: they are drawn on a canvas or set as text content.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from graphflow.inspect.faces import (
    BOX_PADDING,
    CATEGORIES,
    LINE_HEIGHT,
    SIZES,
    STRIPE,
    Shown,
    box_size,
    group_lines,
    lines_of,
)
from graphflow.inspect.graph_json import graph_dict, variables_of
from graphflow.inspect.graphs import GraphData, graph_data
from graphflow.inspect.layout import Group, Layout, distances, find_repeats, group_tree, lay_out
from graphflow.inspect.text import escaped

SHOWN = Shown()
BINS = 32
MOST_COUNTED = 1 << 22
"""Numbers of a weight that its histogram counts; of larger weights every second, third, ... number."""

SCRIPTS = (
    "data",
    "state",
    "rows",
    "places",
    "wires",
    "view",
    "colours",
    "drawing",
    "map",
    "words",
    "panel",
    "search",
    "input",
    "start",
)
"""The files of the page's script, in their order: what a file needs while it is read stands in an earlier one."""

OPEN_RUNS, OPEN_MODELS = 100, 1500
"""Repeated blocks are open in graphs of fewer nodes; nested models while fewer nodes are seen."""


def to_html(
    model: Any,
    level: str | None = None,
    rankdir: str = "TB",
    histograms: bool = True,
    **options: Any,
) -> str:
    """A page that shows a model's graph.

    Args:
        model: a model of any kind.
        level, input_shapes, times: as for `graph_data`; nested models can be opened and closed in the page.
        rankdir: "TB": tensors go downwards; "LR": to the right.
        histograms: whether the page shows how the numbers of the weights are distributed.

    Returns:
        The text of an HTML file, in ASCII.

    Example:
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import to_html
        >>> from graphflow.layers import Dense
        >>> x = Input((4,), name="</script>")
        >>> page = to_html(Model(x, Dense(2)(x)))
        >>> page.count("</script>"), "://" in page
        (2, False)
    """
    data = model if isinstance(model, GraphData) else graph_data(model, level, True, **options)
    layout = page_layout(data, rankdir in ("TB", "BT"))
    groups = list(layout.root.walk())
    content = {
        "graph": graph_dict(data),
        "lines": [lines_of(node, SHOWN) for node in data.nodes],
        "sizes": [list(size) for size in layout.node_sizes],
        "groups": _groups(layout, groups),
        "histograms": [histogram(one.value) for one in variables_of(data)] if histograms else [],
        "colors": {name: color for name, (color, _) in CATEGORIES.items()},
        "down": layout.down,
        "constants": _constants(),
    }
    return _page(data.name, content)


def page_layout(data: GraphData, down: bool = True) -> Layout:
    """The layout of the page as it opens."""
    root = group_tree(data, least=1 if data.level == "layer" else 2)
    find_repeats(data, root)
    closed = {one: box_size(group_lines(one)) for one in _closed(list(root.walk()), len(data.nodes))}
    return lay_out(data, root, [box_size(lines_of(node, SHOWN)) for node in data.nodes], closed, down)


def _closed(groups: Sequence[Group], count: int) -> list[Group]:
    """The groups that are closed when the page opens."""
    closed = [one for one in groups if one.kind == "run" and count > OPEN_RUNS]
    seen = count - sum(one.end - one.start for one in closed)
    for one in sorted((one for one in groups if one.kind in ("model", "layer")), key=lambda one: one.start - one.end):
        if seen <= OPEN_MODELS:
            break
        closed.append(one)
        seen -= one.end - one.start
    return closed


def _groups(layout: Layout, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The groups as the page takes them: a member is a node's position, or -1 less the number of a group."""
    number = {group: index for index, group in enumerate(groups)}
    found = []
    for group in groups:
        made, inside = layout.arranged[group], layout.inside[group]
        found.append(
            {
                "title": group.title,
                "kind": group.kind,
                "start": group.start,
                "end": group.end,
                "members": [-1 - number[one] if isinstance(one, Group) else one for one in group.members],
                "open": group in layout.open,
                "lines": group_lines(group),
                "closed": list(box_size(group_lines(group))),
                "row": made.row,
                "x": [round(one, 1) for one in made.x],
                "entries": list(inside.entries),
                "exits": list(inside.exits),
                "crossed": made.crossed,
                "nets": [[*net.key, net.source, net.targets, net.bends, int(net.far)] for net in inside.nets],
            }
        )
    return found


def _constants() -> dict[str, Any]:
    """The sizes that the page shares with the drawings made here."""
    found = {name: value for name, value in vars(distances).items() if name.isupper()}
    return {**found, "SIZES": SIZES, "LINE_HEIGHT": LINE_HEIGHT, "BOX_PADDING": BOX_PADDING, "STRIPE": STRIPE}


def histogram(values: Any) -> dict[str, Any]:
    """How numbers are distributed.

    Example:
        >>> import numpy as np
        >>> histogram(np.array([0.0, 1.0, np.nan]))["nonfinite"]
        1
    """
    flat = np.asarray(values).reshape(-1)
    step = -(-flat.size // MOST_COUNTED) if flat.size else 1
    flat = flat[::step].astype(np.float64)
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        return {"counts": [], "nonfinite": int(flat.size), "step": step}
    low, high = float(finite.min()), float(finite.max())
    with np.errstate(over="ignore", invalid="ignore"):
        usable = high > low and np.isfinite(high - low)
        counts = np.histogram(finite, BINS, (low, high))[0].tolist() if usable else [int(finite.size)]
        mean, deviation = float(finite.mean()), float(finite.std())
    numbers = {"low": low, "high": high, "mean": mean, "deviation": deviation}
    numbers = {key: value if np.isfinite(value) else None for key, value in numbers.items()}  # type: ignore[misc]
    return {**numbers, "counts": counts, "nonfinite": int(flat.size - finite.size), "step": step}


def _page(title: str, content: dict[str, Any]) -> str:
    folder = files("graphflow.inspect").joinpath("page")
    page, style = (folder.joinpath(name).read_text("utf-8") for name in ("page.html", "page.css"))
    script = _script([folder.joinpath(f"{name}.js").read_text("utf-8") for name in SCRIPTS])
    fields = {
        "{{title}}": _ascii(escape(escaped(title))),
        "{{policy}}": (
            f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        "{{style}}": style,
        "{{script}}": script,
        "{{data}}": _embedded(content),
    }
    pieces = page.split("{{")
    made = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        made += [fields[f"{{{{{name}}}}}"], rest]
    return "".join(made)


def _script(files: Sequence[str]) -> str:
    """One script of several, whose names are seen by each other and by nothing else."""
    return '"use strict";\n(() => {\n' + "\n".join(files) + "})();\n"


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _embedded(content: Any) -> str:
    """JSON that can stand inside a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _ascii(text: str) -> str:
    return text.encode("ascii", "xmlcharrefreplace").decode()
