"""Every inspection takes every kind of model, prints itself, and turns into JSON that says the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
from subjects import SUBJECTS

from graphflow.errors import ArgumentTypeError
from graphflow.inspect import compare, diff, explain, flops, memory, profile, trace

QUESTIONS = {
    "flops": flops,
    "memory": memory,
    "profile": lambda model: profile(model, repeats=2),
    "explain": explain,
    "trace": trace,
    "trace ops": lambda model: trace(model, level="op"),
    "compare": lambda model: compare(model, settings={"reference": True}),
    "diff": lambda model: diff(model, model),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_it_answers_for_every_kind_of_model(subject: str, question: str) -> None:
    model = SUBJECTS[subject]()
    found = QUESTIONS[question](model)
    data = json.loads(found.to_json())
    assert data == found.to_dict()
    assert len(str(found).splitlines()) >= 1
    if question == "diff":
        assert not found and data["same_layers"] > 0
        return
    rows = data[found.ROWS]
    assert rows
    if question == "compare":
        assert found.same, str(found)
    if "layer" in rows[0] and question != "compare":
        for row in rows:
            assert row["layer"] in str(found) or row["layer"] == ""


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_no_model_is_refused(question: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"received (dict|ndarray)"):
        QUESTIONS[question]({"a": 1} if question != "trace" else np.zeros(3))


@pytest.mark.parametrize("question", QUESTIONS)
def test_frames_have_a_row_for_each_row(question: str) -> None:
    pytest.importorskip("pandas", reason="frames are made by pandas")
    found = QUESTIONS[question](SUBJECTS["several"]())
    assert len(found.to_frame()) == len(getattr(found, found.ROWS))
