"""Photos in a Parquet file: a column of paths, or of whole files as Hugging Face's datasets writes them."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from unfreeze.core.errors import DiskFullError, ImageSetError
from unfreeze.core.room import check_room
from unfreeze.data.list_columns import PATH_COLUMNS
from unfreeze.data.list_values import text_of, without_missing

_AT_ONCE = 16  # rows in memory, each of which may hold a whole photo
_BUFFER = 2**20  # bytes; without it, the column of a whole group of rows is in memory a second time
_SHOWN = 10  # columns in an error
Kind = Literal["files", "paths"]
LABEL_COLUMNS: Final = ("label", "labels", "class")


@dataclass(frozen=True, eq=False, kw_only=True)
class PackedPhoto:
    """A photo that is no file yet.

    Attributes:
        name: In the file that holds it, with slashes.
        data: Its bytes.
        label: Its class; empty where none is given.
        split: As it stands there, or empty.
        group: Its group, or empty.
        fault: Why there are no bytes; empty where there are.
    """

    name: str
    data: bytes = b""
    label: str = ""
    split: str = ""
    group: str = ""
    fault: str = ""


def photos_in(file: io.BufferedReader, where: str, *, unpacked: Path) -> Iterator[tuple[str, bytes | None]]:
    """What each row of a Parquet file holds.

    Args:
        file: The file. Where it has a column of bytes, or of bytes and paths, that is taken; else one of paths.
        where: As people write it.
        unpacked: Folder that the photos will be written to; there must be room for them.

    Yields:
        The path that stands there, or nothing, and the bytes; None where there are none.

    Raises:
        ImageSetError: It cannot be read, or has no such column, or several.
        DiskFullError: There is no room.
    """
    try:
        with pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False) as table:
            name, kind = _photo_column(table.schema_arrow, where)
            if kind == "files":
                check_room(unpacked, _size(table, name), f"the photos in {where}", option="TMPDIR")
            for batch in table.iter_batches(_AT_ONCE, columns=[name], use_threads=False):
                yield from (_photo(value, kind) for value in batch.column(0).to_pylist())
    except (ImageSetError, DiskFullError):
        raise
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        msg = f"{where} cannot be read as Parquet: {error}."
        raise ImageSetError(msg) from error


def holds_photos(source: Path) -> bool:
    """Whether a Parquet file has a column of whole photos; one that cannot be read has none."""
    try:
        schema = pq.read_schema(source)
    except (OSError, pa.ArrowException):
        return False
    return any(_kind(field) == "files" for field in schema)


def photos_in_parquet(file: io.BufferedReader, where: str, *, unpacked: Path) -> Iterator[PackedPhoto]:
    """The photos of a Parquet file with what is known of each.

    In memory is what the file has as one page, at most a group of rows: datasets writes a hundred photos as one.

    Columns are label (labels, class), split and group, if there are such; a label that is a number has the name that
    Hugging Face's datasets gives it in the notes of the file.

    Args:
        file: The file, of which only what is wanted is read.
        where: As people write it.
        unpacked: As for `photos_in`.

    Yields:
        Photos, each called by the number of its row, and the path that stands there, if any.

    Raises:
        ImageSetError: It cannot be read, or holds no whole photos.
        DiskFullError: There is no room.
    """
    try:
        with pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False) as table:
            name, kind = _photo_column(table.schema_arrow, where)
            if kind == "paths":
                msg = f"{where} names photos by their paths, and does not hold them. Give a list that lies beside them."
                raise ImageSetError(msg)
            check_room(unpacked, _size(table, name), f"the photos in {where}", option="TMPDIR")
            yield from _rows(table, name)
    except (ImageSetError, DiskFullError):
        raise
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        msg = f"{where} cannot be read as Parquet: {error}."
        raise ImageSetError(msg) from error


def _rows(table: pq.ParquetFile, photos: str) -> Iterator[PackedPhoto]:
    """Every row of a file that has a column of photos."""
    known = {name.lower(): name for name in reversed(table.schema_arrow.names)}
    label = next((known[name] for name in LABEL_COLUMNS if name in known), None)
    wanted = {"label": label, "split": known.get("split"), "group": known.get("group")}
    columns = {field: name for field, name in wanted.items() if name is not None and name != photos}
    classes = _class_names(table.schema_arrow, label)
    number = 0
    for batch in table.iter_batches(_AT_ONCE, columns=[photos, *columns.values()], use_threads=False):
        for row in batch.to_pylist():
            path, data = _photo(row[photos], "files")
            value = {field: row[name] for field, name in columns.items()}
            yield PackedPhoto(
                name=f"{number:08}" + (f"/{path.lstrip('/')}" if path else ""),
                data=data or b"",
                label=_named_class(value.get("label"), classes),
                split=without_missing(text_of(value.get("split"))),
                group=without_missing(text_of(value.get("group"))),
                fault="" if data else "missing: no image",
            )
            number += 1


def _class_names(schema: pa.Schema, label: str | None) -> Sequence[str]:
    """Names of the numbers in a column, where Hugging Face's datasets has noted them in the file."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return ()
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else ()


def _named_class(value: Any, classes: Sequence[str]) -> str:
    """What a value means: with names a number, of which -1 says that there is none."""
    if not classes or not isinstance(value, int):
        return text_of(value)
    return classes[value] if 0 <= value < len(classes) else "" if value == -1 else str(value)


def _photo(value: Any, kind: Kind) -> tuple[str, bytes | None]:
    if isinstance(value, dict):
        return text_of(value.get("path")), value.get("bytes") or None
    return ("", value or None) if kind == "files" else (text_of(value), None)


def _photo_column(schema: pa.Schema, where: str) -> tuple[str, Kind]:
    kinds = {field.name: kind for field in schema if (kind := _kind(field))}
    packed = [name for name, kind in kinds.items() if kind == "files"]
    paths = sorted(kinds.keys() - {*packed}, key=lambda name: PATH_COLUMNS.index(name.lower()))
    if len(packed) > 1:
        packed = [name for name in packed if name.lower() == "image"] or packed
    if len(packed) > 1:
        msg = f"{where} has {len(packed)} columns of photos ({', '.join(packed)}). Call the one that is meant image."
        raise ImageSetError(msg)
    if not kinds:
        found = ", ".join(f"{field.name} ({field.type})" for field in list(schema)[:_SHOWN])
        msg = (
            f"{where} has no column of photos: wanted one of paths that is called path or file, or one of whole files "
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
