"""`summary`: the same content as Keras' own table, in text that no name from a file can disturb."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, Sequential
from graphflow.errors import ArgumentError, ArgumentTypeError
from graphflow.inspect import format_summary, print_summary
from graphflow.inspect.text import columns_of, encodable, escaped, wrapped
from graphflow.layers import LSTM, Add, Dense, Lambda, ReLU
from graphflow.layers.layer import clear_session
from graphflow.samples import digits

WIDE = 400


def table(text: str) -> list[list[str]]:
    """The rows of a summary wide enough that no cell is wrapped."""
    rules = [i for i, line in enumerate(text.split("\n")) if line.startswith("=")]
    body = text.split("\n")[rules[0] + 1 : rules[1]]
    return [re.split(r" {2,}", line.strip()) for line in body]


def branched() -> Any:
    x = Input((4,), name="x")
    shared = Dense(4, name="shared")
    inner = Sequential([Dense(3, input_shape=(4,), name="inner_dense"), ReLU(name="inner_relu")], name="inner")
    frozen = Dense(2, name="frozen", trainable=False)
    return Model(x, frozen(inner(Add(name="sum")([shared(x), shared(shared(x))]))), name="branched")


def test_the_digits_have_the_numbers_keras_gives() -> None:
    text = format_summary(graphflow.load_model(digits.MODEL), line_length=WIDE)
    rows = table(text)
    assert text.startswith('Model: "digits"\n')
    assert rows[1] == ["stem_conv (Conv2D)", "(None, 8, 8, 24)", "216", "image[0][0]"]
    assert rows[7] == ["block_add (Add)", "(None, 8, 8, 24)", "0", "block_norm[0][0], stem_relu[0][0]"]
    assert text.split("\n")[-3:] == [
        " Total params: 18,074 (70.60 KB)",
        " Trainable params: 17,978 (70.23 KB)",
        " Non-trainable params: 96 (384.00 B)",
    ]


def test_a_shared_layer_lists_the_connections_of_all_its_calls() -> None:
    rows = {row[0]: row[1:] for row in table(format_summary(branched(), line_length=WIDE))}
    assert rows["shared (Dense)"] == ["(None, 4)", "20", "x[0][0], x[0][0], shared[1][0]"]
    assert rows["sum (Add)"][-1] == "shared[0][0], shared[2][0]"


def test_nested_models_are_expanded_when_asked() -> None:
    closed = [row[0] for row in table(format_summary(branched(), line_length=WIDE))]
    opened = [row[0] for row in table(format_summary(branched(), line_length=WIDE, expand_nested=True))]
    at = closed.index("inner (Sequential)") + 1
    assert opened == [*closed[:at], "└ inner_dense (Dense)", "└ inner_relu (ReLU)", *closed[at:]]


def test_a_chain_has_no_connections() -> None:
    model = Sequential([Dense(2, input_shape=(3,)), ReLU()])
    assert "Connected to" not in format_summary(model)
    assert "Connected to" not in format_summary(Model(model.inputs, model.outputs))
    assert "Connected to" in format_summary(branched())


def test_trainable_column() -> None:
    rows = {row[0]: row[-1] for row in table(format_summary(branched(), line_length=WIDE, show_trainable=True))}
    assert (rows["shared (Dense)"], rows["frozen (Dense)"], rows["sum (Add)"]) == ("Y", "N", "-")


def test_several_outputs_and_ops_outside_layers() -> None:
    x = Input((5, 3))
    sequence, h, _ = LSTM(2, return_sequences=True, return_state=True, name="lstm")(x)
    clear_session()
    rows = {row[0]: row[1:] for row in table(format_summary(Model(x, sequence[:, 0] + h), line_length=WIDE))}
    assert rows["lstm (LSTM)"][0] == "[(None, 5, 2), (None, 2), (None, 2)]"
    assert rows["add (Add)"] == ["(None, 2)", "0", "getitem[0][0], lstm[0][1]"]
    assert "getitem (GetItem)" in rows


def test_layer_range_by_name_and_expression() -> None:
    model = graphflow.load_model(digits.MODEL)
    rows = table(format_summary(model, line_length=WIDE, layer_range=["block_add", "head_.*"]))
    assert [row[0].split()[0] for row in rows] == [
        "block_add", "block_relu", "pool", "head_conv", "head_pool", "head_dropout"
    ]  # fmt: skip
    with pytest.raises(ArgumentError, match="no layer has a name that matches 'nope'"):
        format_summary(model, layer_range=["nope", "digit"])


def test_positions_and_line_length() -> None:
    model = Sequential([Dense(2, input_shape=(3,), name="d")], name="s")
    relative = format_summary(model, line_length=60, positions=[0.5, 0.8, 1.0])
    assert relative == format_summary(model, line_length=60, positions=[30, 48, 60])
    for length in (44, 61, 100):
        assert max(columns_of(line) for line in format_summary(branched(), line_length=length).split("\n")) <= length
    with pytest.raises(ArgumentError, match="do not fit"):
        format_summary(model, line_length=9)
    with pytest.raises(ArgumentError, match="one number for each of the 3 columns"):
        format_summary(model, positions=[0.5, 1.0])


def test_wrapping_leaves_nothing_out() -> None:
    narrow = format_summary(branched(), line_length=44, expand_nested=True)
    assert "\n   └ inner\n" not in narrow
    assert "\n   └\n" not in narrow
    assert sum(line.count("[") for line in narrow.split("\n")) == 14
    assert wrapped("a_long_name (SomeType)", 12) == ["a_long_name", "(SomeType)"]
    assert wrapped("0123456789", 4) == ["0123", "4567", "89"]
    assert wrapped("日本語", 4) == ["日本", "語"]


@pytest.mark.parametrize("bad", ["\x1b[2J", "\n", "\u202e", "\u2066", "\x9b31m", "\r", "\u2028", "\ud800"])
def test_names_can_not_disturb_the_terminal(bad: str) -> None:
    model = Sequential([Dense(2, input_shape=(3,), name=f"a{bad}b")], name=f"m{bad}")
    text = format_summary(model, line_length=WIDE)
    assert len(text.split("\n")) == len(format_summary(Sequential([Dense(2, input_shape=(3,))])).split("\n"))
    assert bad not in text.replace("\n", "")
    assert escaped(bad[0]) in text
    assert escaped("Größe 日本") == "Größe 日本"


def test_print_fn_takes_the_text_once(capsys: pytest.CaptureFixture[str]) -> None:
    model, taken = branched(), []
    model.summary(print_fn=taken.append)
    assert taken == [format_summary(model)]
    assert capsys.readouterr().out == ""
    print_summary(model)
    assert capsys.readouterr().out == taken[0] + "\n"


def test_output_in_ascii() -> None:
    code = (
        "from graphflow import Sequential; from graphflow.layers import Dense;"
        "inner = Sequential([Dense(2, input_shape=(3,), name='größe')]);"
        "Sequential([inner]).summary(expand_nested=True)"
    )
    env = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    root = str(Path(graphflow.__file__).parents[1])
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, cwd=root, check=True)
    assert b"   ` gr\\xf6\\xdfe (Dense)" in result.stdout
    assert encodable("└ x", "utf-8") == "└ x"


def test_what_has_no_summary() -> None:
    with pytest.raises(ArgumentError, match="has no input yet"):
        Sequential([Dense(3)]).summary()
    with pytest.raises(ArgumentTypeError, match="received Dense"):
        print_summary(Dense(3))


def test_functions_that_are_called_at_run_time_are_named() -> None:
    x = Input((3,))
    sort = Lambda(lambda value: np.sort(np.asarray(value, "float32")), output_shape=(3,), name="sorted")
    assert format_summary(Model(x, sort(x))).endswith("\n Python functions, called at run time: sorted")


def keras_table(model: Any, **options: Any) -> tuple[list[list[str]], list[str]]:
    """The rows and the totals of Keras' own summary."""
    taken: list[str] = []
    model.summary(print_fn=taken.append, line_length=WIDE, **options)
    lines = "".join(taken).split("\n")
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    return rows, [line for line in lines if " params: " in line]


