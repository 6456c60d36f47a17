"""Chains whose links all go through registers: every operator on either side, kept results, single elements, NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from leaf_harness import ISAS, at_page_end, guarded, run_leaf

from graphflow.kernels.chain import MOST_OPERANDS, program
from graphflow.ops.activation import LINEAR, Numbers
from graphflow.ops.chain import Link

Array = np.ndarray[Any, Any]

OPERATORS: dict[str, Any] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
ACTIVATIONS: dict[str, tuple[Numbers, Any]] = {
    "linear": (LINEAR, lambda x: x),
    "relu": (("relu", 0.0, 0.0, 0.0), lambda x: np.where(x < 0, np.float32(0), x)),
    "clip": (("clip", -1.5, 2.0, 0.0), lambda x: np.clip(x, np.float32(-1.5), np.float32(2))),
    "affine": (("affine", 0.5, 3.0, 0.0), lambda x: np.float32(0.5) * x + np.float32(3)),
    "negative": (("negative", 0.0, 0.0, 0.0), np.negative),
    "absolute": (("absolute", 0.0, 0.0, 0.0), np.abs),
    "square": (("square", 0.0, 0.0, 0.0), np.square),
}


def reference(links: list[Link], operands: list[Array]) -> Array:
    """Link by link, in float32."""
    made = list(operands)
    for op, first, second, (act, *_) in links:
        value = OPERATORS[op](made[first], made[second]) if op else made[first]
        made.append(ACTIVATIONS[act][1](value))
    return np.asarray(made[-1], np.float32)


def chain(isa: str, links: list[Link], operands: list[Array], n: int) -> Array:
    numbers, slots = program(links, len(operands))
    columns = 1024
    fields: dict[str, Any] = {"program": numbers, "operands": len(operands), "links": len(links), "slots": slots}
    fields |= {"rows": 1, "columns": columns, "n0": 1, "n1": 1, "n2": 1, "n3": n}
    for index, letter in enumerate("abcdef"):
        there = index < len(operands)
        fields[f"x{index}"] = at_page_end(operands[index]) if there else None
        fields |= {f"{letter}{axis}": int(there and axis == 3 and operands[index].size > 1) for axis in range(4)}
    y, check = guarded((n,))
    run_leaf(isa, "chain_f32", -(-n // columns), 4 * (slots + MOST_OPERANDS) * columns, y=y, **fields)
    check()
    return y


def random_links(rng: np.random.Generator, operands: int) -> list[Link]:
    links = []
    for at in range(int(rng.integers(1, 12))):
        made = operands + at
        first, second = (made - 1 if rng.random() < 0.5 else int(rng.integers(made)) for _ in range(2))
        op = str(rng.choice([*OPERATORS, ""]))
        links.append(Link(op, first, second if op else -1, ACTIVATIONS[str(rng.choice(list(ACTIVATIONS)))][0]))
    return links


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("seed", range(60))
def test_chains_in_registers(isa: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, count = int(rng.choice([1, 127, 128, 300, 1024, 2200])), int(rng.integers(1, MOST_OPERANDS + 1))
    operands = [rng.integers(-4, 5, n if rng.random() < 0.7 else 1).astype(np.float32) for _ in range(count)]
    for one in operands:
        one[rng.random(one.size) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
    links = random_links(rng, count)
    with np.errstate(all="ignore"):
        wanted = np.broadcast_to(reference(links, operands), (n,))
    np.testing.assert_array_equal(chain(isa, links, operands, n), wanted)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("single", [False, True])
def test_each_operator_takes_what_is_there_on_either_side(isa: str, op: str, turned: bool, single: bool) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal(1100).astype(np.float32), rng.standard_normal(1 if single else 1100).astype(np.float32)
    a[5], a[700], a[1099] = np.nan, np.inf, np.nan
    if not single:
        b[6], b[701], b[1098] = np.nan, -np.inf, np.nan
    links = [Link("", 0, -1, ACTIVATIONS["negative"][0]), Link(op, *((1, 2) if turned else (2, 1)), LINEAR)]
    np.testing.assert_array_equal(chain(isa, links, [a, b], 1100), reference(links, [a, b]))
