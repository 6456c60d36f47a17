"""Summaries beyond Keras': costs, opaque marks, models without layers, and rich tables that names can not disturb."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from subjects import odd, program, several

from graphflow import Input, Model
from graphflow import layers as L
from graphflow.errors import ArgumentError, UnsupportedError
from graphflow.inspect import flops, format_summary, print_summary
from graphflow.inspect.describe import describe
from graphflow.inspect.text import columns_of

WIDE = 400


def cells(described, name: str) -> dict[str, str]:
    (row,) = [row for row in described.to_dict()["layers"] if next(iter(row.values())).split(" ")[0] == name]
    return row


def test_costs_are_those_of_flops_and_of_nested_models_their_sum() -> None:
    model = several()
    described = describe(model, expand_nested=True, costs=True)
    cost = flops(model)
    assert cells(described, "inner")["MACs"] == f"{cost.layer('inner').macs:,}" == f"{2 * 8 * 6:,}"
    assert cells(described, "first")["FLOPs"] == f"{cost.layer('inner/first').flops:,}"
    assert cells(described, "left")["Output bytes"] == "12"
    assert cells(describe(model, costs=True, input_shapes={"a": (5, 8)}), "left")["Output bytes"] == "60"


def test_opaque_functions_are_marked() -> None:
    described = describe(odd(), costs=True)
    assert cells(described, "twice")["FLOPs"] == "opaque" and cells(described, "dense")["MACs"] == "12"
    assert described.opaque == ("twice",)
    x = Input((4,))
    both = L.Lambda(lambda v: np.asarray(v) * 2, output_shape=(4,), name="inside")
    inner = Model(x, L.Dense(2, name="dense")(both(x)), name="inner")
    y = Input((4,))
    assert cells(describe(Model(y, inner(y)), costs=True), "inner")["MACs"] == "8 + opaque"


def test_without_costs_nothing_is_counted_and_open_axes_are_fine() -> None:
    words = Input((None, 3), name="words")
    model = Model(words, L.LSTM(2, name="lstm")(words))
    assert "MACs" not in format_summary(model)
    with pytest.raises(ArgumentError, match="Axis 1 of input 'words'"):
        format_summary(model, costs=True)
    assert "MACs" in format_summary(model, costs=True, input_shapes=(1, 5, 3))


def test_lines_stay_within_their_length_with_every_column() -> None:
    for length in (110, 150, 200):
        text = format_summary(several(), line_length=length, expand_nested=True, show_trainable=True, costs=True)
        assert max(columns_of(line) for line in text.split("\n")) <= length
        assert {"Trainable", "FLOPs", "MACs"} <= set(text.split())


def test_models_without_layers_list_the_nodes_of_their_file() -> None:
    model = program()
    described = describe(model, costs=True)
    assert cells(described, "MatMul_0")["Param #"] == "24" and cells(described, "MatMul_0")["MACs"] == "24"
    assert cells(described, "Relu_1")["Connected to"] == "MatMul_0"
    assert "Sum_2 (sum)" in format_summary(model) and "Total params: 24" in format_summary(model)
    with pytest.raises(ArgumentError, match="layer_range names layers"):
        describe(model, layer_range=["a", "b"])


def hostile() -> Model:
    x = Input((3,), name="x")
    return Model(x, L.Dense(2, name="[red]\x1b[2Jlink\u202e[/red]")(x), name="[bold]m\x07")


def test_rich_tables_take_names_as_text(capsys) -> None:
    pytest.importorskip("rich", reason="rich draws these tables")
    taken: list[str] = []
    print_summary(hostile(), rich=True, line_length=120, print_fn=taken.append)
    (text,) = taken
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    assert r"[red]\x1b[2Jlink\u202e[/red] (Dense)" in text and r"[bold]m\x07" in text
    assert "Total params: 8" in text and max(map(len, text.split("\n"))) <= 120
    print_summary(several(), rich=False)
    assert "====" in capsys.readouterr().out


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_terminals_get_rich_tables_and_pipes_plain_ones(monkeypatch) -> None:
    pytest.importorskip("rich", reason="rich draws these tables")
    terminal, pipe = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", terminal)
    hostile().summary()
    monkeypatch.setattr(sys, "stdout", pipe)
    hostile().summary()
    assert "━" in terminal.getvalue() and "\x1b[2J" not in terminal.getvalue() and "\x07" not in terminal.getvalue()
    assert "====" in pipe.getvalue() and "━" not in pipe.getvalue()


def test_rich_that_is_missing_is_named(monkeypatch) -> None:
    for name in ("rich", "rich.console", "rich.table", "rich.text"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnsupportedError, match=r"needs rich.*graphflow-engine\[tables\]"):
        print_summary(several(), rich=True)
