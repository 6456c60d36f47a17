"""The command line: `graphflow COMMAND`.

A command is a module with `add_to(commands, common)` and `run(args)`; whatever is slow to import, it imports in `run`.
Everything that goes wrong becomes one line on standard error and exit code 2.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import graphflow

__all__ = ["main"]

COMMANDS = ("batch", "compare", "convert", "diff", "export", "inspect", "inspect_file", "plot", "predict", "summary")
"""The modules of the commands, in the order `graphflow --help` lists them."""

FAILED, INTERRUPTED, PIPE_CLOSED = 2, 130, 141
"""Exit codes; the last two are what a shell reports for SIGINT and SIGPIPE."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _complain(f"{message} (see `{self.prog} --help`)")
        raise SystemExit(FAILED)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments, without the program's name; by default those of the process.

    Returns:
        The exit code: 0, 2 after an error, 130 after Ctrl-C, 141 when the reader of the output has gone.

    Example:
        >>> from graphflow.cli import main
        >>> main(["summary", "nothing.keras"])
        2
    """
    debug = False
    try:
        try:
            args = _parser().parse_args(argv)
            debug = args.debug
            args.run(args)
        finally:
            sys.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return PIPE_CLOSED
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        _complain(_described(error))
        return FAILED
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of errors")
    parser = _Parser(prog="graphflow", description="Open Keras models and run them on the CPU.")
    parser.add_argument("--version", action="version", version=f"graphflow {graphflow.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of errors")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        import_module(f"graphflow.cli.{name}").add_to(commands, common)
    return parser


def _described(error: Exception) -> str:
    """What went wrong, in one line; an error that nobody raised on purpose keeps its type."""
    from graphflow.errors import GraphflowError

    if isinstance(error, GraphflowError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    return f"unexpected {type(error).__name__}: {error} (--debug shows where)"


def _complain(message: str) -> None:
    from graphflow.inspect.text import encodable, escaped

    line = escaped(" ".join(message.split("\n")))
    print(encodable(f"graphflow: error: {line}", getattr(sys.stderr, "encoding", None)), file=sys.stderr)


def _drop_output() -> None:
    """Let nothing be written to the closed pipe when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        pass
    finally:
        os.close(nowhere)
