"""Descriptions of layers, kernels that are forced, the machine's own rates, and comparisons of files."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks import compare, engines, kernels, layers, peak, problems, rounds, threads
from graphflow import Session
from graphflow.kernels import isa


@pytest.mark.parametrize("module", [problems, rounds, engines, compare])
def test_examples_in_docstrings(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


@pytest.mark.parametrize(
    "text", sorted({*kernels.STANDARD, *(text for group in layers.GROUPS.values() for text in group)})
)
def test_every_description_of_the_tables_is_read(text: str) -> None:
    problem = problems.parse(text)
    assert problem.text == text and len(problem.sizes) == len(problems.KINDS[problem.kind].sizes.split())


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("conv 8 9 3 4 3 s2", (1, 4, 5, 4)),
        ("conv1d 10 3 4 3 d2 linear", (1, 10, 4)),
        ("conv3d 3 4 5 2 6 3", (1, 3, 4, 5, 6)),
        ("transposed 4 5 3 6 2 s2", (1, 8, 10, 6)),
        ("depthwise 8 8 6 3 s2", (1, 4, 4, 6)),
        ("gemm 5 6 7", (1, 5, 7)),
        ("matmul 5 6 7", (1, 5, 7)),
        ("max_pool 8 8 3 2", (1, 4, 4, 3)),
        ("max_pool 9 9 3 3 s2", (1, 5, 5, 3)),
        ("global_max 4 4 3", (1, 3)),
        ("permute 2 3 4", (1, 4, 2, 3)),
        ("sum_rows 4 5", (1, 5)),
        ("sum_last 4 5", (1, 4)),
    ],
)
def test_a_description_makes_the_layer_it_says(text: str, shape: tuple[int, ...]) -> None:
    model = problems.model_of(problems.parse(text))
    inputs = [np.ones((1, *one.shape[1:]), "float32") for one in model.inputs]
    (output,) = Session(model.graph()).run(inputs)
    assert output.shape == shape
    assert np.abs(output).max() > 0


@pytest.mark.parametrize("text", ["conv 1 2 3", "conv 1 2 3 4 5 6", "pool 3", "gemm 1 2 3 same"])
def test_what_is_no_description_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"takes|none of"):
        problems.parse(text)


def test_every_kernel_for_a_layer_is_found_and_forced() -> None:
    bench = kernels.Bench(problems.parse("conv 12 12 64 64 3"))
    op, rows = bench.candidates()
    names = {row.name: picked for row, picked in rows}
    assert op == "conv" and {"conv_nhwc_f32", "winograd2x2_nhwc_f32", "winograd4x4_nhwc_f32"} <= set(names)
    assert sum(names.values()) == 1
    assert bench.operations == 2 * 12 * 12 * 64 * 64 * 9
    outputs = {}
    for row, _ in rows:
        run, (outputs[row.name],) = bench.runner(op, row)
        assert 0 < run() < 1
    direct, winograd = outputs["conv_nhwc_f32"], outputs["winograd4x4_nhwc_f32"]
    assert not np.array_equal(direct, winograd)
    np.testing.assert_allclose(direct, winograd, atol=1e-4 * np.abs(direct).max())


def test_outputs_of_kernels_are_compared() -> None:
    one = np.ones(4, "float32")
    kernels.check([one], [one * (1 + 1e-6)], "it")
    with pytest.raises(ValueError, match="it computes something else"):
        kernels.check([one], [one * 1.01], "it")
    with pytest.raises(ValueError, match="it computes"):
        kernels.check([0 * one], [0 * one], "it")


def test_aims_are_those_of_where_the_arrays_lie() -> None:
    relu, product = problems.parse("relu 64"), problems.parse("gemm 1024 1024 1024")
    assert (kernels.aim(relu, 1 << 20, 1), kernels.aim(relu, 3 << 20, 1), kernels.aim(relu, 3 << 20, 2)) == (
        0.7,
        0.9,
        0.7,
    )
    assert kernels.aim(product, 0, 1) == 0.8 and kernels.aim(problems.parse("gemm 1024 64 1024"), 0, 1) is None
    assert [kernels.level(size, 1) for size in (1 << 20, 16 << 20, 512 << 20)] == ["L2", "L3", "DRAM"]


def test_the_machine_has_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "ROUNDS", 200)
    assert 0.1 < peak.peak_gflops(isa.current(), 1, 0.0) < 10_000
    assert 0.01 < peak.stream_gbps(isa.current(), 2, 3, 1 << 16, 0.0) < 10_000


def test_a_kernel_and_the_machine_take_turns() -> None:
    calls: list[str] = []

    def run() -> float:
        calls.append("kernel")
        return 0.5

    machine = peak.Measure(lambda: calls.append("machine"), 1.0)
    seconds, rate, product = kernels.beside(run, machine, 0.0)
    assert seconds == 0.5 and product == pytest.approx(rate / 2)
    first = [calls[i] for i in range(len(calls)) if i == 0 or calls[i] != calls[i - 1]]
    assert first == ["kernel", *["machine", "kernel"] * 3]  # by turns one or the other begins


def test_a_gain_is_held_against_that_of_the_peak() -> None:
    session = Session(problems.model_of(problems.parse("gemm 64 64 64")).graph())
    inputs = [np.ones((1, 64, 64), "float32")]
    row, steps = threads.measure(session, inputs, 2, 0.0, fewest=3, peak=lambda count: 100.0 * count)
    assert row["peak"] == 2.0 and row["share"] == pytest.approx(row["gain"] / 2) and len(row["rounds"]["gains"]) == 3
    assert [step.leaf for step in steps] == ["gemm_f32"]
    assert "below" in threads.format_row({**row, "model": "m", "batch": 1, "share": 0.9})
    slow, fast = threads.Layer("slow", "a", 2.0, 2.0), threads.Layer("fast", "b", 2.0, 1.0)
    assert [line.split()[0] for line in threads.format_layers([fast, slow], 2.0, 1)] == ["slow"]


def test_a_leaf_runs_on_its_arrays() -> None:
    x, y = np.arange(256, dtype="float32").reshape(2, 128), np.zeros(128, "float32")
    peak.leaf_runner(isa.current(), "stream_f32", {"n": 128, "reads": 2, "block": 64}, {"x": x, "y": y}, 2, 2)()
    np.testing.assert_array_equal(y, x.sum(axis=0))


def write(path: Path, **record: Any) -> Path:
    path.write_text(json.dumps(record))
    return path


def test_rows_of_two_files_are_compared_by_what_they_are_of(tmp_path: Path) -> None:
    def row(model: str, own: float, ratio: float) -> dict[str, Any]:
        peers = {"onnxruntime": {"median": ratio}}
        best = {"engine": "onnxruntime", "median": ratio}
        named = {"model": model, "batch": 1, "threads": 2}
        return {**named, "seconds": {"graphflow": {"median": own}}, "ratio": peers, "fastest": best}

    before = compare.read(write(tmp_path / "a.json", machine={}, rows=[row("m", 2e-6, 1.5), row("n", 1e-6, 1.0)]))[0]
    after = compare.read(write(tmp_path / "b.json", machine={}, rows=[row("m", 1e-6, 3.0)]))[0]
    lines = [line.split() for line in compare.compare(before, after)]
    assert lines[1:] == [
        ["m,", "batch", "1,", "threads", "2", "own", "us", "2", "1", "0.50"],
        ["m,", "batch", "1,", "threads", "2", "ratio", "to", "onnxruntime", "1.5", "3", "2.00"],
        ["m,", "batch", "1,", "threads", "2", "ratio", "to", "the", "fastest", "1.5", "3", "2.00"],
    ]


def test_rows_with_one_ratio_and_rows_of_kernels_have_figures() -> None:
    own = {"graphflow": {"median": 1e-6}}
    assert dict(compare.figures_of({"seconds": own, "fastest": "openvino", "ratio": {"median": 1.25}})) == {
        "own us": pytest.approx(1.0),
        "ratio to the fastest": 1.25,
    }
    assert dict(compare.figures_of({"seconds": own, "share": 0.5}))["share"] == 0.5


def test_other_files_are_compared_number_by_number(tmp_path: Path) -> None:
    found, machine = compare.read(
        write(tmp_path / "a.json", machine={"cpu": "c"}, layers={"500": {"plan": 2.0}}, ok=True)
    )
    assert (found, machine) == ({("layers.500", "plan"): 2.0}, {"cpu": "c"})
