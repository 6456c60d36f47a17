"""`graphflow export MODEL OUT`: a model as an ONNX file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its arguments to the parser."""
    parser = commands.add_parser("export", parents=[common], help="write a model as an ONNX file")
    parser.add_argument("model", metavar="MODEL", help="a model file that graphflow opens")
    parser.add_argument("output", metavar="OUT", help="an .onnx file; replaced if there")
    parser.add_argument("--opset", metavar="N", type=int, help="version of ONNX' operators, 13 to 26 (default: 26)")
    parser.add_argument(
        "--external-data", action="store_true", help="write the weights to OUT.data; above 2 GB they go there anyway"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Open the model and write it.

    Raises:
        GraphflowError, OSError: a file that can not be read or written, or a model that ONNX can not say.
    """
    from graphflow.errors import ArgumentError
    from graphflow.formats import load_model
    from graphflow.formats.onnx_write import export

    output = Path(args.output)
    if output.suffix.lower() != ".onnx":
        raise ArgumentError(f"{output}: models are exported to .onnx files; the ending {output.suffix!r} is not known.")
    export(load_model(args.model), output, opset=args.opset, external_data=args.external_data or None)
