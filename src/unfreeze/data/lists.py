"""Lists of images: a CSV or Parquet file with columns path, label and, if wanted, split, group and left_out."""

import csv
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar, final

import pyarrow as pa
import pyarrow.parquet as pq

from unfreeze.core.errors import ImageSetError
from unfreeze.core.findings import Finding, finding
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.wording import listed
from unfreeze.data.image_table import ImageTable
from unfreeze.data.list_text import Header, as_western, encoding_of, header_of, is_undecoded
from unfreeze.data.list_values import fault_of_label, label_of_several, text_of, without_missing
from unfreeze.data.listed_files import SPLIT_WORDS, Candidate
from unfreeze.data.listed_paths import LEFT_OUT_BY_LIST, ListedPath, PathFinder

_SHOWN = 20
_AT_ONCE = 4096  # rows of a Parquet list in memory
LEFT_OUT = "left_out"  # a column of cleaned lists: why a row is not to be read; empty for all others
_COLUMNS = ("path", "label", "split", "group", LEFT_OUT)
PATH_COLUMNS = ("path", "file", "file_name", "filename", "image")  # where photos alone are asked for
_Row = tuple[int, Mapping[str, str]]
_Found = TypeVar("_Found")


@final
class Faults:
    """What is wrong with rows: the first of them in words, and how many there are."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.number = 0

    def add(self, text: str) -> None:
        """One more."""
        self.number += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(text)

    def text(self) -> str:
        """The first ones, and how many more there are."""
        more = [f"... and {self.number - _SHOWN} more"] if self.number > _SHOWN else []
        return "; ".join([*self.shown, *more])


def list_rows(table: ImageTable, *, labelled: bool = True, here: Path | None = None, advance: Advance = ignore) -> None:
    """Read a list of images.

    Args:
        table: Gets one candidate per row of its source, a ``.csv``, ``.tsv`` or ``.parquet`` file; paths are relative
            to the folder that the list lies in, or else to `here`.
        labelled: Whether each row must have a label; without one it is empty otherwise.
        here: Folder in which the command was given; the working directory if None.
        advance: Reports progress per row.

    Raises:
        ImageSetError: The list cannot be read, or rows of it cannot be used; the first twenty are named by line.
    """
    source, faults, needed = table.source, Faults(), ("path", "label") if labelled else ("path",)
    finder = PathFinder(table.root, here or Path.cwd())
    is_table = source.suffix.lower() == ".parquet"
    word = "row" if is_table else "line"
    lost = was_western = False
    read = _parquet_rows(source, needed) if is_table else _csv_rows(source, partial(_table_rows, needed=needed))
    for line, row in read:
        advance(1)
        if row.get(LEFT_OUT):
            table.skipped[LEFT_OUT_BY_LIST] += 1
            continue
        was_western |= any(map(is_undecoded, row.values()))
        fault = fault_of_row(row, needed)
        path = None if fault else finder.find(row["path"])
        if not fault:
            lost |= path is None
            fault = finder.fault(row["path"]) if path is None else _listed_before(row, path, table, word)
        if fault:
            faults.add(f"{word} {line}: {fault}")
        elif path is not None:
            table.add_listed(_candidate(table.root, path, row), line)
    for text in [] if faults.shown else faults_of_whole(table):
        faults.add(text)
    if faults.shown:
        where = f". Files were looked for in {' and in '.join(map(str, finder.searched))}." if lost else ""
        msg = f"{source} cannot be used as a list of images; mend these rows: {faults.text()}{where}"
        raise ImageSetError(msg)
    if not len(table):
        msg = f"{source} names no image. Wanted one row per image with its path and label."
        raise ImageSetError(msg)
    table.findings += _how_it_was_read(finder, was_western=was_western)


def _how_it_was_read(finder: PathFinder, *, was_western: bool) -> Iterator[Finding]:
    if finder.base not in {None, finder.root}:
        sentence = (
            f"The paths of the list were taken from {finder.base}, where the command was given, since there is nothing "
            f"at them in {finder.root}, where the list lies."
        )
        yield finding("UF112", sentence)
    if was_western:
        sentence = "The list is no UTF-8: it was read as Windows-1252."
        yield finding("UF112", sentence, "If accents are wrong in class names, save it as UTF-8.")


def _candidate(root: Path, path: Path, row: Mapping[str, str]) -> Candidate:
    return Candidate(
        path=Path(os.path.realpath(path)),
        name=_name(path, root),
        label=as_western(row.get("label", "")),
        split=SPLIT_WORDS.get(row.get("split", "").lower(), ""),
        group=as_western(row.get("group", "")),
        listed=True,
    )


def _name(path: Path, root: Path) -> str:
    """Relative to the root where that is possible, else absolute; with slashes."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def fault_of_row(row: Mapping[str, str], needed: Sequence[str]) -> str:
    """What is wrong with a row in itself.

    Args:
        row: Values by column; the complaint under the empty name where the row does not fit its header.
        needed: Columns that must have a value.

    Returns:
        Half a sentence; empty if nothing is wrong.
    """
    if "" in row:
        return row[""]
    if any("\0" in value for value in row.values()):
        return "it contains a NUL character"
    missing = [column for column in needed if not row[column]]
    if missing:
        return f"{' and '.join(missing)} missing"
    split = row.get("split", "")
    if split and split.lower() not in SPLIT_WORDS:
        return f"unknown split {split!r}, wanted train, val or test"
    return fault_of_label(row.get("label", ""))


