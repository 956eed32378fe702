"""The store of codes: what a frozen network gave for an image is computed once and found again by content.

A store is a folder of immutable Parquet shards, one row an image: its sha256, and a fixed-size list of floats a tap.
The folder's name is a hash of everything that decides the numbers: weights, taps, preprocessing, engine, precision. So
a moved image costs nothing, a changed one is seen, and nothing stale can be found. A damaged shard is left out and its
images are computed again. Where several machines share it, the folder has what this machine has written or needed.
"""

import contextlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from unfreeze.core.files import disk_errors_explained, make_folder, write_bytes, write_json
from unfreeze.store.eviction import LimitKeeper, size_limit
from unfreeze.store.locks import Use, mark_in_use, touch
from unfreeze.store.manifests import MANIFEST_FILE, Manifest, Values, key_of, new_manifest, values_in
from unfreeze.store.places import shared_stores, stores_folder
from unfreeze.store.shards import (
    DamagedShardError,
    encoded_shard,
    keys_of_shard,
    name_of_shard,
    read_shard,
    rebuilt_manifest,
    recorded_manifest,
    shards_in,
)
from unfreeze.store.shared import AT_ONCE, SharedShards

SHARD_ROWS = 256
KEY_DTYPE = "S64"  # a sha256 in hexadecimal digits

Row = dict[str, NDArray[np.floating]]


@dataclass(frozen=True, eq=False)
class CodeStore:
    """A folder of shards that all come from the same network, preprocessing and engine.

    Attributes:
        folder: Where the shards are.
        widths: Number of code values by column: by tap, shallow to deep.
        manifest: What the codes are codes of: ``description`` as it was given, ``notes`` of whoever made the store.
    """

    folder: Path
    widths: Mapping[str, int]
    manifest: Manifest
    _use: Use | None = field(default=None, repr=False)
    _shared: SharedShards | None = field(default=None, repr=False)
    _limit: LimitKeeper = field(default_factory=LimitKeeper, repr=False)

    def read(self, wanted: Iterable[str]) -> dict[str, Row]:
        """Codes of those of the `wanted` images (sha256 of their bytes) that are stored and undamaged."""
        found: dict[str, Row] = {}
        for hits, codes in self._hits(set(wanted)):
            # Copied, since a view of one row would keep the whole shard in memory.
            found.update({key: {tap: codes[tap][row].copy() for tap in self.widths} for key, row in hits.items()})
        return found

    def _hits(self, wanted: set[str]) -> Iterator[tuple[dict[str, int], dict[str, NDArray[np.floating]]]]:
        """From shard to shard, the rows of wanted images that no earlier shard had, and all codes of that shard."""
        missing = set(wanted)
        for path, stored in self.keys_by_shard():
            if not missing:
                return
            if missing.isdisjoint(stored):
                continue
            try:
                keys, codes = self.read_shard(path)
            except DamagedShardError:
                continue  # its images are computed again
            hits = {key: row for row, key in enumerate(keys) if key in missing}
            missing.difference_update(hits)
            yield hits, codes

    def keys_by_shard(self, known: Collection[Path] = ()) -> Iterator[tuple[Path, list[str]]]:
        """The images' sha256 in each shard, read without codes.

        Args:
            known: Shards that are passed over.

        Yields:
            Where the shard lies, or will once it is fetched, and the keys; in a fixed order those in the folder, then
            those that other machines have written.
        """
        here = shards_in(self.folder)
        yield from ((path, keys_of_shard(path)) for path in here if path not in known)
        if self._shared is not None:
            others = [self.folder / name for name in self._shared.names()]
            others = [path for path in others if path not in {*known, *here}]
            yield from zip(others, self._shared.keys(path.name for path in others), strict=True)

    def read_shard(self, path: Path) -> tuple[list[str], dict[str, NDArray[np.floating]]]:
        """Keys and codes of a shard of `keys_by_shard`; see `store.shards.read_shard`.

        Raises:
            DamagedShardError: Something is not as it was written.
        """
        self.fetch([path])
        return read_shard(path)

    def fetch(self, shards: Iterable[Path]) -> None:
        """Fetch those of some shards that are not in the folder, several at a time; damaged ones stay away.

        Raises:
            ImageSetError: The object store does not answer.
            DiskFullError: No space is left.
        """
        absent = [] if self._shared is None else [path for path in shards if not path.exists()]
        if absent:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(self._fetched, absent))

    def _fetched(self, path: Path) -> None:
        assert self._shared is not None  # noqa: S101 - shards are absent only where they are shared
        with contextlib.suppress(DamagedShardError):  # said by whoever reads it: there is no file
            write_bytes(path, self._shared.fetch(path.name), private=True)

    def complete(self) -> None:
        """Put what this machine has written and others lack where they find it; nothing where nobody else looks.

        Raises:
            OutputError: The object store does not take it.
        """
        if self._shared is None:
            return
        self._shared.put_manifest(json.dumps(self.manifest).encode())
        there = {*self._shared.names()}
        for path in shards_in(self.folder):
            if path.name not in there and name_of_shard(data := path.read_bytes()) == path.name:
                self._shared.put(path.name, data)

    @property
    def values(self) -> Values:
        """Type of the codes."""
        return values_in(self.manifest)

    def keys(self) -> Shaped[np.ndarray, " image"]:
        """The sha256 of every stored image, sorted, each once, without reading codes.

        Returns:
            Bytes [image], dtype S64. A shard whose codes are damaged counts here too: reading has the last word.
        """
        every = [np.array(keys, KEY_DTYPE) for _, keys in self.keys_by_shard()]
        return np.unique(np.concatenate([np.empty(0, KEY_DTYPE), *every]))

    def write(self, rows: Mapping[str, Row]) -> Path:
        """Add one shard, durably; now and then, other stores are removed if the limit of all is exceeded.

        Args:
            rows: Codes by tap, [width], by the image's sha256, at least one; two processes that write the same
                agree on the shard's name.

        Returns:
            The shard.

        Raises:
            DiskFullError: No space is left.
            OutputError: The store cannot be written.
        """
        name, data = encoded_shard(rows, self.manifest)
        with disk_errors_explained(self.folder):
            make_folder(self.folder, private=True)  # somebody may have emptied the cache by hand
        write_bytes(self.folder / name, data, private=True)
        if self._shared is not None:
            self._shared.put(name, data)
        touch(self.folder)
        self._limit.wrote(self.folder, len(data))
        return self.folder / name

    def close(self) -> None:
        """Say that this process is done with the store, so that it may be removed; it can be read until it is."""
        if self._use is not None:
            self._use.close()


