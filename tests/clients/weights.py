"""Random weights for a client's model."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def random_weights(shapes: list[tuple[int, ...]], seed: int = 0) -> list[Array]:
    """Kernels of a size that saturates no softmax; vectors (scales, offsets, statistics) around 1."""
    rng = np.random.default_rng(seed)
    made = []
    for shape in shapes:
        if len(shape) > 1:
            depth = max(int(np.prod(shape[:-1])), 1)
            scale = 0.05 if len(shape) == 2 else 1.0
            made.append((scale * rng.standard_normal(shape) * np.sqrt(2 / depth)).astype("float32"))
        else:
            made.append(rng.uniform(0.5, 1.5, shape).astype("float32"))
    return made


def images(model: Any, batch: int = 3) -> Array:
    """Random images in the format that a model takes, each of another contrast."""
    rng = np.random.default_rng(1)
    scales = np.linspace(0.5, 4, batch).reshape(-1, 1, 1, 1)
    return (scales * rng.standard_normal((batch, *model.input_shape[1:]))).astype("float32")
