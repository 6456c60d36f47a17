"""Every kernel of the table for a layer, the picked one marked, beside what the machine itself reaches in the same run.

    python -m benchmarks.kernels [--json out.json] [--threads 1 2] [--isa avx2] [--quick]
    python -m benchmarks.kernels conv 56 56 64 64 3 --batch 1 8
    python -m benchmarks.kernels --list

Without a layer: a standard table. `rate` counts operations as the direct computation has them (Winograd's kernels do
fewer and can pass the peak), or bytes of inputs and outputs where those set the time. `share` is the rate over the
machine's: of multiply-adds in registers, or of a bare loop over arrays of the same size in the same mix of bytes read
and written (`benchmarks.peak`). Both take turns, a turn is the fastest of some
runs; medians over turns. `aim` says where a share is asked for and whether it is reached;
kernels that refuse a layer are left out, those that only stand back for a faster one are timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe, heading
from benchmarks.peak import ROUNDS, Measure, fastest, peak, stream
from benchmarks.problems import KINDS, Problem, model_of, parse

L2, L3 = 2 << 20, 64 << 20
"""Arrays of fewer bytes a thread lie in the second-level cache, of fewer in the third; the standard table stays clear
of both bounds."""

CACHED, SHARED, MEMORY = "L2", "L3", "DRAM"
AIMED = (
    *("max_pool", "average_pool", "max_pool1d", "max_pool3d", "global_average", "global_max"),
    *("relu", "add", "multiply", "chain"),
)
STANDARD = (
    *("gemm 1024 1024 1024", "gemm 2048 1024 1024", "gemm 2048 2048 2048", "gemm 1024 4096 1024"),
    *("gemm 196 256 1024", "gemm 784 1152 128"),
    *("gemm 8 512 512", "gemm 1 2048 1024", "matmul 512 64 512", "matmul 1024 1024 1024"),
    *("conv 224 224 3 64 7 s2", "conv 56 56 64 64 3", "conv 28 28 128 128 3", "conv 14 14 256 256 3"),
    *("conv 7 7 512 512 3", "conv 56 56 128 128 3 s2", "conv 56 56 64 256 1", "conv 14 14 1024 256 1"),
    *("conv 224 224 64 64 3", "conv 112 112 128 128 3", "conv 28 28 512 512 3"),
    *("conv 112 112 32 16 1", "conv 28 28 32 192 1", "conv 7 7 320 1280 1"),
    *("depthwise 112 112 32 3", "depthwise 56 56 144 3 s2", "depthwise 14 14 576 3"),
    *("conv1d 1000 64 64 3", "conv1d 1000 64 64 3 d8", "conv3d 16 32 32 32 64 3", "transposed 32 32 64 32 2 s2"),
    *("max_pool 56 56 64 2", "max_pool 224 224 64 2", "max_pool 224 224 64 3 s2", "average_pool 224 224 64 2"),
    *("max_pool 28 28 64 3 s2", "average_pool 56 56 64 2", "average_pool 224 224 64 3 s2", "max_pool1d 16384 64 2"),
    *("max_pool3d 32 64 64 32 2", "max_pool 1024 1280 64 2", "global_average 64 64 64", "global_average 224 224 80"),
    *("relu 131072", "relu 2097152", "relu 67108864", "add 87040", "add 1392640", "add 44564480"),
    *("multiply 87040", "multiply 1392640", "chain 87040", "chain 1392640"),
    *("sigmoid 131072", "tanh 131072", "gelu 131072", "softmax 1024 128", "softmax 512 4096", "layer_norm 256 512"),
    *("permute 56 56 64", "permute 224 224 64", "sum_rows 512 512", "sum_last 512 512", "sum_last 4096 1024"),
)
"""GEMM, convolutions of ResNet, VGG and MobileNet, and what is bound by memory at the sizes of L2, L3 and DRAM."""
TURNS = 5
"""How often a kernel and the machine take turns."""
PREFERENCE = "should be faster"
"""How the reason of a kernel ends that could compute a call but stands back for another one."""


@contextmanager
def forced(op: str, row: Any) -> Iterator[None]:
    """Let plans take one kernel for an op."""
    from graphflow.runtime import plan

    choose = plan.choose
    plan.choose = lambda name, call: (row, "") if name == op else choose(name, call)
    try:
        yield
    finally:
        plan.choose = choose


def aim(problem: Problem, size: int, threads: int) -> float | None:
    """The share that is asked for: 0.8 of the peak for large products; 0.9 of L3 and DRAM, 0.7 of L2 for what moves."""
    if problem.kind in ("gemm", "matmul") and min(problem.sizes) >= 1024:
        return 0.8
    if problem.kind in AIMED:
        return 0.7 if size < L2 * threads else 0.9
    return None


def level(size: int, threads: int) -> str:
    """Where arrays of so many bytes lie."""
    return CACHED if size < L2 * threads else SHARED if size < L3 else MEMORY


class Bench:
    """A problem, its inputs, and room for its outputs."""

    def __init__(self, problem: Problem) -> None:
        from graphflow import Session
        from graphflow.inspect import flops

        self.problem = problem
        self.model = model_of(problem)
        generator = np.random.default_rng(1)
        shapes = [(problem.batch, *tensor.shape[1:]) for tensor in self.model.inputs]
        self.arrays = [generator.random(shape, dtype="float32") for shape in shapes]
        outputs = Session(self.model.graph()).plan(shapes).results
        self.outputs = [np.zeros(spec.shape, spec.dtype) for spec in outputs]
        self.bytes_read = sum(array.nbytes for array in self.arrays)
        self.bytes_written = sum(array.nbytes for array in self.outputs)
        self.operations = 2 * flops(self.model, shapes).macs

    def candidates(self) -> tuple[str, list[tuple[Any, bool]]]:
        """The op that a kernel is chosen for, and every kernel that can compute it, the picked one marked."""
        from graphflow import Session
        from graphflow.kernels.table import rows_of

        nodes = [one for one in self._plan(Session(self.model.graph())).nodes if one.kernel is not None]
        if not nodes:
            raise ValueError(f"No kernel computes {self.problem.text!r}.")
        main = max(nodes, key=lambda one: (len(rows_of(one.node.op.name)), prod(one.call.outputs[0].shape)))
        reasons = [(row, row.refuses(main.call)) for row in rows_of(main.node.op.name)]
        rows = [row for row, reason in reasons if reason is None or reason.endswith(PREFERENCE)]
        return main.node.op.name, [(row, row is main.kernel) for row in rows]

    def _plan(self, session: Any) -> Any:
        return session.plan([array.shape for array in self.arrays])

    def runner(self, op: str, row: Any) -> tuple[Callable[[], float], list[Any]]:
        """What runs a kernel once and returns its seconds by the executor's own clock, and its outputs."""
        from graphflow import Session

        with forced(op, row):
            session = Session(self.model.graph())
            plan = self._plan(session)
        outputs = [np.zeros_like(one) for one in self.outputs]
        times = np.zeros(len(plan.program.steps) + 1, np.int64)

        def run() -> float:
            session._execute(plan, self.arrays, list(outputs), times)
            return 1e-9 * float(times[-1] - times[0])

        return run, outputs

    def machine(self, threads: int, reads: int, seconds: float) -> Measure:
        """What the machine does: bytes as many as the problem's, or multiply-adds for so long."""
        from graphflow.kernels import isa

        if KINDS[self.problem.kind].bound == "memory":
            return stream(isa.current(), threads, reads, self.bytes_read + self.bytes_written)
        once = peak(isa.current(), threads)
        return peak(isa.current(), threads, max(ROUNDS // 10, round(ROUNDS * seconds / fastest(once.run, 0.0, 1))))


def beside(run: Callable[[], float], machine: Measure, length: float) -> tuple[float, float, float]:
    """A kernel and the machine in turns: medians.

    In each turn both take their fastest of some runs of about the same length, one right behind the other, so that a
    change of the clock hits both.

    Returns:
        The kernel's seconds, the machine's rate, and the median of the machine's rate times the kernel's seconds.
    """
    found = []
    run()
    for turn in range(TURNS):
        best = []

        def own() -> None:
            best.append(run())  # noqa: B023

        if turn % 2:
            fastest(own, length / TURNS, 3)
        rate = machine.rate(length / TURNS)
        if not turn % 2:
            fastest(own, length / TURNS, 3)
        found.append((min(best), rate, rate * min(best)))
    return tuple(statistics.median(column) for column in zip(*found, strict=True))  # type: ignore[return-value]


def measure(problem: Problem, threads: int, length: float) -> Iterator[dict[str, Any]]:
    """A row for each kernel of a problem."""
    from graphflow.knobs import knobs

    with knobs(threads=threads):
        bench = Bench(problem)
        op, rows = bench.candidates()
        size = bench.bytes_read + bench.bytes_written
        memory = KINDS[problem.kind].bound == "memory"
        reads = max(1, min(16, round(bench.bytes_read / max(1, bench.bytes_written))))
        picked: list[Any] = []
        for row, is_picked in sorted(rows, key=lambda pair: not pair[1]):
            run, outputs = bench.runner(op, row)
            seconds, machine, product = beside(run, bench.machine(threads, reads, run()), length)
            picked = picked or outputs
            check(picked, outputs, row.name)
            amount = (size if memory else bench.operations) / 1e9
            wanted = aim(problem, size, threads)
            yield {
                "problem": problem.text,
                "batch": problem.batch,
                "threads": threads,
                "kernel": row.name,
                "picked": is_picked,
                "seconds": {"graphflow": {"median": seconds}},
                "rate": amount / seconds,
                "unit": "GB/s" if memory else "GFLOP/s",
                "machine": machine,
                "against": f"{level(size, threads)} {reads}:1" if memory else "peak",
                "share": amount / product,
                "aim": wanted,
            }


def check(picked: Sequence[Any], outputs: Sequence[Any], name: str) -> None:
    """Raise if a kernel computes something else than the picked one."""
    for one, other in zip(picked, outputs, strict=True):
        largest = float(np.abs(one).max())
        if not largest or float(np.abs(one - other).max()) > 1e-4 * largest:
            raise ValueError(f"{name} computes something else than the picked kernel.")


HEADER = (
    f"{'layer':<26} {'batch':>5} {'threads':>7}   {'kernel':<26} {'us':>10} {'rate':>8} {'unit':<8}"
    f"{'machine':>8} {'of':<9} {'share':>6}  aim"
)


def format_row(row: dict[str, Any]) -> str:
    """One line."""
    wanted = row["aim"] if row["picked"] else None
    note = "" if wanted is None else f"{wanted:.2f} {'reached' if row['share'] >= wanted else 'below'}"
    return (
        f"{row['problem']:<26} {row['batch']:>5} {row['threads']:>7} {'*' if row['picked'] else ' '} "
        f"{row['kernel']:<26} {row['seconds']['graphflow']['median'] * 1e6:10.1f} {row['rate']:8.1f} {row['unit']:<8}"
        f"{row['machine']:8.1f} {row['against']:<9} {row['share']:6.2f}  {note}"
    ).rstrip()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layer", nargs="*", help="a description, such as: conv 56 56 64 64 3")
    parser.add_argument("--batch", nargs="+", type=int, default=[1])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--isa", choices=("avx512", "avx2", "base"), help="the instruction set")
    parser.add_argument("--quick", action="store_true", help="a twentieth of a second for each kernel")
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    parser.add_argument("--list", action="store_true", help="the kinds of layers and their numbers")
    given = parser.parse_args()
    if given.list:
        print("\n".join(f"{name:<16} {kind.sizes}" for name, kind in KINDS.items()))
        return
    from benchmarks.models import use_isa

    use_isa(given.isa)
    facts = describe()
    print(heading(facts) + "\n\n" + HEADER)
    texts = [" ".join(given.layer)] if given.layer else STANDARD
    rows = []
    for text in texts:
        for batch in given.batch:
            for threads in given.threads:
                for row in measure(parse(text, batch), threads, 0.05 if given.quick else 0.25):
                    rows.append(row)
                    print(format_row(row), flush=True)
    if given.json:
        given.json.write_text(json.dumps({"benchmark": "kernels", "machine": facts, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