def open_store(
    description: Mapping[str, Any],
    widths: Mapping[str, int],
    *,
    notes: Mapping[str, Any] | None = None,
    cache: Path | None = None,
) -> CodeStore:
    """Open the store of one network, preprocessing and engine; make it where there is none.

    It counts as in use, and is not removed, as long as this process lives or until `CodeStore.close`.

    Args:
        description: Everything that decides the numbers, as JSON values; its hash names the folder. ``values`` is
            float16 for codes in half precision.
        widths: Number of code values by tap, shallow to deep.
        notes: What else is worth keeping with a new store, as JSON values; a store that is there keeps its own.
        cache: Folder of all stores, or their address in an object store; `default_cache()` if None.

    Returns:
        The store. A manifest that was lost is there again.

    Raises:
        InputError: UNFREEZE_CACHE_LIMIT is set to something that is no size.
        ImageSetError: The object store does not answer, or may not be read.
        OutputError: The cache cannot be written.
    """
    fresh = new_manifest(description, widths, notes)
    key = key_of(fresh)
    folder = stores_folder(cache) / key
    use = mark_in_use(folder)
    size_limit(folder)  # a mistake in the variable is said before anything is computed
    manifest = recorded_manifest(folder)
    if manifest is None:
        manifest = rebuilt_manifest(folder) or fresh
        write_json(folder / MANIFEST_FILE, manifest, private=True)
    address = shared_stores(cache)
    store = CodeStore(folder, dict(widths), manifest, use, SharedShards(f"{address}/{key}") if address else None)
    store.complete()
    return store
