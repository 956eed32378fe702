"""The tables of classes for a spreadsheet."""

import csv
from dataclasses import replace
from pathlib import Path

from unfreeze.core.records import Interval
from unfreeze.core.run_record import RunRecord
from unfreeze.report.class_files import write_class_files


def rows(path: Path) -> list[list[str]]:
    """Of a CSV, as Python reads it."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_both_tables_are_written(mistaken: RunRecord, tmp_path: Path) -> None:
    """Counts as they are, scores to four digits; what does not exist is empty."""
    table = mistaken.by_class
    assert table is not None
    first = replace(table.classes[0], recall_interval=Interval(0.96434, 0.99725), f1_interval=None)
    record = replace(mistaken, classes=("ants", "bees"), by_class=replace(table, classes=(first, table.classes[1])))

    write_class_files(tmp_path, record)

    assert rows(tmp_path / "confusion.csv") == [
        ["given / predicted", "ants", "bees"],
        ["ants", "198", "2"],
        ["bees", "1", "199"],
    ]
    heading, ants, _ = rows(tmp_path / "classes.csv")
    read = dict(zip(heading, ants, strict=True))
    assert (read["class"], read["images"], read["right"], read["precision"]) == ("ants", "200", "198", "0.995")
    assert (read["recall_low"], read["recall_high"], read["f1_low"]) == ("0.9643", "0.9972", "")


def test_class_names_are_written_as_any_name_is(mistaken: RunRecord, tmp_path: Path) -> None:
    """By the writer of all tables: what a spreadsheet would run is text there."""
    write_class_files(tmp_path, replace(mistaken, classes=("=1+1", 'bees, "small"')))

    assert [row[0] for row in rows(tmp_path / "confusion.csv")][1:] == ["'=1+1", 'bees, "small"']


def test_without_a_pick_there_is_no_table(interrupted_record: RunRecord, tmp_path: Path) -> None:
    """Nothing is written."""
    write_class_files(tmp_path, interrupted_record)

    assert list(tmp_path.iterdir()) == []
