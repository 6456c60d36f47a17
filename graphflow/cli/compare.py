"""`graphflow compare A [B]`: the first layer at which two models, or two settings of one, differ."""

from __future__ import annotations

import argparse
from typing import Any

from graphflow.cli.questions import MODEL, add_inputs, add_output, add_shapes, inputs_of, put, shapes_of
from graphflow.errors import ArgumentError

DIFFER = 1
"""The exit code where models differ."""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its arguments to the parser."""
    parser = commands.add_parser(
        "compare",
        parents=[common],
        help="run two models on the same inputs and find the first layer at which they differ",
        epilog="Exit code 0: equal within the tolerance; 1: not; 2: an error.",
    )
    parser.add_argument("first", metavar="A", help=MODEL)
    parser.add_argument("second", metavar="B", nargs="?", help="another; by default A itself, under --set")
    parser.add_argument(
        "--set",
        metavar="KNOB=VALUE",
        action="append",
        default=[],
        help="a setting for the second model alone: reference=1, isa=avx2, precision=strict, passes_off=all, threads=2",
    )
    parser.add_argument("--tolerance", metavar="X", type=float, default=1e-5, help="of the largest value (1e-5)")
    add_shapes(parser)
    add_inputs(parser)
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Compare, and say by the exit code whether the models are equal.

    Raises:
        SystemExit: the models differ.
        GraphflowError, OSError: a file that can not be read, or inputs that do not fit the models.
    """
    from graphflow.formats import load_model
    from graphflow.inspect import compare

    if args.second is None and not args.set:
        raise ArgumentError("compare needs a second model, or --set for the settings under which A is run again.")
    first = load_model(args.first)
    second = None if args.second is None else load_model(args.second)
    inputs, shapes = inputs_of(args, first), shapes_of(args, first)
    found = compare(first, second, inputs, shapes, args.tolerance, _settings(args.set), args.seed)
    put(args, found)
    if not found.same:
        raise SystemExit(DIFFER)


def _settings(given: list[str]) -> dict[str, Any]:
    """Knobs and their values, as the environment gives them."""
    from graphflow.knobs import parsed

    pairs = [text.partition("=") for text in given]
    for text, (_, equals, _) in zip(given, pairs, strict=True):
        if not equals:
            raise ArgumentError(f"--set {text}: expected KNOB=VALUE.")
    return {name: parsed(name, value) for name, _, value in pairs}
