"""Dask: models over arrays, dataframes and bags, lazily; and jobs whose shards run on the workers of `distributed`.

A model is one node of Dask's graph, by content: it goes to a worker once, and is opened once in each process.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphflow.batch.block import objects
from graphflow.batch.job import Engine, Job, Ranges
from graphflow.batch.journal import Entry
from graphflow.batch.shipping import RangeWork, Shipped, died, needed, run_ranges, shipped
from graphflow.batch.sinks.text import field_names
from graphflow.errors import ArgumentError, GraphflowError, ShapeError
from graphflow.runtime.feed import check_names

Array = np.ndarray[Any, Any]
Outputs = str | Sequence[str] | None
PATIENCE = 60
"""Seconds that a job waits while its cluster has no worker at all; a nanny whose worker dies at its start gives up."""


def _node(model: Shipped) -> Any:
    """The model as one node of a graph."""
    from dask.delayed import delayed

    return delayed(model, pure=True, traverse=False, name=f"graphflow-model-{model.hash[:32]}")


# arrays


def map_array(
    model: Any, array: Any, outputs: Outputs = None, *, batch_size: int | str = "auto", threads: int = 1
) -> Any:
    """A model over the rows of Dask arrays; nothing is computed before the result is.

    Args:
        model: a `Model`, a `Session`, a path that is read here, or a `Shipped`.
        array: a Dask array; for several inputs a list of them in the model's order, or a dict by name. Chunks along the
            rows are computed one by one; those along other axes are put together.
        outputs: the name of the one output that is wanted, or several; None: all.
        batch_size: rows of a run.
        threads: how many share one run, in each process.

    Returns:
        A Dask array, or a list of them where there are several outputs or a list of names was given; with the chunks of
        the input along the rows.

    Raises:
        ShapeError: an array that does not fit its input.
        ArgumentError: inputs or outputs that the model has not.
        UnsupportedError: Dask is not installed.
    """
    with needed("dask[array]", "dask"):
        import dask.array as da
    ship = shipped(model, batch_size, threads)
    arrays = _in_order(array, ship)
    for one, spec, name in zip(arrays, ship.specs, ship.input_names, strict=True):
        _check_shape(one, spec.shape, name)
    specs = ship.outputs([[None if np.isnan(size) else int(size) for size in one.shape] for one in arrays])
    letter = iter(range(1, 1000))
    pairs = [part for one in arrays for part in (one, (0, *(next(letter) for _ in one.shape[1:])))]
    places = ship.chosen(outputs)
    common = {"concatenate": True, "meta": np.empty(0, object), "dtype": object}
    bundle = da.blockwise(_run_block, (0,), *pairs, model=_node(ship), token="graphflow-run", **common)
    made = []
    for place in places:
        shape, dtype = specs[place].shape, np.dtype(specs[place].dtype)
        axes = {next(letter): np.nan if size is None else size for size in shape[1:]}
        meta = np.empty((0,) * len(shape), dtype)
        index = (0, *axes)
        made.append(da.blockwise(_pick, index, bundle, (0,), place, None, new_axes=axes, dtype=dtype, meta=meta))
    return made[0] if len(made) == 1 and (outputs is None or isinstance(outputs, str)) else made


def _in_order(given: Any, model: Shipped) -> list[Any]:
    if isinstance(given, Mapping):
        check_names(given, model.input_names)
        return [given[name] for name in model.input_names]
    arrays = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(arrays) != len(model.input_names):
        names = ", ".join(model.input_names)
        raise ArgumentError(f"The {len(model.input_names)} inputs of this model are {names}; received {len(arrays)}.")
    return arrays


def _check_shape(array: Any, wanted: Sequence[int | None], name: str) -> None:
    """Check what is known of a lazy array's shape."""
    fits = len(array.shape) == len(wanted) and all(
        want is None or np.isnan(got) or want == got for want, got in zip(wanted[1:], array.shape[1:], strict=True)
    )
    if not fits:
        raise ShapeError(f"Input {name!r} takes shape {tuple(wanted)}, received a Dask array of {array.shape}.")


