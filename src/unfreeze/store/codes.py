"""The store of codes: what a frozen network gave for an image is computed once and found again by content.

A store is a folder of immutable Parquet shards, one row an image: its sha256, and a fixed-size list of floats a tap.
The folder's name is a hash of everything that decides the numbers: weights, taps, preprocessing, engine, precision. So
a moved image costs nothing, a changed one is seen, and nothing stale can be found. A damaged shard is left out and its
images are computed again.
"""

from collections.abc import Iterable, Iterator, Mapping
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
from unfreeze.store.places import stores_folder
from unfreeze.store.shards import (
    DamagedShardError,
    encoded_shard,
    keys_of_shard,
    read_shard,
    rebuilt_manifest,
    recorded_manifest,
    shards_in,
)

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
        for path in shards_in(self.folder):
            if not missing:
                return
            if missing.isdisjoint(keys_of_shard(path)):
                continue
            try:
                keys, codes = read_shard(path)
            except DamagedShardError:
                continue  # its images are computed again
            hits = {key: row for row, key in enumerate(keys) if key in missing}
            missing.difference_update(hits)
            yield hits, codes

    @property
    def values(self) -> Values:
        """Type of the codes."""
        return values_in(self.manifest)

    def keys(self) -> Shaped[np.ndarray, " image"]:
        """The sha256 of every stored image, sorted, each once, without reading codes.

        Returns:
            Bytes [image], dtype S64. A shard whose codes are damaged counts here too: reading has the last word.
        """
        every = [np.array(keys_of_shard(path), KEY_DTYPE) for path in shards_in(self.folder)]
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
        cache: Folder of all stores; `default_cache()` if None.

    Returns:
        The store. A manifest that was lost is there again.

    Raises:
        InputError: UNFREEZE_CACHE_LIMIT is set to something that is no size.
        OutputError: The cache cannot be written.
    """
    fresh = new_manifest(description, widths, notes)
    folder = stores_folder(cache) / key_of(fresh)
    use = mark_in_use(folder)
    size_limit(folder)  # a mistake in the variable is said before anything is computed
    manifest = recorded_manifest(folder)
    if manifest is None:
        manifest = rebuilt_manifest(folder) or fresh
        write_json(folder / MANIFEST_FILE, manifest, private=True)
    return CodeStore(folder, dict(widths), manifest, use)
