"""`graphflow batch MODEL SOURCE... -o SINK`: a long job from the shell, which can be stopped and goes on."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any

EXAMPLES = """\
examples:
  graphflow batch model.keras rows.npy -o scores.npy
  graphflow batch model.keras 'table/*.parquet' -o scores.parquet --input x=col:a,b,c --id key
  graphflow batch model.keras rows.csv -o scores.csv --input seq=col:tokens --input meta=col:a,b --id name
  graphflow batch model.keras rows.jsonl -o scores/ --to parquet --on-error skip
  graphflow batch model.keras left=a.npy right=b.npy -o 'out-{output}.npy'
  graphflow batch model.keras photos/ -o classes.csv --resize 224x224 --scale unit --id path --post top-5
  graphflow batch model.keras store.zarr -o scores.zarr --engine local --workers 2
  graphflow batch model.keras 'table/*.parquet' -o scores.parquet --engine dask --workers 4
  cat rows.csv | graphflow batch model.keras - -o - --from csv --to jsonl --batch-size 1

exit codes:
  0    finished
  3    finished, but there are bad rows (skipped or filled); they are listed in OUTPUT.rejects.jsonl
  4    stopped (Ctrl-C, a full disk, a bad row, a dead worker); the same command goes on where it stood
  2    anything else; nothing was begun, or it can not go on
"""

FINISHED_WITH_REJECTS, STOPPED = 3, 4


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its arguments to the parser."""
    parser = commands.add_parser(
        "batch",
        parents=[common],
        help="run a model on all rows of files, in bounded memory; goes on after a stop",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="a model file")
    add("source", metavar="SOURCE", nargs="+", help="files, folders or patterns; NAME=file.npy for each input; or -")
    add("-o", "--output", metavar="SINK", required=True, help="a file, a name with {output}, a folder, or -")
    add("--from", dest="source_format", metavar="FORMAT", help="of the source, where its ending does not say it")
    add("--to", dest="sink_format", metavar="FORMAT", help="of the output, for folders and standard output")
    add("--input", metavar="NAME=col:A,B", action="append", default=[], help="the column or columns an input takes")
    add("--id", metavar="COLUMN", action="append", default=[], help="a column that goes into the output as it is")
    add("--batch-size", metavar="N", type=_size, default="auto", help="rows computed at once (default: auto)")
    add("--shard-rows", metavar="N", type=_size, help="rows that a kill can cost at most (default: by their bytes)")
    add("--on-error", choices=("stop", "skip", "fill"), default="stop", help="what a bad row does (default: stop)")
    add("--fill", metavar="NUMBER", type=float, help="the number in filled rows (default: NaN)")
    add("--post", metavar="STEP", action="append", help="softmax, argmax, top-K or threshold:T; OUTPUT=STEP for one")
    add("--encoding", help="of CSV and JSON lines (default: utf-8)")
    add("--delimiter", help="of CSV (default: a comma)")
    add("--resize", metavar="HxW", type=_height_width, help="of images")
    add("--scale", choices=("none", "unit", "signed"), help="of images: 0 to 255, 0 to 1, or -1 to 1")
    add("--color", choices=("rgb", "grayscale", "rgba"), help="of images (default: rgb)")
    add("--resume", action=argparse.BooleanOptionalAction, default=True, help="go on where an earlier run stood")
    add("--json", action="store_true", help="progress and report as JSON lines on standard error")
    add("--engine", default="local", help="what runs the shards: local (default), dask or ray")
    add("--workers", metavar="N", type=_size, help="processes (default: one, with threads)")
    parser.set_defaults(run=run)


def _size(text: str) -> int | str:
    if text == "auto":
        return text
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, received {text!r}")
    return number


def _height_width(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit()):
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH, received {text!r}")
    return int(height), int(width)


def _source(given: list[str]) -> Any:
    """The paths, or a dict of them where every one is NAME=path."""
    pairs = [text.partition("=") for text in given]
    if all(equals and "/" not in name and name for name, equals, _ in pairs):
        return {name: path for name, _, path in pairs}
    return given[0] if len(given) == 1 else given


def _post(given: list[str] | None) -> Any:
    """Steps for all outputs, or a dict of those of each."""
    if not given:
        return None
    if all("=" in one for one in given):
        steps: dict[str, list[str]] = {}
        for one in given:
            name, _, step = one.partition("=")
            steps.setdefault(name, []).append(step)
        return steps
    return given


def run(args: argparse.Namespace) -> None:
    """Run the job.

    Raises:
        SystemExit: with the code for what happened, if the job is not simply finished.
        GraphflowError, OSError: a job that can not begin.
    """
    from graphflow.batch.engines import engine_of
    from graphflow.batch.job import Job
    from graphflow.batch.mapping import parse_inputs

    given = {name: getattr(args, name) for name in ("encoding", "delimiter", "resize", "scale", "color")}
    job = Job(
        args.model,
        _source(args.source),
        args.output,
        args.batch_size,
        inputs=parse_inputs(args.input) if args.input else None,
        ids=args.id,
        on_error=args.on_error,
        fill=args.fill,
        post=_post(args.post),
        shard_rows=args.shard_rows,
        source_format=args.source_format,
        sink_format=args.sink_format,
        source_options={name: value for name, value in given.items() if value is not None},
        progress="json" if args.json else "auto",
    )
    engine = engine_of(args.engine, args.workers)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        report = job.run(args.resume, engine)
    except KeyboardInterrupt:
        if not job.can_resume():
            raise
        _say("stopped; the same command goes on where it stood")
        raise SystemExit(STOPPED) from None
    except Exception as error:
        if args.debug or not job.can_resume():
            raise
        from graphflow.cli import _described

        _say(f"stopped: {_described(error)}; what is done stays done, the same command goes on where it stood")
        raise SystemExit(STOPPED) from None
    finally:
        signal.signal(signal.SIGTERM, previous)
    if not args.json:
        print(report, file=sys.stderr)
    if report.bad_rows:
        raise SystemExit(FINISHED_WITH_REJECTS)


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _say(message: str) -> None:
    from graphflow.inspect.text import encodable, escaped

    line = escaped(" ".join(message.split("\n")))
    print(encodable(f"graphflow: {line}", getattr(sys.stderr, "encoding", None)), file=sys.stderr)
