"""What travels to other processes: a model by content, opened once in each of them; a job with ranges of its shards.

    Shipped      a model as bytes -> in each process: one session, kept by the hash of the bytes -> runs batches
    RangeWork    a job and its header as bytes -> in each process: one ShardRunner -> runs a range, gives its entries
    run_ranges   hands ranges to an engine's workers, a few at a time, and commits what comes back

The adapters of engines (`dask`, `ray`, `spark`) stand on these, and hold nothing but the words of their engine.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphflow.batch.identity import differences
from graphflow.batch.job import Job, Ranges
from graphflow.batch.journal import Entry
from graphflow.batch.local import cut
from graphflow.batch.mapping import Mapper, choose
from graphflow.batch.model import JobModel, sizes
from graphflow.batch.shards import ShardRunner
from graphflow.batch.sinks.base import FileSink
from graphflow.errors import ArgumentError, GraphflowError, ShapeError, UnsupportedError, nearest
from graphflow.knobs import knobs
from graphflow.spec import TensorSpec

Array = np.ndarray[Any, Any]
MOST_OPEN = 4
"""Models, and jobs, that a process keeps open."""

_open: OrderedDict[str, Any] = OrderedDict()
_lock = threading.RLock()


def kept(key: str, make: Callable[[], Any]) -> Any:
    """What this process made under a key before, or makes now; the least recently used is let go."""
    with _lock:
        if key not in _open:
            _open[key] = make()
            while len(_open) > MOST_OPEN:
                _open.popitem(last=False)
        _open.move_to_end(key)
        return _open[key]


def as_bytes(value: Any) -> bytes:
    """Pickled; functions and classes of a script or notebook by what they are, where cloudpickle is there for it."""
    try:
        import cloudpickle
    except ImportError:
        return pickle.dumps(value)
    made: bytes = cloudpickle.dumps(value)
    return made


class Shipped:
    """A model that travels by content and is opened once in each process that runs it.

    Args:
        model: a `Model`, a `Session`, or the path of a model file, which is read here and not where it runs.
        batch_size: rows of a run; "auto": by the rule of jobs.
        threads: how many share one run, in each process; 0: as many as the process may use.

    Raises:
        ArgumentError: a number below one.
        UnsupportedError: a model that keeps state between batches.

    Example:
        >>> import pickle
        >>> import numpy as np
        >>> from graphflow.samples import digits
        >>> model = pickle.loads(pickle.dumps(Shipped(digits.MODEL)))
        >>> [scores] = model.run([np.load(digits.IMAGES)])
        >>> scores.shape, bool((scores.argmax(1) == np.load(digits.LABELS)).mean() > 0.9)
        ((100, 10), True)
    """

    def __init__(self, model: Any, batch_size: int | str = "auto", threads: int = 1) -> None:
        if batch_size != "auto" and (not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1):
            raise ArgumentError(f"batch_size must be a positive integer or 'auto', received {batch_size!r}.")
        if not isinstance(threads, int) or isinstance(threads, bool) or threads < 0:
            raise ArgumentError(f"threads must be a positive integer, or 0 for all, received {threads!r}.")
        opened = JobModel(model)
        asked = None if batch_size == "auto" else int(batch_size)
        self.batch_size = sizes(*opened.bytes_per_row(), asked, None)[0]
        self.threads = threads
        self.isa, self.orders = opened.isa, opened.orders()
        self.input_names, self.output_names, self.specs = opened.input_names, opened.output_names, opened.specs
        self._content = as_bytes(opened.session)
        self.hash = hashlib.sha256(self._content).hexdigest()
        self._here: JobModel | None = opened

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_here": None}

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (self.hash, self.batch_size, self.threads, self.isa)

    def opened(self) -> JobModel:
        """The model in this process, opened when it is first asked for.

        Raises:
            ArgumentError: this processor would not compute the same bits as the one that the model comes from.
        """
        found: JobModel = kept(self.hash, self._load)
        return found

    def _load(self) -> JobModel:
        from graphflow.kernels import isa

        made = JobModel(pickle.loads(self._content), self.isa if self.isa in isa.available() else None)
        if made.orders() != self.orders:
            raise ArgumentError(
                f"The model comes from a process that runs {self.isa!r}; this one, with {made.isa!r}, computes in "
                f"another order and would not give the same bits. Set GRAPHFLOW_ISA={made.isa} everywhere."
            )
        return made

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs for any number of rows, computed batch by batch.

        Args:
            inputs: in the order of `input_names`, with equal numbers of rows.

        Raises:
            ShapeError: an output that has not a row for each of the inputs'.
            GraphflowError: inputs that do not fit; the message names them.
        """
        counts = {len(one) for one in inputs}
        if len(counts) != 1:
            raise ShapeError(f"The inputs must have equal numbers of rows, received {sorted(counts)}.")
        model, rows = self.opened(), counts.pop()
        with knobs(threads=self.threads):
            batches = model.run(inputs, self.batch_size)
        made = batches[0] if len(batches) == 1 else [np.concatenate(parts) for parts in zip(*batches, strict=True)]
        for name, array in zip(self.output_names, made, strict=True):
            if len(array) != rows:
                raise ShapeError(
                    f"Output {name!r} has {len(array)} rows for {rows}: it has not one for each input row."
                )
        return made

    def run_columns(self, columns: Mapping[str, Array], inputs: Any = None, ids: Sequence[str] = ()) -> list[Array]:
        """The outputs for columns.

        Args:
            columns: arrays by name, of numbers or of Python values that are numbers or lists of them.
            inputs: the column of each input, or the columns side by side; without it they are found by name.
            ids: columns that are not inputs.
        """
        chosen = choose(inputs, self.input_names, self.specs, list(columns), ids)
        return self.run(Mapper(chosen, self.input_names, self.specs, None)(dict(columns)))

    def columns(self, names: Sequence[str], inputs: Any = None, ids: Sequence[str] = ()) -> list[str]:
        """The columns that `run_columns` reads, `ids` among them; what is asked is checked.

        Raises:
            ArgumentError: an unknown name, or nothing said where something must be.
        """
        chosen = choose(inputs, self.input_names, self.specs, list(names), ids)
        return list(dict.fromkeys([*(one for wanted in chosen.values() for one in wanted), *ids]))

    def outputs(self, shapes: Sequence[Sequence[int | None]] | None = None) -> list[TensorSpec]:
        """The specs of the outputs; their first axis is that of the rows.

        Args:
            shapes: of the inputs, where more is known of them than the model says.
        """
        given = [spec.shape for spec in self.specs] if shapes is None else [tuple(shape) for shape in shapes]
        tails = [tuple(shape)[1:] for shape in given]
        session = (self._here or self.opened()).session
        if any(size is None for tail in tails for size in tail):
            return [value.spec for value in session.graph.outputs]
        plan = session.plan([(2, *tail) for tail in tails])
        results = plan.results[: len(self.output_names)]
        for name, spec in zip(self.output_names, results, strict=True):
            if not spec.shape or spec.shape[0] != 2:
                raise ShapeError(f"Output {name!r} has not a row for each row of the inputs: {spec} for 2 rows.")
        return [TensorSpec((None, *spec.shape[1:]), spec.dtype) for spec in results]

    def chosen(self, outputs: str | Sequence[str] | None) -> list[int]:
        """The places of outputs, all of them if none are named.

        Raises:
            ArgumentError: the model has no output of this name.
        """
        names = self.output_names if outputs is None else [outputs] if isinstance(outputs, str) else list(outputs)
        for name in names:
            if name not in self.output_names:
                raise ArgumentError(f"The model has no output {name!r}.{nearest(name, self.output_names)}")
        return [self.output_names.index(name) for name in names]


