"""The engines that run a job's shards, by name: one row for each."""

from __future__ import annotations

import os
from collections.abc import Callable

from graphflow.batch.job import Engine
from graphflow.errors import ArgumentError, nearest


def _local(workers: int | None) -> Engine | None:
    from graphflow.batch.local import processes

    return None if workers is None or workers == 1 else processes(workers)


def _dask(workers: int | None) -> Engine | None:
    from graphflow.batch.dask import engine

    return engine(workers=workers)


def _ray(workers: int | None) -> Engine | None:
    if not os.environ.get("RAY_ADDRESS"):
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # what Ray starts listens to this machine only
    from graphflow.batch.ray import engine

    return engine(workers=workers)


ENGINES: dict[str, Callable[[int | None], Engine | None]] = {"local": _local, "dask": _dask, "ray": _ray}
"""Name to what makes the engine for a number of workers; None stands for this process."""


def engine_of(name: str, workers: int | None = None) -> Engine | None:
    """The engine of a name.

    Args:
        name: of `ENGINES`.
        workers: how many processes; None: what the engine does by itself.

    Raises:
        ArgumentError: there is none of this name.

    Example:
        >>> engine_of("local") is None
        True
    """
    if name not in ENGINES:
        raise ArgumentError(f"There is no engine {name!r}.{nearest(name, ENGINES)}")
    return ENGINES[name](workers)
