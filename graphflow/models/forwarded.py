"""The methods of a model whose work is done on floors above: files and looking at models."""

from __future__ import annotations

import os
from typing import Any

from graphflow.models.forwards import forward


class Forwarded:
    """What every model can be asked for besides running; each method hands on to the function its docstring names."""

    def summary(self, *args: Any, **kwargs: Any) -> None:
        """Print a table of the layers; see `graphflow.inspect.print_summary`."""
        forward("summary")(self, *args, **kwargs)

    def save(self, filepath: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """Write the model to a file; see `graphflow.formats.write.save_model`."""
        forward("save")(self, filepath, *args, **kwargs)

    def save_weights(self, filepath: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """Write the weights to a file; see `graphflow.formats.write.save_weights`."""
        forward("save_weights")(self, filepath, *args, **kwargs)

    def load_weights(self, filepath: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """Take the weights of a file; see `graphflow.formats.load_weights.load_weights`."""
        forward("load_weights")(self, filepath, *args, **kwargs)

    def to_json(self, **kwargs: Any) -> str:
        """The configuration as JSON; see `graphflow.formats.write.to_json`."""
        text: str = forward("to_json")(self, **kwargs)
        return text

    def export(self, filepath: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """Write the model as ONNX; see `graphflow.formats.onnx_write.export`."""
        forward("export")(self, filepath, *args, **kwargs)

    def _repr_html_(self) -> str:
        """What a notebook shows; see `graphflow.inspect.notebook.repr_html`."""
        text: str = forward("repr_html")(self)
        return text

    def _repr_svg_(self) -> str | None:
        """The model's picture; see `graphflow.inspect.notebook.repr_svg`."""
        text: str | None = forward("repr_svg")(self)
        return text
