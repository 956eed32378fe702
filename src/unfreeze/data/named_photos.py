"""Which photos are meant by files, folders, patterns, lists, Parquet files and what comes from standard input."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from unfreeze.core.errors import InputError
from unfreeze.core.file_names import LIST_SUFFIXES, STANDARD_INPUT, is_pattern, matches
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import SetAside
from unfreeze.core.wording import count
from unfreeze.data.folders import files_below
from unfreeze.data.listed_paths import LEFT_OUT_BY_LIST, ListedPath, PathFinder
from unfreeze.images.refusals import known_kind

TWICE = "named more than once"
_LOOKED_AT = 4096  # bytes
_OF_TEXT = b"\t\n\r\0"  # of the first 32 characters: ends of lines and of names


@dataclass(frozen=True, kw_only=True)
class NamedPhotos:
    """Files to read, each once, and what is not read.

    Attributes:
        paths: In the order in which they were named.
        names: What answers call a file, by its path.
        loose: Paths of files that only lie in a folder or match a pattern: such a one is passed over if it is no image.
        skipped: Number of what is not read, by reason.
        set_aside: What cannot be read.
    """

    paths: tuple[Path, ...]
    names: Mapping[str, str]
    loose: frozenset[str]
    skipped: Mapping[str, int]
    set_aside: tuple[SetAside, ...]


def named_photos(
    named: Sequence[Path],
    *,
    unpacked: Path,
    standard_input: Callable[[], bytes],
    here: Path | None = None,
    advance: Advance = ignore,
) -> NamedPhotos:
    """Find the photos that somebody names.

    Args:
        named: Photos, folders, patterns, lists (``.txt``, ``.csv``, ``.tsv``), Parquet files, and ``-``.
        unpacked: Folder for photos that are no files yet.
        standard_input: Gives all of it: a path a line, as `find` prints them (also with ``-print0``), or an image.
        here: Folder in which the command was given; the working directory if None.
        advance: Reports progress per file.

    Returns:
        The photos.

    Raises:
        InputError: A pattern matches nothing, or standard input is empty.
        ImageSetError: A list cannot be read.
        DiskFullError: There is no room for photos that are unpacked.
    """
    finding = _Finding(unpacked, here or Path.cwd(), advance)
    for path in dict.fromkeys(named):
        if path == STANDARD_INPUT:
            finding.take_input(standard_input())
        elif is_pattern(path):
            finding.take_matches(path)
        else:
            finding.take(path)
    return NamedPhotos(
        paths=tuple(finding.paths.values()),
        names=finding.names,
        loose=frozenset(finding.loose),
        skipped=dict(finding.skipped),
        set_aside=tuple(finding.aside),
    )


@final
class _Finding:
    """What was found so far."""

    def __init__(self, unpacked: Path, here: Path, advance: Advance) -> None:
        self.paths: dict[str, Path] = {}  # by where they are, however that was written
        self.names: dict[str, str] = {}
        self.loose: set[str] = set()
        self.skipped: Counter[str] = Counter()
        self.aside: list[SetAside] = []
        self._unpacked, self._here, self._advance = unpacked, here, advance

    def add(self, path: Path, name: str, *, loose: bool = False) -> None:
        """Note a file."""
        self._advance(1)
        place = os.path.abspath(path)  # noqa: PTH100 - links are not followed, and a million times
        if not loose:
            self.loose.discard(str(self.paths.get(place, path)))
        elif place not in self.paths:
            self.loose.add(str(path))
        if place in self.paths:
            self.skipped[TWICE] += 1
            return
        self.paths[place], self.names[str(path)] = path, name

    def take(self, path: Path, *, loose: bool = False) -> None:
        """Note what a path leads to; a list that nobody named is none."""
        suffix = path.suffix.lower()
        if path.is_dir():
            below = files_below(path, advance=self._advance)
            for each in below.paths:
                self.add(each, str(each), loose=True)
            self.skipped.update(below.skipped)
            self.aside += below.blocked
        elif loose or suffix not in LIST_SUFFIXES:
            self.add(path, str(path), loose=loose)
        elif suffix == ".parquet":
            self._take_packed(path)
        else:
            self._take_rows(_rows_of_list(path), path.absolute().parent, str(path))

    def take_matches(self, pattern: Path) -> None:
        """Note what a pattern matches, as if it lay in a folder that was named."""
        found = matches(pattern)
        if not found:
            msg = f"Nothing matches {pattern}. Check the spelling; ** stands for any number of folders."
            raise InputError(msg)
        for path in found:
            self.take(path, loose=True)

    def take_input(self, data: bytes) -> None:
        """Note what standard input holds."""
        if not data.strip():
            msg = "Standard input is empty. Give a path a line, or the bytes of one image."
            raise InputError(msg)
        if known_kind(data) is None and not any(byte < ord(" ") and byte not in _OF_TEXT for byte in data[:_LOOKED_AT]):
            self._take_rows(_rows_of_text(data), self._here, "standard input")
            return
        self._add_unpacked(data, "standard input")

    def _take_rows(self, rows: Iterator[ListedPath], root: Path, source: str) -> None:
        finder = PathFinder(root, self._here)
        lost, found = [], 0
        for row in rows:
            path = None if row.fault else finder.find(row.text)
            if row.left_out:
                self.skipped[LEFT_OUT_BY_LIST] += 1
            elif path is None:
                reason = f"missing: {row.fault or finder.fault(row.text)} ({row.place})"
                lost.append(SetAside(name=row.text or row.place, reason=reason))
            else:
                self.add(path, row.text)
                found += 1
        if found or len(lost) == 1:
            self.aside += lost
        elif lost:  # a file of notes beside photos, for example
            reason = f"missing: none of its {count(len(lost), 'line')} names a file; {lost[0].reason}"
            self.aside.append(SetAside(name=source, reason=reason))

    def _take_packed(self, source: Path) -> None:
        from unfreeze.data.packed_photos import photos_in  # PyArrow, which most commands need not wait for

        finder = PathFinder(source.absolute().parent, self._here)
        for row, (text, data) in enumerate(photos_in(source, unpacked=self._unpacked)):
            where = f"{source}[{row}]"
            name = f"{where} {text}".rstrip()
            path = finder.find(text) if text and data is None else None
            if data is not None:
                self._add_unpacked(data, name)
            elif path is not None:
                self.add(path, text)
            else:
                self.aside.append(SetAside(name=name, reason=f"missing: {finder.fault(text) if text else 'no image'}"))

    def _add_unpacked(self, data: bytes, name: str) -> None:
        path = self._unpacked / str(len(self.paths))
        path.write_bytes(data)
        self.add(path, name)


def _rows_of_list(source: Path) -> Iterator[ListedPath]:
    from unfreeze.data.lists import listed_paths  # PyArrow, as above

    return listed_paths(source)


def _rows_of_text(data: bytes) -> Iterator[ListedPath]:
    names = data.split(b"\0") if b"\0" in data else data.splitlines()
    for line, name in enumerate(names, 1):
        if text := os.fsdecode(name.removeprefix(b"\xef\xbb\xbf")).strip("\r\n"):
            yield ListedPath(text, f"line {line} of standard input")
