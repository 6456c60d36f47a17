"""`graphflow plot MODEL -o OUT`: a picture of a model, a page that shows it, or its graph as JSON or DOT."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

ENDINGS = ".html, .svg, .json and .dot need nothing else; .png, .pdf and .jpg need Graphviz"


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its arguments to the parser."""
    parser = commands.add_parser("plot", parents=[common], help="draw a model, as a page or a picture")
    parser.add_argument("model", metavar="MODEL", help="a .keras, .h5 or .onnx file")
    parser.add_argument("-o", "--output", metavar="OUT", help=ENDINGS)
    parser.add_argument("--json", action="store_true", help="print the graph as JSON; its schema is in docs/graphs.md")
    parser.add_argument(
        "--level", choices=("layer", "op", "plan"), help="what boxes are (default: layers, or else ops)"
    )
    parser.add_argument("--rankdir", choices=("TB", "BT", "LR", "RL"), default="TB", help="the way the tensors go")
    parser.add_argument("--collapse-nested", action="store_true", help="draw models inside the model as one box")
    parser.add_argument("--time", action="store_true", help="measure the layers' times, to colour the page by")
    parser.add_argument("--shape", metavar="NAME=SIZES", action="append", default=[], help="as image=1,224,224,3")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Open the model and draw it.

    Raises:
        GraphflowError, OSError: a file that can not be read or written, or a picture that needs what is not installed.
    """
    from graphflow.errors import ArgumentError
    from graphflow.formats import load_model
    from graphflow.inspect import encodable, escaped, graph_data, graph_json, profile
    from graphflow.inspect.plot import Look, write_picture

    if args.output is None and not args.json:
        raise ArgumentError("plot needs an output, such as -o model.html, or --json.")
    model = load_model(args.model)
    shapes = dict(_shape(text) for text in args.shape) or None
    times = profile(model, input_shapes=shapes) if args.time else None
    data = graph_data(model, args.level, not args.collapse_nested, input_shapes=shapes, times=times)
    if args.json:
        print(graph_json(data, indent=2))
    if args.output is None:
        return
    picture = write_picture(data, Path(args.output), None, Look(rankdir=args.rankdir))
    if not args.json:
        said = f"{len(data.nodes):,} nodes, {len(data.edges):,} edges: {escaped(picture.path)}"
        print(encodable(said, sys.stdout.encoding))


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    from graphflow.errors import ArgumentError

    name, _, sizes = text.rpartition("=")
    parts = sizes.split(",")
    if not name or not all(part.isascii() and part.isdigit() for part in parts):
        raise ArgumentError(f"--shape takes a name and sizes, such as image=1,224,224,3; received {text!r}.")
    return name, tuple(map(int, parts))
