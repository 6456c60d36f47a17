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
    parser.add_argument("--json", action="store_true", help="print what was written: opset, operators, sizes")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Open the model and write it.

    Raises:
        GraphflowError, OSError: a file that can not be read or written, or a model that ONNX can not say.
    """
    from graphflow.errors import ArgumentError
    from graphflow.formats import load_model
    from graphflow.formats.onnx_write import export, operators, opset_of

    output = Path(args.output)
    if output.suffix.lower() != ".onnx":
        raise ArgumentError(f"{output}: models are exported to .onnx files; the ending {output.suffix!r} is not known.")
    model = load_model(args.model)
    export(model, output, opset=args.opset, external_data=args.external_data or None)
    if args.json:
        import json

        written = [output, *([beside] if (beside := output.with_name(output.name + ".data")).exists() else [])]
        report = {
            "opset": opset_of(args.opset),
            "operators": operators(model, opset=args.opset),
            "files": {str(path): path.stat().st_size for path in written},
        }
        print(json.dumps(report, indent=2))
