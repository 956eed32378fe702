"""The tables of a run for a terminal, made from the document that `run.json` holds."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from unfreeze.report.wording import duration, percent, percent_range, printable

PIPE_WIDTH = 10_000  # a table that goes into a pipe or a file is never wrapped


@dataclass(frozen=True, kw_only=True)
class StrategyRow:
    """One strategy, ready to print.

    Attributes:
        name: Its name.
        accuracy: On the test images, in per cent.
        interval: 95 % interval of the accuracy.
        balanced: Balanced accuracy.
        time: What it cost.
        trained: What was trained; for a strategy that was shortened or left out, also why.
        picked: Whether it is the strategy to use.
    """

    name: str
    accuracy: str
    interval: str
    balanced: str
    time: str
    trained: str
    picked: bool = False


def strategy_rows(document: Mapping[str, Any]) -> tuple[StrategyRow, ...]:
    """The rows of a run's table, in the order of the record.

    Args:
        document: What `run.json` holds, or a part of it with ``strategies`` and ``picked``.

    Returns:
        One row per strategy, also for those that were left out.
    """
    return tuple(_row(outcome, picked=document.get("picked")) for outcome in document["strategies"])


def _row(outcome: Mapping[str, Any], *, picked: str | None) -> StrategyRow:
    status, note = outcome.get("status", "done"), outcome.get("note", "")
    remark = "" if status == "done" else f"{status}: {note}" if note else status
    parts = [remark] if status == "left out" else [outcome["trained"], remark]
    measured = outcome.get("accuracy") is not None
    return StrategyRow(
        name=printable(outcome["name"]),
        accuracy=percent(outcome.get("accuracy")),
        interval=percent_range(outcome.get("interval")),
        balanced=percent(outcome.get("balanced_accuracy")),
        time=duration(outcome["seconds"]) if measured or outcome.get("seconds") else "-",
        trained=printable("; ".join(part for part in parts if part)),
        picked=outcome["name"] == picked,
    )


def strategy_table(document: Mapping[str, Any]) -> Table:
    """What each strategy gave: accuracy with its interval, balanced accuracy, cost, what was trained.

    Args:
        document: What `run.json` holds, or a part of it with ``strategies`` and ``picked``.

    Returns:
        A table for `rendered`.
    """
    table = plain_table(
        "strategy", "accuracy", "95 % interval", "balanced", "time", "trained", right="accuracy balanced time"
    )
    for row in strategy_rows(document):
        cells = (
            f"{row.name} *" if row.picked else row.name,
            row.accuracy,
            row.interval,
            row.balanced,
            row.time,
            row.trained,
        )
        add_row(table, cells, style="bold" if row.picked else "")
    return table


def depth_table(points: Sequence[Mapping[str, Any]]) -> Table:
    """The depth curve: probe accuracy by tap, shallow to deep.

    Args:
        points: The ``depth_curve`` of a run, or the points that `unfreeze probe` gives.

    Returns:
        A table for `rendered`; the best cross-validated accuracy of each loss is marked with a star.
    """
    best = {
        loss: max((p["cv_accuracy"] for p in points if p["loss"] == loss), default=0.0) for loss in ("softmax", "svm")
    }
    table = plain_table(
        "tap", "width", "probe", "C", "cv accuracy", "test accuracy", right="width C cv accuracy test accuracy"
    )
    for point in points:
        chosen = point["cv_accuracy"] == best[point["loss"]]
        selection = percent(point["cv_accuracy"]) + (" *" if chosen else "  ")
        cells = (
            point["tap"],
            f"{point['width']:,}",
            point["loss"],
            f"{point['C']:.3g}",
            selection,
            percent(point["accuracy"]),
        )
        add_row(table, cells, style="bold" if chosen else "")
    return table


def plain_table(*headings: str, right: str = "") -> Table:
    """An empty table with these headings; those named in `right` are aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


def add_row(table: Table, cells: Iterable[str], *, style: str = "") -> None:
    """Add cells as they are: what looks like markup in a name stays a name, what could steer a terminal is escaped."""
    table.add_row(*(Text(printable(cell)) for cell in cells), style=style or None)


def rendered(what: RenderableType, *, width: int = PIPE_WIDTH, colour: bool = False) -> str:
    """The text of a table or a line, as it goes to a terminal or into a pipe.

    Args:
        what: Something that rich can print.
        width: Columns that are available.
        colour: Whether bold type and colours may be used.

    Returns:
        Lines, the last one ended.
    """
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=colour,
        color_system="auto" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(what)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
