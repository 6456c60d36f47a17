"""JSON from files of strangers: the same values as `json.loads`, but nothing in the text can exhaust the process.

Nesting, count and length are measured by expressions that neither recurse nor backtrack, before the recursive parser
sees the text. Repeated keys are refused, because two readers may disagree about which one counts.
"""

from __future__ import annotations

import json
import re
from typing import Any

from graphflow.errors import ModelFormatError
from graphflow.formats.limits import DEFAULT_LIMITS, Limits, shown

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
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
        raise ModelFormatError(f"{where}: not valid JSON: {error.msg}: {place}.") from None
    except RecursionError:
        raise ModelFormatError(f"{where}: JSON is nested deeper than the Python stack allows.") from None
    if _SURROGATE.search(text):
        _refuse_lone_surrogates(value, where)
    return value


def _measure(text: str, where: str, limits: Limits) -> None:
    """Count nesting, values and the longest string without recursion; whether it is JSON is not asked here."""
    if len(text) > limits.string_bytes:
        longest = max((found.end() - found.start() - 2 for found in _STRING.finditer(text)), default=0)
        limits.check("string_bytes", longest, where, "characters in a JSON string")
    bare = _STRING.sub("", text) if "\\" in text else "".join(text.split('"')[::2])
    opened = bare.count("[") + bare.count("{")
    limits.check("nodes", opened + bare.count(","), where, "values in JSON")
    if opened <= limits.depth:
        return
    depth = 0
    for bracket in _BRACKET.finditer(bare):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > limits.depth:
            limits.check("depth", depth, where, "levels of nesting in JSON")


def _refuse_lone_surrogates(value: object, where: str) -> None:
    """Refuse half of a surrogate pair, which `\\ud800` can spell and no output could encode."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8", "strict")
    except UnicodeEncodeError:
        raise ModelFormatError(f"{where}: a JSON string holds half of a surrogate pair.") from None
