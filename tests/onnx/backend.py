"""The backend tests that ship inside the onnx package, run here: every case passes, is refused by name, or is a fault.

    python -m tests.onnx.backend                  all cases; a table by reason; a floor for how many pass
    python -m tests.onnx.backend --write          the same, and the table goes into docs/onnx.md
    python -m tests.onnx.backend -k conv -v       those whose name holds "conv", one line each

Cases are compared as onnx's own runner does, with its tolerances.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

PASSING = 1968
"""How many of all cases passed when this was last looked at; `make onnx-tests` fails below it."""

RANDOM = re.compile(r"^test_bernoulli")
"""Cases whose expected numbers are drawn anew each time: shape, data type and range are compared."""

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")


@dataclass
class Outcome:
    """What became of one case: "pass", "refused", "WRONG" or "ERROR", and why; how it ran ("graph", "arrays")."""

    name: str
    kind: str
    result: str
    reason: str = ""
    mode: str = ""
    detail: str = ""


def cases(pattern: str = "") -> Iterator[Any]:
    """The cases whose names match."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for kind in KINDS:
            for case in load_model_tests(kind=kind):
                if re.search(pattern, case.name):
                    yield case


def light_path(case: Any) -> Path:
    """Where a whole network with made-up weights lies in the package."""
    import onnx

    return Path(onnx.__file__).parent.parent / case.url


def read_case(case: Any) -> tuple[bytes, str, list[tuple[list[Any], list[Any]]]]:
    """The bytes of a case's model, its path, and pairs of inputs and expected outputs."""
    import onnx

    if case.model is not None:
        data = case.model.SerializeToString()
        pairs = [([plain(x) for x in inputs], [plain(x) for x in outputs]) for inputs, outputs in case.data_sets]
        return data, case.name, pairs
    if case.kind == "real":
        path = light_path(case)
        model = onnx.load(path)
        known = {one.name for one in model.graph.initializer}
        inputs = [made_up(one) for one in model.graph.input if one.name not in known]
        prefix = path.parent / path.stem
        outputs = [load_value(f"{prefix}_output_{i}.pb", one.type) for i, one in enumerate(model.graph.output)]
        return path.read_bytes(), str(path), [(inputs, outputs)]
    path = Path(case.model_dir) / "model.onnx"
    model = onnx.load(path)
    known = {one.name for one in model.graph.initializer}
    given = [one.type for one in model.graph.input if one.name not in known]
    types = {"input": given, "output": [one.type for one in model.graph.output]}
    pairs = []
    for folder in sorted(path.parent.glob("test_data_set*")):
        read = {
            kind: [load_value(folder / f"{kind}_{i}.pb", one) for i, one in enumerate(types[kind])] for kind in types
        }
        pairs.append((read["input"], read["output"]))
    return path.read_bytes(), str(path), pairs


def made_up(value: Any) -> Any:
    """The input that onnx's runner makes for whole networks."""
    shape = tuple(one.dim_value if one.HasField("dim_value") else 1 for one in value.type.tensor_type.shape.dim)
    n = np.prod(shape)
    return (np.arange(n).reshape(shape) / n).astype(np.float32)


def plain(value: Any) -> Any:
    import onnx

    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def load_value(path: Any, kind: Any) -> Any:
    import onnx

    data = Path(path).read_bytes()
    if kind.HasField("sequence_type"):
        return onnx.numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if kind.HasField("optional_type"):
        return onnx.numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(data))


def run_case(case: Any) -> Outcome:
    """Run one case."""
    from onnx.backend.test.runner import Runner

    from graphflow.errors import UnsupportedError
    from graphflow.formats.limits import DEFAULT_LIMITS
    from graphflow.formats.onnx_read import model_from_bytes

    mode = ""
    try:
        data, path, pairs = read_case(case)
        model = model_from_bytes(data, path, DEFAULT_LIMITS)
        for inputs, expected in pairs:
            outputs = model.run(inputs)
            sessions = list(model._sessions.values())
            mode = "graph" if sessions and sessions[-1] is not None else "arrays"
            if RANDOM.search(case.name):
                outputs = [as_drawn(one, ours) for one, ours in zip(expected, outputs, strict=True)]
            Runner.assert_similar_outputs(flat(expected), flat(outputs), case.rtol, case.atol)
    except UnsupportedError as error:
        return Outcome(case.name, case.kind, "refused", reason_of(str(error)), mode, str(error))
    except AssertionError as error:
        return Outcome(case.name, case.kind, "WRONG", "another result", mode, str(error))
    except Exception as error:
        return Outcome(case.name, case.kind, "ERROR", type(error).__name__, mode, traceback.format_exc())
    return Outcome(case.name, case.kind, "pass", mode=mode)


