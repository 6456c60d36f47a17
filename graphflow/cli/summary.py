"""`graphflow summary MODEL`: the table of a model's layers."""

from __future__ import annotations

import argparse
from typing import Any

from graphflow.cli.questions import MODEL, add_output, add_shapes, put, shapes_of


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its arguments to the parser."""
    parser = commands.add_parser("summary", parents=[common], help="print a table of a model's layers")
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("--line-length", metavar="N", type=int, help="columns in a line")
    parser.add_argument("--expand-nested", action="store_true", help="list the layers of models inside the model")
    parser.add_argument("--show-trainable", action="store_true", help="say of each layer whether it is trainable")
    parser.add_argument("--costs", action="store_true", help="add bytes of outputs, multiply-adds and FLOPs")
    parser.add_argument("--plain", action="store_true", help="plain text on a terminal, too, where rich is installed")
    add_shapes(parser)
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the table."""
    from graphflow.formats import load_model
    from graphflow.inspect import print_summary
    from graphflow.inspect.describe import describe

    model = load_model(args.model)
    shapes = shapes_of(args, model)
    if args.json:
        put(args, describe(model, args.expand_nested, args.show_trainable, None, args.costs, shapes))
        return
    print_summary(
        model,
        line_length=args.line_length,
        expand_nested=args.expand_nested,
        show_trainable=args.show_trainable,
        costs=args.costs,
        input_shapes=shapes,
        rich=False if args.plain else None,
    )
