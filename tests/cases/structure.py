"""Cases of what moves, shapes, casts or selects, and of opaque functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.problem import OpCase, w, x
from graphflow.spec import TensorSpec


def movement() -> list[OpCase]:
    pairs = (
        ("float32", "int32"),
        ("int32", "float32"),
        ("float32", "float64"),
        ("float32", "bool"),
        ("bool", "float32"),
        ("int64", "uint8"),
    )
    cases = [OpCase("cast", (x(3, 5, dtype=a, low=0),), {"dtype": b}, b) for a, b in pairs]
    cases += [
        OpCase("where", (x(3, 4, dtype="bool"), x(3, 4), x(3, 4))),
        OpCase("where", (x(3, 1, dtype="bool"), x(4, batch=False), x(3, 4))),
        OpCase("where", (x(2, 2, dtype="bool"), x(2, 2, dtype="int32"), x(2, 2, dtype="int32"))),
        OpCase("reshape", (x(3, 4, 5),), {"shape": (-1, 20)}),
        OpCase("reshape", (x(3, 4, 5, dtype="int32"),), {"shape": (-1, 2, 10)}),
        OpCase("reshape", (x(0, 6),), {"shape": (-1, 3)}),
        OpCase("flatten", (x(3, 4, 5),)),
        OpCase("flatten", (x(3),)),
        OpCase("flatten", (x(0, 4, 2),)),
        OpCase("expand_dims", (x(3, 4),), {"axis": 1}),
        OpCase("expand_dims", (x(3, 4, dtype="bool"),), {"axis": 2}),
        OpCase("squeeze", (x(3, 1, 4, 1),), {"axes": (1, 3)}),
        OpCase("squeeze", (x(3, 4),), {"axes": ()}),
        OpCase("random_uniform", (x(5, 7), w(2, dtype="int64", low=1, high=99)), {"shape": None}),
        OpCase("random_uniform", (x(5, 7), w(2, dtype="int64", low=1, high=99)), {"shape": (None, 1)}),
        OpCase("full_like", (x(3, 4),), {"value": 2.5, "dtype": "float32"}),
        OpCase("full_like", (x(0, 4),), {"value": 1, "dtype": "bool"}),
        OpCase("pad", (x(3, 4, 2),), {"amounts": ((0, 0), (1, 2), (0, 3)), "value": -1.5}),
        OpCase("pad", (x(2, 3, dtype="int32"),), {"amounts": ((0, 0), (2, 0)), "value": 7}),
        OpCase("broadcast_to", (x(1, 4, batch=False),), {"shape": (3, 4)}),
        OpCase("broadcast_to", (x(3, 1, 1, batch=False),), {"shape": (2, 3, 4, 5)}),
        OpCase("tile", (x(3, 4),), {"repeats": (1, 3)}),
        OpCase("tile", (x(2, 1, 3),), {"repeats": (1, 2, 2)}),
        OpCase("repeat", (x(3, 4),), {"repeats": 3, "axis": 1}),
        OpCase("flip", (x(3, 4, 5),), {"axes": (1, 2)}),
        OpCase("flip", (x(3, 1, 5, 2),), {"axes": (0, 1, 3)}),
        OpCase("flip", (x(2, 0, 3),), {"axes": (1,)}),
        OpCase("flip", (x(2, 3, dtype="int64"),), {"axes": (1,)}),
        OpCase("split", (x(3, 7),), {"axis": 1, "sizes": (2, 4, 1)}),
        OpCase("split", (x(0, 4, 2),), {"axis": 2, "sizes": (1, 1)}),
        OpCase("shape", (x(3, 4, 5, batch=False),)),
        OpCase("shape", (x(batch=False),)),
        OpCase("reshape_to", (x(3, 4, batch=False), w(1, dtype="int32", low=-1, high=0))),
        OpCase("reshape_to", (x(0, 4, batch=False), w(1, dtype="int64", low=-1, high=0))),
        OpCase("one_hot", (x(3, 4, dtype="int32", low=-1, high=6),), {"size": 5, "dtype": "float32"}),
        OpCase("one_hot", (x(7, dtype="int64"),), {"size": 3, "dtype": "bool"}),
        OpCase("cumsum", (x(3, 4, 5),), {"axis": 1}),
        OpCase("cumsum", (x(3, 4, dtype="int32"),), {"axis": 0}),
        OpCase("cumprod", (x(3, 4, 5),), {"axis": 2}),
        OpCase("cumprod", (x(0, 4),), {"axis": 1}),
    ]
    keys: tuple[Any, ...] = (
        ((None, None, None), (1, 4, None)),
        ((None, None, None), (None, None, -2)),
        ((None, None, None), -1),
        ((None, None, None), (-3, None, 2)),
        ((None, None, None), (4, 2, None)),
    )
    cases += [OpCase("getitem", (x(3, 6),), {"key": key}, f"{index}") for index, key in enumerate(keys)]
    perms = ((1, 0), (0, 2, 1), (2, 0, 1), (0, 3, 1, 2), (0, 2, 3, 1), (4, 2, 0, 3, 1), (6, 4, 2, 0, 1, 3, 5))
    for axes in perms:
        shape = tuple(range(2, 2 + len(axes)))
        cases += [
            OpCase("transpose", (x(*shape[::-1], dtype=d),), {"axes": axes}, "".join(map(str, axes)))
            for d in ("float32", "int64", "bool")
        ]
    cases += [
        OpCase("transpose", (x(0, 4, 3),), {"axes": (0, 2, 1)}),
        OpCase("transpose", (x(70, 1, 65),), {"axes": (2, 1, 0)}),
    ]
    cases += [
        OpCase("concatenate", (x(3, 4), x(3, 2), x(3, 1)), {"axis": 1}),
        OpCase("concatenate", (x(3, 4, 2, dtype="int64"), x(3, 1, 2, dtype="int64")), {"axis": 1}),
        OpCase("concatenate", (x(2, 3, batch=False), x(4, 3, batch=False)), {"axis": 0}),
        OpCase("concatenate", (x(3, 0), x(3, 5)), {"axis": 1}),
        OpCase("concatenate", (x(0, 2), x(0, 5)), {"axis": 1}),
        OpCase("concatenate", (x(5, 2, dtype="bool"),), {"axis": 1}),
    ]
    return cases


def _pairs_swapped(a: Any, b: Any) -> tuple[Any, Any]:
    return b * 2, a + 1


_PAIR = (TensorSpec((None, 3)), TensorSpec((None, 4)))
OPAQUE = [
    OpCase("opaque", (x(5, 4), x(5, 3)), {"function": _pairs_swapped, "outputs": _PAIR, "name": "swap"}),
    OpCase("opaque", (x(4, 3),), {"function": np.sort, "outputs": (TensorSpec((None, 3)),), "name": "sort"}),
]
