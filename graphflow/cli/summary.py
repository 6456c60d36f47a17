"""`graphflow summary MODEL`: the table of a model's layers."""

from __future__ import annotations

import argparse
from typing import Any


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its arguments to the parser."""
    parser = commands.add_parser("summary", parents=[common], help="print a table of a model's layers")
    parser.add_argument("model", metavar="MODEL", help="a .keras file")
    parser.add_argument("--line-length", metavar="N", type=int, help="columns in a line")
    parser.add_argument("--expand-nested", action="store_true", help="list the layers of models inside the model")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the table."""
    from graphflow.formats import load_model
    from graphflow.inspect import print_summary

    print_summary(load_model(args.model), line_length=args.line_length, expand_nested=args.expand_nested)
