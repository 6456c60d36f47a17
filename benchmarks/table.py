"""Rows of interleaved timings as lines and means: what `benchmarks.models` and `benchmarks.layers` print.

A row is a dict: what was timed ("model" or "layer"), "batch", "threads", "seconds" by engine, "ratio" by peer,
"fastest" (the ratio to the fastest rival, with its name), "difference" of outputs, "others", and "rounds", every time
measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.engines import OWN, PEERS, RIVALS
from benchmarks.rounds import fastest, ratios, summarize

Row = dict[str, Any]
SHORT = {
    "onnxruntime": "ort",
    "openvino": "ov",
    "pytorch": "torch",
    "pytorch-compiled": "compiled",
    "openvino-default": "ov-low",
    "tensorflow": "tf",
}
"""How peers are called in the head of the table; ov-low is openvino-default, which may compute in bfloat16."""


def make_row(what: Mapping[str, Any], times: Mapping[str, list[float]], difference: float, others: float) -> Row:
    """A row from the times of every round, by engine."""
    ratio = {peer: ratios(times[OWN], times[peer]) for peer in times if peer != OWN}
    return {
        **what,
        "difference": difference,
        "others": others,
        "seconds": {engine: summarize(each) for engine, each in times.items()},
        "ratio": ratio,
        "fastest": fastest(ratio, RIVALS),
        "rounds": dict(times),
    }


def header(kind: str, peers: Sequence[str], width: int = 16) -> str:
    """The head of the table."""
    shown = [peer for peer in PEERS if peer in peers]
    names = " ".join(f"{SHORT[peer]:>8}" for peer in shown if peer in RIVALS)
    beside = " ".join(f"{SHORT[peer]:>8}" for peer in shown if peer not in RIVALS)
    return (
        f"{kind:<{width}} {'batch':>5} {'threads':>7} {'own us':>10}  {names}  "
        f"{'fastest':>7} {'middle half':>12}  {'of it':<8}  {beside}{' ' if beside else ''}{'others':>6}"
    )


def format_row(row: Row, kind: str, peers: Sequence[str], width: int = 16) -> str:
    """One line: own time, then the ratio to each rival, to the fastest of them, and to the other peers."""
    shown = [peer for peer in PEERS if peer in peers]

    def cell(peer: str) -> str:
        found = row["ratio"].get(peer)
        return f"{found['median']:8.2f}" if found else f"{'-':>8}"

    best = row["fastest"]
    first = (
        f"{best['median']:7.2f} {best['low']:5.2f} - {best['high']:4.2f}  {SHORT[best['engine']]:<8}"
        if best
        else " " * 30
    )
    beside = " ".join(cell(peer) for peer in shown if peer not in RIVALS)
    return (
        f"{row[kind]:<{width}} {row['batch']:>5} {row['threads']:>7} {row['seconds'][OWN]['median'] * 1e6:10.1f}  "
        f"{' '.join(cell(peer) for peer in shown if peer in RIVALS)}  {first}  "
        f"{beside}{' ' if beside else ''}{row['others']:6.2f}"
    )


def format_long(row: Row) -> Iterator[str]:
    """A line for each engine: median, smallest, largest time; ratio, its middle half, ratio of the smallest times."""
    for engine, seconds in row["seconds"].items():
        numbers = " ".join(f"{seconds[key] * 1e6:10.1f}" for key in ("median", "min", "max"))
        tail, found = "", row["ratio"].get(engine)
        if found:
            tail = f"  {found['median']:6.2f} {found['low']:5.2f} - {found['high']:4.2f} {found['of_min']:6.2f}"
        yield f"    {engine:<18} {numbers}{tail}"


def _mean(rows: Sequence[Row], peer: str) -> dict[str, Any] | None:
    """Geometric mean, count and smallest of a peer's ratios; "fastest" for the fastest rival."""
    chosen = [row["fastest"] if peer == "fastest" else row["ratio"].get(peer) for row in rows]
    found = [ratio["median"] for ratio in chosen if ratio]
    return {"mean": statistics.geometric_mean(found), "count": len(found), "least": min(found)} if found else None


def means(rows: Sequence[Row], peers: Collection[str]) -> list[dict[str, Any]]:
    """Geometric means of the ratios, for each number of threads and batch, and over all rows.

    Args:
        rows: as `make_row` gives them.
        peers: which peers to speak of, beside the fastest rival.

    Returns:
        For each group "threads" and "batch" (None: all), and "mean", "count", "least" of each peer and of "fastest".
    """
    groups: list[tuple[int | None, int | None]] = sorted({(row["threads"], row["batch"]) for row in rows})
    groups += [(threads, None) for threads in sorted({row["threads"] for row in rows})] + [(None, None)]
    table = []
    for threads, batch in groups:
        chosen = [row for row in rows if threads in (None, row["threads"]) and batch in (None, row["batch"])]
        found = {peer: _mean(chosen, peer) for peer in ("fastest", *(peer for peer in PEERS if peer in peers))}
        table.append({"threads": threads, "batch": batch, **{peer: one for peer, one in found.items() if one}})
    return table


def format_means(table: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The table of `means` as lines."""
    peers = list(dict.fromkeys(key for row in table for key in row if key not in ("threads", "batch")))
    names = " ".join(f"{SHORT.get(peer, peer) + ' (least)':>18}" for peer in peers)
    yield f"{'threads':>7} {'batch':>5} {'rows':>5} {names}"
    for row in table:
        cells = []
        for peer in peers:
            found = row.get(peer)
            cells.append(f"{found['mean']:11.2f} ({found['least']:4.2f})" if found else f"{'-':>18}")
        count = max((row[peer]["count"] for peer in peers if peer in row), default=0)
        threads, batch = ("all" if row[key] is None else row[key] for key in ("threads", "batch"))
        yield f"{threads:>7} {batch:>5} {count:>5} {' '.join(cells)}"
