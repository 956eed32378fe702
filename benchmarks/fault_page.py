"""The page on reliability: faults row by row, and what the release tier has tried so far."""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROWS = Path(__file__).with_name("fault_rows.csv")
TEST = re.compile(r"([\w/]+\.py)(?:::(test_\w+))?")
STATES = ("holds", "in part", "not applicable")
HEAD = """\
# Reliability

What must not hurt: dirty folders, hostile files, disks and machines that die. Each of 111 faults is listed with the
test that holds it, or with what is missing. Written by `python benchmarks/faults.py --page`.

`make faults` runs the fault lab of [`tests/faults`](../tests/faults). Commands are forked from one process that has
imported everything; [a small C library](../tests/faultlab/shim.c) between them and the disk counts their file
operations, and kills the process before the N-th, tears it in half, has it fail, or notes what was not synchronised,
which a power cut then takes away. What stands afterwards has to be whole or absent, and the same command, or
`run --resume`, has to give the bits of one that nobody disturbed.
"""
LIMITS = """\
The power cut is a model: everything that was not synchronised is gone, names included; blocks that arrive out of their
order were not tried. Kills meet forks of a warm process, so imports are hardly met. Nothing here was tried on network
disks or Windows; the fault lab has been run to its end on one machine.
"""


def fault_rows() -> list[dict[str, str]]:
    """The list of faults: row, fault, state, and the tests or what is missing."""
    with ROWS.open(newline="") as file:
        found = list(csv.reader(file, delimiter="|"))
    return [dict(zip(("row", "fault", "state", "by"), line, strict=True)) for line in found[1:]]


def tests_named(text: str) -> list[tuple[str, str]]:
    """Files of tests, and in them the test or nothing, that a text names."""
    return [(found[1], found[2] or "") for found in TEST.finditer(text)]


def page(results: Sequence[Mapping[str, Any]], plan: Mapping[str, tuple[str, str, int]]) -> str:
    """The whole page.

    Args:
        results: Rows of `faults.jsonl`.
        plan: By kind its goal, its words and the number of its tries in a release.
    """
    return "\n".join([HEAD, *_release(results, plan), "", LIMITS, *_by_row()]) + "\n"


def _release(results: Sequence[Mapping[str, Any]], plan: Mapping[str, tuple[str, str, int]]) -> list[str]:
    tried, failed = Counter[str](), Counter[str]()
    for row in results:
        tried[row["kind"]] += row["tried"]
        failed[row["kind"]] += row["failed"]
    lines = [
        "## The release tier so far",
        "",
        "`make faults-long` goes on with it, in portions; rows are kept in"
        " [`faults.jsonl`](../benchmarks/faults.jsonl). Goals are those of the catalogue: R for nothing lost, I for"
        " images, S for nobody let in.",
        "",
        "| goal | what | tried | of | did not hold |",
        "|---|---|---:|---:|---:|",
    ]
    for name, (goal, words, total) in plan.items():
        lines.append(
            f"| {goal} | {words} | {tried[name]:,} | {total:,} | {failed[name] if tried[name] else 'not yet'} |"
        )
    said = [f"- {row['kind']}: {text}" for row in results for text in row["failures"]]
    return [*lines, *(["", "What did not hold:", "", *said] if said else [])]


def _by_row() -> list[str]:
    found = fault_rows()
    counts = Counter(row["state"] for row in found)
    lines = [
        "## Fault by fault",
        "",
        ", ".join(f"{counts[state]} {state}" for state in STATES) + ".",
        "",
        "| | fault | | by |",
        "|---:|---|---|---|",
    ]
    return [*lines, *(f"| {row['row']} | {row['fault']} | {row['state']} | {_linked(row['by'])} |" for row in found)]


def _linked(text: str) -> str:
    return TEST.sub(lambda found: f"[`{found[2] or Path(found[1]).name}`](../tests/{found[1]})", text)
