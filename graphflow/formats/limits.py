"""Budgets of the file readers: how much a file may ask for before it is refused.

Every reader takes one `Limits` value and every refusal names the field that would allow more, so a user with an unusual
but honest file has one obvious way on, and a hostile file can not make the process allocate what it likes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from graphflow.errors import ArgumentError, ModelFormatError
from graphflow.mapped import MAPPED_FROM

MIB = 1 << 20
GIB = 1 << 30
RATIO_FREE_BYTES = 16 * MIB
"""Data that expand to at most this many bytes are never refused for their compression ratio."""


class _Budgets(NamedTuple):
    file_bytes: int = 8 * GIB
    member_bytes: int = 256 * MIB
    members: int = 10_000
    ratio: int = 200
    nodes: int = 1_000_000
    depth: int = 100
    string_bytes: int = 16 * MIB
    integer_digits: int = 40
    array_bytes: int = 8 * GIB
    total_bytes: int = 16 * GIB
    mapped_from: int = MAPPED_FROM


class Limits(_Budgets):
    """The most that a file may ask for.

    Args:
        file_bytes: size of the file itself, and of one archive member that holds weights, in bytes.
        member_bytes: one JSON text, or the text of one HDF5 attribute, in bytes.
        members: entries of an archive.
        ratio: decompressed bytes per stored byte, for data that expand to more than 16 MiB.
        nodes: values in one JSON text (objects, lists, strings, numbers), or links in one HDF5 group.
        depth: nesting of lists and objects in a JSON text, or groups in an HDF5 path.
        string_bytes: one string in a JSON text as it is written there, or one name, in characters.
        integer_digits: decimal digits of an integer in a JSON text.
        array_bytes: one array of weights, decompressed, in bytes.
        total_bytes: all arrays read from one weights file together, in bytes.
        mapped_from: arrays of at least so many bytes are used where they lie in the file (mapped into memory), where
            they lie in one piece; smaller ones are copied. A file that is overwritten in place while it is
            mapped changes the model; see docs/safety.md.

    Raises:
        ArgumentError: a limit that is not a positive integer.

    Example:
        >>> from graphflow.formats.limits import Limits
        >>> Limits(depth=200).depth
        200
    """

    __slots__ = ()

    if not TYPE_CHECKING:  # the arguments are the fields

        def __new__(cls, *args: Any, **kwargs: Any) -> Limits:
            made = super().__new__(cls, *args, **kwargs)
            for name, value in zip(cls._fields, made, strict=True):
                if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                    raise ArgumentError(f"Limits.{name} must be a positive integer, received {value!r}.")
            return made

    def check(self, knob: str, received: int, where: str, what: str) -> None:
        """Refuse a file that asks for more than one of the limits.

        Args:
            knob: the name of the field to compare with.
            received: what the file asks for, in the unit of that field.
            where: the file and member, as the message shall name them.
            what: what was counted, such as "bytes of JSON".

        Raises:
            ModelFormatError: `received` is larger than the limit.
        """
        allowed: int = getattr(self, knob)
        if received > allowed:
            raise ModelFormatError(
                f"{where}: too many {what}: expected at most {allowed:,}, received {received:,}. "
                f"If the file is to be trusted, pass limits=Limits({knob}=...) to allow more."
            )

    def check_ratio(self, expanded: int, stored: int, where: str) -> None:
        """Refuse compressed data that expand out of all proportion.

        Args:
            expanded: size after decompression, in bytes.
            stored: size in the file, in bytes.
            where: the file and member, as the message shall name them.

        Raises:
            ModelFormatError: more than `ratio` times as large, and larger than 16 MiB.
        """
        if expanded > RATIO_FREE_BYTES:
            self.check("ratio", -(-expanded // max(stored, 1)), where, "decompressed bytes per stored byte")


DEFAULT_LIMITS = Limits()


def shown(text: str, length: int = 80) -> str:
    """Text from a file as a message may print it: quoted, escaped, and cut to `length` characters."""
    return repr(text if len(text) <= length else text[: length - 3] + "...")
