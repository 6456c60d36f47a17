"""Knobs and settings: from the environment, from `with` blocks, from keras.json; and the levels of debugging."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, config
from graphflow.errors import ArgumentError
from graphflow.kernels import isa
from graphflow.knobs import KNOBS, get
from graphflow.layers import Dense
from graphflow.ops import OPS
from graphflow.registry import Registry, snake_case


def test_each_knob_is_declared_once_with_a_default_of_its_kind() -> None:
    assert len({knob.name for knob in KNOBS}) == len(KNOBS) < 12
    for knob in KNOBS:
        assert isinstance(knob.default, knob.kind)
        assert knob.variable == f"GRAPHFLOW_{knob.name.upper()}"
        assert knob.doc


def test_the_environment_is_read_and_a_block_overrides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHFLOW_DEBUG", "3")
    monkeypatch.setenv("GRAPHFLOW_REFERENCE", "Yes")
    assert (get("debug"), get("reference")) == (3, True)
    with graphflow.knobs(debug=1):
        assert get("debug") == 1
        with graphflow.knobs(debug=2, reference=False):
            assert (get("debug"), get("reference")) == (2, False)
        assert (get("debug"), get("reference")) == (1, True)
    with pytest.raises(RuntimeError, match="on purpose"), graphflow.knobs(debug=4):
        raise RuntimeError("on purpose")
    assert get("debug") == 3


@pytest.mark.parametrize(("name", "text"), [("DEBUG", "much"), ("REFERENCE", "perhaps"), ("THREADS", "1.5")])
def test_a_variable_of_another_kind_is_named(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"GRAPHFLOW_{name}", text)
    with pytest.raises(ArgumentError, match=f"GRAPHFLOW_{name}.*{text}"):
        get(name.lower())


def test_an_override_holds_in_its_own_thread_only() -> None:
    seen: list[Any] = []
    with graphflow.knobs(debug=2):
        worker = threading.Thread(target=lambda: seen.append(get("debug")))
        worker.start()
        worker.join()
    assert seen == [0]


def test_threads_are_set_and_left_to_the_machine() -> None:
    default = graphflow.get_num_threads()
    assert 1 <= default <= (os.cpu_count() or 1)
    with graphflow.knobs(threads=1):
        assert graphflow.get_num_threads() == 1
    graphflow.set_num_threads(3)
    try:
        assert graphflow.get_num_threads() == 3
    finally:
        graphflow.set_num_threads(None)
    assert graphflow.get_num_threads() == default


def dense() -> Model:
    x = Input((3,))
    return Model(x, Dense(2, kernel_initializer="ones", activation="relu")(x), name="shown")


def test_the_first_level_of_debugging_tells_of_each_plan_once(capsys: pytest.CaptureFixture[str]) -> None:
    model = dense()
    with graphflow.knobs(debug=1):
        for rows in (2, 2, 5):
            model.predict(np.ones((rows, 3)))
    lines = [line for line in capsys.readouterr().out.splitlines() if "planned shown" in line]
    assert len(lines) == 2
    assert "(2, 3)" in lines[0]
    assert "arena" in lines[0]


def test_the_fourth_level_finds_a_kernel_that_disagrees_with_its_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    model = dense()
    right = OPS["dense"].reference
    monkeypatch.setattr(OPS["dense"], "reference", lambda attrs, *arrays: right(attrs, *arrays) + 1)
    with graphflow.knobs(debug=4), pytest.raises(graphflow.errors.GraphflowError, match="dense"):
        model.predict(np.ones((2, 3)))


def test_the_fourth_level_checks_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = dense(), [np.ones((2, 3), "float32")]
    right = OPS["dense"].reference
    with graphflow.knobs(debug=4):
        for _ in range(3):
            model.session().run(given)
        monkeypatch.setattr(OPS["dense"], "reference", lambda attrs, *arrays: right(attrs, *arrays) + 1)
        with pytest.raises(graphflow.errors.GraphflowError, match="dense"):
            model.session().run(given)


def test_the_instruction_set_is_the_best_unless_chosen() -> None:
    names = list(isa.available())
    assert names[0] == "base"
    assert isa.current().name == names[-1]
    for name in names:
        with graphflow.knobs(isa=name):
            assert isa.current().name == name


@pytest.mark.parametrize("content", ["{}", "not json", '{"floatx": "int8", "image_data_format": 3}', "[]"])
def test_settings_that_can_not_be_read_are_the_defaults(content: str, tmp_path: Path) -> None:
    assert settings_of(content, tmp_path) == ["float32", 1e-7, "channels_last"]


def settings_of(content: str, folder: Path) -> Any:
    (folder / "keras.json").write_text(content)
    code = "import json, graphflow.config as c; print(json.dumps([c.floatx(), c.epsilon(), c.image_data_format()]))"
    environment = {**os.environ, "KERAS_HOME": str(folder)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return json.loads(result.stdout)


def test_settings_come_from_keras_json(tmp_path: Path) -> None:
    given = {"floatx": "float64", "epsilon": 1e-5, "image_data_format": "channels_first", "backend": "theano"}
    assert settings_of(json.dumps(given), tmp_path) == ["float64", 1e-5, "channels_first"]


def test_layers_follow_floatx() -> None:
    config.set_floatx("float64")
    try:
        layer = Dense(2)
        assert layer(Input((3,))).dtype == layer.kernel.dtype == "float64"
    finally:
        config.set_floatx("float32")
    for wrong in (lambda: config.set_floatx("int32"), lambda: config.set_epsilon(0), lambda: config.set_epsilon("1")):
        with pytest.raises(ArgumentError):
            wrong()


def test_names_turn_into_snake_case_as_in_keras() -> None:
    names = {
        "GlobalMaxPooling1D": "global_max_pooling1d",
        "LSTM": "lstm",
        "Conv2DTranspose": "conv2d_transpose",
        "PReLU": "p_re_lu",
    }
    assert {name: snake_case(name) for name in names} == names
    registry: Registry[Any] = Registry("thing", object)
    registry.add()(type("SomeThing", (), {}))
    assert registry.find("some_thing") is registry.find("SomeThing")
