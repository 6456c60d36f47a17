"""Random models through files and back into graphflow."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from formats.random_models import Made, models
from formats.round_trips import assert_same_outputs, assert_same_weights, structure
from hypothesis import given, settings

import graphflow


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@settings(max_examples=60)
@given(made=models())
def test_a_random_model_comes_back_from_a_file_as_it_was(ending: str, made: Made) -> None:
    expected = made.model.predict(made.inputs, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{ending}"
        made.model.save(path)
        back = graphflow.load_model(path)
    assert structure(back) == structure(made.model)
    assert_same_weights(back, made.model)
    assert_same_outputs(back.predict(made.inputs, verbose=0), expected, exact=True)
