"""The engines that are compared, each behind the same three verbs; a further engine is a further row.

An engine lives in a worker process of its own, since thread pools of several libraries in one process disturb each
other by factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]


class Engine(Protocol):
    """What a worker asks of an engine.

    Attributes:
        suffix: the file it opens: ".keras" or ".onnx".
    """

    suffix: str

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


ENGINES: dict[str, type[Engine]] = {"graphflow": Graphflow, "onnxruntime": OnnxRuntime}
"""Name to class; the library itself is imported in the worker only."""
