"""Cases of every op: odd sizes, no rows, axes of one, broadcasting, and the data types where they mean something."""

from __future__ import annotations

from cases import attention, elementwise, library, rows, structure, windows
from cases.problem import OpCase

CASES: list[OpCase] = [
    *elementwise.activations(),
    *elementwise.binaries(),
    *elementwise.chains(),
    *structure.movement(),
    *structure.OPAQUE,
    *windows.products(),
    *windows.convolutions(),
    *windows.transposed_convolutions(),
    *windows.depthwise_convolutions(),
    *windows.inverted_residuals(),
    *windows.local_connections(),
    *windows.enlargements(),
    *rows.normalizations(),
    *rows.recurrences(),
    *rows.scans(),
    *attention.equations(),
    *attention.products(),
    *attention.own_statistics(),
    *attention.masks(),
    *library.CASES,
]
