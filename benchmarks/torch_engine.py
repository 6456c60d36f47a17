"""PyTorch as an engine, eager and compiled; `benchmarks.torch_graph` reads the ONNX file.

Eager: the module's operations one after another in `torch.inference_mode`. Compiled: `torch.compile`, the inductor with
frozen weights, so that it packs them and folds what it can; what compiling takes is not timed. Both are built for the
shapes of the inputs, and outputs are made contiguous, as every engine's are. Nothing of PyTorch is imported before an
engine is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class PyTorch:
    """PyTorch's eager mode, channels innermost."""

    suffix = ".onnx"
    packages: tuple[str, ...] = ("torch", "onnx", "onnxruntime")

    def version(self) -> str:
        import torch

        return str(torch.__version__)

    def load(self, path: str, threads: int) -> None:
        import torch

        from benchmarks.torch_graph import read

        torch.set_num_threads(threads)
        self._graph = read(path)

    def bind(self, arrays: Sequence[Array]) -> None:
        import torch

        from benchmarks.torch_graph import build

        self._given = [torch.from_numpy(array) for array in arrays]
        self._call = self._prepared(build(self._graph, arrays).eval())

    def _prepared(self, module: Any) -> Any:
        import torch

        return torch.inference_mode()(module.forward)

    def run(self) -> list[Array]:
        return [one.contiguous().numpy() for one in self._call(*self._given)]


class PyTorchCompiled(PyTorch):
    """`torch.compile` with frozen weights."""

    def _prepared(self, module: Any) -> Any:
        import torch
        import torch._inductor.config

        torch._inductor.config.freezing = True
        torch._dynamo.reset()
        return torch.no_grad()(torch.compile(module, dynamic=False))
