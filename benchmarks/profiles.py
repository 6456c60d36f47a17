"""Where the time of a model goes, layer by layer, beside ONNX Runtime's own profile of the same model.

    python -m benchmarks.profiles resnet50 [--batch 8] [--threads 2] [--rounds 5] [--top 20] [--json out.json]

Each engine has a process of its own; rounds of runs take turns, and a step's time is its median over all runs. Rows are
layers as graphflow computes them, those first that cost most beyond ONNX Runtime's time. A layer that graphflow joined
to another counts there, as its passes recorded; what ONNX Runtime computes without naming a layer (changes of layout,
convolutions that its exporter renamed) counts to the layer before it. Steps on their own run in other surroundings than
a whole run: the last two lines show the sums beside whole runs without a profile.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.engines import Graphflow, OnnxRuntime
from benchmarks.files import CASES, DEFAULT_CACHE, declared_inputs
from benchmarks.machine import describe, heading
from benchmarks.worker import make_inputs

KERNEL = "_kernel_time"
"""What ONNX Runtime puts behind a node's name where the event is the node's computation."""


class Step(NamedTuple):
    """A step of an engine: a name that holds a layer's, what computes it, its microseconds, a median."""

    name: str
    what: str
    us: float


class Row(NamedTuple):
    """A layer in both engines: microseconds, and what computes it."""

    layer: str
    own: float
    peer: float
    own_what: str
    peer_what: str

    @property
    def lost(self) -> float:
        return self.own - self.peer


class Own:
    """graphflow, a model at a time, in the process that calls this."""

    def __init__(self, path: str, threads: int, inputs: Sequence[Any]) -> None:
        self.engine = Graphflow()
        self.engine.load(path, threads)
        self.engine.bind(inputs)
        self.inputs = list(inputs)
        self.found: list[Any] = []

    def watch(self, runs: int) -> None:
        """Run so often with times noted."""
        from graphflow.inspect import profile

        self.found.append(profile(self.engine._session, self.inputs, repeats=runs))

    def steps(self) -> list[Step]:
        """The median of each layer over the rounds."""
        rows = zip(*(one.layers for one in self.found), strict=True)
        return [Step(row[0].layer, row[0].kernel, 1e6 * statistics.median(one.seconds for one in row)) for row in rows]

    def joined(self) -> dict[str, str]:
        """Into which layer each layer was joined."""
        from graphflow.inspect import explain

        changes = explain(self.engine._session, [one.shape for one in self.inputs]).changes
        return {one.layer: one.into for one in changes if one.into and one.into != one.layer}


class Peer:
    """ONNX Runtime with its profile on, and without."""

    def __init__(self, path: str, threads: int, inputs: Sequence[Any]) -> None:
        import onnxruntime

        self.engine, self.watched = OnnxRuntime(), OnnxRuntime()
        self.engine.load(path, threads)
        self.engine.bind(inputs)
        self.folder = tempfile.TemporaryDirectory()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.enable_profiling, options.profile_file_prefix = True, f"{self.folder.name}/profile"
        self.watched._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.watched.bind(inputs)

    def watch(self, runs: int) -> None:
        """Run so often with times noted."""
        for _ in range(runs):
            self.watched.run()

    def steps(self) -> list[Step]:
        """The median of each node over all runs."""
        written = Path(self.watched._session.end_profiling())
        return node_times(json.loads(written.read_text()))

    def joined(self) -> dict[str, str]:
        return {}


