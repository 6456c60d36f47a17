"""How a sum of products over shared axes becomes one batched matrix product: which axes are rows, columns and depth.

    "btnh,bsnh->bnts"     batch b, n     rows t     columns s     depth h

Labels in both operands and the result are the batch, in one operand and the result its rows or columns, in both
operands alone the depth. Strides say where everything lies, so that nothing is moved where they allow it; else an
operand is copied into an order that does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

MOST_BATCH = 4


class Loop(NamedTuple):
    """An axis, or several that lie one behind another: its size, and its steps in left, right and out."""

    size: int
    left: int
    right: int
    out: int


class Product(NamedTuple):
    """A batched matrix product.

    Args:
        swapped: whether the second operand is the left matrix.
        copies: the order of labels that left, right and out are copied into, or from; None where they are not copied.
        batch: at most four loops.
        rows, columns, depth: a loop each; depth has step 1 in left, columns step 1 in out.
    """

    swapped: bool
    copies: tuple[str | None, str | None, str | None]
    batch: tuple[Loop, ...]
    rows: Loop
    columns: Loop
    depth: Loop


def steps_of(labels: str, sizes: Mapping[str, int], shape: Sequence[int] | None = None) -> dict[str, int]:
    """The step of each label of a contiguous tensor; 0 where its own size is 1 and the label's is not."""
    steps: dict[str, int] = {}
    step = 1
    for axis in reversed(range(len(labels))):
        label = labels[axis]
        size = sizes[label] if shape is None else shape[axis]
        steps[label] = 0 if size != sizes[label] else step
        step *= size
    return steps


def plan_product(
    first: str, first_shape: Sequence[int], second: str, second_shape: Sequence[int], result: str
) -> Product | None:
    """The product that computes `first,second->result`, with the fewest copies.

    Args:
        first, second, result: one label per axis.

    Returns:
        None where it is none: a label twice in one operand, one that is summed in one operand alone, or a batch of more
        than four separate loops.
    """
    sizes: dict[str, int] = {}
    for labels, shape in ((first, first_shape), (second, second_shape)):
        for label, size in zip(labels, shape, strict=True):
            sizes[label] = size if sizes.get(label, 1) == 1 else sizes[label]
    if any(len(set(labels)) != len(labels) for labels in (first, second, result)):
        return None
    depth = set(first) & set(second) - set(result)
    if (set(first) ^ set(second)) - set(result) or set(result) - set(first) - set(second):
        return None
    operands = ((first, first_shape), (second, second_shape))
    found = [
        plan
        for swapped, copied in product((False, True), product((False, True), repeat=3))
        for plan in _direct(operands[swapped], operands[not swapped], result, depth, sizes, swapped, copied)
    ]
    return min(found, key=_cost, default=None)


def _cost(plan: Product) -> tuple[int, bool]:
    copies = sum(one is not None for one in plan.copies)
    return copies, plan.columns.size < min(plan.rows.size, 8)


def _direct(
    left: tuple[str, Sequence[int]],
    right: tuple[str, Sequence[int]],
    result: str,
    depth: set[str],
    sizes: Mapping[str, int],
    swapped: bool,
    copied: tuple[bool, ...],
) -> Iterator[Product]:
    batch = "".join(label for label in result if label in left[0] and label in right[0])
    rows = "".join(label for label in result if label not in right[0])
    columns = "".join(label for label in result if label not in left[0])
    inner = "".join(label for label in (right if swapped else left)[0] if label in depth)
    orders = (batch + rows + inner, batch + inner + columns, batch + rows + columns)
    broadcast = any(
        size != sizes[label] for labels, shape in (left, right) for label, size in zip(labels, shape, strict=True)
    )
    if broadcast and (copied[0] or copied[1]):
        return
    at_left = steps_of(orders[0], sizes) if copied[0] else steps_of(left[0], sizes, left[1])
    at_right = steps_of(orders[1], sizes) if copied[1] else steps_of(right[0], sizes, right[1])
    at_out = steps_of(orders[2] if copied[2] else result, sizes)

    def loops(labels: str, by: Mapping[str, int]) -> list[Loop]:
        made: list[Loop] = []
        for label in labels if labels == inner else sorted(labels, key=lambda one: -by[one]):
            size = sizes[label]
            new = Loop(size, at_left.get(label, 0), at_right.get(label, 0), at_out.get(label, 0))
            if size == 1:
                continue
            last = made[-1] if made else None
            if last and (last.left, last.right, last.out) == (new.left * size, new.right * size, new.out * size):
                made[-1] = Loop(last.size * size, new.left, new.right, new.out)
            else:
                made.append(new)
        return made

    k, n, m = loops(inner, at_left), loops(columns, at_out), loops(rows, at_out)
    if len(k) > 1 or (k and k[0].left != 1) or (n and n[-1].out != 1):
        return
    one = Loop(1, 1, 1, 1)
    wide = n.pop() if n else one
    tall = max(m, key=lambda loop: loop.size) if m else one
    around = [*loops(batch, at_out), *(loop for loop in m if loop is not tall), *n]
    if len(around) > MOST_BATCH:
        return
    names = tuple(order if is_copied else None for order, is_copied in zip(orders, copied, strict=True))
    yield Product(swapped, (names[0], names[1], names[2]), tuple(around), tall, wide, k[0] if k else one)
