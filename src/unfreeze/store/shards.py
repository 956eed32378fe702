"""Shards: immutable Parquet files, one row an image, each named after the hash of its own bytes.

Checksums of Parquet cover the data in a page, not the headers and the footer, where one bit can move a column. The
name covers every byte, at the price of a hash (2 GB/s with the SHA instructions of a CPU) beside the decoding of a
shard, which costs about the same. The checksums are there as well, for other programs.
"""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from unfreeze.core.files import sha256_of
from unfreeze.core.leftovers import paths_in
from unfreeze.store.columns import codes_column, codes_of_column, text_column
from unfreeze.store.manifests import MANIFEST_FILE, Manifest, checked_manifest, values_in

SUFFIX = ".parquet"
_NAME = re.compile(rf"[0-9a-f]{{32}}{re.escape(SUFFIX)}")
_METADATA_KEY = b"unfreeze.manifest"
_NO_SHARD = (OSError, pa.ArrowException)  # what reading something else than a whole Parquet file raises


class DamagedShardError(Exception):
    """A shard is not what was written; the text says what is wrong with it."""


def shards_in(folder: Path) -> list[Path]:
    """The shards of a store, in a fixed order."""
    return [path for path in paths_in(folder) if path.suffix == SUFFIX]


def encoded_shard(rows: Mapping[str, Mapping[str, NDArray[np.floating]]], manifest: Manifest) -> tuple[str, bytes]:
    """A shard.

    Args:
        rows: Codes by name of the column, [width], by the image's sha256; at least one row.
        manifest: Of the store; becomes part of the shard.

    Returns:
        Name and content of the file.
    """
    schema = _schema(manifest)
    columns: list[pa.Array] = [text_column(list(rows))]
    for tap in manifest["widths"]:
        columns.append(codes_column(np.stack([row[tap] for row in rows.values()]), schema.field(tap).type))
    stream = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(columns, schema=schema),
        stream,
        write_page_checksum=True,
        compression="none",  # codes are noise to a compressor,
        use_dictionary=False,  # hardly ever the same twice,
        write_statistics=False,  # and nobody looks for a range of them
    )
    data = stream.getvalue()
    return name_of_shard(data), data


def _schema(manifest: Manifest) -> pa.Schema:
    # Without nulls, a shard is read in two thirds of the time.
    kind = pa.float16() if values_in(manifest) == "float16" else pa.float32()
    value = pa.field("element", kind, nullable=False)
    columns = [pa.field(tap, pa.list_(value, width), nullable=False) for tap, width in manifest["widths"].items()]
    key = pa.field("sha256", pa.string(), nullable=False)
    return pa.schema([key, *columns], metadata={_METADATA_KEY: json.dumps(manifest)})


def name_of_shard(data: bytes) -> str:
    """The name of a shard with this content."""
    return f"{sha256_of(data)[:32]}{SUFFIX}"


def is_shard_name(name: str) -> bool:
    """Whether a shard may be called so."""
    return _NAME.fullmatch(name) is not None


def read_shard(path: Path) -> tuple[list[str], dict[str, NDArray[np.floating]]]:
    """Everything in a shard, after a check of every byte.

    Args:
        path: In the folder of its store.

    Returns:
        The images' sha256, and by name of the column their codes, [image, width], as `values_in` its manifest says.

    Raises:
        DamagedShardError: Something is not as it was written.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"cannot be read: {error.strerror}"
        raise DamagedShardError(msg) from error
    if name_of_shard(data) != path.name:
        msg = "its content has changed since it was written"
        raise DamagedShardError(msg)
    try:
        table = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read(use_threads=False)
    except _NO_SHARD as error:
        msg = f"is no Parquet file: {error}"
        raise DamagedShardError(msg) from error
    manifest = _manifest_of(table.schema, path.parent.name)
    if manifest is None or table.schema != _schema(manifest):
        msg = "belongs to another store"
        raise DamagedShardError(msg)
    codes = {tap: codes_of_column(table[tap], width) for tap, width in manifest["widths"].items()}
    return table["sha256"].to_pylist(), codes


def _manifest_of(schema: pa.Schema, key: str) -> Manifest | None:
    return checked_manifest((schema.metadata or {}).get(_METADATA_KEY, b""), key)


def keys_of_shard(file: Path | io.RawIOBase) -> list[str]:
    """The images' sha256 in a shard, read without their codes; nothing if that column is damaged."""
    try:
        with pq.ParquetFile(file, pre_buffer=False, page_checksum_verification=True) as table:
            keys: list[str] = table.read(columns=["sha256"], use_threads=False)["sha256"].to_pylist()
    except (*_NO_SHARD, LookupError, ValueError):
        return []
    return keys


def rows_of_shard(path: Path) -> int:
    """Number of images that the footer of a shard names; 0 if it cannot be read."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except _NO_SHARD:
        return 0


def recorded_manifest(folder: Path) -> Manifest | None:
    """What the store's ``manifest.json`` says; None if it is lost or damaged."""
    try:
        return checked_manifest((folder / MANIFEST_FILE).read_bytes(), folder.name)
    except OSError:
        return None


def rebuilt_manifest(folder: Path) -> Manifest | None:
    """The manifest as any of the store's shards has it; None if none has."""
    for path in shards_in(folder):
        try:
            manifest = _manifest_of(pq.read_schema(path), folder.name)
        except _NO_SHARD:
            continue
        if manifest is not None:
            return manifest
    return None
