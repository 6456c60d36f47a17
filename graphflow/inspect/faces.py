"""What is written on the boxes of pictures, how much room it takes, and the colours of kinds of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphflow.inspect.graphs.data import GraphNode
from graphflow.inspect.layout import Group
from graphflow.inspect.text import columns_of, escaped
from graphflow.spec import TensorSpec, format_shape

CATEGORIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "input": ("#0891b2", ("input",)),
    "convolution": ("#2563eb", ("conv", "locally", "winograd")),
    "normalization": ("#0d9488", ("norm", "rescal")),
    "pooling": ("#16a34a", ("pool",)),
    "recurrent": ("#9333ea", ("lstm", "gru", "rnn", "bidirectional", "timedistributed", "scan", "loop", "cell")),
    "attention": ("#c026d3", ("attention",)),
    "embedding": ("#65a30d", ("embed", "encod", "one_hot", "lookup", "hash", "discretiz", "gather")),
    "dense": ("#4f46e5", ("dense", "matmul", "einsum", "gemm", "dot")),
    "movement": (
        "#64748b",
        (
            *("flatten", "reshape", "permute", "repeat", "padding", "pad", "crop", "upsampl", "resiz", "transpose"),
            *("cast", "getitem", "slice", "split", "squeeze", "expand", "tile", "flip", "broadcast", "shape"),
        ),
    ),
    "merging": (
        "#e11d48",
        ("add", "concat", "multiply", "subtract", "average", "maximum", "minimum", "merge", "stack", "divide"),
    ),
    "regularization": ("#78716c", ("dropout", "noise", "regulari", "masking")),
    "activation": (
        "#d97706",
        ("activation", "relu", "elu", "softmax", "sigmoid", "tanh", "gelu", "silu", "softplus", "softsign", "swish"),
    ),
    "model": ("#475569", ("functional", "sequential", "model")),
    "other": ("#6b7280", ()),
}
"""What a box is coloured by: the colour, and what is part of the kind's name, in small letters; the first that fits."""

SIZES = (12.0, 11.0, 10.5)
"""The sizes of the kind, the name and further lines, in pixels."""

LINE_HEIGHT, BOX_PADDING, STRIPE = 15.0, 8.0, 5.0
LONGEST = 34
"""Characters of a line; longer ones lose their middle."""

TIMES = "\u00d7"
NARROW = frozenset("iljtfrI1.,:;|!'()[]/- ")
WIDE = frozenset("wABCDEGHKNOPQRSUVXYZ_&~$")
WIDEST = frozenset("mMW<>=+#@%^")


@dataclass(frozen=True, slots=True)
class Shown:
    """What boxes say besides the kind.

    Args:
        names, shapes, dtypes, activations, trainable: as `plot_model`'s `show_...`.
    """

    names: bool = True
    shapes: bool = True
    dtypes: bool = False
    activations: bool = False
    trainable: bool = False


def category_of(kind: str) -> str:
    """The category of a layer's class or an op.

    Example:
        >>> category_of("DepthwiseConv2D"), category_of("softmax"), category_of("Mine")
        ('convolution', 'activation', 'other')
    """
    small = kind.lower()
    return next((name for name, (_, parts) in CATEGORIES.items() if any(part in small for part in parts)), "other")


def shortened(text: str, most: int = LONGEST) -> str:
    """A text in one line, without its middle if it is long."""
    shown = escaped(text)
    if len(shown) <= most:
        return shown
    return f"{shown[: most * 2 // 3 - 1]}…{shown[-(most - most * 2 // 3) :]}"


def lines_of(node: GraphNode, shown: Shown) -> list[str]:
    """The lines of a node's box: its kind first."""
    lines = [shortened(node.kind)]
    if shown.names and node.name != node.kind:
        lines.append(shortened(node.name))
    activation = node.config.get("activation")
    if shown.activations and activation is not None:
        lines.append(shortened(f"activation: {_named(activation)}"))
    if shown.shapes or shown.dtypes:
        lines += [shortened(tensor_text(spec, shown)) for spec in node.outputs[:4]]
        if len(node.outputs) > 4:
            lines.append(f"and {len(node.outputs) - 4} more")
    if shown.trainable and node.weights:
        lines.append("frozen" if node.details.get("trainable") is False else "trainable")
    return lines


def tensor_text(spec: TensorSpec, shown: Shown) -> str:
    """A tensor as its box shows it."""
    shape = format_shape(spec.shape).replace("None", "?") if shown.shapes else ""
    return f"{shape} {spec.dtype}".strip() if shown.dtypes else shape


def _named(activation: Any) -> str:
    if isinstance(activation, dict):
        return str(activation.get("config", activation.get("class_name")))
    return activation if isinstance(activation, str) else str(getattr(activation, "__name__", activation))


def group_lines(group: Group) -> list[str]:
    """The lines of a group that is drawn as one box."""
    count = group.end - group.start
    if group.kind == "run":
        return [f"{len(group.members):,} {TIMES}", shortened(group.title or "repeated"), f"{count:,} nodes"]
    return [shortened(group.title), f"{count:,} nodes"]


def box_size(lines: Sequence[str]) -> tuple[float, float]:
    """Width and height of a box, in pixels."""
    width = max(text_width(line, SIZES[min(index, 2)]) for index, line in enumerate(lines))
    return round(max(width + 2 * BOX_PADDING + STRIPE, 60.0), 1), len(lines) * LINE_HEIGHT + 2 * BOX_PADDING - 3


def text_width(text: str, size: float) -> float:
    """How wide a text is in a sans-serif font, about."""
    bold = 1.08 if size == SIZES[0] else 1.0
    return bold * size * sum(map(_width, text))


def _width(char: str) -> float:
    """The width of a character, as part of the font's size."""
    if char in NARROW:
        return 0.37
    if char in WIDEST:
        return 0.9
    if char in WIDE:
        return 0.78
    return 0.62 if char.isascii() else max(columns_of(char), 1) * 0.65
