"""The model of a job, ready to run: a session pinned to an instruction set, what it takes, its kernels' orders."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import nullcontext
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.batch.identity import model_hash
from graphflow.errors import ArgumentTypeError, GraphflowError, UnsupportedError
from graphflow.kernels import isa as instruction_sets
from graphflow.knobs import get as knob
from graphflow.knobs import knobs
from graphflow.runtime.plan import Plan
from graphflow.runtime.session import Session
from graphflow.runtime.threads import get_num_threads
from graphflow.spec import element_count

Array = np.ndarray[Any, Any]
ROWS = 16
"""Rows of the batch from which sizes are estimated."""
MOST_RUNNERS = 4
"""Blocks that are run at the same time, at most."""
ARENAS = 64 << 20
"""Bytes of working memory that blocks which are run at the same time may take together."""


class JobModel:
    """A model that runs batches of a job.

    Args:
        model: a `Model`, a `Session`, or the path of a model file.
        isa: the instruction set to run with; None: the one in use.

    Raises:
        ArgumentTypeError: something else.
        ArgumentError: an instruction set that this processor does not have.
        UnsupportedError: a model that keeps state between batches.
    """

    def __init__(self, model: Any, isa: str | None = None) -> None:
        if isinstance(model, (str, os.PathLike)):
            from graphflow.formats import load_model

            model = load_model(Path(model))
        if not isinstance(model, Session) and not hasattr(model, "graph"):
            raise ArgumentTypeError(f"A job takes a Model, a Session or a path, received {type(model).__name__}.")
        with knobs(isa=isa) if isa else nullcontext():
            if isinstance(model, Session):
                self.session = copy(model) if isa else model
            else:
                graph = model.graph() if callable(model.graph) else model.graph
                self.session = Session(graph)
            self.isa = "reference" if knob("reference") else instruction_sets.current().name
        if self.session.graph.updates:
            raise UnsupportedError(
                f"Model {self.session.graph.name!r} keeps state from batch to batch: its rows depend on all rows "
                "before them, which a job that can be resumed does not promise. Build it with stateful=False."
            )
        self.specs = [value.spec for value in self.session.graph.inputs]
        self.input_names = list(self.session.input_names)
        self.output_names = list(self.session.output_names)

    def hash(self) -> str:
        """A hash of what the model computes; see `identity.model_hash`."""
        return model_hash(self.session.__getstate__()["portable"])

    def bytes_per_row(self) -> tuple[int, int]:
        """Bytes of a row: of inputs and outputs; and of everything between, in the arena. Unknown sizes count as 64."""
        plan, shapes = self._example()
        known = [(spec.shape, spec.dtype) for spec in plan.results] if plan else []
        known += [(shape, spec.dtype) for shape, spec in zip(shapes, self.specs, strict=True)]
        size = sum((element_count(shape) or 0) * np.dtype(dtype).itemsize for shape, dtype in known)
        return max(1, size // ROWS), plan.arena_bytes // ROWS if plan else 0

    def _example(self) -> tuple[Plan | None, list[tuple[int, ...]]]:
        """A plan for a batch, unknown sizes taken as 64; None where these do not fit each other."""
        shapes = [tuple(ROWS if i == 0 else (size or 64) for i, size in enumerate(spec.shape)) for spec in self.specs]
        try:
            return self.session.plan(shapes), shapes
        except GraphflowError:
            return None, shapes

    def orders(self) -> str:
        """A hash of the chains of operations by which rows are computed: equal orders, equal bits."""
        plan, _ = self._example()
        nodes = plan.nodes if plan else []
        names = [node.kernel.order if node.kernel else f"reference {node.node.op.name}" for node in nodes]
        return hashlib.sha256("\n".join([self.session.precision, *names]).encode()).hexdigest()[:32]

    def share(self, batch: int) -> int:
        """Divide the threads of this process among blocks that are run at the same time; how many these are.

        Threads with a block each never wait for each other, as those that share one must after every step. Models that
        need Python to run, and those of large arenas, take one block after another.
        """
        plan, _ = self._example()
        threads = get_num_threads()
        if plan is None or plan.python_nodes:
            return 1
        runners = max(1, min(MOST_RUNNERS, threads, ARENAS // max(1, batch * plan.arena_bytes // ROWS)))
        if runners > 1:
            self.session = self.session.with_threads(max(1, threads // runners))
        return runners

    def run(self, inputs: Sequence[Array], batch: int) -> list[list[Array]]:
        """The outputs of consecutive rows, of one batch or more each; see `Session.run_batches`."""
        return self.session.run_batches(inputs, batch)


def sizes(row_bytes: int, arena_bytes: int, batch_size: int | None, shard_rows: int | None) -> tuple[int, int]:
    """Rows of a batch and of a shard, by a static rule, so that the same job has the same ones everywhere.

    A batch holds about a mebibyte, inner arrays included, which stays near the processor; a shard about 32 mebibytes,
    at most 65,536 rows, and whole batches.

    Example:
        >>> sizes(68, 200, None, None), sizes(1 << 20, 1 << 22, None, None), sizes(68, 200, 100, None)
        ((2048, 65536), (16, 32), (100, 65600))
    """
    batch = batch_size or _power_of_two((1 << 20) // (row_bytes + arena_bytes), 16, 8192)
    shard = shard_rows or _power_of_two((32 << 20) // row_bytes, 32, 65_536)
    return batch, -(-shard // batch) * batch


def _power_of_two(number: int, least: int, most: int) -> int:
    return min(most, max(least, 1 << max(0, number.bit_length() - 1)))
