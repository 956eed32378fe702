"""The table of images: what a source names and what was found out about it, on disk, in the order of the names.

A million photos are no reason to hold a million objects: whoever needs them all takes them in portions.
"""
# ruff: noqa: S608 - statements are put together from words of this module alone

import contextlib
import itertools
import json
import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Int, UInt8

from unfreeze.core.databases import temporary_database
from unfreeze.core.file_names import as_written
from unfreeze.core.findings import Finding
from unfreeze.core.records import Duplicate, ImageCounts, SetAside
from unfreeze.data.image_set import Image
from unfreeze.data.listed_files import Candidate
from unfreeze.images.glance import Glance, unpacked
from unfreeze.images.levels import WHOLE, Range
from unfreeze.images.pool import Inspection
from unfreeze.images.small_copy import SIDE


class State(IntEnum):
    """What has become of a candidate."""

    WAITING = 0
    USED = 1
    SET_ASIDE = 2
    DUPLICATE = 3
    UNRECOGNISED = 4  # neither its name nor its content claims to be an image


# Names are UTF-8 in which a byte that is no text keeps its place (surrogatepass): they sort as Python sorts text.
# `twin` is filled as images are found, since a sort at the end would need memory.
_SCHEMA = f"""
CREATE TABLE image (
    name BLOB PRIMARY KEY, line INTEGER, path BLOB, label BLOB, split TEXT, grouping BLOB, listed INTEGER,
    state INTEGER DEFAULT {State.WAITING}, sha256 BLOB, width INTEGER, height INTEGER, mode TEXT, notes TEXT,
    reason TEXT, same_as BLOB, taken INTEGER
) WITHOUT ROWID;
CREATE TABLE small_copy (name BLOB PRIMARY KEY, pixels BLOB) WITHOUT ROWID;
CREATE TABLE twin (pixels BLOB, name BLOB, PRIMARY KEY (pixels, name)) WITHOUT ROWID;
CREATE TABLE glance (name BLOB PRIMARY KEY, seen BLOB);
"""
_INSERT = "INSERT INTO image (name, line, path, label, split, grouping, listed) VALUES (?, ?, ?, ?, ?, ?, ?)"
_IMAGE = "name, path, label, split, grouping, sha256, width, height, mode, notes, taken"
_AT_ONCE = 1024  # rows in memory
_GLANCES = 2000  # that are kept, of images spread evenly: what they tell needs no more


