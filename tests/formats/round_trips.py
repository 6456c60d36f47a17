"""What must be equal when a model has been through a file."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.layers.nest import leaves

LEFT_OUT = ("class", "era", "batch_input_shape", "input_length", "dtype", "build_input_shape")
ALIASES = {"negative_slope": "alpha"}
NUMBERS = 1e-5


def structure(model: Any) -> Any:
    """A model's configuration, comparable: tuples and arrays as lists, without classes and shapes of first layers."""
    return _plain(model.get_config())


def _single(places: Any) -> Any:
    """A list of one input or output as the one itself, which HDF5 files do not tell apart."""
    return places[0] if isinstance(places, (list, tuple)) and len(places) == 1 else places


def _plain(item: Any) -> Any:
    if isinstance(item, dict) and "output_layers" in item:
        places = {key: _single(item[key]) for key in ("input_layers", "output_layers")}
        item = {**item, **places}
    if isinstance(item, dict):
        return {ALIASES.get(key, key): _plain(value) for key, value in item.items() if key not in LEFT_OUT}
    if isinstance(item, (list, tuple)):
        return [_plain(value) for value in item]
    if isinstance(item, (np.ndarray, np.generic)):
        return item.tolist()
    return item


def assert_same_weights(actual: Any, expected: Any) -> None:
    """Bit for bit, in the same order."""
    ours, theirs = [np.asarray(one) for one in actual.get_weights()], expected.get_weights()
    assert [one.shape for one in ours] == [np.shape(one) for one in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == np.asarray(b).dtype
        assert a.tobytes() == np.asarray(b).tobytes()


def assert_same_outputs(actual: Any, expected: Any, exact: bool = False) -> None:
    """Leaf by leaf, within 1e-5 of the largest output; `exact`: the same bits."""
    ours, theirs = list(leaves(actual)), list(leaves(expected))
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        if exact:
            np.testing.assert_array_equal(a, b)
        else:
            np.testing.assert_allclose(a, b, rtol=0, atol=NUMBERS * max(1.0, float(np.abs(b).max(initial=0))))