def node_times(events: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The nodes of ONNX Runtime's profile in the order of the run, with the median of their times.

    Example:
        >>> node = {"cat": "Node", "name": "a/Relu_kernel_time", "args": {"op_name": "Relu", "node_index": "0"}}
        >>> node_times([{"cat": "Session", "name": "model_run"}, {**node, "dur": 3}, {**node, "dur": 5}])
        [Step(name='a/Relu', what='Relu', us=4.0)]
    """
    times: dict[tuple[str, str, str], list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(KERNEL):
            key = (event["args"]["node_index"], event["name"].removesuffix(KERNEL), event["args"]["op_name"])
            times.setdefault(key, []).append(event["dur"])
    return [Step(name, what, statistics.median(taken)) for (_, name, what), taken in times.items()]


def layer_of(node: str, layers: Iterable[str], numbered: bool) -> str | None:
    """The layer whose path is part of a node's name, the longest if there are several.

    Args:
        node: such as "model_1/conv_1/Relu:0".
        layers: paths.
        numbered: whether the exporter put a number behind each name, as Keras' does.

    Example:
        >>> layers = ["relu", "relu_1", "both", "both/left"]
        >>> [layer_of(one, layers, True) for one in ("net_1/relu_1/Relu", "net_1/relu_1_2/Relu", "Conv__349")]
        ['relu', 'relu_1', None]
        >>> layer_of("both/left/LSTM", layers, False)
        'both/left'
    """
    parts = node.split("/")
    if numbered:
        parts = [re.sub(r"_\d+$", "", part) for part in parts]
    path = "/" + "/".join(parts) + "/"
    fitting = [layer for layer in layers if f"/{layer}/" in path]
    return max(fitting, key=len, default=None)


def side_by_side(
    own: Sequence[Step], peer: Sequence[Step], joined: Mapping[str, str], before: Mapping[str, str], numbered: bool
) -> list[Row]:
    """The times of both engines by the layers that graphflow computes.

    Args:
        joined: into which layer another one was joined.
        before: the layer before each layer, the latest of several.
        numbered: as for `layer_of`.

    Example:
        >>> own = [Step("conv", "conv_nhwc_f32", 3.0), Step("dense", "gemm_f32", 1.0)]
        >>> peer = [Step("conv/Conv", "Conv", 2.0), Step("relu", "Relu", 2.0), Step("Reorder_3", "Reorder", 1.0)]
        >>> side_by_side(own, peer, {"relu": "conv"}, {"dense": "relu", "relu": "conv"}, False)[0]
        Row(layer='conv', own=3.0, peer=5.0, own_what='conv_nhwc_f32', peer_what='Conv, Relu, Reorder')
    """
    rows = {step.name: [step, 0.0, {}] for step in own}
    names = {*rows, *joined, *before}

    def home(layer: str) -> str:
        seen = set()
        while layer not in rows and layer not in seen:
            seen.add(layer)
            layer = joined.get(layer) or before.get(layer, layer)
        return layer if layer in rows else own[0].name

    row = own[0].name
    for step in peer:
        layer = layer_of(step.name.removeprefix("fused "), names, numbered)
        row = home(layer) if layer is not None else row
        rows[row][1] += step.us
        rows[row][2][step.what] = True
    return [Row(name, step.us, us, step.what, ", ".join(whats)) for name, (step, us, whats) in rows.items()]


def layers_before(model: Any) -> dict[str, str]:
    """The layer before each layer of a model, of several the latest."""
    place = {layer.name: index for index, layer in enumerate(model.layers)}
    found: dict[str, str] = {}
    for layer in model.layers:
        makers = [one._keras_history[0].name for node in layer._inbound_nodes for one in node.input_tensors]
        makers = [one for one in makers if one in place]
        if makers:
            found[layer.name] = max(makers, key=place.__getitem__)
    return found


_engine: Any = None


def _begin(kind: str, path: str, threads: int, inputs: Sequence[Any]) -> None:
    global _engine
    _engine = {"own": Own, "peer": Peer}[kind](path, threads, inputs)
    _engine.watch(2)


def _seconds(runs: int) -> float:
    """The median of runs without notes, after one to wake up."""
    _engine.engine.run()
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        _engine.engine.run()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def _watch(runs: int) -> None:
    _engine.watch(runs)


def _ask(name: str) -> Any:
    return getattr(_engine, name)()


def measure(cache: Path, name: str, batch: int, threads: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Whole runs and steps of both engines."""
    inputs = make_inputs(declared_inputs(cache, name), batch, 1)
    engines, found = {}, {}
    try:
        for kind, suffix in (("own", ".keras"), ("peer", ".onnx")):
            engines[kind] = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
            path = str((cache / name).resolve()) + suffix
            engines[kind].submit(_begin, kind, path, threads, inputs).result()
        plain: dict[str, list[float]] = {kind: [] for kind in engines}
        runs = {
            kind: max(3, int(seconds / 2 / engine.submit(_seconds, 3).result())) for kind, engine in engines.items()
        }
        for _ in range(rounds):
            for kind, engine in engines.items():
                plain[kind].append(engine.submit(_seconds, runs[kind]).result())
                engine.submit(_watch, runs[kind]).result()
        for kind, engine in engines.items():
            found[kind] = engine.submit(_ask, "steps").result()
        joined = engines["own"].submit(_ask, "joined").result()
    finally:
        for engine in engines.values():
            engine.shutdown()
    return {**found, "joined": joined, "plain": {kind: 1e6 * statistics.median(taken) for kind, taken in plain.items()}}


HEADER = f"{'layer':<36} {'own us':>9} {'ort us':>9} {'ratio':>6} {'lost us':>9}  kernel; ONNX Runtime's operations"


def format_row(row: Row) -> str:
    """One line."""
    ratio = f"{row.peer / row.own:6.2f}" if row.own else "     -"
    return (
        f"{row.layer:<36} {row.own:9.1f} {row.peer:9.1f} {ratio} {row.lost:9.1f}  "
        f"{row.own_what}; {row.peer_what or 'nothing'}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=[case.name for case in CASES])
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="about how long an engine has in a round")
    parser.add_argument("--top", type=int, default=20, help="how many layers; 0: all, in the order of the run")
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    given = parser.parse_args()
    from graphflow import load_model

    facts = describe()
    print(heading(facts), f"\n{given.model}, batch {given.batch}, threads: {given.threads}\n\n" + HEADER)
    found = measure(given.cache, given.model, given.batch, given.threads, given.rounds, given.seconds)
    record = json.loads((given.cache / f"{given.model}.json").read_text())
    before = layers_before(load_model(given.cache / f"{given.model}.keras"))
    numbered = record.get("writer", "keras") == "keras"
    rows = side_by_side(found["own"], found["peer"], found["joined"], before, numbered)
    shown = sorted(rows, key=lambda row: -row.lost)[: given.top] if given.top else rows
    rest = [row for row in rows if row not in shown]
    if rest:
        shown = [*shown, Row(f"{len(rest)} others", sum(r.own for r in rest), sum(r.peer for r in rest), "", "various")]
    sums = Row("all steps", sum(row.own for row in rows), sum(row.peer for row in rows), "", "")
    whole = Row("a run", found["plain"]["own"], found["plain"]["peer"], "", "")
    print(*map(format_row, shown), *(format_row(row).partition("  ;")[0] for row in (sums, whole)), sep="\n")
    if given.json:
        listed = [row._asdict() for row in (*rows, sums, whole)]
        given.json.write_text(json.dumps({"benchmark": "profiles", "machine": facts, "rows": listed}, indent=1))


if __name__ == "__main__":
    main()
