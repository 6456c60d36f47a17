"""What commands that look at models share: shapes and inputs from the command line, and text or JSON out."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from graphflow.errors import ArgumentError

MODEL = "a model file that graphflow opens: .keras, .h5, .onnx, ..."


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_shapes(parser: argparse.ArgumentParser) -> None:
    """Add `--shape` and `--batch`."""
    parser.add_argument(
        "--shape",
        metavar="[NAME=]1,224,224,3",
        action="append",
        default=[],
        help="the shape of an input, batch included; once for each input that needs it",
    )
    parser.add_argument("--batch", metavar="N", type=positive, help="the batch of all inputs that leave it open")


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add `--input` and `--seed`."""
    parser.add_argument(
        "--input",
        metavar="[NAME=]FILE",
        action="append",
        default=[],
        help="a .npy file, or a .npz file with all inputs; without any, inputs are made up",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the inputs that are made up (default: 0)")


def positive(text: str) -> int:
    """A positive integer, for argparse."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, received {text!r}")
    return number


def shapes_of(args: argparse.Namespace, model: Any) -> dict[str, Any] | None:
    """The shapes that `--shape` and `--batch` give, by input name; None where they give none.

    Raises:
        ArgumentError: a shape that is none, an unknown or missing name.
    """
    described = _described(model)
    found: dict[str, Any] = {}
    for text in args.shape:
        name, equals, sizes = text.rpartition("=")
        if not equals and len(described) != 1:
            names = ", ".join(described)
            raise ArgumentError(f"--shape {text}: the model has inputs {names}; say --shape NAME={text}.")
        found[name if equals else next(iter(described))] = _sizes(text, sizes)
    if args.batch is not None:
        for name, shape in described.items():
            if shape and shape[0] is None and name not in found:
                found[name] = (args.batch, *shape[1:])
    return found or None


def _described(model: Any) -> dict[str, Any]:
    """The shape of each input, as the model says it; None where it says none."""
    return {name: one.shape for name, one in zip(model.input_names, model.inputs, strict=True)}


def _sizes(text: str, sizes: str) -> tuple[int, ...]:
    parts = [part.strip() for part in sizes.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ArgumentError(f"--shape {text}: expected sizes such as 1,224,224,3.")
    return tuple(int(part) for part in parts)


def inputs_of(args: argparse.Namespace, model: Any) -> Any:
    """The arrays that `--input` names, as the model takes them; None where there are none."""
    from graphflow.cli.arrays import read_inputs

    if not args.input:
        return None
    keys = list(model.input) if isinstance(getattr(model, "input", None), dict) else []
    return read_inputs(args.input, model.input_names, keys)


def put(args: argparse.Namespace, report: Any) -> None:
    """Print a report, as text or as JSON."""
    from graphflow.inspect.text import encodable

    text = report.to_json() if args.json else str(report)
    print(encodable(text, getattr(sys.stdout, "encoding", None)))