def shipped(model: Any, batch_size: int | str = "auto", threads: int = 1) -> Shipped:
    """A model to ship; one that is made ready already stays as it is."""
    return model if isinstance(model, Shipped) else Shipped(model, batch_size, threads)


class RangeWork:
    """A job with its header, ready to travel: each process that has it runs ranges of shards.

    The model travels by content, arrays of the source too. Paths are made absolute: files of the source, and the folder
    of the output, must be there for every worker, under the same name.

    Args:
        job: of which shards are run.
        header: of its journal.
        threads: how many share one run; 0: as many as the process may use.
    """

    def __init__(self, job: Job, header: Entry, threads: int = 1) -> None:
        job = copy.copy(job)
        job.model = JobModel(job.model).session
        job.source, job.sink = absolute(job.source), absolute(job.sink)
        job.work = absolute(job.work)
        job.progress = "none"
        self._content = as_bytes((job, header))
        self._threads = threads
        self._hash = hashlib.sha256(self._content).hexdigest()

    def _load(self) -> tuple[ShardRunner, threading.Lock]:
        job, header = pickle.loads(self._content)
        runner = job.worker(header)
        _check_place(header, runner)
        return runner, threading.Lock()

    def run(self, first: int, stop: int) -> list[Entry]:
        """Do shards in this process.

        Returns:
            Their entries, for the process that has the journal.
        """
        entries: list[Entry] = []
        with knobs(threads=self._threads):
            runner, lock = kept(self._hash, self._load)
            with lock:
                runner.run(first, stop, entries.append)
        return entries


