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
from unfreeze.data.list_columns import (
    KNOWN_NAMES,
    LEFT_OUT,
    PATH_COLUMNS,
    columns_of,
    folded_name,
    one_for_each_class,
)
from unfreeze.data.list_text import Header, as_western, encoding_of, header_of, is_undecoded
from unfreeze.data.list_values import (
    fault_of_label,
    label_of_several,
    same_number,
    sounds_missing,
    text_of,
    without_missing,
)
from unfreeze.data.listed_files import Candidate
from unfreeze.data.listed_paths import LEFT_OUT_BY_LIST, ListedPath, PathFinder
from unfreeze.data.split_names import part_alone

_SHOWN = 20
_AT_ONCE = 4096  # rows of a Parquet list in memory
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
    say = table.findings.extend
    rows = partial(_rows_of_parquet if is_table else _table_rows, needed=needed, say=say)
    read = _parquet_rows(source, rows) if is_table else _csv_rows(source, rows)
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
    table.findings += _how_it_was_read(finder, sounds_missing(table.labels()), was_western=was_western)


def _how_it_was_read(finder: PathFinder, doubtful: Sequence[str], *, was_western: bool) -> Iterator[Finding]:
    if doubtful:
        read = "was read as a class" if len(doubtful) == 1 else "were read as classes"
        sentence = f"{listed(list(map(repr, doubtful)))} {read}."
        yield finding("UF112", sentence, "If it stands for images without a label, leave those rows out.")
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
        split=part_alone(row.get("split", "")),
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
    missing = [column for column in needed if not row[column].strip()]
    if missing:
        return f"{' and '.join(missing)} missing"
    split = row.get("split", "")
    if split and not part_alone(split):
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
    twice = same_number(table.labels())
    if twice:
        return [f"the labels {twice[0]!r} and {twice[1]!r} are one number; write it in one way"]
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


def _table_rows(
    file: Iterable[str], source: Path, *, needed: Sequence[str], say: Callable[[Iterable[Finding]], None]
) -> Iterator[_Row]:
    lines = iter(file)
    header = header_of(lines, KNOWN_NAMES)
    columns = columns_of(header.names, source)
    if not {*needed} <= columns.names.keys():
        first = next(_rows_below(header, lines, {name: name for name in header.names}), (0, {}))[1]
        hint = one_for_each_class(columns, first)
        msg = f"{source} needs a first line with {_wanted(needed)}; found {header.text.strip()[:80]!r}.{hint}"
        raise ImageSetError(msg)
    say(columns.findings())
    yield from _rows_below(header, lines, {name: meaning for meaning, name in columns.names.items()})


def _path_rows(file: Iterable[str], source: Path) -> Iterator[ListedPath]:
    lines = iter(file)
    header = header_of(lines, PATH_COLUMNS)
    known = {folded_name(name): name for name in reversed(header.names)}
    column = next((known[name] for name in PATH_COLUMNS if name in known), None)
    if column is None and source.suffix.lower() == ".txt":
        for line, text in enumerate(itertools.chain([header.text], lines), header.line):
            if text.strip():
                yield ListedPath(text.strip(), f"line {line} of {source}")
        return
    if column is None:
        msg = f"{source} needs a first line with a column path; found {header.text.strip()[:80]!r}."
        raise ImageSetError(msg)
    if header.names.count(column) > 1:
        columns_of(header.names, source)  # says which column is there twice
    for line, row in _rows_below(header, lines, {column: "path", known.get(LEFT_OUT, LEFT_OUT): LEFT_OUT}):
        place = f"line {line} of {source}"
        yield ListedPath(row.get("path", ""), place, fault=row.get("", ""), left_out=bool(row.get(LEFT_OUT)))


def _rows_below(header: Header, lines: Iterable[str], called: Mapping[str, str]) -> Iterator[_Row]:
    """Line number and row, by what `called` says of the columns; rows without any value are none.

    A row that does not fit its header has the complaint under the empty name. Spreadsheets end rows in empty cells.
    """
    reader = csv.reader(lines, delimiter=header.delimiter, skipinitialspace=True)
    line, width = header.line + 1, len(header.names)
    for fields in reader:
        if any(field.strip() for field in fields):
            cells = zip(header.names, fields, strict=False)
            values = {called[name]: value for name, value in cells if name in called}
            values = {meaning: text if meaning == "path" else text.strip() for meaning, text in values.items()}
            if len(fields) < width or any(field.strip() for field in fields[width:]):
                values = {"": f"{len(fields)} fields where the header has {width}"}
            yield line, _with_gaps(values)
        line = reader.line_num + header.line + 1


def _with_gaps(row: Mapping[str, str]) -> dict[str, str]:
    """A row whose split and group are empty where a program has written that there is none."""
    return {name: without_missing(text) if name in {"split", "group", LEFT_OUT} else text for name, text in row.items()}


def _wanted(needed: Sequence[str]) -> str:
    others = [column for column in ("label", "split", "group") if column not in needed]
    columns = "column" if len(needed) == 1 else "columns"
    return f"the {columns} {listed([*needed])} (and, if wanted, {listed(others)})"


def _parquet_rows(source: Path, rows: Callable[[pq.ParquetFile, Path], Iterator[_Row]]) -> Iterator[_Row]:
    """Number of the row, from 1, and the row."""
    try:
        with pq.ParquetFile(source) as file:
            yield from rows(file, source)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        msg = f"{source} cannot be read as Parquet: {error}."
        raise ImageSetError(msg) from error


def _rows_of_parquet(
    file: pq.ParquetFile, source: Path, *, needed: Sequence[str], say: Callable[[Iterable[Finding]], None]
) -> Iterator[_Row]:
    schema = file.schema_arrow
    columns = columns_of(schema.names, source)
    names = columns.names
    if not {*needed} <= names.keys():
        msg = f"{source} needs {_wanted(needed)}; found {schema.names}."
        raise ImageSetError(msg)
    say(columns.findings())
    for meaning, name in names.items():
        _check_type(meaning, schema.field(name).type, source)
    number = 0
    for batch in file.iter_batches(_AT_ONCE, columns=[*names.values()], use_threads=False):
        cells = batch.to_pydict()
        for values in zip(*(cells[name] for name in names.values()), strict=True):
            number += 1
            yield number, _with_gaps(dict(zip(names, map(text_of, values), strict=True)))


def _check_type(column: str, kind: pa.DataType, source: Path) -> None:
    """Refuse columns whose values are no single texts or numbers."""
    if not pa.types.is_nested(kind):
        return
    several = column == "label" and not pa.types.is_struct(kind)
    because = "so that an image may have several labels, while here it has one class" if several else "wanted text"
    msg = f"The column {column} of {source} holds values of the type {kind}, {because}. Write one text per row."
    raise ImageSetError(msg)
