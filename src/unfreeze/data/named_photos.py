"""Which photos are meant by files, folders, tars, patterns, lists, addresses and what comes from standard input."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import final

from unfreeze.core.errors import InputError
from unfreeze.core.file_names import (
    LIST_SUFFIXES,
    SHARD_SUFFIXES,
    STANDARD_INPUT,
    WEB,
    as_written,
    has_marks,
    is_pattern,
    is_range,
    matches,
    scheme_of,
    spelled_out,
)
from unfreeze.core.files import disk_errors_explained
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.records import SetAside
from unfreeze.core.remote_files import files_matching, is_file, open_remote
from unfreeze.core.wording import count
from unfreeze.data.folders import NO_IMAGE_BY_NAME, files_below
from unfreeze.data.listed_paths import LEFT_OUT_BY_LIST, ListedPath, PathFinder
from unfreeze.data.private_folders import plain_suffix
from unfreeze.data.store_folders import trees
from unfreeze.images.decoder import MAX_BYTES
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
    progress: Progress = SILENT,
) -> NamedPhotos:
    """Find the photos that somebody names.

    Args:
        named: Photos, folders, patterns, ranges, lists (``.txt``, ``.csv``, ``.tsv``), Parquet files, tars, and ``-``;
            all but lists also at addresses.
        unpacked: Folder for photos that are no files yet.
        standard_input: Gives all of it: a path a line, as `find` prints them (also with ``-print0``), or an image.
        here: Folder in which the command was given; the working directory if None.
        progress: Its stop is looked at for every file; reports what is listed and fetched of a store.

    Returns:
        The photos.

    Raises:
        InputError: A pattern matches nothing, or standard input is empty.
        ImageSetError: A list or a tar cannot be read, or there is nothing at an address.
        DiskFullError: There is no room for photos that are unpacked.
    """
    finding = _Finding(unpacked, here or Path.cwd(), progress)
    for path in dict.fromkeys(named):
        if path == STANDARD_INPUT:
            finding.take_input(standard_input())
            continue
        for each in map(Path, spelled_out(as_written(path))) if is_range(path) else [path]:
            if scheme_of(each):
                finding.take_address(as_written(each))
            elif is_pattern(each):
                finding.take_matches(each)
            else:
                finding.take(each)
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

    def __init__(self, unpacked: Path, here: Path, progress: Progress) -> None:
        self.paths: dict[str, Path] = {}  # by where they are, however that was written
        self.names: dict[str, str] = {}
        self.loose: set[str] = set()
        self.skipped: Counter[str] = Counter()
        self.aside: list[SetAside] = []
        self._unpacked, self._here, self._progress = unpacked, here, progress

    def add(self, path: Path, name: str, *, loose: bool = False, place: str = "") -> None:
        """Note a file, which lies at another place where that was fetched."""
        self._progress.checkpoint()
        place = place or os.path.abspath(path)  # noqa: PTH100 - links are not followed, and a million times
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
            self._take_folder(path)
        elif suffix == ".tar" and not loose:
            self._take_tar(str(path))
        elif loose or suffix not in LIST_SUFFIXES:
            self.add(path, str(path), loose=loose)
        elif suffix == ".parquet":
            self._take_parquet(str(path))
        else:
            self._take_rows(_rows_of_list(path), path.absolute().parent, str(path))

    def take_matches(self, pattern: Path) -> None:
        """Note what a pattern matches, as if it lay in a folder that was named."""
        found = matches(pattern)
        if not found:
            msg = f"Nothing matches {pattern}. Check the spelling; ** stands for any number of folders."
            raise InputError(msg)
        for path in found:
            self.take(path, loose=pattern.suffix.lower() not in SHARD_SUFFIXES)

    def take_address(self, address: str) -> None:
        """Note what lies at an address."""
        if scheme_of(Path(address)) in WEB or not has_marks(address):
            self._take_at(address)
            return
        found = files_matching(address)
        if not found:
            msg = f"Nothing matches {address}. Check the spelling; ** stands for any number of folders."
            raise InputError(msg)
        for each in found:
            self._take_at(each, loose=not address.lower().endswith(SHARD_SUFFIXES))

    def _take_at(self, address: str, *, loose: bool = False) -> None:
        """Note what lies at an address that is no pattern."""
        suffix = PurePosixPath(address.partition("?")[0]).suffix.lower()
        if loose and suffix in {*LIST_SUFFIXES, *SHARD_SUFFIXES}:
            self.skipped[NO_IMAGE_BY_NAME] += 1
        elif suffix == ".tar":
            self._take_tar(address)
        elif suffix == ".parquet":
            self._take_parquet(address)
        elif suffix in LIST_SUFFIXES:
            msg = f"{address.partition('?')[0]} is a list, which is only read on this machine. Download it first."
            raise InputError(msg)
        elif scheme_of(Path(address)) in WEB or is_file(address):
            self._take_file(address, loose=loose)
        else:
            self._take_folder(Path(address))

    def _take_file(self, address: str, *, loose: bool) -> None:
        """Note the photo at an address, after it was fetched."""
        where = address.partition("?")[0]
        with open_remote(address) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            self.aside.append(SetAside(name=where, reason=f"file-too-large > {MAX_BYTES:,} bytes"))
        else:
            self._add_unpacked(data, where, loose=loose, place=where, suffix=plain_suffix(where))

    def _take_folder(self, folder: Path) -> None:
        """Note the photos at any depth of a folder, or those of the tars and Parquet files in one of nothing else."""
        with trees(self._progress) as places:
            tree = places.at(folder)
            below = files_below(folder, tree=tree, advance=self._progress.checkpoint)
            shards = () if below.paths else _shards_in(folder)
            lost = {fault.name: fault for fault in places.fetch_named(below.names, below.paths)}
            self.aside += [*below.blocked, *lost.values()]
            self.skipped.update({} if shards else below.skipped)
            self.skipped.update(places.skipped)
        for path, name in zip(below.paths, below.names, strict=True):
            if name not in lost:
                self.add(path, name, loose=True, place=name if scheme_of(folder) else "")
        for place in shards:
            take = self._take_tar if place.lower().endswith(".tar") else self._take_parquet
            take(place)

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

    def _take_tar(self, place: str) -> None:
        from unfreeze.data.shards import Shard  # PyArrow, which most commands need not wait for
        from unfreeze.data.unpacking import photos_in_shard

        shard = Shard(place=place, name=PurePosixPath(place).name)
        for photo in photos_in_shard(shard, self.skipped, unpacked=self._unpacked):
            name = f"{shard.where}/{photo.name}"
            if photo.fault:
                self.aside.append(SetAside(name=name, reason=photo.fault))
            else:
                self._add_unpacked(photo.data, name)

    def _take_parquet(self, place: str) -> None:
        from unfreeze.data.packed_photos import photos_in  # as above
        from unfreeze.data.shards import Shard

        shard = Shard(place=place, name=PurePosixPath(place).name)
        finder = PathFinder(Path(place).absolute().parent, self._here)
        with closing(shard.open()) as file:
            for row, (text, data) in enumerate(photos_in(file, shard.where, unpacked=self._unpacked)):
                self._take_row(f"{shard.where}[{row}] {text}".rstrip(), text, data, finder)

    def _take_row(self, name: str, text: str, data: bytes | None, finder: PathFinder) -> None:
        """Note what a row of a Parquet file holds: a photo, or the path of one."""
        path = finder.find(text) if text and data is None else None
        if data is not None:
            self._add_unpacked(data, name)
        elif path is not None:
            self.add(path, text)
        else:
            self.aside.append(SetAside(name=name, reason=f"missing: {finder.fault(text) if text else 'no image'}"))

    def _add_unpacked(self, data: bytes, name: str, *, suffix: str = "", loose: bool = False, place: str = "") -> None:
        path = self._unpacked / f"{len(self.paths)}{suffix}"
        with disk_errors_explained(path):
            path.write_bytes(data)
        self.add(path, name, loose=loose, place=place)


def _shards_in(folder: Path) -> tuple[str, ...]:
    """Where the tars and Parquet files of a folder lie that holds nothing else."""
    from unfreeze.data.shards import shards_of  # PyArrow, as above

    return tuple(shard.place for shard in shards_of(folder))


def _rows_of_list(source: Path) -> Iterator[ListedPath]:
    from unfreeze.data.lists import listed_paths  # PyArrow, as above

    return listed_paths(source)


def _rows_of_text(data: bytes) -> Iterator[ListedPath]:
    names = data.split(b"\0") if b"\0" in data else data.splitlines()
    for line, name in enumerate(names, 1):
        if text := os.fsdecode(name.removeprefix(b"\xef\xbb\xbf")).strip("\r\n"):
            yield ListedPath(text, f"line {line} of standard input")
