"""Configurations with one value replaced at random: a model or one clear error, never anything else, and soon."""

from __future__ import annotations

import copy
import io
import json
import random
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest

import graphflow
from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats import inspect_file
from tests.formats.broken.make import config_of, good, with_h5, with_text

ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 3, 1 << 62, -(1 << 62), 10**6, 1.5, float("nan"), float("inf"), "", "x", "../x"),
    *([], {}, [[]], [None], [{}], [-1, 2], [0], {"a": 1}, {"class_name": "x"}, {"class_name": "Dense", "config": {}}),
    {"class_name": "__keras_tensor__", "config": {"keras_history": ["image", 0, 0]}},
    {"class_name": "__tuple__", "items": [1, 2]},
    {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
    {"class_name": "__slice__", "config": {"start": "a"}},
    {"class_name": "function", "config": "eval"},
    {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "int4"}},
    "float16",
    "relu",
    "same",
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from places(item)


def mutated(config: Any, seed: random.Random) -> Any:
    """A copy in which one value is replaced, taken away, or doubled."""
    config = copy.deepcopy(config)
    container, key = seed.choice(list(places(config)))
    way = seed.random()
    if way < 0.7:
        container[key] = copy.deepcopy(seed.choice(ODD))
    elif way < 0.85:
        del container[key]
    elif isinstance(container, list):
        container.insert(seed.randrange(len(container) + 1), copy.deepcopy(container[key]))
    else:
        container[seed.choice(list(container))] = copy.deepcopy(container[key])
    return config


def outcome(path: Path) -> str:
    """What opening a file came to."""
    start = time.process_time()
    try:
        graphflow.load_model(path)
    except (ModelFormatError, UnsupportedError) as error:
        assert path.name in str(error)
        assert len(str(error)) < 3000
        result = type(error).__name__
    else:
        result = "opened"
    try:
        inspect_file(path)
    except (ModelFormatError, UnsupportedError) as error:
        assert path.name in str(error)
    assert time.process_time() - start < 2.0
    return result


def run(path: Path, turns: int, ending: str, start: int) -> dict[str, int]:
    """Many files one after another; the message of a failure names its seed."""
    results = {"opened": 0, "ModelFormatError": 0, "UnsupportedError": 0}
    if ending == ".keras":
        base = config_of(good(".keras"))
    else:
        with h5py.File(io.BytesIO(good(".h5"))) as file:
            base = json.loads(file.attrs["model_config"])
    for number in range(start, start + turns):
        config = mutated(base, random.Random(number))
        text = json.dumps(config)
        if ending == ".keras":
            data = with_text(text.encode())
        else:
            data = with_h5(lambda file, text=text: file.attrs.__setitem__("model_config", text))  # type: ignore[misc]
        path.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                results[outcome(path)] += 1
            except BaseException as error:
                raise AssertionError(f"seed {number} ({ending}): {type(error).__name__}: {error}") from error
    return results


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_some(tmp_path: Path, ending: str) -> None:
    results = run(tmp_path / f"mutated{ending}", 150, ending, 0)
    assert min(results["opened"], results["ModelFormatError"]) > 15


@pytest.mark.fuzz
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_many(tmp_path: Path, ending: str) -> None:
    results = run(tmp_path / f"mutated{ending}", 10_000, ending, 1_000_000)
    assert min(results["opened"], results["ModelFormatError"]) > 1000
