"""`graphflow inspect QUESTION MODEL`: what a model costs, how long it takes, what it needs and what becomes of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphflow.cli.questions import MODEL, add_inputs, add_output, add_shapes, inputs_of, positive, put, shapes_of

QUESTIONS = {
    "flops": "multiply-adds, FLOPs and bytes of each layer",
    "memory": "the arena over time, and what else a run needs",
    "profile": "measured time of each layer, beside what the machine could do",
    "explain": "what passes did, and which kernel computes each node and why",
    "trace": "every value on the way from inputs to outputs",
}


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its arguments to the parser."""
    parser = commands.add_parser("inspect", parents=[common], help="look into a model: " + ", ".join(QUESTIONS))
    questions = parser.add_subparsers(metavar="QUESTION", required=True)
    for name, told in QUESTIONS.items():
        one = questions.add_parser(name, parents=[common], help=told)
        one.add_argument("model", metavar="MODEL", help=MODEL)
        add_shapes(one)
        add_output(one)
        if name == "flops":
            one.add_argument("--tuned", action="store_true", help="count the graph as the passes leave it")
        if name in ("profile", "trace"):
            add_inputs(one)
        if name == "profile":
            one.add_argument("--repeats", metavar="N", type=positive, help="runs of each kind")
        if name == "trace":
            one.add_argument("--level", choices=("layer", "op"), default="layer", help="values of layers or of ops")
            one.add_argument("-o", "--output", metavar="OUT.npz", help="write all values to a .npz file")
        one.set_defaults(run=run, question=name)


def run(args: argparse.Namespace) -> None:
    """Answer the question.

    Raises:
        GraphflowError, OSError: a file that can not be read, or shapes and inputs that do not fit the model.
    """
    from graphflow.cli.arrays import check_output, write_outputs
    from graphflow.formats import load_model

    output = Path(args.output) if getattr(args, "output", None) else None
    if output is not None:
        check_output(output, ("", ""))
    model = load_model(args.model)
    report = ANSWERS[args.question](args, model)
    if output is not None:
        write_outputs(output, {name.replace("/", "."): array for name, array in report.arrays.items()})
    put(args, report)


def _flops(args: argparse.Namespace, model: Any) -> Any:
    from graphflow.inspect import flops

    return flops(model, shapes_of(args, model), tuned=args.tuned)


def _memory(args: argparse.Namespace, model: Any) -> Any:
    from graphflow.inspect import memory

    return memory(model, shapes_of(args, model))


def _profile(args: argparse.Namespace, model: Any) -> Any:
    from graphflow.inspect import profile

    return profile(model, inputs_of(args, model), shapes_of(args, model), args.repeats, args.seed)


def _explain(args: argparse.Namespace, model: Any) -> Any:
    from graphflow.inspect import explain

    return explain(model, shapes_of(args, model))


def _trace(args: argparse.Namespace, model: Any) -> Any:
    from graphflow.inspect import trace

    return trace(model, inputs_of(args, model), shapes_of(args, model), args.level, args.seed)


ANSWERS: dict[str, Callable[[argparse.Namespace, Any], Any]] = {
    "flops": _flops,
    "memory": _memory,
    "profile": _profile,
    "explain": _explain,
    "trace": _trace,
}