def _listed_before(row: Mapping[str, str], path: Path, table: ImageTable, word: str) -> str:
    before = table.listed_before(_name(path, table.root))
    if before is None:
        return ""
    line, label = before
    other = f", as {label!r}: an image has one class" if label != as_western(row.get("label", "")) else ""
    return f"{row['path']!r} was already listed in {word} {line}{other}"


def faults_of_whole(table: ImageTable) -> list[str]:
    """What is wrong with all rows together, in half a sentence each."""
    without = table.number_without_split()
    if 0 < without < len(table):
        return [f"{without} of {len(table)} rows have no split; give one to all of them or to none"]
    several = label_of_several(table.labels())
    return [f"the label {several!r} looks like several; give each image one class"] if several else []


def listed_paths(source: Path) -> Iterator[ListedPath]:
    """What a list of photos names, whether or not it has labels.

    Args:
        source: A ``.csv`` or ``.tsv`` file with a column path, or file as ``unfreeze predict --csv`` writes it; or a
            ``.txt`` file of this kind, or with a path a line.

    Yields:
        What stands in each line.

    Raises:
        ImageSetError: The list cannot be read, or has no such column.
    """
    return _csv_rows(source, _path_rows)


def _csv_rows(source: Path, rows: Callable[[Iterable[str], Path], Iterator[_Found]]) -> Iterator[_Found]:
    try:
        encoding = encoding_of(source)
        errors = "surrogateescape" if encoding == "utf-8-sig" else "strict"
        with source.open(encoding=encoding, errors=errors, newline="") as file:
            yield from rows(file, source)
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        msg = f"{source} cannot be read as CSV: {error}."
        raise ImageSetError(msg) from error


def _table_rows(file: Iterable[str], source: Path, needed: Sequence[str]) -> Iterator[_Row]:
    lines = iter(file)
    header = header_of(lines, _COLUMNS)
    if not {*needed} <= set(header.names):
        msg = f"{source} needs a first line with {_wanted(needed)}; found {header.text.strip()[:80]!r}."
        raise ImageSetError(msg)
    _check_once(header.names, source)
    yield from _rows_below(header, lines, _COLUMNS)