def _run_block(*arrays: Any, model: Shipped) -> tuple[Array, ...]:
    return tuple(model.run([np.asarray(one) for one in arrays]))


def _pick(bundle: tuple[Array, ...], place: int) -> Array:
    return bundle[place]


# dataframes and bags


def map_dataframe(
    model: Any,
    frame: Any,
    inputs: Mapping[str, Any] | None = None,
    outputs: Outputs = None,
    ids: str | Sequence[str] = (),
    *,
    batch_size: int | str = "auto",
    threads: int = 1,
) -> Any:
    """A model over the rows of a Dask dataframe.

    Args:
        model: a `Model`, a `Session`, a path that is read here, or a `Shipped`.
        frame: a Dask dataframe.
        inputs: the column of each input, or the columns side by side; without it they are found by name.
        outputs: names of outputs; None: all.
        ids: columns that go into the result as they are.
        batch_size: rows of a run.
        threads: how many share one run, in each process.

    Returns:
        A Dask dataframe with the index and divisions of `frame`: `ids`, then a column for each number of an output's
        row, named as in CSV files: `name`, or `name_0`, `name_1`...

    Raises:
        ArgumentError: unknown names, columns of the same name, or outputs whose rows have no fixed size.
        UnsupportedError: Dask is not installed.
    """
    with needed("dask[dataframe]", "dask"):
        import dask.dataframe  # noqa: F401
    ship = shipped(model, batch_size, threads)
    kept = [ids] if isinstance(ids, str) else list(ids)
    read = ship.columns(list(frame.columns), inputs, kept)
    specs, fields = ship.outputs(), {}
    for place in ship.chosen(outputs):
        shape = specs[place].shape[1:]
        if None in shape:
            raise ArgumentError(
                f"Output {ship.output_names[place]!r} has rows of no fixed size, {shape}, which are no columns. Use "
                "map_array or map_bag, or name other outputs."
            )
        fields[place] = field_names(ship.output_names[place], [int(size or 0) for size in shape])
    names = [*kept, *(one for listed in fields.values() for one in listed)]
    if len(set(names)) != len(names):
        raise ArgumentError(f"The result would have two columns of the same name: {', '.join(names)}.")
    empty = {place: np.empty((0, len(listed)), specs[place].dtype) for place, listed in fields.items()}
    meta = _as_frame(frame._meta.iloc[:0], kept, fields, empty)
    return frame[read].map_partitions(_run_frame, _node(ship), inputs, kept, fields, meta=meta)


def _run_frame(part: Any, model: Shipped, inputs: Any, kept: list[str], fields: dict[int, list[str]]) -> Any:
    columns = {name: part[name].to_numpy() for name in part.columns}
    made = model.run_columns(columns, inputs, kept)
    return _as_frame(part, kept, fields, {place: made[place] for place in fields})


def _as_frame(part: Any, kept: list[str], fields: dict[int, list[str]], made: dict[int, Array]) -> Any:
    """Columns that are kept, and a column for each number of an output's row."""
    columns = {name: part[name] for name in kept}
    for place, listed in fields.items():
        flat = made[place].reshape(len(part), len(listed))
        columns.update({name: flat[:, at] for at, name in enumerate(listed)})
    import pandas

    return pandas.DataFrame(columns, index=part.index)


def map_bag(
    model: Any,
    bag: Any,
    inputs: Mapping[str, Any] | None = None,
    outputs: Outputs = None,
    *,
    batch_size: int | str = "auto",
    threads: int = 1,
) -> Any:
    """A model over a Dask bag whose items are rows.

    Args:
        model: a `Model`, a `Session`, a path that is read here, or a `Shipped`.
        bag: of dicts by column, or, for a model of one input, of what one row of it is.
        inputs: the column of each input, or the columns side by side; without it they are found by name.
        outputs: names of outputs; None: all.
        batch_size: rows of a run.
        threads: how many share one run, in each process.

    Returns:
        A bag of arrays where the model has one output or `outputs` is a name; else of dicts of arrays by output. A row
        of a single number is a NumPy scalar.

    Raises:
        ArgumentError: unknown outputs.
        UnsupportedError: Dask is not installed.
    """
    with needed("dask[bag]", "dask"):
        import dask.bag  # noqa: F401
    ship = shipped(model, batch_size, threads)
    places = ship.chosen(outputs)
    alone = len(places) == 1 and (outputs is None or isinstance(outputs, str))
    return bag.map_partitions(_run_bag, _node(ship), inputs, places, alone)


