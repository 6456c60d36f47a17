"""JSON from files of strangers: the same values as `json.loads`, but nothing in the text can exhaust the process.

Nesting, count and length are measured by one pass of a tokenizer that neither recurses nor backtracks, before the
recursive parser sees the text. Repeated keys are refused, because two readers may disagree about which one counts.
"""

from __future__ import annotations

import json
import re
from typing import Any

from graphflow.errors import ModelFormatError
from graphflow.formats.limits import DEFAULT_LIMITS, Limits, shown

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(data: bytes, where: str, limits: Limits = DEFAULT_LIMITS) -> object:
    """Parse one JSON text.

    `NaN`, `Infinity` and `-Infinity` are accepted and become floats, because Keras writes them.

    Args:
        data: the text in UTF-8, without a byte order mark.
        where: the file and member, as messages shall name them.
        limits: budgets; `member_bytes`, `nodes`, `depth`, `string_bytes` and `integer_digits` apply.

    Returns:
        None, bool, int, float, str, or lists and dicts (with str keys) of these.

    Raises:
        ModelFormatError: not UTF-8, not JSON, a repeated key, or more than a limit allows.

    Example:
        >>> from graphflow.formats.json_text import parse_json
        >>> parse_json(b'{"units": 3}', "config.json")
        {'units': 3}
    """
    limits.check("member_bytes", len(data), where, "bytes of JSON")
    try:
        text = bytes(data).decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise ModelFormatError(f"{where}: JSON must be UTF-8; byte {error.start} is not.") from None
    _measure(text, where, limits)

    def integer(digits: str) -> int:
        limits.check("integer_digits", len(digits.lstrip("-")), where, "digits in an integer")
        return int(digits)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            again = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise ModelFormatError(f"{where}: keys of a JSON object must be unique; {shown(again)} is repeated.")
        return found

    try:
        value: object = json.loads(text, parse_int=integer, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ModelFormatError(f"{where}: not valid JSON: {error.msg} at {place}.") from None
    except RecursionError:
        raise ModelFormatError(f"{where}: JSON is nested deeper than the Python stack allows.") from None
    if _SURROGATE.search(text):
        _refuse_lone_surrogates(value, where)
    return value


def _measure(text: str, where: str, limits: Limits) -> None:
    """Count nesting, values and the longest string without recursion."""
    depth = deepest = nodes = 0
    longest = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first == '"':
            length = token.end() - token.start()
            if length == 1:
                raise ModelFormatError(f"{where}: not valid JSON: a string that begins at {token.start()} has no end.")
            longest = max(longest, length - 2)
        elif first in "[{":
            depth += 1
            nodes += 1
            deepest = max(deepest, depth)
        elif first == ",":
            nodes += 1
        else:
            depth -= 1
        if deepest > limits.depth or nodes > limits.nodes:
            limits.check("depth", deepest, where, "levels of nesting in JSON")
            limits.check("nodes", nodes, where, "values in JSON")
    limits.check("string_bytes", longest, where, "characters in a JSON string")


def _refuse_lone_surrogates(value: object, where: str) -> None:
    """Refuse half of a surrogate pair, which `\\ud800` can spell and no output could encode."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8", "strict")
    except UnicodeEncodeError:
        raise ModelFormatError(f"{where}: a JSON string holds half of a surrogate pair.") from None
