"""Text for terminals and pipes: names from files made harmless, and tables without a library.

Layer names come from files that strangers wrote. A control character in one could move the cursor or change the
colours, a bidirectional one could show the line in another order, so both are shown as escapes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode categories shown as escapes: controls, formats (all bidirectional ones), surrogates, line ends."""

GAP = "  "
PLAIN = {"└": "`"}


def escaped(text: object) -> str:
    """`text` with every character that is not visible in its place shown as an escape.

    Example:
        >>> escaped("a" + chr(27) + "[2J")
        'a\\\\x1b[2J'
    """
    shown = str(text)
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(_escape(char) if unicodedata.category(char) in HIDDEN else char for char in shown)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def encodable(text: str, encoding: str | None) -> str:
    """`text` as a stream of this encoding can take it: other characters become ASCII or escapes."""
    encoding = encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        for char, plain in PLAIN.items():
            text = text.replace(char, plain)
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a cell: broken at spaces where the words fit, else anywhere; nothing is left out."""
    if columns_of(text) <= width:
        return [text]
    indent = text[: len(text) - len(text.lstrip(" "))]
    lines = [""]
    for word in _words(text):
        used = columns_of(lines[-1])
        if used and used + columns_of(word.rstrip(" ")) > width:
            lines.append("")
        for piece in _pieces(word, width):
            if columns_of(lines[-1]) + columns_of(piece.rstrip(" ")) > width:
                lines.append("")
            lines[-1] += piece
    kept = [line.rstrip(" ") for line in lines if line.strip(" ")]
    deeper = [indent + line if columns_of(indent + line) <= width else line for line in kept[1:]]
    return [*kept[:1], *deeper] or [""]


def _words(text: str) -> Iterator[str]:
    """The words of a text, each with the spaces after it; the indentation belongs to the first."""
    start = len(text) - len(text.lstrip(" └"))
    begin = 0
    for index in range(start + 1, len(text)):
        if text[index] != " " and text[index - 1] == " ":
            yield text[begin:index]
            begin = index
    yield text[begin:]


def _pieces(word: str, width: int) -> Iterator[str]:
    if columns_of(word.rstrip(" ")) <= width:
        yield word
        return
    piece, used = "", 0
    for char in word:
        size = _columns(char)
        if used + size > width:
            yield piece
            piece, used = "", 0
        piece, used = piece + char, used + size
    yield piece


def table_row(cells: Sequence[str], widths: Sequence[int], aligns: Sequence[str]) -> list[str]:
    """The lines of one row.

    Args:
        cells: the texts.
        widths: columns of the terminal for each cell, without the gaps between them.
        aligns: "<", ">" or "^" for each cell.
    """
    parts = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines = []
    for index in range(max(len(part) for part in parts)):
        shown = (part[index] if index < len(part) else "" for part in parts)
        lines.append(GAP.join(map(_aligned, shown, widths, aligns)).rstrip(" "))
    return lines


def _aligned(text: str, width: int, align: str) -> str:
    room = max(width - columns_of(text), 0)
    before = {"<": 0, ">": room, "^": room // 2}[align]
    return " " * before + text + " " * (room - before)