def _run_bag(part: Any, model: Shipped, inputs: Any, places: list[int], alone: bool) -> list[Any]:
    rows = list(part)
    if not rows:
        return []
    if isinstance(rows[0], Mapping):
        made = model.run_columns({name: _column([row[name] for row in rows]) for name in rows[0]}, inputs)
    else:
        made = model.run_columns({"data": _column(rows)}, inputs)
    if alone:
        return list(made[places[0]])
    names = [model.output_names[place] for place in places]
    return [dict(zip(names, row, strict=True)) for row in zip(*(made[place] for place in places), strict=True)]


def _column(values: list[Any]) -> Array:
    """Values of rows as an array, if they are arrays of one shape, else as Python values."""
    if all(isinstance(one, (np.ndarray, np.generic)) for one in values) and len({one.shape for one in values}) == 1:
        return np.stack(values)
    return objects(values)


# jobs


def engine(client: Any = None, workers: int | None = None, threads: int = 1) -> Engine:
    """An engine for `Job.run` on the workers of `distributed`; a worker that dies is replaced by its cluster.

    Args:
        client: of a cluster that is there; None: of the scheduler that Dask's configuration names (the environment
            variable DASK_SCHEDULER_ADDRESS), else a cluster of processes on this machine, for this job.
        workers: processes of a cluster that is started here; elsewhere, at most so many shards at a time.
        threads: how many share one run, in each process; 0: as many as it may use.

    Raises:
        ArgumentError: a number below one.
        UnsupportedError: Dask is not installed.
    """
    if workers is not None and workers < 1:
        raise ArgumentError(f"The number of workers must be at least 1, received {workers}.")
    with needed("distributed", "dask"):
        import distributed  # noqa: F401

    def run(job: Job, header: Entry, ranges: Ranges, commit: Callable[[Entry], None]) -> None:
        with _client(client, workers) as used, used.as_current():
            _run_on(used, RangeWork(job, header, threads), ranges, workers, commit)

    return run


def _run_on(client: Any, work: RangeWork, ranges: Ranges, most: int | None, commit: Callable[[Entry], None]) -> None:
    import distributed

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")
        shared = client.submit(_same, work, pure=False)
    live: set[Any] = set()

    def submit(first: int, stop: int) -> Any:
        future = client.submit(_run_range, shared, first, stop, pure=False)
        live.add(future)
        return future

    def finished(running: Sequence[Any]) -> Any:
        alone = 0.0
        while alone < PATIENCE:
            try:
                return next(iter(distributed.wait(running, timeout=5, return_when="FIRST_COMPLETED").done))
            except (TimeoutError, distributed.TimeoutError):
                alone = 0.0 if client.nthreads() else alone + 5
        raise GraphflowError(f"The cluster has had no worker for {PATIENCE} seconds. What is done stays done.")

    def result(future: Any) -> list[Entry]:
        live.discard(future)
        try:
            entries: list[Entry] = future.result()
        except distributed.KilledWorker as error:
            raise died(error) from error
        return entries

    try:
        run_ranges(ranges, submit, finished, result, lambda: most or 1 + sum(client.nthreads().values()), commit)
    finally:
        if live:
            client.cancel(list(live))


def _same(work: RangeWork) -> RangeWork:
    return work


def _run_range(work: RangeWork, first: int, stop: int) -> list[Entry]:
    return work.run(first, stop)


@contextmanager
def _client(given: Any, workers: int | None) -> Iterator[Any]:
    """The client that was given, or one for the length of the block."""
    if given is not None:
        yield given
        return
    import dask
    import distributed

    address = dask.config.get("scheduler-address", None)
    if address:
        with distributed.Client(address, set_as_default=False) as client:
            yield client
        return
    options: dict[str, Any] = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "processes": True}
    with (
        distributed.LocalCluster(n_workers=workers, threads_per_worker=1, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client