def _check_place(header: Entry, runner: ShardRunner) -> None:
    """Refuse to work where the source is another, or where the output's folder is not the one of the journal."""
    found = differences(header["identity"]["source"], json.loads(json.dumps(runner.source.identity())))
    if found:
        raise ArgumentError(
            f"A worker sees another source than the process that began the job: {'; '.join(found[:6])}."
        )
    sink = runner.sink
    if isinstance(sink, FileSink) and sink.folder is not None and not (sink.folder / "journal.jsonl").exists():
        raise ArgumentError(
            f"{sink.folder}: a worker does not see the folder of the job. It must be on a disk that all workers share."
        )


def absolute(given: Any) -> Any:
    """Paths as absolute ones, also inside lists and dicts; anything else as it is.

    Example:
        >>> absolute({"x": "/a/../b.npy", "y": [1]})
        {'x': '/b.npy', 'y': [1]}
    """
    if isinstance(given, (str, os.PathLike)):
        text = os.fspath(given)
        ending = "/" if text.endswith("/") and len(text) > 1 else ""
        return text if text == "-" else os.path.abspath(text) + ending  # noqa: PTH100
    if isinstance(given, dict):
        return {name: absolute(one) for name, one in given.items()}
    return type(given)(map(absolute, given)) if type(given) in (list, tuple) else given


def run_ranges(
    ranges: Ranges,
    submit: Callable[[int, int], Any],
    finished: Callable[[Sequence[Any]], Any],
    result: Callable[[Any], list[Entry]],
    slots: Callable[[], int],
    commit: Callable[[Entry], None],
) -> None:
    """Hand shards to an engine's workers, a few at a time, and commit what comes back.

    Args:
        ranges: of shards.
        submit: from a range to a handle; the engine runs it again when its worker dies.
        finished: waits for one of the handles, and gives it.
        result: the entries of a handle that is finished.
        slots: how many may be with the engine at a time.
        commit: called with each entry, here.

    When a range fails, those that run are waited for and committed before the error is raised, so that nobody writes
    into the folder of a job that has stopped.

    Example:
        >>> committed = []
        >>> run_ranges([(0, 3)], lambda a, b: a, lambda h: h[0], lambda h: [{"shard": h}], lambda: 2, committed.append)
        >>> committed
        [{'shard': 0}, {'shard': 1}, {'shard': 2}]
    """
    queue = cut(ranges, 1)
    queue.reverse()
    running: list[Any] = []
    failed: Exception | None = None
    while running or (queue and failed is None):
        while queue and failed is None and len(running) < max(1, slots()):
            running.append(submit(*queue.pop()))
        done = finished(running)
        running.remove(done)
        try:
            entries = result(done)
        except Exception as error:
            failed = failed or error
            continue
        for entry in entries:
            commit(entry)
    if failed is not None:
        raise failed


def died(detail: object) -> GraphflowError:
    """The error for workers that die again and again in the same range."""
    return GraphflowError(
        f"Workers died again and again in one shard, most likely for want of memory. What is done stays done. {detail}"
    )


@contextmanager
def needed(package: str, extra: str) -> Iterator[None]:
    """Imports of an engine stand in this block.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise UnsupportedError(
            f"This needs the package {package}: pip install 'graphflow-engine[{extra}]'. ({error})"
        ) from None