def _path_rows(file: Iterable[str], source: Path) -> Iterator[ListedPath]:
    lines = iter(file)
    header = header_of(lines, PATH_COLUMNS)
    column = next((name for name in PATH_COLUMNS if name in header.names), None)
    if column is None and source.suffix.lower() == ".txt":
        for line, text in enumerate(itertools.chain([header.text], lines), header.line):
            if text.strip():
                yield ListedPath(text.strip(), f"line {line} of {source}")
        return
    if column is None:
        msg = f"{source} needs a first line with a column path; found {header.text.strip()[:80]!r}."
        raise ImageSetError(msg)
    _check_once(header.names, source)
    for line, row in _rows_below(header, lines, (column, LEFT_OUT)):
        place = f"line {line} of {source}"
        yield ListedPath(row.get(column, ""), place, fault=row.get("", ""), left_out=bool(row.get(LEFT_OUT)))


def _rows_below(header: Header, lines: Iterable[str], columns: Sequence[str]) -> Iterator[_Row]:
    """Line number and row; a row that does not fit its header has the complaint under the empty name."""
    reader = csv.reader(lines, delimiter=header.delimiter)
    line = header.line + 1
    for fields in reader:
        if fields:
            values = {name: value.strip() for name, value in zip(header.names, fields, strict=False) if name in columns}
            if len(fields) != len(header.names):
                values = {"": f"{len(fields)} fields where the header has {len(header.names)}"}
            yield line, _with_gaps(values)
        line = reader.line_num + header.line + 1


def _with_gaps(row: Mapping[str, str]) -> dict[str, str]:
    """A row whose split and group are empty where a program has written that there is none."""
    return {name: without_missing(text) if name in {"split", "group", LEFT_OUT} else text for name, text in row.items()}


def _check_once(names: Sequence[str], source: Path) -> None:
    twice = [name for name in _COLUMNS if names.count(name) > 1]
    if twice:
        msg = f"{source} has {names.count(twice[0])} columns called {twice[0]}. Keep one of them, or rename the others."
        raise ImageSetError(msg)


def _wanted(needed: Sequence[str]) -> str:
    others = [column for column in ("label", "split", "group") if column not in needed]
    columns = "column" if len(needed) == 1 else "columns"
    return f"the {columns} {listed([*needed])} (and, if wanted, {listed(others)})"


def _parquet_rows(source: Path, needed: Sequence[str]) -> Iterator[_Row]:
    """Number of the row, from 1, and the row."""
    try:
        with pq.ParquetFile(source) as file:
            yield from _rows_of_parquet(file, source, needed)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        msg = f"{source} cannot be read as Parquet: {error}."
        raise ImageSetError(msg) from error


def _rows_of_parquet(file: pq.ParquetFile, source: Path, needed: Sequence[str]) -> Iterator[_Row]:
    schema = file.schema_arrow
    found = schema.names
    _check_once([name.lower() for name in found], source)
    names = {name.lower(): name for name in found}
    if not {*needed} <= names.keys():
        msg = f"{source} needs {_wanted(needed)}; found {found}."
        raise ImageSetError(msg)
    chosen = [column for column in _COLUMNS if column in names]
    for column in chosen:
        _check_type(column, schema.field(names[column]).type, source)
    number = 0
    for batch in file.iter_batches(_AT_ONCE, columns=[names[column] for column in chosen], use_threads=False):
        columns = batch.to_pydict()
        for values in zip(*(columns[names[column]] for column in chosen), strict=True):
            number += 1
            yield number, _with_gaps(dict(zip(chosen, map(text_of, values), strict=True)))


def _check_type(column: str, kind: pa.DataType, source: Path) -> None:
    """Refuse columns whose values are no single texts or numbers."""
    if not pa.types.is_nested(kind):
        return
    several = column == "label" and not pa.types.is_struct(kind)
    because = "so that an image may have several labels, while here it has one class" if several else "wanted text"
    msg = f"The column {column} of {source} holds values of the type {kind}, {because}. Write one text per row."
    raise ImageSetError(msg)
