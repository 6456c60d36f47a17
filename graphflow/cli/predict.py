"""`graphflow predict MODEL INPUT... -o OUT`: arrays from files in, a model's answers in a file out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

INPUTS = """Several inputs are given as name=file.npy, or as files in the order of the model's inputs, or as one .npz
file whose keys are the names of the inputs."""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its arguments to the parser."""
    parser = commands.add_parser("predict", parents=[common], help="run a model on arrays", epilog=INPUTS)
    parser.add_argument("model", metavar="MODEL", help="a .keras file")
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="a .npy or .npz file, or name=file.npy")
    parser.add_argument(
        "-o", "--output", metavar="OUT", required=True, help=".npy for one output, .npz for several; replaced if there"
    )
    parser.add_argument("--batch-size", metavar="N", type=_positive, help="rows computed at once (default: 32)")
    parser.set_defaults(run=run)


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, received {text!r}")
    return number


def run(args: argparse.Namespace) -> None:
    """Predict, and write the outputs.

    Raises:
        GraphflowError, OSError: a file that can not be read or written, or inputs that do not fit the model.
    """
    from graphflow.cli.arrays import check_output, read_inputs, write_outputs
    from graphflow.formats import load_model
    from graphflow.layers.nest import leaves

    output = Path(args.output)
    check_output(output)
    model = load_model(args.model)
    names = model.output_names
    check_output(output, names)
    inputs = read_inputs(args.inputs, model.input_names, list(model.input) if isinstance(model.input, dict) else [])
    results = list(leaves(model.predict(inputs, batch_size=args.batch_size)))
    write_outputs(output, dict(zip(names, results, strict=True)))
