"""`predict_stream`: a model over batches as they come, as a plain generator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from graphflow.errors import ArgumentTypeError


def predict_stream(model: Any, batches: Iterable[Any]) -> Iterator[Any]:
    """The outputs of each batch, one after another; nothing is held but the batch at hand.

    Args:
        model: a `Model`.
        batches: of arrays; of a tuple (x, y, ...) the first is the input.

    Returns:
        A generator of what `model.predict_on_batch` gives.

    Raises:
        ArgumentTypeError: not a model.

    Example:
        >>> import numpy as np, graphflow
        >>> from graphflow.batch import predict_stream
        >>> from graphflow.samples import digits
        >>> model = graphflow.load_model(digits.MODEL)
        >>> images = np.load(digits.IMAGES, mmap_mode="r")
        >>> [y.shape for y in predict_stream(model, (images[i : i + 40] for i in range(0, 100, 40)))]
        [(40, 10), (40, 10), (20, 10)]
    """
    if not hasattr(model, "predict_on_batch"):
        raise ArgumentTypeError(f"predict_stream takes a Model, received {type(model).__name__}.")
    return (model.predict_on_batch(batch[0] if isinstance(batch, tuple) else batch) for batch in batches)
