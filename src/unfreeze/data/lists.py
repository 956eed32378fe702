"""Lists of images: a CSV or Parquet file with columns path, label and, if wanted, split and group."""

import csv
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from unfreeze.core.errors import ImageSetError
from unfreeze.data.candidates import SPLIT_WORDS, Candidate, Candidates

LIST_SUFFIXES = (".csv", ".parquet")
_SHOWN = 20
_COLUMNS = ("path", "label", "split", "group")
_WANTED_COLUMNS = "with the columns path and label (and, if wanted, split and group)"
_Row = tuple[int, Mapping[str, str]]


def candidates_in_list(source: Path) -> Candidates:
    """Read a list of images; its paths are relative to the folder that the list lies in.

    Args:
        source: A ``.csv`` or ``.parquet`` file, absolute.

    Returns:
        One candidate per row, ordered by name.

    Raises:
        ImageSetError: The list cannot be read, or rows of it cannot be used; the first twenty are named by line.
    """
    is_csv = source.suffix.lower() == ".csv"
    rows = list(_csv_rows(source) if is_csv else _parquet_rows(source))
    root = source.parent
    word = "line" if is_csv else "row"
    files: list[Candidate] = []
    first_line: dict[str, int] = {}
    faults: list[str] = []
    for line, row in rows:
        fault = _fault(row) or _fault_of_path(row["path"], root, first_line, word)
        if fault:
            faults.append(f"{word} {line}: {fault}")
            continue
        name = _name(row["path"], root)
        first_line[name] = line
        files.append(_candidate(root, name, row))
    faults = faults or _faults_of_whole(files)
    if faults:
        more = [f"... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        msg = f"{source} cannot be used as a list of images; mend these rows: " + "; ".join([*faults[:_SHOWN], *more])
        raise ImageSetError(msg)
    if not files:
        msg = f"{source} names no image. Wanted one row per image with its path and label."
        raise ImageSetError(msg)
    return Candidates(root=root, files=tuple(sorted(files, key=lambda file: file.name)), skipped=Counter())


def _candidate(root: Path, name: str, row: Mapping[str, str]) -> Candidate:
    return Candidate(
        path=Path(os.path.realpath(root / name)),
        name=name,
        label=row["label"],
        split=SPLIT_WORDS.get(row.get("split", "").lower(), ""),
        group=row.get("group", ""),
        listed=True,
    )


def _name(path: str, root: Path) -> str:
    """Relative to the root where that is possible, else absolute; with slashes."""
    absolute = Path(os.path.normpath(root / path))
    return (absolute.relative_to(root) if absolute.is_relative_to(root) else absolute).as_posix()


def _fault(row: Mapping[str, str]) -> str:
    """What is wrong with a row in itself; empty if nothing."""
    if "" in row:
        return row[""]
    if any("\0" in value for value in row.values()):
        return "it contains a NUL character"
    missing = [column for column in ("path", "label") if not row[column]]
    if missing:
        return f"{' and '.join(missing)} missing"
    split = row.get("split", "")
    if split and split.lower() not in SPLIT_WORDS:
        return f"unknown split {split!r}, wanted train, val or test"
    return ""


def _fault_of_path(path: str, root: Path, first_line: Mapping[str, int], word: str) -> str:
    name = _name(path, root)
    if name in first_line:
        return f"{path!r} was already listed in {word} {first_line[name]}"
    return "" if os.path.isfile(root / name) else f"there is no file {path!r}"  # noqa: PTH113 - a million times


def _faults_of_whole(files: list[Candidate]) -> list[str]:
    without = sum(not file.split for file in files)
    if 0 < without < len(files):
        return [f"{without} of {len(files)} rows have no split; give one to all of them or to none"]
    return []


def _csv_rows(source: Path) -> Iterator[_Row]:
    """Line number and row; a row that does not fit its header has the complaint under the empty name."""
    try:
        with source.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from _rows_of_csv(file, source)
    except (OSError, csv.Error) as error:
        msg = f"{source} cannot be read as CSV: {error}."
        raise ImageSetError(msg) from error


def _rows_of_csv(file: Iterable[str], source: Path) -> Iterator[_Row]:
    lines = iter(file)
    first = next(lines, "")
    # Spreadsheets in much of Europe write semicolons.
    header, delimiter = next(
        ((names, mark) for mark in ",;\t" if {"path", "label"} <= set(names := _names(first, mark))), ([], ",")
    )
    if not header:
        msg = f"{source} needs a first line {_WANTED_COLUMNS}; found {first.strip()[:80]!r}."
        raise ImageSetError(msg)
    reader = csv.reader(lines, delimiter=delimiter)
    line = 2
    for fields in reader:
        if fields:
            values = {name: value.strip() for name, value in zip(header, fields, strict=False) if name in _COLUMNS}
            if len(fields) != len(header):
                values = {"": f"{len(fields)} fields where the header has {len(header)}"}
            yield line, values
        line = reader.line_num + 2


def _names(first: str, delimiter: str) -> list[str]:
    return [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter), [])]


def _parquet_rows(source: Path) -> Iterator[_Row]:
    """Number of the row, from 1, and the row."""
    try:
        table = pa.parquet.read_table(source)
    except (OSError, pa.ArrowException) as error:
        msg = f"{source} cannot be read as Parquet: {error}."
        raise ImageSetError(msg) from error
    names = {name.lower(): name for name in table.column_names}
    if not {"path", "label"} <= names.keys():
        msg = (
            f"{source} needs the columns path and label (and, if wanted, split and group); found {table.column_names}."
        )
        raise ImageSetError(msg)
    chosen = [column for column in _COLUMNS if column in names]
    columns = [table.column(names[column]).to_pylist() for column in chosen]
    for number, values in enumerate(zip(*columns, strict=True), start=1):
        texts = ["" if value is None else str(value).strip() for value in values]
        yield number, dict(zip(chosen, texts, strict=True))
