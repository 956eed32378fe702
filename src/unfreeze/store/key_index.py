"""Where in a store the codes of each image lie: an index on disk, made from the shards; no shard is read in vain.

It is private to a process and goes with it: the shards are all that has to survive.
"""

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Bool, Float

from unfreeze.core.databases import temporary_database
from unfreeze.store.codes import CodeStore, Row
from unfreeze.store.shards import DamagedShardError

_SCHEMA = "CREATE TABLE place (key TEXT PRIMARY KEY, shard INTEGER, row INTEGER) WITHOUT ROWID"


@final
class KeyIndex:
    """Finds, reads and adds codes of one store; see `key_index`.

    Args:
        database: With the table of this module, empty.
        store: What is indexed.
    """

    def __init__(self, database: sqlite3.Connection, store: CodeStore) -> None:
        self._database = database
        self._store = store
        self._shards: list[Path] = []
        self._whole: set[int] = set()
        self._damaged: set[Path] = set()
        for path, keys in store.keys_by_shard():
            self._add(path, keys)
        self._found = len(self._shards)  # later ones are written by this process, or by those that work for it

    @property
    def widths(self) -> Mapping[str, int]:
        """Number of code values by column of the store."""
        return self._store.widths

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Those of some keys that are not stored, or in a damaged shard, each once.

        Args:
            keys: sha256 of the images' bytes.

        Returns:
            Keys in their order.
        """
        places = self._places(keys)
        while not self._are_whole(places):
            places = self._places(keys)
        stored = {keys[place] for hits in places.values() for place, _ in hits}
        return [key for key in dict.fromkeys(keys) if key not in stored]

    def write(self, rows: Mapping[str, Row]) -> None:
        """Add a shard to the store; see `CodeStore.write`."""
        self._add(self._store.write(rows), list(rows))
        self._whole.add(len(self._shards) - 1)

    def take_up(self) -> None:
        """Index the shards that other processes have written since; they count as written through this index."""
        for path, keys in self._store.keys_by_shard(set(self._shards)):
            self._add(path, keys)

    def read(
        self, keys: Sequence[str]
    ) -> tuple[dict[str, Float[np.ndarray, "image _"]], Bool[np.ndarray, " image"], Bool[np.ndarray, " image"]]:
        """Codes of some images; takes the memory of the result and of one shard.

        Args:
            keys: sha256 of the images' bytes.

        Returns:
            By column, codes in the order of `keys`; whether each was found (rows of the others are zero); and whether
            each was written through this index.
        """
        by_tap = {tap: np.zeros((len(keys), width), self._store.values) for tap, width in self._store.widths.items()}
        found, new = np.zeros((2, len(keys)), np.bool_)
        for shard, hits in self._places(keys).items():
            try:
                _, codes = self._store.read_shard(self._shards[shard])
            except DamagedShardError:
                continue
            places, rows = map(list, zip(*hits, strict=True))
            for tap, values in by_tap.items():
                values[places] = codes[tap][rows]
            found[places], new[places] = True, shard >= self._found
        return by_tap, found, new

    def _add(self, path: Path, keys: Sequence[str]) -> None:
        self._note(keys, len(self._shards))
        self._shards.append(path)

    def _note(self, keys: Sequence[str], shard: int) -> None:
        rows = ((key, shard, row) for row, key in enumerate(keys))
        self._database.executemany("INSERT OR IGNORE INTO place VALUES (?, ?, ?)", rows)

    def _places(self, keys: Sequence[str]) -> dict[int, list[tuple[int, int]]]:
        """By shard, places in `keys` and their rows there."""
        by_shard: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for place, key in enumerate(keys):
            found = self._database.execute("SELECT shard, row FROM place WHERE key = ?", (key,)).fetchone()
            if found is not None:
                by_shard[found[0]].append((place, found[1]))
        return by_shard

    def _are_whole(self, shards: Iterable[int]) -> bool:
        """Whether the codes of all these shards can be read; those that are damaged leave the index."""
        unknown = [shard for shard in shards if shard not in self._whole]
        self._store.fetch(self._shards[shard] for shard in unknown)
        damaged = []
        for shard in unknown:
            try:
                self._store.read_shard(self._shards[shard])
            except DamagedShardError:
                damaged.append(shard)
            else:
                self._whole.add(shard)
        if damaged:
            self._leave_out(damaged)
        return not damaged

    def _leave_out(self, damaged: Sequence[int]) -> None:
        """Forget damaged shards; others may have the same images."""
        self._damaged.update(self._shards[shard] for shard in damaged)
        self._database.executemany("DELETE FROM place WHERE shard = ?", ((shard,) for shard in damaged))
        numbers = {path: number for number, path in enumerate(self._shards)}
        for path, keys in self._store.keys_by_shard(self._damaged):
            if path in numbers:
                self._note(keys, numbers[path])


@contextlib.contextmanager
def key_index(store: CodeStore) -> Iterator[KeyIndex]:
    """Index what a store holds; takes some milliseconds a shard, and no memory that grows with the images.

    Args:
        store: Open.

    Yields:
        The index.

    Raises:
        DiskFullError: There is no room for it.
    """
    with temporary_database(_SCHEMA) as database:
        yield KeyIndex(database, store)
