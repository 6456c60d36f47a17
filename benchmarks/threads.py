"""What further threads bring: whole models on one thread and on several, beside what the machine's own peak gains.

    python -m benchmarks.threads [--models vgg16 resnet50] [--batches 8] [--threads 2] [--layers 10] [--json out.json]
    python -m benchmarks.threads --files model.keras --batches 1 8

`gain` is the time on one thread over the time on several; `peak` the same of multiply-adds in registers; `share` the
one over the other. Each round times the peak and the model on one thread and on several, one behind another, and a
share is taken within a round, so that a change of the clock hits both alike; medians over the rounds. `--layers` adds
those layers that lose the most: the time they would win if they gained what the peak does.

A model that waits for memory gains what memory does: where a second thread brings less of that than of multiply-adds,
a share below 1 is no fault of how the work is divided.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.files import CASES, DEFAULT_CACHE, declared_inputs
from benchmarks.machine import describe, heading
from benchmarks.peak import peak as peak_of
from benchmarks.worker import make_inputs

IMAGE_MODELS = ("vgg16", "resnet50", "mobilenet_v2")
WANTED = 0.95
"""The share that is asked for."""
PEAK_SECONDS = 0.08
"""How long the peak is measured at a time: all of its runs count, as all of the model's do."""


class Layer(NamedTuple):
    """A step of a plan: its node's layer, its leaf, and its seconds on one thread and on several."""

    name: str
    leaf: str
    one: float
    many: float

    def lost(self, gain: float) -> float:
        """Seconds on several threads beyond those that a gain would leave."""
        return self.many - self.one / gain


class Runner:
    """A model with inputs, and runs that note when each step ended."""

    def __init__(self, session: Any, inputs: Sequence[Any]) -> None:
        self.session, self.arrays = session, list(inputs)
        self.plan = session.plan([array.shape for array in self.arrays])
        self.outputs = [np.zeros(spec.shape, spec.dtype) for spec in self.plan.results]
        self.times = np.zeros(len(self.plan.program.steps) + 1, np.int64)

    def run(self) -> Any:
        """Seconds of each step."""
        self.session._execute(self.plan, self.arrays, list(self.outputs), self.times)
        return np.diff(self.times) / 1e9

    def names(self) -> list[tuple[str, str]]:
        """Layer and leaf of each step."""
        from graphflow.inspect.subject import layer_name

        found: list[tuple[str, str]] = []
        for planned in self.plan.nodes:
            steps = [] if planned.layout is None else [one for one in planned.layout.steps if one.items]
            found += [(layer_name(planned.node), one.leaf) for one in steps]
        missing = len(self.times) - 1 - len(found)
        return found if not missing else [("step", str(index)) for index in range(len(self.times) - 1)]


def middle(rounds: Sequence[Any]) -> Any:
    """The median of each step."""
    return np.median(np.stack(rounds), axis=0)


def measure(
    session: Any,
    inputs: Sequence[Any],
    threads: int,
    seconds: float,
    fewest: int = 5,
    peak: Callable[[int], float] | None = None,
) -> tuple[dict[str, Any], list[Layer]]:
    """Gains of a model and of the peak, and the steps of both.

    Args:
        session: with its weights.
        seconds: how long, about, at least so many rounds as `fewest`.
        peak: the rate of multiply-adds on so many threads; None: measured.
    """
    from graphflow.kernels import isa

    leaves = {count: peak_of(isa.current(), count) for count in (1, threads)}
    rate = peak or (lambda count: leaves[count].mean_rate(PEAK_SECONDS))
    one, many = (Runner(session.with_threads(count), inputs) for count in (1, threads))
    one.run(), many.run()
    times: dict[Any, list[Any]] = {one: [], many: []}
    peaks: list[float] = []
    begun = time.perf_counter()
    while len(peaks) < fewest or time.perf_counter() - begun < seconds:
        rates = {}
        for runner, count in ((one, 1), (many, threads)) if len(peaks) % 2 else ((many, threads), (one, 1)):
            rates[count] = rate(count)
            times[runner].append(runner.run())
        peaks.append(rates[threads] / rates[1])
    gains = [float(a.sum() / b.sum()) for a, b in zip(times[one], times[many], strict=True)]
    shares = [gain / peak_gain for gain, peak_gain in zip(gains, peaks, strict=True)]
    row = {
        "threads": threads,
        "seconds": {"one": float(middle(times[one]).sum()), "many": float(middle(times[many]).sum())},
        "gain": statistics.median(gains),
        "peak": statistics.median(peaks),
        "share": statistics.median(shares),
        "rounds": {"gains": gains, "peaks": peaks},
        "wanted": WANTED,
    }
    same = one.names() == many.names()
    pairs = zip(one.names(), middle(times[one]), middle(times[many]), strict=True) if same else ()
    return row, [Layer(name, leaf, float(a), float(b)) for (name, leaf), a, b in pairs]


HEADER = f"{'model':<16} {'batch':>5} {'threads':>7} {'one ms':>9} {'ms':>9} {'gain':>6} {'peak':>6} {'share':>6}"


def format_row(row: dict[str, Any]) -> str:
    """One line."""
    reached = "reached" if row["share"] >= row["wanted"] else "below"
    return (
        f"{row['model']:<16} {row['batch']:>5} {row['threads']:>7} {row['seconds']['one'] * 1e3:9.2f} "
        f"{row['seconds']['many'] * 1e3:9.2f} {row['gain']:6.2f} {row['peak']:6.2f} {row['share']:6.2f}  {reached}"
    )


def format_layers(layers: Sequence[Layer], gain: float, count: int) -> list[str]:
    """The layers that lose the most."""
    worst = sorted(layers, key=lambda layer: -layer.lost(gain))[:count]
    return [
        f"    {layer.name:<32} {layer.leaf:<24} {layer.one * 1e3:8.3f} {layer.many * 1e3:8.3f} ms "
        f"{layer.one / max(layer.many, 1e-12):6.2f}   loses {layer.lost(gain) * 1e3:7.3f}"
        for layer in worst
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=[case.name for case in CASES], default=IMAGE_MODELS)
    parser.add_argument("--files", nargs="+", type=Path, help="model files instead")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--batches", nargs="+", type=int, default=[8])
    parser.add_argument("--threads", nargs="+", type=int, default=[2], help="how many are compared with one")
    parser.add_argument("--seconds", type=float, default=6.0, help="about how long each row takes")
    parser.add_argument("--layers", type=int, default=0, help="how many of the layers that lose the most are shown")
    parser.add_argument("--isa", choices=("avx512", "avx2", "base"), help="the instruction set")
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    given = parser.parse_args()
    from benchmarks.models import use_isa
    from graphflow import load_model

    use_isa(given.isa)
    facts = describe()
    print(heading(facts) + "\n\n" + HEADER)
    rows = []
    for path in given.files or [given.cache / f"{name}.keras" for name in given.models]:
        model = load_model(path)
        shapes = [{"shape": one.shape[1:], "dtype": one.dtype, "high": 2} for one in model.inputs]
        declared = shapes if given.files else declared_inputs(given.cache, path.stem)
        session = model.session()
        for batch in given.batches:
            inputs = make_inputs(declared, batch, 1)
            for threads in given.threads:
                row, layers = measure(session, inputs, threads, given.seconds)
                row = {"model": path.stem, "batch": batch, **row}
                rows.append({**row, "layers": [layer._asdict() for layer in layers]})
                print(format_row(row), *format_layers(layers, row["peak"], given.layers), sep="\n", flush=True)
    if given.json:
        given.json.write_text(json.dumps({"benchmark": "threads", "machine": facts, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
