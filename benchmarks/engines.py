"""The engines that are compared, each behind the same three verbs; a further engine is a further row.

An engine lives in a worker process of its own, since thread pools of several libraries in one process disturb each
other by factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from benchmarks.torch_engine import PyTorch, PyTorchCompiled

Array = np.ndarray[Any, Any]


class Engine(Protocol):
    """What a worker asks of an engine.

    Attributes:
        suffix: the file it opens: ".keras" or ".onnx".
        packages: what must be installed beside NumPy.
    """

    suffix: str
    packages: tuple[str, ...]

    def version(self) -> str: ...

    def load(self, path: str, threads: int) -> None:
        """Open a model for runs on so many threads."""

    def bind(self, arrays: Sequence[Array]) -> None:
        """Take the arrays that every following run is given, in the order of the model's inputs."""

    def run(self) -> list[Array]:
        """Run once, by the leanest public call, and return new outputs."""


class Graphflow:
    """graphflow's `Session.run`."""

    suffix = ".keras"
    packages: tuple[str, ...] = ("graphflow",)

    def version(self) -> str:
        import graphflow

        return graphflow.__version__

    def load(self, path: str, threads: int) -> None:
        import graphflow

        graphflow.set_num_threads(threads)
        self._session = graphflow.load_model(path).session()

    def bind(self, arrays: Sequence[Array]) -> None:
        self._arrays = list(arrays)

    def run(self) -> list[Array]:
        outputs: list[Array] = self._session.run(self._arrays)
        return outputs


class OnnxRuntime:
    """ONNX Runtime's `InferenceSession.run`, all graph optimisations on, threads within operations only."""

    suffix = ".onnx"
    packages: tuple[str, ...] = ("onnxruntime",)

    def version(self) -> str:
        import onnxruntime

        return str(onnxruntime.__version__)

    def load(self, path: str, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def bind(self, arrays: Sequence[Array]) -> None:
        names = [given.name for given in self._session.get_inputs()]
        self._feed = dict(zip(names, arrays, strict=True))

    def run(self) -> list[Array]:
        outputs: list[Array] = self._session.run(None, self._feed)
        return outputs


class OpenVino:
    """OpenVINO, compiled for the very shapes and pinned to float32, since it picks bfloat16 by itself."""

    suffix = ".onnx"
    packages: tuple[str, ...] = ("openvino",)
    precision: str | None = "f32"

    def version(self) -> str:
        import openvino

        return str(openvino.__version__)

    def load(self, path: str, threads: int) -> None:
        import openvino

        self._path = path
        self._core = openvino.Core()
        self._options = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": str(threads)}
        if self.precision is not None:
            self._options["INFERENCE_PRECISION_HINT"] = self.precision

    def bind(self, arrays: Sequence[Array]) -> None:
        model = self._core.read_model(self._path)
        model.reshape({given.any_name: list(x.shape) for given, x in zip(model.inputs, arrays, strict=True)})
        compiled = self._core.compile_model(model, "CPU", self._options)
        self._request = compiled.create_infer_request()
        self._arrays = list(arrays)

    def run(self) -> list[Array]:
        results = self._request.infer(self._arrays, share_inputs=True, share_outputs=False)
        return [results[index] for index in range(len(results))]


class OpenVinoDefault(OpenVino):
    """OpenVINO as it comes, which may compute in bfloat16: a column of its own, never a rival at float32."""

    precision = None


class TensorFlow:
    """TensorFlow's own code for the Keras file, traced once by `tf.function`."""

    suffix = ".keras"
    packages: tuple[str, ...] = ("tensorflow", "keras")

    def version(self) -> str:
        import tensorflow

        return str(tensorflow.__version__)

    def load(self, path: str, threads: int) -> None:
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        import keras

        model = keras.models.load_model(path, compile=False)
        self._call = tensorflow.function(lambda arrays: model(arrays, training=False))
        self._single = len(model.inputs) == 1

    def bind(self, arrays: Sequence[Array]) -> None:
        import tensorflow

        tensors = [tensorflow.constant(array) for array in arrays]
        self._given = tensors[0] if self._single else tensors

    def run(self) -> list[Array]:
        outputs = self._call(self._given)
        return [one.numpy() for one in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


ENGINES: dict[str, type[Engine]] = {
    "graphflow": Graphflow,
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
    "pytorch": PyTorch,
    "pytorch-compiled": PyTorchCompiled,
    "openvino-default": OpenVinoDefault,
    "tensorflow": TensorFlow,
}
"""Name to class; the library itself is imported in the worker only."""

OWN = "graphflow"
RIVALS = ("onnxruntime", "openvino", "pytorch", "pytorch-compiled")
"""The peers that compute in float32 for speed: the fastest of them in a row is what graphflow is held to. The others
are shown beside them: openvino-default may compute in bfloat16, and TensorFlow is what Keras' users have."""
PEERS = tuple(engine for engine in ENGINES if engine != OWN)


def missing(engine: str) -> str | None:
    """Why an engine can not run here, or None.

    Example:
        >>> missing("graphflow")
    """
    lacking = [package for package in ENGINES[engine].packages if find_spec(package) is None]
    return f"{engine} is left out: not installed: {', '.join(lacking)}" if lacking else None
