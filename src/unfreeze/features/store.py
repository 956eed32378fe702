"""The store of codes: what a frozen network gave for an image is computed once and found again by content.

A store is a folder of immutable Parquet shards, one row an image: its sha256, and a fixed-size list of float32 a tap.
The folder's name is a hash of everything that decides the numbers: weights, taps, preprocessing, engine, precision. So
a moved image costs nothing, a changed one is seen, and nothing stale can be found. Page checksums are written and
verified; a damaged shard is left out and its images are computed again.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from unfreeze.core.files import disk_errors_explained, sha256_of, write_durably, write_json

FORMAT = "unfreeze.codes/1"
SHARD_ROWS = 256

Row = dict[str, NDArray[np.float32]]


def default_cache() -> Path:
    """Where codes are kept: the environment variable UNFREEZE_CACHE, else the user's cache folder."""
    chosen = os.environ.get("UNFREEZE_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("unfreeze", appauthor=False))


@dataclass(frozen=True)
class CodeStore:
    """A folder of shards that all come from the same network, preprocessing and engine.

    Attributes:
        folder: Where the shards are.
        widths: Number of code values by tap, shallow to deep.
    """

    folder: Path
    widths: Mapping[str, int]

    @property
    def _schema(self) -> pa.Schema:
        columns = [pa.field(tap, pa.list_(pa.float32(), width)) for tap, width in self.widths.items()]
        return pa.schema([pa.field("sha256", pa.string()), *columns], metadata={"format": FORMAT})

    def read(self, wanted: Iterable[str]) -> dict[str, Row]:
        """Codes of those of the `wanted` images (sha256 of their bytes) that are stored and undamaged."""
        names = set(wanted)
        found: dict[str, Row] = {}
        for shard in sorted(self.folder.glob("*.parquet")):
            if len(found) == len(names):
                break
            found.update(self._read_shard(shard, names))
        return found

    def _read_shard(self, shard: Path, names: set[str]) -> dict[str, Row]:
        try:
            table = pq.read_table(shard, page_checksum_verification=True)
            if table.schema != self._schema:
                return {}
        except (OSError, pa.ArrowException):
            return {}  # damaged: its rows are computed again
        keys = table["sha256"].to_pylist()
        columns = {tap: _as_array(table[tap], width) for tap, width in self.widths.items()}
        return {key: {tap: columns[tap][i] for tap in columns} for i, key in enumerate(keys) if key in names}

    def write(self, rows: Mapping[str, Row]) -> None:
        """Add one shard, durably; its name is a hash of its keys, so two processes that write the same agree."""
        if not rows:
            return
        columns: list[pa.Array] = [pa.array(list(rows), pa.string())]
        for tap, width in self.widths.items():
            flat = np.concatenate([row[tap] for row in rows.values()]).astype(np.float32)
            columns.append(pa.FixedSizeListArray.from_arrays(pa.array(flat), width))
        table = pa.Table.from_arrays(columns, schema=self._schema)
        shard = self.folder / f"{sha256_of(''.join(rows).encode())[:32]}.parquet"
        write_durably(shard, lambda path: pq.write_table(table, path, write_page_checksum=True, compression="none"))


def _as_array(column: pa.ChunkedArray, width: int) -> NDArray[np.float32]:
    values = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values, dtype=np.float32).reshape(-1, width)


def open_store(description: Mapping[str, Any], widths: Mapping[str, int], *, cache: Path | None = None) -> CodeStore:
    """Open the store of one network, preprocessing and engine; make it where there is none.

    Args:
        description: Everything that decides the numbers, as JSON values; its hash names the folder.
        widths: Number of code values by tap, shallow to deep.
        cache: Folder of all stores; `default_cache()` if None.

    Returns:
        The store.
    """
    manifest = {"format": FORMAT, "widths": dict(widths), **description}
    key = sha256_of(json.dumps(manifest, sort_keys=True).encode())
    folder = (cache or default_cache()) / "codes" / key[:32]
    with disk_errors_explained(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / "manifest.json").exists():
        write_json(folder / "manifest.json", manifest)
    return CodeStore(folder, dict(widths))
