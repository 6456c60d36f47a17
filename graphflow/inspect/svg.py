"""`to_svg`: a picture of a model, drawn without Graphviz; light or dark as the reader's system is."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from graphflow.inspect.faces import (
    BOX_PADDING,
    CATEGORIES,
    LINE_HEIGHT,
    SIZES,
    STRIPE,
    TIMES,
    Shown,
    box_size,
    category_of,
    group_lines,
    lines_of,
    shortened,
)
from graphflow.inspect.graphs import GraphData, graph_data
from graphflow.inspect.layout import Box, Drawing, Group, Layout, Link, draw, find_repeats, group_tree, lay_out
from graphflow.inspect.layout.distances import HEADER
from graphflow.inspect.text import escaped

STYLE = """
.gf{--paper:#ffffff;--card:#ffffff;--ink:#0f172a;--soft:#475569;--faint:#64748b;--edge:#94a3b8;--line:#cbd5e1;
--box:#f1f5f9;font-family:system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,sans-serif}
@media (prefers-color-scheme:dark){.gf{--paper:#0b1120;--card:#1e293b;--ink:#f1f5f9;--soft:#cbd5e1;--faint:#94a3b8;
--edge:#64748b;--line:#475569;--box:#111a2e}}
.gf .paper{fill:var(--paper)}.gf .card{fill:var(--card);stroke:var(--line)}
.gf .group{fill:var(--box);stroke:var(--line)}.gf .run{stroke-dasharray:5 4}
.gf .wire{fill:none;stroke:var(--edge);stroke-width:1.4}.gf .arrow{fill:var(--edge)}
.gf .t0{font-size:12px;font-weight:600;fill:var(--ink)}.gf .t1{font-size:11px;fill:var(--soft)}
.gf .name{paint-order:stroke;stroke:var(--box);stroke-width:5px}
.gf .t2{font-size:10.5px;fill:var(--faint)}
"""

DIRECTIONS = ("TB", "BT", "LR", "RL")
CORNER = 8.0


def to_svg(
    model: Any,
    level: str | None = None,
    expand_nested: bool = True,
    rankdir: str = "TB",
    shown: Shown | None = None,
    collapse_repeats: bool = False,
    **options: Any,
) -> str:
    """A picture of a model's graph as SVG.

    Args:
        model: a model of any kind, or `GraphData`.
        level, expand_nested, input_shapes, times: as for `graph_data`.
        rankdir: "TB": tensors go downwards; "LR": to the right. "BT" and "RL" draw the arrows' ends as beginnings: the
            outputs stand at the top, or left.
        shown: what boxes say besides the kind.
        collapse_repeats: draw blocks that are repeated one after another as one box.

    Returns:
        The text of an SVG file. Names are escaped, and it holds no scripts and no links.

    Example:
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import to_svg
        >>> from graphflow.layers import Dense
        >>> x = Input((4,), name="x")
        >>> to_svg(Model(x, Dense(2, name="<y>")(x))).count("&lt;y&gt;")
        2
    """
    data = model if isinstance(model, GraphData) else graph_data(model, level, expand_nested, **options)
    down, turned = _direction(rankdir)
    layout = layout_of(data, shown or Shown(), down, collapse_repeats)
    return draw_svg(data, layout, shown or Shown(), turned)


def _direction(rankdir: str) -> tuple[bool, bool]:
    """Whether tensors go along the vertical, and whether they go backwards."""
    from graphflow.errors import ArgumentError

    if rankdir not in DIRECTIONS:
        raise ArgumentError(f"rankdir must be one of {', '.join(DIRECTIONS)}, received {rankdir!r}.")
    return rankdir in ("TB", "BT"), rankdir in ("BT", "RL")


def layout_of(data: GraphData, shown: Shown, down: bool, collapse_repeats: bool = False) -> Layout:
    """The layout of a picture."""
    root = group_tree(data, least=1 if data.level == "layer" else 2)
    closed: dict[Group, tuple[float, float]] = {}
    if collapse_repeats:
        find_repeats(data, root)
        closed = {one: box_size(group_lines(one)) for one in root.walk() if one.kind == "run"}
    return lay_out(data, root, [box_size(lines_of(node, shown)) for node in data.nodes], closed, down)


def draw_svg(data: GraphData, layout: Layout, shown: Shown, turned: bool = False) -> str:
    """The text of the picture."""
    drawing = draw(layout)
    width, height = drawing.size
    turn = _Turn(drawing, turned)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gf" viewBox="0 0 {_n(width)} {_n(height)}" '
        f'width="{_n(width)}" height="{_n(height)}" role="img">',
        f"<title>{_text(data.name)}</title><style>{STYLE}</style>",
        f'<rect class="paper" width="{_n(width)}" height="{_n(height)}"/>',
    ]
    parts += [_frame(group, turn.box(box)) for group, box in drawing.groups.items() if _has_frame(group, layout)]
    links = [link for wire in drawing.wires for link in wire.links]
    path = "".join(_path([turn.point(one) for one in link.points], link.kind, drawing.down) for link in links)
    parts.append(f'<path class="wire" d="{path}"/>')
    arrows = "".join(_arrow(turn.point(end), drawing.down, turned) for wire in drawing.wires for end in wire.ends)
    parts.append(f'<path class="arrow" d="{arrows}"/>')
    for group, box in drawing.groups.items():
        if _has_frame(group, layout):
            parts.append(_title(group, turn.box(box)))
        elif group not in layout.open:
            parts.append(_card(turn.box(box), group_lines(group), "model", group.title, group.kind == "run"))
    for position, box in drawing.boxes.items():
        node = data.nodes[position]
        parts.append(_card(turn.box(box), lines_of(node, shown), category_of(node.kind), node.id))
    return "\n".join([*parts, "</svg>"])


class _Turn:
    """Places in a drawing, or in its mirror image."""

    def __init__(self, drawing: Drawing, turned: bool) -> None:
        self.drawing = drawing
        self.turned = turned

    def point(self, point: tuple[float, float]) -> tuple[float, float]:
        """Where a point is drawn."""
        if not self.turned:
            return point
        x, y = point
        width, height = self.drawing.size
        return (x, height - y) if self.drawing.down else (width - x, y)

    def box(self, box: Box) -> Box:
        """Where a box is drawn."""
        if not self.turned:
            return box
        width, height = self.drawing.size
        if self.drawing.down:
            return box._replace(y=height - box.y - box.height)
        return box._replace(x=width - box.x - box.width)


def _has_frame(group: Group, layout: Layout) -> bool:
    return group in layout.open and group is not layout.root


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    return escape(escaped(text))


def _frame(group: Group, box: Box) -> str:
    dashed = " run" if group.kind in ("run", "block") else ""
    return (
        f'<rect class="group{dashed}" x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" '
        f'height="{_n(box.height)}" rx="10"/>'
    )


def _title(group: Group, box: Box) -> str:
    title = shortened(group.title or f"{len(group.members)} {TIMES}", max(int(box.width / 8), 8))
    return f'<text class="t0 name" x="{_n(box.x + 12)}" y="{_n(box.y + HEADER - 8)}">{escape(title)}</text>'


def _card(box: Box, lines: Sequence[str], category: str, title: str, stacked: bool = False) -> str:
    color = CATEGORIES[category][0]
    x, y, width, height = (_n(one) for one in box)
    behind = "".join(
        f'<rect class="card" x="{_n(box.x + shift)}" y="{_n(box.y + shift)}" width="{width}" height="{height}" rx="6"/>'
        for shift in ((6, 3) if stacked else ())
    )
    left = _n(box.x + STRIPE + BOX_PADDING)
    texts = "".join(
        f'<text class="t{min(index, 2)}" x="{left}" y="{_n(box.y + BOX_PADDING + index * LINE_HEIGHT + SIZES[0] - 2)}">'
        f"{escape(line)}</text>"
        for index, line in enumerate(lines)
    )
    stripe = f"M{_n(box.x + 6)} {y}h-1a5 5 0 0 0 -5 5v{_n(box.height - 10)}a5 5 0 0 0 5 5h1z"
    return (
        f'<g><title>{_text(title)}</title>{behind}<rect class="card" x="{x}" y="{y}" width="{width}" '
        f'height="{height}" rx="6"/><path fill="{color}" d="{stripe}"/>{texts}</g>'
    )


def _path(points: Sequence[tuple[float, float]], kind: str, down: bool) -> str:
    """A line through points: start, corners or the handles of a curve, end."""
    if kind == "corners":
        return _rounded(points)
    start, leave, first, second, reach, end = points
    text = f"M{_p(start)}"
    if leave != start:
        text += f"L{_p(leave)}"
    across = 0 if down else 1
    text += f"L{_p(reach)}" if abs(leave[across] - reach[across]) < 0.5 else f"C{_p(first)} {_p(second)} {_p(reach)}"
    return text + (f"L{_p(end)}" if end != reach else "")


def _rounded(points: Sequence[tuple[float, float]]) -> str:
    text = f"M{_p(points[0])}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        text += f"L{_p(_towards(corner, before))}Q{_p(corner)} {_p(_towards(corner, after))}"
    return text + f"L{_p(points[-1])}"


def _towards(corner: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """A point on the way from a corner, not more than half of it."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    part = min(CORNER / length, 0.5)
    return corner[0] + dx * part, corner[1] + dy * part


def _p(point: tuple[float, float]) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _arrow(end: tuple[float, float], down: bool, turned: bool) -> str:
    x, y = end
    away = 7 if turned else -7
    if down:
        return f"M{_p((x, y))}L{_p((x - 3.5, y + away))}L{_p((x + 3.5, y + away))}z"
    return f"M{_p((x, y))}L{_p((x + away, y - 3.5))}L{_p((x + away, y + 3.5))}z"


__all__ = ["Link", "Shown", "draw_svg", "layout_of", "to_svg"]
