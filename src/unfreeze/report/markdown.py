"""A run in Markdown, for a commit, an issue or a lab book: the answer, the strategies, the steps, the classes."""

import re
from collections.abc import Iterable, Sequence

from unfreeze.core.records import ClassScores
from unfreeze.core.run_record import RunRecord
from unfreeze.core.wording import capital, percent, percent_range, printable
from unfreeze.report.command_line import command_line, without_paths
from unfreeze.report.mistakes import errors_of
from unfreeze.report.table import SCORE_COLUMNS, step_rows, strategy_rows

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~&!])")


def markdown(record: RunRecord, *, paths: bool = True) -> str:
    """The same as the report, in short and without pictures; no photo is named.

    Args:
        record: Of the run.
        paths: Whether the command to repeat it has its paths; not where the run was told to name no file.

    Returns:
        CommonMark with the tables of GitHub; names are shown as they are, whatever characters they have.
    """
    parts = [f"# {_text('How far to unfreeze')}", *map(_text, record.verdict), *_strategies(record), *_steps(record)]
    parts += [*_classes(record), *_repeat(record, paths=paths and record.command.photos)]
    return "\n\n".join(parts) + "\n"


def _text(text: str) -> str:
    """A text in which Markdown finds nothing."""
    return _SPECIAL.sub(r"\\\1", printable(text))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *([_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _strategies(record: RunRecord) -> list[str]:
    rows = strategy_rows(record.strategies, picked=record.picked, on_part=record.on_part)
    if not rows:
        return []
    columns = (*SCORE_COLUMNS[record.metric], ("splits", "splits"), ("time", "time"))
    cells = [
        (f"{row.name} (picked)" if row.picked else row.name, *(getattr(row, field) for field, _ in columns))
        for row in rows
    ]
    return ["## Strategies", _table(("strategy", *(heading for _, heading in columns)), cells)]


def _steps(record: RunRecord) -> list[str]:
    cells = [
        (f"{row.second} instead of {row.first}", row.difference, row.interval, row.answer) for row in step_rows(record)
    ]
    return ["## Steps", _table(("step", "difference", "95 % interval", "answer"), cells)] if cells else []


def _classes(record: RunRecord) -> list[str]:
    table = record.by_class
    if table is None:
        return []
    cells = [(name, *_class_cells(row)) for name, row in zip(record.classes, table.classes, strict=True)]
    tested = sum(row.images for row in table.classes)
    said = f"{capital(table.strategy.in_words)} is wrong on {errors_of(table):,} of {tested:,} held-out photos."
    return ["## Classes", _text(said), _table(("class", "photos", "right", "precision", "recall", "F1"), cells)]


def _class_cells(row: ClassScores) -> list[str]:
    scores = ((row.precision, row.precision_interval), (row.recall, row.recall_interval), (row.f1, row.f1_interval))
    shares = [f"{percent(value)} ({percent_range(interval)})" for value, interval in scores]
    return [f"{row.images:,}", f"{row.right:,}", *shares]


def _repeat(record: RunRecord, *, paths: bool) -> list[str]:
    command = command_line(record.command if paths else without_paths(record.command))
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return ["## How to repeat it", f"    {printable(command)}", *([_text(f"{versions}.")] if versions else [])]
