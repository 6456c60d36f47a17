"""`graphflow.backend` beside `tf_keras.backend`: the same problems, names and signatures."""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np
import pytest
from cases.backend import PROBLEMS, Problem

from graphflow import backend

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf_keras = pytest.importorskip("tf_keras")
tensorflow = pytest.importorskip("tensorflow")

pytestmark = pytest.mark.oracle

KERAS_2_ONLY = ("logsumexp", "normalize_data_format")
"""Names of Keras 2 that tf_keras has dropped."""

NO_ANSWER: dict[str, str] = {
    "switch-rows": "tf_keras does not broadcast a condition of one axis, as its own words say",
    **dict.fromkeys(KERAS_2_ONLY, "not in tf_keras"),
}
"""Problems and names to which tf_keras has no answer, and why."""


def names_of(module: Any) -> set[str]:
    return {name for name in dir(module) if not name.startswith("_") and callable(getattr(module, name))}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.id)
def test_the_answers_are_those_of_tf_keras(problem: Problem) -> None:
    reason = NO_ANSWER.get(problem.id) or NO_ANSWER.get(problem.name)
    if reason:
        pytest.skip(reason)
    tensors = [tensorflow.constant(array) for array in problem.inputs]
    expected = np.asarray(problem.ask(tf_keras.backend, *tensors))
    actual = np.asarray(problem.ask(backend, *problem.inputs))
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    largest = np.abs(expected.astype(np.float64)).max(initial=0.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * largest)


def test_every_name_of_tf_keras_is_here_or_said_not_to_be() -> None:
    theirs = names_of(tf_keras.backend)
    assert theirs <= set(backend.__all__) | set(backend.UNSUPPORTED)
    assert set(backend.__all__) - theirs == set(KERAS_2_ONLY)


@pytest.mark.parametrize("name", sorted(set(backend.__all__) - set(KERAS_2_ONLY)))
def test_signatures_are_those_of_tf_keras(name: str) -> None:
    def described(function: Any) -> list[tuple[str, Any]]:
        parameters = inspect.signature(function).parameters.values()
        return [(one.name, one.default) for one in parameters if one.kind is not one.VAR_KEYWORD]

    ours, theirs = described(getattr(backend, name)), described(getattr(tf_keras.backend, name))
    if name == "placeholder":
        theirs = [one for one in theirs if one[0] != "ragged"]
    if name == "set_image_data_format":
        ours = [("data_format", ours[0][1])]
    assert ours == theirs
