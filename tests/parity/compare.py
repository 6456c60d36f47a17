"""One configuration of one layer, in Keras and here, with the same weights and inputs."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from parity.rows import Config, Row

import graphflow
from graphflow.layers.registry import LAYERS

Array = np.ndarray[Any, Any]


def configurations(row: Row, wanted: int) -> list[Config]:
    """Each argument at each value, alone; then random combinations, until there are `wanted` in all."""
    found = [dict(row.base)]
    for name, values in row.values.items():
        found += [{**row.base, name: value} for value in values]
    choose = random.Random(zlib.crc32(row.layer.encode()))
    names = list(row.values)
    for _ in itertools.repeat(None, 40 * wanted):
        if len(found) >= wanted or len(names) < 2:
            break
        picked = choose.sample(names, choose.randint(2, len(names)))
        config = {**row.base, **{name: choose.choice(row.values[name]) for name in picked}}
        if config not in found:
            found.append(config)
    return [config for config in found if row.allowed(config)]


def problems(row: Row, wanted: int) -> Iterator[tuple[Config, tuple[int, ...], bool]]:
    """(configuration, input shape, masked) of a row."""
    for index, config in enumerate(configurations(row, wanted)):
        yield config, row.shapes[index % len(row.shapes)], row.masked and index % 2 == 1


def inputs_of(row: Row, shape: tuple[int, ...], seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    if row.integers:
        return [rng.integers(0, row.integers, shape).astype("int32")]
    return [rng.normal(0, 1, shape).astype("float32") for _ in range(row.count)]


def random_weights(shapes: list[tuple[int, ...]], names: list[str], seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    made = [rng.normal(0, 0.5, shape).astype("float32") for shape in shapes]
    return [np.abs(one) + 0.2 if "variance" in name else one for one, name in zip(made, names, strict=True)]


def _moved(array: Array, spatial: int, first: bool) -> Array:
    """Channels from the end to before the spatial dimensions, or back."""
    place = array.ndim - 1 - spatial
    return np.moveaxis(array, -1, place) if first else np.moveaxis(array, place, -1)


class Comparison:
    """A configuration, run on both sides.

    Args:
        row, config, shape, masked: the problem.
        oracle: the `keras` or `tf_keras` module.
    """

    def __init__(self, row: Row, config: Config, shape: tuple[int, ...], masked: bool) -> None:
        self.row = row
        self.config = config
        self.seed = zlib.crc32(repr((row.layer, sorted(config.items(), key=str), shape, masked)).encode())
        self.arrays = inputs_of(row, shape, self.seed)
        self.first = config.get("data_format") == "channels_first" and row.takes != "as is" and len(shape) > 2
        self.mask = None
        if masked:
            self.mask = np.random.default_rng(self.seed).random(shape[:2]) > 0.35

    def model(self) -> Any:
        """The layer here, as a model, with random weights."""
        self.spatial = self.arrays[0].ndim - 1 - self.row.channel_axis
        arrays = [_moved(array, self.spatial, True) for array in self.arrays] if self.first else self.arrays
        self._given = arrays
        tensors = [graphflow.Input(batch_shape=(None, *array.shape[1:]), dtype=array.dtype) for array in arrays]
        layer = LAYERS.classes[self.row.layer](**self.config)
        extra = {}
        if self.mask is not None:
            mask = graphflow.Input((None,), dtype="bool")
            extra = {"mask": mask}
        outputs = self._call(layer, tensors, extra)
        model = graphflow.Model(tensors + list(extra.values()), outputs)
        self.weights = random_weights([v.shape for v in layer.weights], [v.name for v in layer.weights], self.seed)
        layer.set_weights(self.weights)
        return model

    def _call(self, layer: Any, tensors: list[Any], extra: dict[str, Any]) -> Any:
        if self.row.takes == "list":
            return layer(tensors, **extra)
        if self.row.takes == "arguments":
            return layer(*tensors, **extra)
        return layer(tensors[0], **extra)

    def ours(self, model: Any) -> list[Array]:
        given = list(self._given) + ([] if self.mask is None else [self.mask])
        outputs = model.predict_on_batch(given)
        return outputs if isinstance(outputs, list) else [outputs]

    def theirs(self, oracle: Any) -> list[Array]:
        """Keras' outputs. TensorFlow has no channels first on a CPU: it gets channels last, its outputs are moved."""
        moving = self.first and not self.row.native
        config = {**self.config, **({"data_format": "channels_last"} if moving else {})}
        layer = getattr(oracle.layers, self.row.layer)(**config)
        extra: dict[str, Any] = {} if self.mask is None else {"mask": self.mask}
        if self.row.random:
            extra["training"] = False
        arrays = self._given if self.row.native else self.arrays
        self._call(layer, arrays, extra)
        layer.set_weights(self.weights)
        outputs = self._call(layer, arrays, extra)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        found = [np.asarray(output) for output in outputs]
        moved = moving and self.row.spatial
        return [_moved(array, self.spatial, True) if moved and array.ndim > 2 else array for array in found]


def error(ours: list[Array], theirs: list[Array]) -> float:
    """The largest difference, relative to the largest output."""
    assert len(ours) == len(theirs), f"{len(ours)} outputs, Keras has {len(theirs)}"
    worst = 0.0
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape, f"shape {one.shape}, Keras has {other.shape}"
        if other.size:
            worst = max(worst, float(np.abs(one.astype("float64") - other).max() / max(np.abs(other).max(), 1e-30)))
    return worst
