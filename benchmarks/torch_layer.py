"""PyTorch's own recurrent layers, from the weights that graphflow's layer was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

GATES = {"LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2), "RNN": (0,)}
"""Which of Keras' gates stand in PyTorch's places."""


def gates_first(weights: Array, kind: str) -> Array:
    """(..., gates * units) as PyTorch has it: (gates * units, ...), gates in its places."""
    parts = np.split(weights, len(GATES[kind]), axis=-1)
    return np.concatenate([parts[place].T for place in GATES[kind]])


class TorchLayer:
    """`torch.nn.LSTM`, `GRU` or `RNN`, batch first, in inference mode. Opens an archive of Keras' arrays."""

    suffix = ".npz"

    def version(self) -> str:
        import torch

        return str(torch.__version__)

    def load(self, path: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        held = np.load(path)
        kind, kernel, recurrent, bias = str(held["kind"]), held["kernel"], held["recurrent"], held["bias"]
        outer, inner = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
        layer = getattr(torch.nn, kind)(kernel.shape[0], recurrent.shape[0], batch_first=True)
        given = {"weight_ih_l0": kernel, "weight_hh_l0": recurrent, "bias_ih_l0": outer, "bias_hh_l0": inner}
        layer.load_state_dict({name: torch.from_numpy(gates_first(one, kind)) for name, one in given.items()})
        self._torch, self._layer = torch, layer.eval()

    def bind(self, arrays: Sequence[Array]) -> None:
        self._given = self._torch.from_numpy(arrays[0])

    def run(self) -> list[Array]:
        with self._torch.inference_mode():
            return [self._layer(self._given)[0].numpy()]
