"""Spark: predictions as a column, in local mode on a Java runtime; a Python worker is killed on the way."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_rows import EXPECTED, EXPECTED_PAIR, META, MODEL, PAIR, WORDS, X

from graphflow import Input, Model, ops
from graphflow.batch.spark import PredictFn, input_tensor_shapes, predict_udf, return_type
from graphflow.errors import ArgumentError

pytestmark = pytest.mark.cluster
HERE = str(Path(__file__).parent)
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled": "false",
}


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two threads; a task is tried twice."""
    pytest.importorskip("pyspark", reason="graphflow-engine[spark] is not installed")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.fail(
            "Spark needs a Java runtime, and there is none: install one (apt-get install openjdk-17-jre-headless)"
        )
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support")
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYTHONPATH", HERE)
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        from pyspark.sql import SparkSession

        folder = tmp_path_factory.mktemp("spark")
        builder = SparkSession.builder.master("local[2,2]").config("spark.local.dir", str(folder))
        builder = builder.config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        for name, value in SETTINGS.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        try:
            yield session
        finally:
            session.stop()


@pytest.fixture(scope="module")
def frame(spark: Any) -> Any:
    rows = [(i, X[i].tolist(), WORDS[i].tolist(), META[i].tolist(), *map(float, X[i])) for i in range(len(X))]
    schema = "key int, x array<float>, w array<int>, m array<float>, a float, b float, c float, d float"
    return spark.createDataFrame(rows, schema).repartition(2).cache()


def column(frame: Any, *made: Any) -> list[Any]:
    """A column of predictions, in the order of the keys."""
    return [row[1] for row in sorted(frame.select("key", *made).collect())]


def test_vectors(frame: Any) -> None:
    predict = predict_udf(MODEL, spark_batch=50)
    made = frame.select("key", predict("x").alias("y"))
    assert made.schema["y"].dataType.simpleString() == "array<float>"
    np.testing.assert_array_equal(np.array(column(frame, predict("x")), "float32"), EXPECTED)


def test_columns_of_numbers_as_vectors(frame: Any) -> None:
    from pyspark.sql.functions import array

    predict = predict_udf(MODEL)
    np.testing.assert_array_equal(np.array(column(frame, predict(array("a", "b", "c", "d"))), "float32"), EXPECTED)


def test_several_inputs_and_outputs(frame: Any) -> None:
    both = column(frame, predict_udf(PAIR)("w", "m"))
    np.testing.assert_array_equal(np.array([row["pair"] for row in both], "float32"), EXPECTED_PAIR[0])
    np.testing.assert_array_equal(np.array([row["score"] for row in both], "float32"), EXPECTED_PAIR[1])
    score = column(frame, predict_udf(PAIR, "score")("w", "m"))
    np.testing.assert_array_equal(np.array(score, "float32"), EXPECTED_PAIR[1])


def test_numbers_in_and_out(frame: Any) -> None:
    """A number a row, and an output of whole numbers."""
    x = Input((1,), name="x")
    doubled = Model(x, ops.reshape(x * 2, (-1,)))
    assert return_type(doubled).simpleString() == "float"
    np.testing.assert_array_equal(np.array(column(frame, predict_udf(doubled)("a")), "float32"), X[:, 0] * 2)
    rows = Input((4,), name="x")
    best = Model(rows, ops.argmax(rows, axis=-1))
    assert return_type(best).simpleString() in ("int", "bigint")
    assert column(frame, predict_udf(best)("x")) == X.argmax(1).tolist()
    signs = Model(rows, rows > 0)
    assert return_type(signs).simpleString() == "array<tinyint>"
    np.testing.assert_array_equal(column(frame, predict_udf(signs)("x")), (X > 0).astype(int))


def test_the_helper_fits_predict_batch_udf(frame: Any) -> None:
    from pyspark.ml.functions import predict_batch_udf

    shapes, kind = input_tensor_shapes(PAIR), return_type(PAIR, ["score"])
    predict = predict_batch_udf(PredictFn(PAIR, ["score"]), return_type=kind, batch_size=64, input_tensor_shapes=shapes)
    made = [row["score"] for row in column(frame, predict("w", "m"))]
    np.testing.assert_array_equal(np.array(made, "float32"), EXPECTED_PAIR[1])


class Notes(PredictFn):
    """Leaves a file for each process and each content that it opens there."""

    def __init__(self, folder: Path, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.folder = folder

    def __call__(self) -> Any:
        from graphflow.batch.shipping import Shipped

        folder, load = self.folder, Shipped._load

        def noted(ship: Any) -> Any:
            (folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()
            return load(ship)

        Shipped._load = noted  # type: ignore[method-assign]
        try:
            return super().__call__()
        finally:
            Shipped._load = load  # type: ignore[method-assign]


def test_a_worker_opens_a_model_once(frame: Any, tmp_path: Path) -> None:
    """Two functions of the same content share it, in each Python worker."""
    from pyspark.ml.functions import predict_batch_udf

    other = Model(MODEL.input, MODEL.output * 2)
    functions = [Notes(tmp_path, other), Notes(tmp_path, other, threads=2)]
    udfs = [
        predict_batch_udf(one, return_type=return_type(other), batch_size=64, input_tensor_shapes=[[4]])
        for one in functions
    ]
    rows = frame.select("key", *(udf("x").alias(f"y{i}") for i, udf in enumerate(udfs))).collect()
    for name in ("y0", "y1"):
        made = [row[name] for row in sorted(rows)]
        np.testing.assert_array_equal(np.array(made, "float32"), EXPECTED * 2)
    processes = [path.name.split("-")[0] for path in tmp_path.iterdir()]
    assert len(processes) >= 1 and len(set(processes)) == len(processes)


class KillsOnce(PredictFn):
    """The first Python worker that comes to row 400 is killed."""

    def __init__(self, mark: Path, *args: Any) -> None:
        super().__init__(*args)
        self.mark = mark

    def __call__(self) -> Any:
        inner, mark = super().__call__(), self.mark

        def predict(x: Any) -> Any:
            if (x == X[400]).all(axis=1).any() and not mark.exists():
                mark.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            return inner(x)

        return predict


def test_a_worker_that_is_killed_is_replaced(frame: Any, tmp_path: Path) -> None:
    from pyspark.ml.functions import predict_batch_udf

    made = KillsOnce(tmp_path / "mark", MODEL)
    predict = predict_batch_udf(made, return_type=return_type(MODEL), batch_size=64, input_tensor_shapes=[[4]])
    np.testing.assert_array_equal(np.array(column(frame, predict("x")), "float32"), EXPECTED)
    assert int((tmp_path / "mark").read_text()) != os.getpid()


def test_what_does_not_fit_is_said_at_once() -> None:
    with pytest.raises(ArgumentError, match="no output 'scor'"):
        predict_udf(PAIR, "scor")
    with pytest.raises(ArgumentError, match="at least 1"):
        predict_udf(PAIR, spark_batch=0)