@final
class ImageTable:
    """Candidates and images, ordered by name; see `image_table`.

    Args:
        database: With the tables of this module.
        source: The folder or list of images, absolute.
        root: The folder that names are relative to; if None, the source or the folder of the list.

    Attributes:
        source: As given.
        root: The folder that names are relative to.
        skipped: Number of files that are no candidates, by reason.
        skipped_of: The same by class, for the classes that have some.
        empty_labels: Labels of class folders without any candidate.
        no_classes: Names of folders that lie among the class folders and are none.
        findings: What the user should know.
        levels: By which its photos of 16 bits are scaled; see `data.levels`.
        looks_closely: Whether small copies (1 KB a photo) and glances are made and kept; without them neither near
            copies nor shortcuts are found.
        near_copies: Names of photos that are near copies of each other.
    """

    def __init__(self, database: sqlite3.Connection, source: Path, *, root: Path | None = None) -> None:
        self._database = database
        self.source = source
        self.root = root or (source if source.is_dir() else source.parent)
        self.skipped: Counter[str] = Counter()
        self.skipped_of: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.empty_labels: list[str] = []
        self.no_classes: set[str] = set()
        self.findings: list[Finding] = []
        self.levels: Range = WHOLE
        self.looks_closely = False
        self.near_copies: tuple[tuple[str, ...], ...] = ()
        self._recorded = 0

    @property
    def is_folder(self) -> bool:
        """Whether the source is a folder, and no list or packed file."""
        return self.root == self.source

    @property
    def where(self) -> str:
        """The root as people write it."""
        return as_written(self.root)

    def add(self, candidates: Iterable[Candidate]) -> int:
        """Add candidates of different names; how many there were."""
        before = self._database.total_changes
        self._database.executemany(_INSERT, (_candidate_row(candidate, 0) for candidate in candidates))
        return self._database.total_changes - before

    def add_listed(self, candidate: Candidate, line: int) -> None:
        """Add the candidate that stands in a line of a list."""
        self._database.execute(_INSERT, _candidate_row(candidate, line))

    def block(self, blocked: Iterable[tuple[str, str, str]]) -> None:
        """Add what could not even be looked at: name, reason and class, which is empty where there is none."""
        self._database.executemany(
            "INSERT INTO image (name, label, split, sha256, state, reason) "
            f"VALUES (?, ?, '', x'', {State.SET_ASIDE}, ?)",
            ((_coded(name), _coded(label), reason) for name, reason, label in blocked),
        )

    def remove_classes(self, labels: Iterable[str]) -> int:
        """Take away all candidates with any of these labels, and class folders so called; how many candidates."""
        gone = list(labels)
        before = self._database.total_changes
        self._database.executemany("DELETE FROM image WHERE label = ?", ((_coded(label),) for label in gone))
        self.empty_labels = [label for label in self.empty_labels if label not in gone]
        return self._database.total_changes - before

    def mark_as_train(self) -> None:
        """Give candidates without a split to the train part."""
        self._database.execute("UPDATE image SET split = 'train' WHERE split = ''")

    def listed_before(self, name: str) -> tuple[int, str] | None:
        """Line of the list in which a name stands, and its label there; None if it was not added."""
        query = "SELECT line, label FROM image WHERE name = ?"
        found = self._database.execute(query, (_coded(name),)).fetchone()
        return None if found is None else (int(found[0]), _text(found[1]))

    def __len__(self) -> int:
        """Number of candidates, whatever became of them."""
        return self._number("true")

    def skip(self, label: str, reason: str) -> None:
        """Count a candidate of a class that turned out to be something else."""
        self.skipped[reason] += 1
        self.skipped_of[label][reason] += 1

    def number_of(self, *states: State) -> int:
        """Number of candidates in any of these states."""
        return self._number(f"state IN ({', '.join(str(int(state)) for state in states)})")

    def number_without_split(self) -> int:
        """Number of candidates for which no split was given."""
        return self._number("split = ''")

    def candidates(self) -> Iterator[Candidate]:
        """Those that were not inspected yet."""
        for name, path, label, split, group, listed in self._rows(
            "name, path, label, split, grouping, listed", f"state = {State.WAITING}"
        ):
            yield Candidate(
                path=Path(_text(path)),
                name=_text(name),
                label=_text(label),
                split=split,
                group=_text(group),
                listed=bool(listed),
            )

    def record(self, found: Iterable[tuple[Candidate, State, Inspection]]) -> None:
        """Note what the decoder said of candidates; the state is that of the whole."""
        rows = list(found)
        self._database.executemany(
            "UPDATE image SET state = ?, sha256 = ?, width = ?, height = ?, mode = ?, notes = ?, reason = ?, "
            "taken = ? WHERE name = ?",
            (
                (
                    *(state, bytes.fromhex(seen.sha256), seen.width, seen.height, seen.mode),
                    *(json.dumps(seen.notes), seen.reason, seen.taken, _coded(candidate.name)),
                )
                for candidate, state, seen in rows
            ),
        )
        self._database.executemany(
            "INSERT INTO twin VALUES (?, ?)",
            (
                (bytes.fromhex(seen.pixels_sha256), _coded(candidate.name))
                for candidate, state, seen in rows
                if state is State.USED
            ),
        )
        self._database.executemany(
            "INSERT INTO glance VALUES (?, ?)",
            (
                (_coded(candidate.name), seen.glance)
                for place, (candidate, state, seen) in enumerate(rows, self._recorded)
                if state is State.USED and seen.glance and place % self._every == 0
            ),
        )
        if self.looks_closely:
            self._database.executemany(
                "INSERT OR REPLACE INTO small_copy VALUES (?, ?)",
                ((_coded(one.name), seen.small_copy) for one, state, seen in rows if state is State.USED),
            )
        self._recorded += len(rows)

    @cached_property
    def _every(self) -> int:
        """Of how many images the glance at one is kept."""
        return max(1, math.ceil(len(self) / _GLANCES))

    def glances(self) -> Iterator[tuple[Image, Glance]]:
        """Images outside of the test part, spread evenly, with what a glance at each sees."""
        condition = f"state = {State.USED} AND split <> 'test' AND name IN (SELECT name FROM glance)"
        for row in self._rows(_IMAGE, condition):
            (seen,) = self._database.execute("SELECT seen FROM glance WHERE name = ?", (row[0],)).fetchone()
            yield _image(row), unpacked(seen)

    def small_copies(self, most: int) -> tuple[list[Image], UInt8[np.ndarray, "image 32 32"]]:
        """The first `most` used images, and the small grey copy of each."""
        images = list(itertools.islice(self.images(), most))
        query = "SELECT pixels FROM small_copy WHERE name = ?"
        found = b"".join(self._database.execute(query, (_coded(image.name),)).fetchone()[0] for image in images)
        return images, np.frombuffer(found, np.uint8).reshape(-1, SIDE, SIDE)

    def set_groups(self, groups: Mapping[str, str]) -> None:
        """Give images, by their names, other groups."""
        pairs = ((_coded(group), _coded(name)) for name, group in groups.items())
        self._database.executemany("UPDATE image SET grouping = ? WHERE name = ?", pairs)

    def set_aside(self, items: Iterable[SetAside]) -> None:
        """Note that images cannot be used after all."""
        self._database.executemany(
            f"UPDATE image SET state = {State.SET_ASIDE}, reason = ? WHERE name = ?",
            ((item.reason, _coded(item.name)) for item in items),
        )

    def remove(self, duplicates: Iterable[Duplicate]) -> None:
        """Note that images are removed as duplicates."""
        self._database.executemany(
            f"UPDATE image SET state = {State.DUPLICATE}, same_as = ?, reason = ? WHERE name = ?",
            ((_coded(item.same_as), item.why, _coded(item.name)) for item in duplicates),
        )

    def group_by_stem(self) -> list[str]:
        """Make one group of used images that differ only in their suffix, where no group was given.

        Returns:
            Names of all that have another before them.
        """
        groups: dict[bytes, list[bytes]] = {}
        later = []
        for (name,) in self._rows("name", f"state = {State.USED} AND grouping = x''"):
            # Whatever has the same stem comes before the first name that does not begin with it.
            if groups and not name.startswith(next(iter(groups)) + b"."):
                later += self._grouped(groups)
                groups.clear()
            groups.setdefault(_stem(name), []).append(name)
        return [*later, *self._grouped(groups)]

    def _grouped(self, groups: Mapping[bytes, Sequence[bytes]]) -> list[str]:
        pairs = [(stem, name) for stem, names in groups.items() if len(names) > 1 for name in names]
        self._database.executemany("UPDATE image SET grouping = ? WHERE name = ?", pairs)
        return [_text(name) for names in groups.values() for name in names[1:]]

    def images(self) -> Iterator[Image]:
        """All that are used."""
        return map(_image, self._rows(_IMAGE, f"state = {State.USED}"))

    def images_called(self, names: Iterable[str]) -> list[Image]:
        """Those of the named that are used, in the order of `names`."""
        query = f"SELECT {_IMAGE} FROM image WHERE name = ? AND state = {State.USED}"
        rows = (self._database.execute(query, (_coded(name),)).fetchone() for name in names)
        return [_image(row) for row in rows if row is not None]

    def spread(self, count: int) -> list[Image]:
        """At most `count` images spread evenly over all that are used or may be; of the latter just the path."""
        states = f"state IN ({State.WAITING}, {State.USED})"
        total = self.number_of(State.WAITING, State.USED)
        wanted = {int(place) for place in np.linspace(0, total - 1, min(count, total))}
        return [_image(row) for place, row in enumerate(self._rows(_IMAGE, states)) if place in wanted]

    def twins(self) -> Iterator[tuple[Image, ...]]:
        """Used images with equal pixels, together, each by name; the pictures in the order of their first names."""
        pictures = self._database.execute(
            "SELECT pixels FROM twin GROUP BY pixels HAVING count(*) > 1 ORDER BY min(name)"
        ).fetchall()
        for (pixels,) in pictures:
            names = self._database.execute("SELECT name FROM twin WHERE pixels = ? ORDER BY name", (pixels,)).fetchall()
            same = self.images_called(_text(name) for (name,) in names)
            if len(same) > 1:
                yield tuple(same)

    def files_set_aside(self, label: str | None = None) -> Iterator[SetAside]:
        """What was set aside, of all classes or of one."""
        condition = f"state = {State.SET_ASIDE}"
        for name, reason, sha256, its_label in self._rows("name, reason, sha256, label", condition):
            if label is None or label == _text(its_label):
                yield SetAside(name=_text(name), reason=reason, sha256=(sha256 or b"").hex())

    def duplicates(self, label: str | None = None) -> Iterator[Duplicate]:
        """What was removed, of all classes or of one."""
        for name, same_as, why, its_label in self._rows("name, same_as, reason, label", f"state = {State.DUPLICATE}"):
            if label is None or label == _text(its_label):
                yield Duplicate(name=_text(name), same_as=_text(same_as), why=why)

    def labels(self) -> set[str]:
        """Labels of all candidates and of class folders without any."""
        found = self._database.execute("SELECT DISTINCT label FROM image WHERE label <> x''")
        return {*self.empty_labels, *(_text(label) for (label,) in found)}

    def sizes(self, *splits: str) -> Counter[str]:
        """Number of used images by label, in the order of their first names; of all splits, or of these."""
        return Counter(_text(label) for (label,) in self._rows("label", _in_splits(splits)))

    def number_smaller_than(self, side: int) -> int:
        """Number of used images whose shorter side has fewer pixels."""
        return self._number(f"state = {State.USED} AND min(width, height) < {side}")

    def number_of_groups_on_both_sides(self) -> int:
        """Number of groups with used images in the test part and outside of it."""
        used = f"SELECT grouping FROM image WHERE state = {State.USED} AND grouping <> x''"
        query = f"SELECT count(*) FROM ({used} GROUP BY grouping HAVING count(DISTINCT split = 'test') > 1)"
        return int(self._database.execute(query).fetchone()[0])

    def given_splits(self) -> set[str]:
        """Splits of all candidates; empty text for those without."""
        return {split for (split,) in self._database.execute("SELECT DISTINCT split FROM image")}

    def counts(self) -> ImageCounts:
        """Where every file has gone; those that are not recognised are skipped."""
        used, aside, removed = map(self.number_of, (State.USED, State.SET_ASIDE, State.DUPLICATE))
        return ImageCounts.of(used=used, set_aside=aside, duplicates_removed=removed, skipped=self.skipped)

    def class_indices(self, *splits: str) -> Int[np.ndarray, " image"]:
        """Class index of every used image of some splits, in the order of the names, int32."""
        classes = {_coded(label): index for index, label in enumerate(sorted(self.sizes()))}
        labels = self._rows("label", _in_splits(splits))
        return np.fromiter((classes[label] for (label,) in labels), np.int32)

    def first_places(self, *splits: str) -> Int[np.ndarray, " image"]:
        """Place of the first image of each used image's group, among those of some splits, int32; see `deal`."""
        where = _in_splits(splits)
        if not self._number(f"{where} AND grouping <> x''"):
            return np.arange(self._number(where), dtype=np.int32)
        query = f"""
            WITH numbered AS
                (SELECT name, grouping, row_number() OVER (ORDER BY name) - 1 AS place FROM image WHERE {where})
            SELECT min(place) OVER (PARTITION BY grouping = x'', CASE grouping WHEN x'' THEN name ELSE grouping END)
            FROM numbered ORDER BY name
        """
        return np.fromiter((place for (place,) in self._database.execute(query)), np.int32)

    def assign_splits(self, splits: Sequence[str], sides: Iterable[str]) -> None:
        """Give the used images of some splits new ones, in the order of the names."""
        names = self._rows("name", _in_splits(splits))
        pairs = ((side, name) for side, (name,) in zip(sides, names, strict=True))
        while some := list(itertools.islice(pairs, _AT_ONCE)):
            self._database.executemany("UPDATE image SET split = ? WHERE name = ?", some)

    def _rows(self, columns: str, condition: str) -> Iterator[tuple[Any, ...]]:
        """Rows by name, a portion in memory at a time, so that the table may be written in between."""
        query = f"SELECT name, {columns} FROM image WHERE name > ? AND {condition} ORDER BY name LIMIT {_AT_ONCE}"
        last = b""
        while rows := self._database.execute(query, (last,)).fetchall():
            for _, *row in rows:
                yield tuple(row)
            last = rows[-1][0]

    def _number(self, condition: str) -> int:
        return int(self._database.execute(f"SELECT count(*) FROM image WHERE {condition}").fetchone()[0])


