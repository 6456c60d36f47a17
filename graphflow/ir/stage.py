"""When a value can be computed: `const` (literals only), `bind` (constants and variables) or `run` (the rest).

States and seeds change from run to run, so what depends on them is `run`. A graph keeps the stage of its values as it
keeps their uses: see `Value.stage`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphflow.ops.registry import OpDef

STAGES = ("const", "bind", "run")


def leaf_stage(kind: str, payload: Any) -> str:
    """The stage of a value that no node computes."""
    if kind == "constant":
        return "const"
    return "bind" if kind == "variable" and not payload.changes_in_runs else "run"


def result_stage(op: OpDef, inputs: Iterable[str]) -> str:
    """The stage of what an op makes of inputs of such stages."""
    if op.effect != "pure":
        return "run"
    stage = ""
    for one in inputs:
        if one == "run":
            return "run"
        if one == "bind" or not stage:
            stage = one
    return stage or "run"
