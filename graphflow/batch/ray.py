"""Ray: a class for the `map_batches` of Ray Data; and jobs whose shards run as Ray's tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphflow.batch.job import Engine, Job, Ranges
from graphflow.batch.journal import Entry
from graphflow.batch.shipping import RangeWork, Shipped, died, needed, run_ranges, shipped
from graphflow.errors import ArgumentError, GraphflowError

Array = np.ndarray[Any, Any]
Outputs = str | Sequence[str] | None
RETRIES = 3
"""Times that a shard is begun anew because its worker died."""


def _ray() -> Any:
    """The package.

    Raises:
        UnsupportedError: it is not installed.
    """
    with needed("ray[data]", "ray"):
        import ray
    return ray


class Predictor:
    """What `map_batches` calls with batches of a dataset; as a class with `fn_constructor_args`, or as it is.

    Args:
        model: a `Model`, a `Session`, a path that is read here, or a `Shipped`, which holds the model by content.
        inputs: the column of each input, or the columns side by side; without it they are found by name.
        outputs: names of outputs; None: all.
        ids: columns that go into the result as they are.
        batch_size: rows of a run, within the batches that Ray gives.
        threads: how many share one run, in each process; 0: as many as it may use.

    Raises:
        ArgumentError: outputs that the model has not, or a column and an output of the same name.

    Example:
        >>> import numpy as np
        >>> from graphflow.samples import digits
        >>> predictor = Predictor(digits.MODEL, ids="label")
        >>> made = predictor({"image": np.load(digits.IMAGES), "label": np.load(digits.LABELS)})
        >>> {name: array.shape for name, array in made.items()}
        {'label': (100,), 'digit': (100, 10)}
    """

    def __init__(
        self,
        model: Any,
        inputs: Mapping[str, Any] | None = None,
        outputs: Outputs = None,
        ids: str | Sequence[str] = (),
        *,
        batch_size: int | str = "auto",
        threads: int = 1,
    ) -> None:
        self._model = shipped(model, batch_size, threads)
        self._inputs = inputs
        self._places = self._model.chosen(outputs)
        self._ids = [ids] if isinstance(ids, str) else list(ids)
        both = [name for name in self._ids if name in (self._model.output_names[place] for place in self._places)]
        if both:
            raise ArgumentError(f"The column {both[0]!r} has the name of an output.")

    def __call__(self, batch: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs for a batch.

        Args:
            batch: arrays by column.

        Returns:
            The columns `ids`, and the outputs by name.
        """
        made = self._model.run_columns(batch, self._inputs, self._ids)
        outputs = {self._model.output_names[place]: made[place] for place in self._places}
        return {**{name: batch[name] for name in self._ids}, **outputs}


def map_dataset(
    model: Any,
    dataset: Any,
    inputs: Mapping[str, Any] | None = None,
    outputs: Outputs = None,
    ids: str | Sequence[str] = (),
    *,
    workers: Any = 1,
    batch_size: int | str = "auto",
    threads: int = 1,
    **options: Any,
) -> Any:
    """A model over the rows of a Ray dataset, lazily: `map_batches` with a `Predictor` in each of some actors.

    Args:
        model: a `Model`, a `Session`, a path that is read here, or a `Shipped`.
        dataset: of Ray Data.
        inputs, outputs, ids, batch_size, threads: see `Predictor`.
        workers: actors; a pair for the least and the most.
        **options: of `map_batches`, such as `num_cpus` (as many as threads, if it is not given).

    Returns:
        A dataset of `ids` and outputs.

    Raises:
        ArgumentError: unknown outputs.
        UnsupportedError: Ray is not installed.
    """
    _ray()
    ship: Shipped = shipped(model, batch_size, threads)
    Predictor(ship, inputs, outputs, ids)
    return dataset.map_batches(
        Predictor,
        fn_constructor_args=(ship, inputs, outputs, ids),
        **{"concurrency": workers, "num_cpus": max(1, threads), "batch_format": "numpy", **options},
    )


def engine(address: str | None = None, workers: int | None = None, threads: int = 1) -> Engine:
    """An engine for `Job.run` on Ray; a shard whose worker dies is done again by another.

    Args:
        address: of a cluster, see `ray.init`; None: what this process is connected to already, else the cluster that
            the environment variable RAY_ADDRESS names, else a cluster on this machine, for this job.
        workers: processes of a cluster that is started here; elsewhere, at most so many shards at a time.
        threads: how many share one run; a task asks Ray for so many processors, at least one.

    Raises:
        ArgumentError: a number below one.
        UnsupportedError: Ray is not installed.
    """
    if workers is not None and workers < 1:
        raise ArgumentError(f"The number of workers must be at least 1, received {workers}.")
    _ray()

    def run(job: Job, header: Entry, ranges: Ranges, commit: Callable[[Entry], None]) -> None:
        work = RangeWork(job, header, threads)
        with _connected(address, workers, threads) as ray:
            _run_on(ray, work, ranges, workers, max(1, threads), commit)

    return run


def _run_on(
    ray: Any, work: RangeWork, ranges: Ranges, most: int | None, cpus: int, commit: Callable[[Entry], None]
) -> None:
    shared = ray.put(work)
    task = ray.remote(_run_range).options(num_cpus=cpus, max_retries=RETRIES, retry_exceptions=False)
    live: set[Any] = set()

    def submit(first: int, stop: int) -> Any:
        handle = task.remote(shared, first, stop)
        live.add(handle)
        return handle

    def finished(running: Sequence[Any]) -> Any:
        return ray.wait(list(running), num_returns=1)[0][0]

    def result(handle: Any) -> list[Entry]:
        live.discard(handle)
        try:
            entries: list[Entry] = ray.get(handle)
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            raise cause if isinstance(cause, (GraphflowError, OSError)) else error from None
        except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
            raise died(error) from error
        return entries

    def slots() -> int:
        return most or 1 + int(ray.cluster_resources().get("CPU", 1)) // cpus

    try:
        run_ranges(ranges, submit, finished, result, slots, commit)
    finally:
        for handle in live:
            ray.cancel(handle)


def _run_range(work: RangeWork, first: int, stop: int) -> list[Entry]:
    return work.run(first, stop)


@contextmanager
def _connected(address: str | None, workers: int | None, threads: int) -> Iterator[Any]:
    """Ray, connected; a connection that is made here ends with the block."""
    found = address or os.environ.get("RAY_ADDRESS")
    ray = _ray()
    if ray.is_initialized():
        yield ray
        return
    if found:
        ray.init(address=found, log_to_driver=False, logging_level="warning")
    else:
        cpus = None if workers is None else workers * max(1, threads)
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="warning")
    try:
        yield ray
    finally:
        ray.shutdown()
