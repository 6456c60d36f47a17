"""The commands that look at models: text for people, JSON for programs, exit codes for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from subjects import chain, several

from graphflow import Input, Model
from graphflow import layers as L
from graphflow.cli import main
from graphflow.inspect import flops, memory
from graphflow.samples import digits

FILE = str(digits.MODEL)


def answer(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> str:
    assert main([*argv]) == code
    taken = capsys.readouterr()
    if code != 2:
        assert not taken.err
        return taken.out
    return taken.err


def asked(capsys, *argv: str, code: int = 0):
    return json.loads(answer(capsys, *argv, "--json", code=code))


@pytest.fixture
def four(tmp_path: Path) -> str:
    path = tmp_path / "four.keras"
    several().save(path)
    return str(path)


@pytest.mark.parametrize("question", ["flops", "memory", "profile", "explain", "trace"])
def test_each_question_is_answered_as_text_and_as_json(capsys, question: str) -> None:
    more = ["--repeats", "2"] if question == "profile" else []
    text = answer(capsys, "inspect", question, FILE, "--batch", "3", *more)
    assert "digits" in text and "block_conv1" in text
    data = asked(capsys, "inspect", question, FILE, "--batch", "3", *more)
    assert data["model"] == "digits"
    if "input_shapes" in data:
        assert data["input_shapes"] == {"image": [3, 8, 8, 1]}


def test_figures_are_those_of_the_functions(capsys) -> None:
    import graphflow

    model = graphflow.load_model(FILE)
    assert asked(capsys, "inspect", "flops", FILE)["macs"] == flops(model).macs
    tuned = asked(capsys, "inspect", "flops", FILE, "--tuned")
    assert tuned["flops"] == flops(model, tuned=True).flops != flops(model).flops
    assert asked(capsys, "inspect", "memory", FILE, "--shape", "5,8,8,1")["peak"] == memory(model, (5, 8, 8, 1)).peak


def test_shapes_of_several_inputs_are_given_by_name(capsys, four: str) -> None:
    for given in (("--batch", "6"), ("--shape", "a=6,8"), ("--shape", "steps=6,5,3", "--shape", "b=6,8")):
        shapes = asked(capsys, "inspect", "flops", four, *given)["input_shapes"]
        assert shapes == {"a": [6, 8], "b": [6, 8], "words": [6, 5], "steps": [6, 5, 3]}
    assert "say --shape NAME=6,8" in answer(capsys, "inspect", "flops", four, "--shape", "6,8", code=2)
    assert "expected sizes" in answer(capsys, "inspect", "flops", four, "--shape", "a=6x8", code=2)
    assert "no input 'aa'" in answer(capsys, "inspect", "flops", four, "--shape", "aa=6,8", code=2)


def test_open_axes_are_asked_for(capsys, tmp_path: Path) -> None:
    words = Input((None, 3), name="words")
    path = str(tmp_path / "open.keras")
    Model(words, L.LSTM(2)(words)).save(path)
    assert "--shape words=" in answer(capsys, "inspect", "flops", path, code=2)
    assert asked(capsys, "inspect", "flops", path, "--shape", "words=1,7,3")["macs"] == 7 * 4 * 2 * 5


def test_traces_are_written_to_files(capsys, tmp_path: Path) -> None:
    out = tmp_path / "values.npz"
    answer(capsys, "inspect", "trace", FILE, "--input", str(digits.IMAGES), "-o", str(out))
    with np.load(out) as values:
        assert values["digit"].shape == (100, 10)
        assert (values["digit"].argmax(axis=1) == np.load(digits.LABELS)).mean() > 0.9
    assert "ending '.txt'" in answer(capsys, "inspect", "trace", FILE, "-o", str(tmp_path / "a.txt"), code=2)


def test_compare_and_diff_say_by_their_exit_code_whether_models_differ(capsys, tmp_path: Path) -> None:
    model, path, other = chain(), tmp_path / "a.keras", tmp_path / "b.keras"
    model.save(path)
    bias = model.get_layer("probs").weights[1]
    bias.assign(bias.numpy() + np.array([0, 0, 2, 0, 0], "float32"))
    model.save(other)
    a, b = str(path), str(other)
    assert answer(capsys, "compare", a, a) and answer(capsys, "diff", a, a)
    assert "first difference is at 'probs'" in answer(capsys, "compare", a, b, code=1)
    found = asked(capsys, "compare", a, b, code=1)
    assert found["culprit"]["layer"] == "probs" and not found["same"]
    (row,) = asked(capsys, "diff", a, b, code=1)["rows"]
    assert (row["layer"], row["what"], row["changed"], row["largest"]) == ("probs", "bias", 1, 2.0)
    assert asked(capsys, "compare", a, "--set", "reference=1", "--set", "threads=1")["same"]


def test_compare_takes_inputs_and_settings_and_refuses_others(capsys) -> None:
    found = asked(capsys, "compare", FILE, "--set", "isa=base", "--input", str(digits.IMAGES))
    assert found["rows"][0]["shape"][0] == 100
    assert "needs a second model, or --set" in answer(capsys, "compare", FILE, code=2)
    assert "Did you mean 'reference'" in answer(capsys, "compare", FILE, "--set", "refrence=1", code=2)
    assert "expected KNOB=VALUE" in answer(capsys, "compare", FILE, "--set", "reference", code=2)
    assert "must be a int" in answer(capsys, "compare", FILE, "--set", "threads=two", code=2)


def test_summaries_as_json_and_with_costs(capsys, four: str) -> None:
    data = asked(capsys, "summary", four, "--expand-nested", "--show-trainable", "--costs", "--batch", "2")
    rows = {(row["level"], row["Layer (type)"].split(" ")[0]): row for row in data["layers"]}
    assert rows[1, "first"]["MACs"] == f"{2 * 2 * 8 * 6:,}" and rows[0, "inner"]["Trainable"] == "Y"
    assert rows[0, "left"]["Output bytes"] == f"{2 * 3 * 4}"
    assert data["total_params"] == several().count_params()
    assert "MACs" in answer(capsys, "summary", four, "--costs") and "MACs" not in answer(capsys, "summary", four)


def test_a_question_without_a_model_is_an_error(capsys) -> None:
    assert "QUESTION" in answer(capsys, "inspect", code=2)
    assert "No such file" in answer(capsys, "inspect", "flops", "nothing.keras", code=2)
