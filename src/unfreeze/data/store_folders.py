"""Folders of photos in a store: each is listed once, and its photos are fetched to a private folder.

What decides about folders (`data.layout`, `data.folders`) reads the listing as it reads a disk, so that the same rules
hold for both. The listing is kept on disk: a million photos are no reason to hold a million objects. No name of the
store becomes the name of a file: each photo is called by its number.
"""

import contextlib
import itertools
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from unfreeze.core.databases import temporary_database
from unfreeze.core.errors import ImageSetError
from unfreeze.core.file_names import as_written, scheme_of
from unfreeze.core.files import disk_errors_explained
from unfreeze.core.progress import Advance, Progress
from unfreeze.core.records import SetAside
from unfreeze.core.remote_files import NotGivenError, listed_in, patiently, store_of
from unfreeze.core.room import check_room
from unfreeze.data.image_table import ImageTable
from unfreeze.data.private_folders import new_private_folder, plain_suffix
from unfreeze.data.trees import DISK, Entry, Tree
from unfreeze.images.decoder import MAX_BYTES

NO_NAME: Final = "of a name that nothing on a disk can have"
_AT_ONCE = 16  # photos that are asked for: a store is slow to answer one, and answers many
_PORTION = 256  # photos in memory, by name
_SCHEMA = """
CREATE TABLE entry (number INTEGER PRIMARY KEY, folder TEXT, name TEXT, is_folder INTEGER, size INTEGER);
CREATE INDEX place ON entry (folder, name);
"""


