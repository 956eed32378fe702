"""`classes.csv` and `confusion.csv`: what the picked strategy answers class by class, for a spreadsheet."""

from pathlib import Path
from typing import Any

from unfreeze.core.files import write_bytes
from unfreeze.core.records import ClassScores, Interval
from unfreeze.core.run_record import CLASSES_FILE, CONFUSION_FILE, RunRecord
from unfreeze.report.comma_separated import csv_text

_HEADINGS = (
    *("class", "images", "right", "predicted", "precision", "precision_low", "precision_high"),
    *("recall", "recall_low", "recall_high", "f1", "f1_low", "f1_high"),
)


def write_class_files(folder: Path, record: RunRecord) -> None:
    """Write both, if there is anything to write.

    Args:
        folder: Of the run; older files of the same names are replaced.
        record: Of the run.

    Raises:
        OutputError: They cannot be written.
    """
    table = record.by_class
    if table is None:
        return
    rows = [[name, *_cells(row)] for name, row in zip(record.classes, table.classes, strict=True)]
    write_bytes(folder / CLASSES_FILE, csv_text([_HEADINGS, *rows]).encode())
    named = [[name, *row] for name, row in zip(record.classes, table.confusion, strict=True)]
    write_bytes(folder / CONFUSION_FILE, csv_text([("given / predicted", *record.classes), *named]).encode())


def _cells(row: ClassScores) -> list[Any]:
    scores = ((row.precision, row.precision_interval), (row.recall, row.recall_interval), (row.f1, row.f1_interval))
    return [row.images, row.right, row.predicted, *(cell for score in scores for cell in _score(*score))]


def _score(value: float | None, interval: Interval | None) -> tuple[Any, Any, Any]:
    """The score and both ends, in digits that mean something; empty where there is none."""
    return tuple("" if number is None else round(number, 4) for number in (value, *(interval or (None, None))))  # type: ignore[return-value]
