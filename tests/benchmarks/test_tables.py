"""What the benchmarks say about times: ratios, the fastest peer, means, and what is left out."""

from __future__ import annotations

import math

import pytest

from benchmarks import engines, rounds, table
from benchmarks.files import CASES

TIMES = {
    "graphflow": [1.0, 2.0, 4.0],
    "onnxruntime": [1.5, 3.0, 6.0],
    "pytorch": [3.0, 1.0, 12.0],
    "tensorflow": [0.1, 0.2, 0.4],
    "openvino-default": [0.5, 1.0, 2.0],
}


def row(threads: int = 1, batch: int = 1, **times: list[float]) -> table.Row:
    named = {name.replace("_", "-"): each for name, each in times.items()} or TIMES
    return table.make_row({"model": "m", "batch": batch, "threads": threads}, named, 1e-7, 0.0)


def test_ratio_is_peer_over_own_within_each_round() -> None:
    found = row()["ratio"]
    assert found["onnxruntime"] == {"median": 1.5, "low": 1.5, "high": 1.5, "of_min": 1.5}
    assert found["pytorch"] == {"median": 3.0, "low": 1.75, "high": 3.0, "of_min": 1.0}


def test_fastest_is_the_rival_with_the_smallest_ratio_and_never_one_of_the_others() -> None:
    assert row()["fastest"] == {"engine": "onnxruntime", "median": 1.5, "low": 1.5, "high": 1.5, "of_min": 1.5}
    assert set(engines.RIVALS) & {"tensorflow", "openvino-default", "graphflow"} == set()
    assert row(graphflow=[1.0], tensorflow=[2.0])["fastest"] is None


def test_one_round_has_no_spread() -> None:
    assert rounds.ratios([2.0], [5.0]) == {"median": 2.5, "low": 2.5, "high": 2.5, "of_min": 2.5}


def test_means_are_geometric_by_threads_and_batch_and_over_all() -> None:
    rows = [
        row(1, 1, graphflow=[1.0], onnxruntime=[1.0], pytorch=[4.0]),
        row(1, 1, graphflow=[1.0], onnxruntime=[9.0], pytorch=[4.0]),
        row(1, 8, graphflow=[1.0], onnxruntime=[2.0]),
        row(2, 1, graphflow=[1.0], onnxruntime=[8.0], tensorflow=[0.5]),
    ]
    found = {(one["threads"], one["batch"]): one for one in table.means(rows, engines.PEERS)}
    assert set(found) == {(1, 1), (1, 8), (2, 1), (1, None), (2, None), (None, None)}
    assert found[1, 1]["fastest"] == {"mean": pytest.approx(2.0), "count": 2, "least": 1.0}
    assert found[1, 1]["onnxruntime"]["mean"] == pytest.approx(3.0)
    assert found[1, None]["pytorch"]["count"] == 2
    assert found[None, None]["fastest"]["mean"] == pytest.approx(math.exp(sum(map(math.log, (1, 4, 2, 8))) / 4))
    assert "tensorflow" not in found[1, None] and found[None, None]["tensorflow"]["mean"] == pytest.approx(0.5)


def test_a_row_has_a_cell_for_each_peer_that_was_asked_for() -> None:
    given = row(1, 8, graphflow=[1.0], onnxruntime=[1.25], openvino_default=[0.25])
    line = table.format_row(given, "model", engines.PEERS).split()
    assert line == [
        "m",
        "8",
        "1",
        "1000000.0",
        "1.25",
        "-",
        "-",
        "-",
        *["1.25", "1.25", "-", "1.25", "ort", "0.25", "-", "0.00"],
    ]
    head = table.header("model", engines.PEERS)
    assert len(head) == len(table.format_row(given, "model", engines.PEERS))


def test_a_missing_package_leaves_an_engine_out_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engines.missing("graphflow") is None
    monkeypatch.setattr(engines.Graphflow, "packages", ("numpy", "no_such_package"))
    assert engines.missing("graphflow") == "graphflow is left out: not installed: no_such_package"


def test_slow_models_take_fewer_rounds() -> None:
    pace = rounds.Pace(rounds=15, fewest=5, most=30.0)
    assert [pace.rounds_of(seconds) for seconds in (0.0, 2.0, 2.5, 6.1, 100.0)] == [15, 15, 12, 5, 5]
    assert rounds.Pace(rounds=2, fewest=5).rounds_of(1e9) == 2


def test_the_model_list_has_each_kind_once() -> None:
    names = [case.name for case in CASES if case.listed]
    assert len(names) == len(set(names)) == 13
    assert "digits" not in names and "vgg16" in names


class FakeWorker:
    """Answers as a worker does."""

    def __init__(self, engine: str, outputs: list[float] | None) -> None:
        self.engine = engine
        self._outputs = outputs

    def ask(self, do: str, **_: object) -> dict[str, object]:
        import numpy as np

        from benchmarks.worker import pack

        if self._outputs is None:
            raise rounds.WorkerError(f"{self.engine}: can not")
        if do == "inputs":
            return {"outputs": [pack(np.array(self._outputs, "float32"))], "seconds": 1.0}
        return {"seconds": 1.0, "own": 1.0, "others": 0.25}


PACE = rounds.Pace(rounds=3, pause=0.0, most=9.0)


def test_a_peer_that_fails_takes_no_part_and_graphflow_must_run() -> None:
    workers = [FakeWorker("graphflow", [1.0, 2.0]), FakeWorker("pytorch", None), FakeWorker("openvino", [1.0, 2.00001])]
    left_out: dict[str, str] = {}
    times, others, worst = rounds.time_interleaved(workers, [], 1, PACE, left_out)  # type: ignore[arg-type]
    assert times == {"graphflow": [1.0] * 3, "openvino": [1.0] * 3}
    assert (others, left_out) == (0.25, {"pytorch": "pytorch: can not"}) and 0 < worst < 1e-5
    with pytest.raises(rounds.WorkerError, match="pytorch"):
        rounds.time_interleaved(workers, [], 1, PACE)  # type: ignore[arg-type]
    with pytest.raises(rounds.WorkerError, match="graphflow"):
        rounds.time_interleaved([FakeWorker("graphflow", None)], [], 1, PACE, {})  # type: ignore[list-item]


def test_nothing_is_timed_when_outputs_differ() -> None:
    own = FakeWorker("graphflow", [1.0, 2.0])
    with pytest.raises(rounds.WrongAnswer, match=r"openvino differ by 5.*allowed"):
        rounds.time_interleaved([own, FakeWorker("openvino", [1.0, 2.001])], [], 1, PACE)  # type: ignore[list-item]
    loose = [own, FakeWorker("openvino-default", [1.0, 2.02])]
    assert rounds.time_interleaved(loose, [], 1, PACE)[2] == 0.0  # type: ignore[arg-type]
    with pytest.raises(rounds.WrongAnswer, match="not all zeros"):
        rounds.time_interleaved([own, FakeWorker("openvino", [0.0, 0.0])], [], 1, PACE)  # type: ignore[list-item]