@final
@dataclass(frozen=True, slots=True)
class StoredEntry:
    """What a folder of a store holds; see `data.trees.Entry`. Stores have no links."""

    name: str
    path: str
    is_folder: bool
    size: int
    number: int

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002 - as `os.DirEntry` has it
        """Whether it is a folder."""
        return self.is_folder

    def is_file(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002 - as above
        """Whether it is a file."""
        return not self.is_folder

    def is_symlink(self) -> bool:
        """Never."""
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:  # noqa: ARG002 - as above
        """Its number and size."""
        return os.stat_result((0, self.number, 0, 1, 0, 0, self.size, 0, 0, 0))


@final
class StoreTree:
    """A folder of a store, as it was listed; see `data.trees.Tree`.

    Args:
        database: With the table of this module, empty.
        root: The folder.

    Attributes:
        where: The folder as people write it.
        files: The private folder for its photos.
        skipped: Number of files and folders of names that cannot be read, by reason.
    """

    def __init__(self, database: sqlite3.Connection, root: Path) -> None:
        self._database = database
        self._root, self.where = str(root), as_written(root)
        self._store, self._path = store_of(self.where)
        self.files = new_private_folder()
        self.skipped: Counter[str] = Counter()

    def list_all(self, advance: Advance) -> None:
        """Ask the store what is in the folder, at any depth, a folder at a time.

        Args:
            advance: Reports progress per file and folder.

        Raises:
            ImageSetError: There is nothing, or the store does not answer.
        """
        waiting = [""]
        while waiting:
            below = waiting.pop()
            found = listed_in(self._store, self._path + below)
            if not below and any(not one.name and not one.is_folder for one in found):
                msg = (
                    f"{self.where} is one file. Give the folder that holds the class folders, or tars or Parquet files."
                )
                raise ImageSetError(msg)
            for one in found:
                if one.name in {"", ".", ".."} or "\0" in one.name:
                    self.skipped[NO_NAME] += 1
                    continue
                self._database.execute(
                    "INSERT INTO entry (folder, name, is_folder, size) VALUES (?, ?, ?, ?)",
                    (below, one.name, one.is_folder, one.size),
                )
                waiting += [f"{below}/{one.name}"] * one.is_folder
            advance(len(found))

    def scan(self, folder: str) -> AbstractContextManager[Iterator[Entry]]:
        """See `data.trees.Tree`."""
        query = "SELECT number, name, is_folder, size FROM entry WHERE folder = ? ORDER BY name"
        rows = self._database.execute(query, (self._below(folder),))
        return nullcontext(
            StoredEntry(name=name, path=str(Path(folder) / name), is_folder=bool(is_folder), size=size, number=number)
            for number, name, is_folder, size in rows
        )

    def exists(self, path: str) -> bool:
        """See `data.trees.Tree`."""
        folder, name = os.path.split(path)
        query = "SELECT 1 FROM entry WHERE folder = ? AND name = ?"
        return self._database.execute(query, (self._below(folder), name)).fetchone() is not None

    def file_of(self, entry: Entry) -> Path:
        """See `data.trees.Tree`."""
        return self.files / f"{entry.stat().st_ino}{plain_suffix(entry.name)}"

    def fetch(self, photos: Callable[[], Iterable[tuple[str, Path]]], progress: Progress) -> Iterator[SetAside]:
        """Fetch photos to where `file_of` says.

        Args:
            photos: Gives their names and files, each time that it is called; those of other trees are passed over.
            progress: Reports progress per photo.

        Yields:
            Those that the store does not give, although it has listed them.

        Raises:
            ImageSetError: The store does not answer any more.
            DiskFullError: There is no room for the photos.
        """
        total = size = 0
        for _, file in self._own(photos):
            total, size = total + 1, size + self._stored(file)[1]
        check_room(self.files, size, f"the photos in {self.where}", option="TMPDIR")
        waiting, pool = iter(self._own(photos)), ThreadPoolExecutor(_AT_ONCE)
        try:
            with progress.phase("fetch", total=total, unit="image") as advance:
                while some := list(itertools.islice(waiting, _PORTION)):
                    stored = [self._stored(file) for _, file in some]
                    faults = pool.map(self._fetched, stored, [file for _, file in some])
                    for (name, _), fault in zip(some, faults, strict=True):
                        if fault:
                            yield SetAside(name=name, reason=fault)
                        advance(1)
        finally:
            pool.shutdown(cancel_futures=True)

    def _own(self, photos: Callable[[], Iterable[tuple[str, Path]]]) -> Iterator[tuple[str, Path]]:
        return ((name, file) for name, file in photos() if file.parent == self.files)

    def _stored(self, file: Path) -> tuple[str, int]:
        """Path in the store and size of the photo that a file is for."""
        query = "SELECT folder, name, size FROM entry WHERE number = ?"
        folder, name, size = self._database.execute(query, (int(file.stem),)).fetchone()
        return f"{self._path}{folder}/{name}", size

    def _fetched(self, stored: tuple[str, int], file: Path) -> str:
        """Fetch one photo; why the store does not give it, or nothing."""
        path, size = stored
        if size > MAX_BYTES:
            return f"file-too-large {size:,} > {MAX_BYTES:,} bytes"

        def read() -> bytes:
            data: bytes = self._store.cat_file(path, start=0, end=size) if size else b""
            if len(data) != size:
                raise ConnectionError("the connection dropped")
            return data

        try:
            data = patiently(read, str(self._store.unstrip_protocol(path)))
        except NotGivenError as error:
            return error.reason
        with disk_errors_explained(file):
            file.write_bytes(data)
        return ""

    def _below(self, folder: str) -> str:
        """A folder as the table has it: relative to the root, with a slash before each part."""
        return Path(folder).as_posix()[len(Path(self._root).as_posix()) :]


@final
class Trees:
    """Where folders lie that one command reads; see `trees`."""

    def __init__(self, opened: contextlib.ExitStack, progress: Progress) -> None:
        self._opened, self._progress = opened, progress
        self._stored: list[StoreTree] = []

    @property
    def skipped(self) -> Counter[str]:
        """Number of files and folders of stores that cannot be read for their names, by reason."""
        return sum((tree.skipped for tree in self._stored), Counter[str]())

    def at(self, place: Path) -> Tree:
        """The tree that a folder lies in.

        Args:
            place: The folder, absolute; one of a store is listed now.

        Raises:
            ImageSetError: A store has nothing there, or does not answer.
        """
        if not scheme_of(place):
            return DISK
        tree = StoreTree(self._opened.enter_context(temporary_database(_SCHEMA)), place)
        with self._progress.phase("list", total=0, unit="file") as advance:
            tree.list_all(advance)
        self._stored.append(tree)
        return tree

    def fetch(self, table: ImageTable) -> None:
        """Fetch the candidates that lie in stores; those that a store does not give are set aside."""
        for tree in self._stored:
            for fault in tree.fetch(lambda: ((one.name, one.path) for one in table.candidates()), self._progress):
                table.set_aside([fault])
        table.skipped.update(self.skipped)

    def fetch_named(self, names: Sequence[str], files: Sequence[Path]) -> Iterator[SetAside]:
        """Fetch photos that lie in stores, by what they are called and `Tree.file_of`; gives those that cannot be."""
        for tree in self._stored:
            yield from tree.fetch(lambda: zip(names, files, strict=True), self._progress)


@contextlib.contextmanager
def trees(progress: Progress) -> Iterator[Trees]:
    """Trees of folders, as long as the block lasts; the photos that were fetched stay as long as the process.

    Args:
        progress: Reports what is listed and fetched.

    Yields:
        The trees.
    """
    with contextlib.ExitStack() as opened:
        yield Trees(opened, progress)
