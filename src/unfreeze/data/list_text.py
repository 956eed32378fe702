"""The text of a list as spreadsheets and programs write it: encodings, delimiters, and the line that names one."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from unfreeze.data.list_columns import folded_name

_DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel's own; it is not data
_SEVERAL_BYTES = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Header:
    """The first line of a table.

    Attributes:
        names: Of the columns, without spaces around them.
        delimiter: Between two values.
        line: Number of the line that it stands in, from 1.
        text: The line.
    """

    names: tuple[str, ...]
    delimiter: str
    line: int
    text: str


def encoding_of(source: Path) -> str:
    """The encoding that a file begins like: UTF-16 as Excel writes it, with or without a mark, UTF-32, else UTF-8.

    Args:
        source: The file.

    Returns:
        Name of the encoding; a mark at the beginning is not part of the text.

    Raises:
        OSError: The file cannot be read.
    """
    with source.open("rb") as file:
        head = file.read(4)
    if head in {b"\xff\xfe\0\0", b"\0\0\xfe\xff"}:
        return "utf-32"
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    if len(head) == 4 and head[0] and head[2] and not (head[1] or head[3]):
        return "utf-16-le"
    if len(head) == 4 and head[1] and head[3] and not (head[0] or head[2]):
        return "utf-16-be"
    return "utf-8-sig"


def header_of(lines: Iterator[str], wanted: Iterable[str]) -> Header:
    """Read lines up to the first that holds something, which names the columns.

    Args:
        lines: Of the file; those that are left are the rows.
        wanted: Names of columns that the right delimiter finds, as `folded_name` gives them.

    Returns:
        The header; its delimiter is the one that finds most of the columns, or the one that the file names.
    """
    wanted = set(wanted)
    named, text, line = "", "", 0
    for text in lines:
        line += 1
        separator = _SEPARATOR_LINE.fullmatch(text)
        if separator:
            named = separator[1]
        elif text.strip():
            break
    found = {mark: _names(text, mark) for mark in (named or _DELIMITERS)}
    mark = max(found, key=lambda mark: len(wanted & set(map(folded_name, found[mark]))))
    return Header(found[mark], mark, line, text)


def _names(text: str, delimiter: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), []))


def is_undecoded(text: str) -> bool:
    """Whether a text holds bytes that are no UTF-8, each as a lone surrogate."""
    return _SEVERAL_BYTES.search(text) is not None


def as_western(text: str) -> str:
    r"""A text whose bytes are no UTF-8, as Windows writes it in Western Europe and America (Windows-1252).

    Args:
        text: Decoded as UTF-8, with lone surrogates for other bytes.

    Returns:
        The text; unchanged if all of it was UTF-8.

    Example:
        >>> as_western(b"caf\xe9".decode(errors="surrogateescape"))
        'café'
    """
    if not is_undecoded(text):
        return text
    data = text.encode("utf-8", "surrogateescape")
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:  # five bytes that Windows-1252 leaves open
        return data.decode("latin-1")
