"""`graphflow inspect-file FILE`: what a file is, without building a model of it."""

from __future__ import annotations

import argparse
from typing import Any


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its arguments to the parser."""
    parser = commands.add_parser(
        "inspect-file",
        parents=[common],
        help="tell what a file is: its format, writer, layers, weights and what it needs",
    )
    parser.add_argument("file", metavar="FILE", help=".keras, .h5, .weights.json, .json, .safetensors or .onnx")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--untrusted", action="store_true", help="keep HDF5's library out of this process")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the report."""
    import sys

    from graphflow.formats import inspect_file
    from graphflow.inspect.text import encodable

    report = inspect_file(args.file, untrusted=args.untrusted)
    print(encodable(report.to_json() if args.json else str(report), sys.stdout.encoding))