def assert_same_content(ours: Any, theirs: Any) -> None:
    for options in ({}, {"expand_nested": True}, {"show_trainable": True}):
        rows, totals = keras_table(theirs, **options)
        text = format_summary(ours, line_length=WIDE, **options)
        assert [[cell.replace("(None,)", "(None)") for cell in row] for row in table(text)] == rows
        assert [line for line in text.split("\n") if " params: " in line] == totals


@pytest.mark.oracle
def test_the_same_content_as_keras_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = pytest.importorskip("keras")
    monkeypatch.setenv("COLUMNS", str(WIDE + 20))
    layers = keras.layers
    a, b = keras.Input((6, 4), name="a"), keras.Input((3,), name="b")
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(4, name="i1"), layers.ReLU(name="i2")], name="inner")
    deep = keras.Model(inner.inputs, layers.BatchNormalization(name="norm")(inner(inner.inputs[0])), name="deep")
    shared = layers.Dense(5, name="shared")
    sequence, h, c = layers.LSTM(5, return_sequences=True, return_state=True, name="lstm")(a)
    merged = layers.Concatenate(name="cat")([b, deep(shared(h)), shared(c)])
    frozen = layers.Dense(1, trainable=False, name="frozen")(layers.Flatten(name="flat")(sequence))
    model = keras.Model([a, b], [layers.Dense(2, name="out")(merged), frozen], name="two")
    chain = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv"), layers.Flatten(name="f")])
    for name, one in (("two", model), ("chain", chain)):
        one.save(tmp_path / f"{name}.keras")
        assert_same_content(graphflow.load_model(tmp_path / f"{name}.keras"), one)
    assert_same_content(graphflow.load_model(digits.MODEL), keras.models.load_model(digits.MODEL))


@pytest.mark.oracle
def test_the_same_content_as_keras_for_ops_outside_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    keras = pytest.importorskip("keras")
    monkeypatch.setenv("COLUMNS", str(WIDE + 20))
    models = []
    clear_session()
    keras.utils.clear_session()
    for package in (graphflow, keras):
        x = package.layers.Input((4,), name="x")
        y = package.layers.Dense(4, name="d")(x) * 2.0 + x
        z = package.ops.mean(package.ops.concatenate([package.ops.relu(y), x], axis=-1), axis=1)
        models.append((package.models.Model if package is graphflow else keras.Model)(x, [z, y], name="ops"))
        clear_session()
    assert_same_content(*models)