@contextlib.contextmanager
def image_table(source: Path, *, root: Path | None = None) -> Iterator[ImageTable]:
    """An empty table, gone in the end; small ones never leave the memory.

    Args:
        source: The folder or list of images, absolute.
        root: As for `ImageTable`.

    Yields:
        The table.

    Raises:
        DiskFullError: There is no room for it.
    """
    with temporary_database(_SCHEMA) as database:
        yield ImageTable(database, source, root=root)


def _stem(name: bytes) -> bytes:
    """A name without its suffix."""
    folder, slash, file = name.rpartition(b"/")
    stem, dot, _ = file.rpartition(b".")
    return folder + slash + (stem if dot and stem else file)


def _coded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(coded: bytes) -> str:
    return coded.decode("utf-8", "surrogatepass")


def _in_splits(splits: Sequence[str]) -> str:
    """A condition; splits are words of ours."""
    wanted = ", ".join(f"'{split}'" for split in splits)
    return f"state = {State.USED}" + (f" AND split IN ({wanted})" if splits else "")


def _candidate_row(candidate: Candidate, line: int) -> tuple[object, ...]:
    texts = (str(candidate.path), candidate.label)
    return (
        *(_coded(candidate.name), line, *map(_coded, texts), candidate.split),
        *(_coded(candidate.group), candidate.listed),
    )


def _image(row: Sequence[Any]) -> Image:
    name, path, label, split, group, sha256, width, height, mode, notes, taken = row
    return Image(
        path=Path(_text(path)),
        name=_text(name),
        label=_text(label),
        sha256=(sha256 or b"").hex(),
        width=width or 0,
        height=height or 0,
        mode=mode or "",
        split=split,
        group=_text(group),
        flags=tuple(json.loads(notes or "[]")),
        taken=taken,
    )
