"""What the compiler made of the tiles of gemm.h: their innermost loops, and the vectors that these put on the stack.

A tile holds all its sums in registers. Where they do not fit, the compiler stores some in every round and reads them
back: a third of the speed, without any wrong number. So a round of the loop over k may store no vector at all, and
read none from the stack.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HEADER = re.compile(r"^[0-9a-f]+ <(\w+?)(?:\.\w+)*>:$")
LINE = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
SUM = re.compile(r"^vf(n?m)(add|sub)\d+[ps]s$|^(v?add)ps$|^fml[as]$")
STACK = re.compile(r"\(%rsp|\(%rbp")


class Loop(NamedTuple):
    """An innermost loop.

    Args:
        name: its function.
        vectors: "zmm", "ymm" or "xmm", the widest registers in it.
        sums: how many sums of vectors a round has.
        lines: instructions of a round.
        spills: those that store a vector, or read one from the stack.
    """

    name: str
    vectors: str
    sums: int
    lines: int
    spills: tuple[str, ...]


def functions(binary: Path, prefix: str) -> Iterator[tuple[str, list[tuple[int, str, str]]]]:
    """The functions whose names begin so: (address, instruction, operands) of each line."""
    command = ["objdump", "-d", "--no-show-raw-insn", "-w", str(binary)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    name, lines = "", list[tuple[int, str, str]]()
    for line in text.splitlines():
        if header := HEADER.match(line):
            if name.startswith(prefix):
                yield name, lines
            name, lines = header[1], []
        elif name.startswith(prefix) and (found := LINE.match(line)):
            lines.append((int(found[1], 16), found[2], found[3]))
    if name.startswith(prefix):
        yield name, lines


def is_spill(instruction: str, operands: str) -> bool:
    """Whether an instruction moves a vector to memory, or from the stack."""
    if not instruction.startswith(("vmov", "mov")) or "mm" not in operands:
        return False
    source, _, target = operands.rpartition(",")
    return ("mm" in source and "(" in target) or (bool(STACK.search(source)) and "mm" in target)


def loops(binary: Path, prefix: str = "gf_tile_") -> list[Loop]:
    """The innermost loops with sums of vectors, of all functions whose names begin so."""
    found = []
    for function, lines in functions(binary, prefix):
        at = {address: index for index, (address, _, _) in enumerate(lines)}
        jumps = [
            (at[target], index)
            for index, (_, instruction, operands) in enumerate(lines)
            if instruction.startswith("j")
            and (target := int(operands.split()[0], 16) if re.match("[0-9a-f]+ <", operands) else -1) in at
            and at[target] <= index
        ]
        for first, last in jumps:
            if any(first <= other and end < last for other, end in jumps if (other, end) != (first, last)):
                continue
            body = lines[first : last + 1]
            sums = sum(bool(SUM.match(instruction)) for _, instruction, _ in body)
            text = " ".join(operands for _, _, operands in body)
            vectors = next((kind for kind in ("zmm", "ymm", "xmm") if kind in text), "")
            spills = tuple(f"{name} {given}" for _, name, given in body if is_spill(name, given))
            if sums and vectors:
                found.append(Loop(function, vectors, sums, len(body), spills))
    return found


def inner_loops(binary: Path) -> dict[tuple[str, str], Loop]:
    """By vectors and function, the loop over k of each tile: the shortest that has two elements of k in a round."""
    found: dict[tuple[str, str], Loop] = {}
    for loop in loops(binary):
        rows, vecs = map(int, re.findall(r"\d+", loop.name))
        key = (loop.vectors, loop.name)
        if loop.sums == 2 * rows * vecs and (key not in found or loop.lines < found[key].lines):
            found[key] = loop
    return found