def as_drawn(expected: Any, ours: Any) -> Any:
    """The expected array, if ours is one like it of zeros and ones."""
    fits = ours.shape == expected.shape and ours.dtype == expected.dtype and set(np.unique(ours)) <= {0, 1}
    return expected if fits else ours


def flat(values: list[Any]) -> list[Any]:
    """Values with the elements of sequences in their place, behind how many there are."""
    found: list[Any] = []
    for value in values:
        found += [np.asarray(len(value)), *flat(value)] if isinstance(value, list) else [value]
    return found


REASONS: tuple[tuple[str, str], ...] = (
    (r"elements of type STRING", "strings"),
    (r"operator '(\w+)' of domain '([\w.]+)'", r"operator \2 \1"),
    (r"attribute '(\w+)' of node .*?\(([\w.]+),", r"attribute \1 of \2"),
    (r"type \w*(?:FLOAT8|FLOAT4|INT4|INT2)\w*|float8|float4|u?int4|u?int2\b", "low-bit types"),
)


def reason_of(message: str) -> str:
    """The reason of a refusal without what is particular to the case."""
    for pattern, form in REASONS:
        found = re.search(pattern, message)
        if found:
            return found.expand(form)
    return re.sub(r"^.*?: ", "", message)[:100]


def table(outcomes: list[Outcome]) -> str:
    """The outcomes by reason, as Markdown."""
    counts = Counter((one.result, one.reason) for one in outcomes)
    order = {"pass": 0, "refused": 1, "WRONG": 2, "ERROR": 3}
    rows = sorted(counts.items(), key=lambda item: (order[item[0][0]], -item[1], item[0][1]))
    lines = [f"| {result} | {reason} | {count} |" for (result, reason), count in rows]
    return "\n".join(["| outcome | reason | cases |", "|---|---|---|", *lines])


GROUPS: tuple[tuple[str, str], ...] = (
    (r"^strings$", "strings"),
    (r"training", "training"),
    (r"ai\.onnx\.ml ", "trees and tables of ai.onnx.ml"),
    (r"TfIdfVectorizer", "text: TfIdfVectorizer"),
    (r"ImageDecoder", "image files: ImageDecoder"),
)
PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"


def grouped(outcomes: list[Outcome]) -> list[Outcome]:
    """The same with the reasons that the page has."""
    found = []
    for one in outcomes:
        name = next((name for pattern, name in GROUPS if re.search(pattern, one.reason)), one.reason)
        how = {"graph": "planned as one graph", "arrays": "in segments, since axes or sizes depend on data"}
        found.append(Outcome(one.name, one.kind, one.result, how[one.mode] if one.result == "pass" else name))
    return found


def write_page(outcomes: list[Outcome]) -> None:
    """Put the table into its page."""
    text = PAGE.read_text()
    start = text.index("| outcome | reason |") if "| outcome | reason |" in text else text.index("TABLE")
    PAGE.write_text(text[:start] + table(grouped(outcomes)) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("-k", default="", help="a regular expression that names must match")
    parser.add_argument("-v", action="store_true", help="one line for each case")
    parser.add_argument("-e", action="store_true", help="the messages of what is wrong")
    parser.add_argument("-r", action="store_true", help="the messages of what is refused")
    parser.add_argument("-s", action="store_true", help="one line for each operator that refuses or fails")
    parser.add_argument("--write", action="store_true", help="put the table into docs/onnx.md")
    args = parser.parse_args()
    start, outcomes = time.time(), []
    warnings.simplefilter("ignore")
    for case in cases(args.k):
        outcome = run_case(case)
        outcomes.append(outcome)
        bad = outcome.result in ("WRONG", "ERROR")
        if args.v or (bad and not args.s):
            print(outcome.result, outcome.mode, outcome.name, outcome.reason)
        if (args.e and bad) or (args.r and outcome.result == "refused"):
            print("   ", outcome.detail.replace("\n", "\n    "))
    print(table(outcomes))
    if args.write and not args.k:
        write_page(outcomes)
    counts = Counter(one.result for one in outcomes)
    modes = Counter(one.mode for one in outcomes if one.result == "pass")
    print(f"\n{len(outcomes)} cases in {time.time() - start:.0f} s: {dict(counts)}; passing ran by {dict(modes)}")
    if counts["WRONG"] or counts["ERROR"] or (not args.k and counts["pass"] < PASSING):
        print(f"FAILED: {counts['WRONG'] + counts['ERROR']} wrong or in error, at least {PASSING} must pass")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
