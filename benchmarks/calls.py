"""What a call costs beside its arithmetic: small models, from one row to thousands.

    python -m benchmarks.calls [--models tiny digits] [--batches 1 8 64 512 4096] [--rounds 9] [--json FILE]

    run                session.run([x])            batch      model.predict_on_batch(x)
    call               model(x)                    predict    model.predict(x)
    onnxruntime        InferenceSession.run        numpy      x @ w + b and np.maximum by hand (tiny only)

`tiny` is 32 -> 64 (relu) -> 10 with the same weights everywhere. Each is in a process of its own, on one thread; rounds
are interleaved, medians in microseconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.files import DEFAULT_CACHE, ROOT
from benchmarks.machine import describe, heading

Array = np.ndarray[Any, Any]
SIDES = ("run", "call", "batch", "predict", "onnxruntime", "numpy")
SHAPES = {"tiny": (32,), "digits": (8, 8, 1)}
LENGTH = 0.02


def weights() -> list[Array]:
    """Of the tiny network."""
    generator = np.random.default_rng(1)
    shapes = ((32, 64), (64,), (64, 10), (10,))
    return [generator.standard_normal(shape, dtype="float32") * np.float32(0.2) for shape in shapes]


def by_hand(x: Array, held: list[Array]) -> Array:
    """The tiny network in NumPy."""
    first, bias, second, other = held
    y: Array = np.maximum(x @ first + bias, 0) @ second + other
    return y


def own(name: str, cache: Path) -> Any:
    """The model in graphflow."""
    import graphflow
    from graphflow.layers import Dense

    graphflow.set_num_threads(1)
    if name != "tiny":
        return graphflow.load_model(str(cache / f"{name}.keras"))
    x = graphflow.Input((32,))
    model = graphflow.Model(x, Dense(10)(Dense(64, activation="relu")(x)))
    model.set_weights(weights())
    return model


def tiny_onnx() -> Any:
    """The tiny network as ONNX."""
    from onnx import TensorProto, helper, numpy_helper

    held = [numpy_helper.from_array(array, f"w{index}") for index, array in enumerate(weights())]
    nodes = [
        helper.make_node("Gemm", ["x", "w0", "w1"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "w2", "w3"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 32), ("y", 10))
    ]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def prepared(side: str, name: str, cache: Path) -> Callable[[Array], Any]:
    """From an input to the outputs."""
    if side == "numpy":
        held = weights()
        return lambda x: by_hand(x, held)
    if side == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        source = tiny_onnx() if name == "tiny" else str(cache / f"{name}.onnx")
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        key = session.get_inputs()[0].name
        return lambda x: session.run(None, {key: x})[0]
    model = own(name, cache)
    if side == "run":
        run = model.session().run
        return lambda x: run([x])[0]
    if side == "predict":
        return lambda x: model.predict(x, verbose=0)
    function: Callable[[Array], Any] = model if side == "call" else model.predict_on_batch
    return function


def worker(side: str, name: str, cache: Path) -> None:
    """Answer each line (a batch) with microseconds of one call, and the sum of the outputs."""
    call = prepared(side, name, cache)
    clock = time.perf_counter
    for line in sys.stdin:
        x = np.random.default_rng(7).random((int(line), *SHAPES[name]), dtype="float32")
        start = clock()
        while clock() - start < LENGTH / 4:
            y = call(x)
        count, start = 0, clock()
        while (spent := clock() - start) < LENGTH:
            for _ in range(10):
                call(x)
            count += 10
        print(json.dumps([1e6 * spent / count, float(np.abs(np.asarray(y)).sum())]), flush=True)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 64, 512, 4096])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        side, name, folder = given.worker
        worker(side, name, Path(folder))
        return
    print(heading(describe()))
    rows = []
    for name in given.models:
        sides = [side for side in SIDES if side != "numpy" or name == "tiny"]
        command = [sys.executable, "-m", "benchmarks.calls", "--worker"]
        workers = {
            side: subprocess.Popen(
                [*command, side, name, str(given.cache.resolve())],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for side in sides
        }
        print(f"\n{name:<8}" + "".join(f"{side:>13}" for side in sides))
        for batch in given.batches:
            times: dict[str, list[float]] = {side: [] for side in sides}
            sums = {}
            for _ in range(given.rounds):
                for side, one in workers.items():
                    assert one.stdin is not None and one.stdout is not None
                    one.stdin.write(f"{batch}\n")
                    one.stdin.flush()
                    spent, sums[side] = json.loads(one.stdout.readline())
                    times[side].append(spent)
            if max(sums.values()) - min(sums.values()) > 1e-4 * max(sums.values()):
                raise SystemExit(f"the outputs differ: {sums}")
            medians = {side: statistics.median(each) for side, each in times.items()}
            rows.append({"model": name, "batch": batch, "microseconds": medians})
            print(f"{batch:<8}" + "".join(f"{medians[side]:13.2f}" for side in sides), flush=True)
        for one in workers.values():
            one.communicate("")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
