"""Photos in a Parquet file: a column of paths, or of whole files as Hugging Face's datasets writes them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from unfreeze.core.errors import DiskFullError, ImageSetError
from unfreeze.core.room import check_room
from unfreeze.data.list_columns import PATH_COLUMNS
from unfreeze.data.list_values import text_of

_AT_ONCE = 64  # rows in memory, each of which may hold a whole photo
_SHOWN = 10  # columns in an error
Kind = Literal["files", "paths"]


def photos_in(source: Path, *, unpacked: Path) -> Iterator[tuple[str, bytes | None]]:
    """What each row of a Parquet file holds.

    Args:
        source: The file. Where it has a column of bytes, or of bytes and paths, that is taken; else one of paths.
        unpacked: Folder that the photos will be written to; there must be room for them.

    Yields:
        The path that stands there, or nothing, and the bytes; None where there are none.

    Raises:
        ImageSetError: It cannot be read, or has no such column, or several.
        DiskFullError: There is no room.
    """
    try:
        with pq.ParquetFile(source) as file:
            name, kind = _photo_column(file.schema_arrow, source)
            if kind == "files":
                check_room(unpacked, _size(file, name), f"the photos in {source}", option="TMPDIR")
            for batch in file.iter_batches(_AT_ONCE, columns=[name], use_threads=False):
                yield from (_photo(value, kind) for value in batch.column(0).to_pylist())
    except DiskFullError:
        raise
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        msg = f"{source} cannot be read as Parquet: {error}."
        raise ImageSetError(msg) from error


def _photo(value: Any, kind: Kind) -> tuple[str, bytes | None]:
    if isinstance(value, dict):
        return text_of(value.get("path")), value.get("bytes") or None
    return ("", value or None) if kind == "files" else (text_of(value), None)


def _photo_column(schema: pa.Schema, source: Path) -> tuple[str, Kind]:
    kinds = {field.name: kind for field in schema if (kind := _kind(field))}
    packed = [name for name, kind in kinds.items() if kind == "files"]
    paths = sorted(kinds.keys() - {*packed}, key=lambda name: PATH_COLUMNS.index(name.lower()))
    if len(packed) > 1:
        packed = [name for name in packed if name.lower() == "image"] or packed
    if len(packed) > 1:
        msg = f"{source} has {len(packed)} columns of photos ({', '.join(packed)}). Call the one that is meant image."
        raise ImageSetError(msg)
    if not kinds:
        found = ", ".join(f"{field.name} ({field.type})" for field in list(schema)[:_SHOWN])
        msg = (
            f"{source} has no column of photos: wanted one of paths that is called path or file, or one of whole files "
            f"as Hugging Face's datasets writes it. Found {found}."
        )
        raise ImageSetError(msg)
    name = (packed or paths)[0]
    return name, kinds[name]


def _kind(field: pa.Field) -> Kind | None:
    """What a column may hold; None for neither."""
    kind, known = field.type, field.name.lower() in PATH_COLUMNS
    if pa.types.is_struct(kind):
        within = {inner.name: inner.type for inner in kind}
        return "files" if "bytes" in within and _is_binary(within["bytes"]) else None
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if _is_binary(kind):  # a path need not be text
        return "paths" if known and field.name.lower() != "image" else "files"
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return "paths" if known and is_text else None


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _size(file: pq.ParquetFile, column: str) -> int:
    """Bytes of a column, unpacked."""
    groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
    parts = (group.column(place) for group in groups for place in range(group.num_columns))
    return sum(part.total_uncompressed_size for part in parts if part.path_in_schema.split(".")[0] == column)
