"""`graphflow diff A B`: how two models differ in structure and weights. Exit code 1: they do."""

from __future__ import annotations

import argparse
from typing import Any

from graphflow.cli.questions import MODEL, add_output, put

DIFFER = 1
"""The exit code where models differ."""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its arguments to the parser."""
    parser = commands.add_parser(
        "diff",
        parents=[common],
        help="say how two models differ in structure and weights",
        epilog="Exit code 0: they are equal; 1: they differ; 2: an error.",
    )
    parser.add_argument("first", metavar="A", help=MODEL)
    parser.add_argument("second", metavar="B", help=MODEL)
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Say how the models differ, and by the exit code whether they do.

    Raises:
        SystemExit: the models differ.
        GraphflowError, OSError: a file that can not be read.
    """
    from graphflow.formats import load_model
    from graphflow.inspect import diff

    found = diff(load_model(args.first), load_model(args.second))
    put(args, found)
    if found:
        raise SystemExit(DIFFER)
