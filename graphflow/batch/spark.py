"""Spark: models for `pyspark.ml.functions.predict_batch_udf`.

A model is broadcast by content, so that each executor receives it once; each Python worker opens it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from graphflow.batch.shipping import Shipped, needed, shipped
from graphflow.errors import ArgumentError, UnsupportedError
from graphflow.spec import TensorSpec

Array = np.ndarray[Any, Any]
Outputs = str | Sequence[str] | None

TYPES = {
    "float16": ("FloatType", "float32"),
    "float32": ("FloatType", "float32"),
    "float64": ("DoubleType", "float64"),
    "bool": ("ByteType", "int8"),
    "int8": ("ByteType", "int8"),
    "uint8": ("ShortType", "int16"),
    "int16": ("ShortType", "int16"),
    "uint16": ("IntegerType", "int32"),
    "int32": ("IntegerType", "int32"),
    "uint32": ("LongType", "int64"),
    "int64": ("LongType", "int64"),
}
"""The type of Spark that holds all values of a dtype, and how they go there; truth values are 0 and 1."""


def return_type(model: Any, outputs: Outputs = None) -> Any:
    """What a column of predictions holds, as a `pyspark.sql.types.DataType`.

    Args:
        model: a `Model`, a `Session`, a path, or a `Shipped`.
        outputs: the name of the one output that is wanted, or several; None: all.

    Returns:
        A number or an array of numbers for one output; a struct of these, with the outputs' names, for several. Rows of
        more than one axis are flat arrays.

    Raises:
        ArgumentError: the model has no output of this name.
        UnsupportedError: pyspark is not installed; or a dtype that Spark has no type for.
    """
    with needed("pyspark", "spark"):
        from pyspark.sql.types import StructField, StructType
    ship = shipped(model)
    places, specs = ship.chosen(outputs), ship.outputs()
    types = [_type_of(specs[place], ship.output_names[place]) for place in places]
    if _alone(places, outputs):
        return types[0]
    names = [ship.output_names[place] for place in places]
    return StructType([StructField(name, one) for name, one in zip(names, types, strict=True)])


def _type_of(spec: TensorSpec, name: str) -> Any:
    from pyspark.sql import types

    if spec.dtype not in TYPES:
        raise UnsupportedError(f"Spark has no type for output {name!r} of {spec.dtype}.")
    number = getattr(types, TYPES[spec.dtype][0])()
    return number if len(spec.shape) == 1 else types.ArrayType(number)


def _alone(places: Sequence[int], outputs: Outputs) -> bool:
    """Whether the one output stands for itself."""
    return len(places) == 1 and (outputs is None or isinstance(outputs, str))


def input_tensor_shapes(model: Any) -> list[list[int]]:
    """The shapes that `predict_batch_udf` gives the inputs, in the model's order.

    Raises:
        UnsupportedError: rows of an input have no fixed size.

    Example:
        >>> from graphflow.samples import digits
        >>> input_tensor_shapes(digits.MODEL)
        [[8, 8, 1]]
    """
    ship = shipped(model)
    found: list[list[int]] = []
    for spec, name in zip(ship.specs, ship.input_names, strict=True):
        if None in spec.shape[1:]:
            raise UnsupportedError(
                f"Rows of input {name!r} have no fixed size, {spec.shape[1:]}, which predict_batch_udf needs. Say "
                "input_tensor_shapes=."
            )
        found.append([int(size or 0) for size in spec.shape[1:]])
    return found


class PredictFn:
    """The `make_predict_fn` of `predict_batch_udf`: called in a Python worker, it gives what runs batches there.

    Args:
        model: a `Model`, a `Session`, a path that is read here, or a `Shipped`.
        outputs: the name of the one output that is wanted, or several; None: all.
        batch_size: rows of a run, within the batches that Spark gives.
        threads: how many share one run, in each process; 0: as many as it may use.
        spark: the session whose context broadcasts the model; None: the active one. Without any, and with Spark
            Connect, the model travels with the function.

    Example:
        >>> import numpy as np
        >>> from graphflow.samples import digits
        >>> predict = PredictFn(digits.MODEL)()
        >>> predict(np.load(digits.IMAGES)).shape
        (100, 10)
    """

    def __init__(
        self,
        model: Any,
        outputs: Outputs = None,
        *,
        batch_size: int | str = "auto",
        threads: int = 1,
        spark: Any = None,
    ) -> None:
        ship = shipped(model, batch_size, threads)
        self._places = ship.chosen(outputs)
        self._alone = _alone(self._places, outputs)
        self._carrier = _broadcast(ship, spark)

    def __call__(self) -> Callable[..., Any]:
        """A function from arrays, one for each input, to an array or a dict of arrays."""
        ship: Shipped = self._carrier if isinstance(self._carrier, Shipped) else self._carrier.value
        ship.opened()

        def predict(*inputs: Array) -> Any:
            made = ship.run([np.asarray(one) for one in inputs])
            shown = [_flat(made[place]) for place in self._places]
            if self._alone:
                return shown[0]
            return dict(zip((ship.output_names[place] for place in self._places), shown, strict=True))

        slots = [Parameter(f"input_{place}", Parameter.POSITIONAL_ONLY) for place in range(len(ship.input_names))]
        predict.__signature__ = Signature(slots)  # type: ignore[attr-defined]
        return predict


def _flat(array: Array) -> Array:
    """Rows as numbers or vectors, of a dtype that Spark has."""
    flat = array if array.ndim < 3 else array.reshape(len(array), int(np.prod(array.shape[1:])))
    return flat.astype(TYPES[array.dtype.name][1], copy=False)


def _broadcast(ship: Shipped, spark: Any) -> Any:
    """A broadcast of the model, or the model itself where there is no context."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        return ship
    session = spark or SparkSession.getActiveSession()
    try:
        context = None if session is None else session.sparkContext
    except Exception:
        context = None
    return ship if context is None else context.broadcast(ship)


def predict_udf(
    model: Any,
    outputs: Outputs = None,
    *,
    spark_batch: int = 1024,
    shapes: Sequence[Sequence[int]] | None = None,
    batch_size: int | str = "auto",
    threads: int = 1,
    spark: Any = None,
) -> Any:
    """A function of Spark's columns: a model over the rows, by `predict_batch_udf`.

    Args:
        model: a `Model`, a `Session`, a path that is read here, or a `Shipped`.
        outputs: the name of the one output that is wanted, or several; None: all.
        spark_batch: the most rows that Spark hands over at once.
        shapes: of a row of each input, where the model does not say them.
        batch_size: rows of a run, within the batches that Spark gives.
        threads: how many share one run, in each process; 0: as many as it may use.
        spark: the session; None: the active one.

    Returns:
        A function that takes a column for each input, in the model's order (numbers, or arrays that hold the numbers of
        a row; `pyspark.sql.functions.array` makes them of several columns), and gives a column of
        `return_type(model, outputs)`.

    Raises:
        ArgumentError: unknown outputs.
        UnsupportedError: pyspark is not installed; or a size or dtype that it can not carry.
    """
    with needed("pyspark", "spark"):
        from pyspark.ml.functions import predict_batch_udf
    ship = shipped(model, batch_size, threads)
    if spark_batch < 1:
        raise ArgumentError(f"spark_batch must be at least 1, received {spark_batch}.")
    return predict_batch_udf(
        PredictFn(ship, outputs, spark=spark),
        return_type=return_type(ship, outputs),
        batch_size=spark_batch,
        input_tensor_shapes=[list(one) for one in (input_tensor_shapes(ship) if shapes is None else shapes)],
    )
