"""Lists of images: a CSV or Parquet file with columns path, label and, if wanted, split and group."""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from unfreeze.core.errors import ImageSetError
from unfreeze.core.progress import Advance, ignore
from unfreeze.data.image_table import ImageTable
from unfreeze.data.listed_files import SPLIT_WORDS, Candidate

LIST_SUFFIXES = (".csv", ".parquet")
_SHOWN = 20
_AT_ONCE = 4096  # rows of a Parquet list in memory
_COLUMNS = ("path", "label", "split", "group")
_WANTED_COLUMNS = "with the columns path and label (and, if wanted, split and group)"
_Row = tuple[int, Mapping[str, str]]


def list_rows(table: ImageTable, *, advance: Advance = ignore) -> None:
    """Read a list of images.

    Args:
        table: Gets one candidate per row of its source, a ``.csv`` or ``.parquet`` file; paths are relative to the
            folder that the list lies in.
        advance: Reports progress per row.

    Raises:
        ImageSetError: The list cannot be read, or rows of it cannot be used; the first twenty are named by line.
    """
    source, root = table.source, table.root
    is_csv = source.suffix.lower() == ".csv"
    rows = _csv_rows(source) if is_csv else _parquet_rows(source)
    word = "line" if is_csv else "row"
    shown: list[str] = []
    faults = 0
    for line, row in rows:
        advance(1)
        fault = _fault(row) or _fault_of_path(row["path"], root, table, word)
        if not fault:
            table.add_listed(_candidate(root, _name(row["path"], root), row), line)
            continue
        faults += 1
        if len(shown) < _SHOWN:
            shown.append(f"{word} {line}: {fault}")
    shown = shown or _faults_of_whole(table)
    if shown:
        more = [f"... and {faults - _SHOWN} more"] if faults > _SHOWN else []
        msg = f"{source} cannot be used as a list of images; mend these rows: " + "; ".join([*shown, *more])
        raise ImageSetError(msg)
    if not len(table):
        msg = f"{source} names no image. Wanted one row per image with its path and label."
        raise ImageSetError(msg)


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


def _fault_of_path(path: str, root: Path, table: ImageTable, word: str) -> str:
    name = _name(path, root)
    line = table.line_of(name)
    if line is not None:
        return f"{path!r} was already listed in {word} {line}"
    return "" if os.path.isfile(root / name) else f"there is no file {path!r}"  # noqa: PTH113 - a million times


def _faults_of_whole(table: ImageTable) -> list[str]:
    without = table.number_without_split()
    if 0 < without < len(table):
        return [f"{without} of {len(table)} rows have no split; give one to all of them or to none"]
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
        with pq.ParquetFile(source) as file:
            yield from _rows_of_parquet(file, source)
    except (OSError, pa.ArrowException) as error:
        msg = f"{source} cannot be read as Parquet: {error}."
        raise ImageSetError(msg) from error


def _rows_of_parquet(file: pq.ParquetFile, source: Path) -> Iterator[_Row]:
    found = file.schema_arrow.names
    names = {name.lower(): name for name in found}
    if not {"path", "label"} <= names.keys():
        msg = f"{source} needs the columns path and label (and, if wanted, split and group); found {found}."
        raise ImageSetError(msg)
    chosen = [column for column in _COLUMNS if column in names]
    number = 0
    for batch in file.iter_batches(_AT_ONCE, columns=[names[column] for column in chosen], use_threads=False):
        columns = batch.to_pydict()
        for values in zip(*(columns[names[column]] for column in chosen), strict=True):
            number += 1
            texts = ["" if value is None else str(value).strip() for value in values]
            yield number, dict(zip(chosen, texts, strict=True))
