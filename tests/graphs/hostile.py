"""Names that would do something if a page, a terminal or Graphviz took them for more than names."""

from __future__ import annotations

from typing import Any

from graphflow import Input, Model
from graphflow.layers import Add, Dense

NAMES = (
    '<img src=x onerror="window.hurt=1;alert(1)">',
    "</script><script>window.hurt=1;alert(1)</script>",
    "<!--<script>",
    "]]></style></title><svg onload=window.hurt=1>",
    "a\x1b[31m\x1b]0;title\x07red",
    "left\u202eright\u2066\u200bzero",
    "'\"`${window.hurt=1}{{data}}\\",
    "new\nline\ttab\r",
    "&lt;b&gt;&amp;",
    "javascript:window.hurt=1",
    "__proto__",
    "\U0001f980 crab \u4f60\u597d",
)


def hostile_model() -> Model:
    """A model whose every name is one of these, models inside it, too."""
    a = Input((4,), name=NAMES[0] + "x")
    inner = Model(a, Dense(4, name=NAMES[1])(a), name=NAMES[3])
    x = Input((4,), name=NAMES[2])
    made: Any = inner(x)
    for index, name in enumerate(NAMES):
        if index not in (2, 3):
            made = Dense(4, name=name)(made)
    return Model(x, Add(name="sum")([made, x]), name=NAMES[0])
