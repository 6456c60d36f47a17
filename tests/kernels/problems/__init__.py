"""Random problems for every kernel: one generator for each row of the kernel table, under the row's name."""

from __future__ import annotations

from problems import elements, movement, products, rows, windows
from problems.problem import Family

FAMILIES: dict[str, Family] = {
    **products.FAMILIES,
    **windows.FAMILIES,
    **elements.FAMILIES,
    **rows.FAMILIES,
    **movement.FAMILIES,
}
