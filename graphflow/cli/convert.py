"""`graphflow convert IN OUT`: a model file in another form."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EXAMPLES = """\
what OUT is, is told by how it ends:
  .keras              a model for Keras 3
  .h5, .hdf5          a model for tf.keras 2
  .json               the configuration alone, as Keras 3 has it
  .weights.h5         the weights alone, as Keras 3 has them
  .safetensors        the weights alone, by name (needs the package safetensors)
  .onnx               a model for ONNX (needs the package onnx)

examples:
  graphflow convert old.h5 new.keras
  graphflow convert model.keras weights.safetensors
  graphflow convert weights.h5 new.weights.h5 --model model.json
"""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its arguments to the parser."""
    parser = commands.add_parser(
        "convert",
        parents=[common],
        help="write a model file in another form",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", metavar="IN", help="a model file that graphflow opens; with --model a file of weights")
    parser.add_argument("output", metavar="OUT", help="the file to write; replaced if there")
    parser.add_argument("--model", metavar="FILE", help="the model that the weights in IN are for, or its .json")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Open the model and write it.

    Raises:
        GraphflowError, OSError: a file that can not be read or written, or something that the form can not say.
    """
    write(read(args.input, args.model), args.output)


def read(source: str, model: str | None) -> Any:
    """A model from a file, or from a file of weights and another with the model."""
    from graphflow.formats import load_model
    from graphflow.formats.from_json import model_from_json

    whole = model or source
    made = model_from_json(Path(whole).read_bytes(), where=whole) if whole.endswith(".json") else load_model(whole)
    if model is not None:
        made.load_weights(source)
    return made


def write(model: Any, output: str) -> None:
    """Write a model in the form that the file's name tells."""
    from graphflow.formats.write import save_model, save_weights, to_json
    from graphflow.formats.write_file import whole_file

    if output.endswith(".json"):
        with whole_file(output) as path:
            path.write_text(to_json(model) + "\n", encoding="utf-8")
    elif output.endswith((".weights.h5", ".safetensors")):
        save_weights(model, output)
    elif output.endswith(".onnx"):
        from graphflow.formats.onnx_write import export

        export(model, Path(output))
    else:
        save_model(model, output)
