"""The order in which passes run, and how to stop or leave one out."""

from __future__ import annotations

from collections.abc import Callable

from graphflow.errors import ArgumentError, nearest
from graphflow.ir.graph import Graph
from graphflow.ir.record import Journal
from graphflow.ir.verify import verify
from graphflow.knobs import get as knob
from graphflow.passes.eliminate_dead_nodes import eliminate_dead_nodes
from graphflow.passes.fold_constants import fold_constants
from graphflow.passes.fold_flip import fold_flip
from graphflow.passes.fold_padding import fold_padding
from graphflow.passes.fold_scale import fold_scale
from graphflow.passes.fuse_elementwise import fuse_elementwise
from graphflow.passes.fuse_epilogue import fuse_epilogue
from graphflow.passes.fuse_inverted_residual import fuse_inverted_residual
from graphflow.passes.merge_common import merge_common
from graphflow.passes.remove_identities import remove_identities
from graphflow.passes.sink_transposes import sink_transposes

Pass = Callable[[Graph, Journal], bool]

PIPELINE: tuple[Pass, ...] = (
    eliminate_dead_nodes,
    fold_constants,
    merge_common,
    remove_identities,
    sink_transposes,
    remove_identities,
    fold_flip,
    fold_padding,
    fold_scale,
    fold_constants,
    fuse_epilogue,
    fuse_inverted_residual,
    fuse_elementwise,
    eliminate_dead_nodes,
)

EXACT = frozenset(PIPELINE) - {fold_constants, fold_padding, fold_scale}
"""Passes that leave every bit where it is. The others compute in NumPy what a kernel would, let a kernel be chosen by
another shape, or multiply in another order."""


def tune(graph: Graph, until: str | None = None) -> Journal:
    """Run the passes on a graph, in place.

    Args:
        until: the name of the last pass to run.

    Returns:
        What each pass did.

    Raises:
        ArgumentError: a name, here or in the knob `passes_off`, that is no pass.
    """
    names = [one.__name__ for one in PIPELINE]
    off = {name.strip() for name in str(knob("passes_off")).split(",") if name.strip()}
    for name in (off - {"all"}) | ({until} if until else set()):
        if name not in names:
            raise ArgumentError(f"Unknown pass {name!r}.{nearest(name, names)}")
    journal = Journal()
    for one in PIPELINE:
        if one.__name__ not in off and "all" not in off:
            one(graph, journal)
            if knob("debug") >= 3:
                verify(graph)
        if one.__name__ == until:
            break
    return journal
