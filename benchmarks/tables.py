"""Tables in Markdown, and what of the rows of benchmarks counts."""

import json
from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]
UNFOLDED = 8  # rows that a table may have without being folded
FOLDED = "<details><summary>{count} rows</summary>\n\n{table}\n</details>\n"


def newest(found: Iterable[Row], *fields: str) -> list[Row]:
    """The last row of each combination of fields, in the order of their first appearance."""
    kept: dict[tuple[Any, ...], Row] = {}
    for row in found:
        kept[tuple(json.dumps(row.get(field)) for field in fields)] = row
    return list(kept.values())


def table(names: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a long one is folded, and says how long it is."""
    names, rest = list(names), list(map(list, lines))
    every = [names, ["---"] * len(names), *rest]
    text = "\n".join("| " + " | ".join(line) + " |" for line in every) + "\n"
    return text if len(rest) <= UNFOLDED else FOLDED.format(count=len(rest), table=text)


def percent(fraction: float | None) -> str:
    """One decimal."""
    return "-" if fraction is None else f"{100 * fraction:.1f}"
