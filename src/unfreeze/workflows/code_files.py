"""Codes as files, written a portion of the images at a time: Parquet, .npy, and folders of other programs."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32
from PIL import Image as PillowImage

from unfreeze.core.files import checked_new_file, durable_file, durable_folder, sha256_of, write_bytes, write_json
from unfreeze.data.image_set import Image
from unfreeze.images.decoding import UnreadableImageError
from unfreeze.images.geometry import Geometry, centre
from unfreeze.images.pool import DecoderPool
from unfreeze.report.comma_separated import csv_text
from unfreeze.store.columns import codes_column, text_column

CodesForm = Literal["parquet", "npy", "datasets", "tensorboard"]
Widths = dict[str, int]
Portion = tuple[list[Image], dict[str, Float32[np.ndarray, "_ _"]]]
ROW_COLUMNS: Final = ("path", "label", "split")
TILE: Final = 48  # pixels, of a photo in a sprite
MOST_TILES: Final = 85  # in a row or column of one: browsers draw textures of 4,096 pixels
NAMES: Final = "metadata.tsv"  # the rows of all tables, for the projector
_DATASETS_FILE: Final = "data-00000-of-00001.arrow"  # as `Dataset.save_to_disk` calls it


def _row_columns(images: Sequence[Image]) -> Iterator[list[str]]:
    """The columns that name the rows; a byte of a file name that is no text becomes a backslash and its number."""

    def text(value: str) -> str:
        return value.encode("utf-8", "backslashreplace").decode()

    yield [text(image.name) for image in images]
    yield [text(image.label) for image in images]
    yield [image.split for image in images]


def _schema(widths: Widths, notes: dict[str, str] | None = None) -> pa.Schema:
    names = [(name, pa.string()) for name in ROW_COLUMNS]
    columns = [*names, *((tap, pa.list_(pa.float32(), width)) for tap, width in widths.items())]
    return pa.schema(columns, metadata=notes)


def _columns(images: Sequence[Image], by_tap: dict[str, Float32[np.ndarray, "_ _"]], schema: pa.Schema) -> list[Any]:
    columns: list[Any] = [text_column(values) for values in _row_columns(images)]
    return [*columns, *(codes_column(values, schema.field(tap).type) for tap, values in by_tap.items())]


def write_parquet(path: Path, widths: Widths, portions: Iterable[Portion]) -> list[Path]:
    """Write one Parquet file: path, label, split, and a fixed-size list of float32 per tap; a row group per portion.

    Args:
        path: Where.
        widths: Number of code values by tap.
        portions: Images and their codes.

    Returns:
        What was written.
    """
    schema = _schema(widths)
    settings: dict[str, Any] = {
        # Of the formats tried with single flipped bits, only Parquet with checksums of its pages noticed every one.
        "write_page_checksum": True,
        "use_dictionary": ["label", "split"],  # codes are hardly ever the same twice: it would take three times as long
    }
    with durable_file(path, new=True) as temporary, pq.ParquetWriter(temporary, schema, **settings) as writer:
        for images, by_tap in portions:
            writer.write_table(pa.Table.from_arrays(_columns(images, by_tap, schema), schema=schema))
    return [path]


def write_npy(path: Path, widths: Widths, portions: Iterable[Portion], *, rows: int, one: bool = False) -> list[Path]:
    """Write one float32 array per tap, and a CSV file that names their rows.

    Args:
        path: ``NAME.npy``; the files are ``NAME.TAP.npy`` and ``NAME.csv``.
        widths: Number of code values by tap.
        portions: Images and their codes.
        rows: Number of images in all.
        one: There is one tap, whose array goes to `path` itself.

    Returns:
        What was written.
    """
    names = {tap: path if one else path.with_name(f"{path.stem}.{_in_file_name(tap)}.npy") for tap in widths}
    rows_file = path.with_suffix(".csv")
    for file in [*names.values(), rows_file]:
        checked_new_file(file)
    with ExitStack() as stack:
        new = {file: stack.enter_context(durable_file(file, new=True)) for file in [*names.values(), rows_file]}
        arrays = {tap: stack.enter_context(new[names[tap]].open("wb")) for tap in widths}
        for tap, array in arrays.items():
            shape = (rows, widths[tap])
            np.lib.format.write_array_header_1_0(array, {"descr": "<f4", "fortran_order": False, "shape": shape})
        text = stack.enter_context(new[rows_file].open("w", encoding="utf-8", newline=""))
        text.write(csv_text([ROW_COLUMNS]))
        for images, by_tap in portions:
            for tap, values in by_tap.items():
                arrays[tap].write(values.astype("<f4", copy=False).tobytes())
            text.write(csv_text((image.name, image.label, image.split) for image in images))
    return [*names.values(), rows_file]


def write_datasets(folder: Path, widths: Widths, portions: Iterable[Portion]) -> list[Path]:
    """Write a folder that ``datasets.load_from_disk`` reads, with the columns of `write_parquet`.

    It is an Arrow stream, which is mapped into memory and not read, and two documents that describe it. No release of
    `datasets` is needed to write it, and a list of fixed length is called a Sequence, as all of them read it.

    Args:
        folder: Missing or empty.
        widths: Number of code values by tap.
        portions: Images and their codes.

    Returns:
        What was written.

    Source:
        `Dataset.save_to_disk` and `DatasetInfo` of https://github.com/huggingface/datasets.
    """
    texts = {name: {"dtype": "string", "_type": "Value"} for name in ROW_COLUMNS}
    value = {"dtype": "float32", "_type": "Value"}
    lists = {tap: {"feature": value, "length": width, "_type": "Sequence"} for tap, width in widths.items()}
    info = {"features": {**texts, **lists}}
    schema = _schema(widths, {"huggingface": json.dumps({"info": info})})
    whole = {"citation": "", "description": "", **info, "homepage": "", "license": ""}
    with durable_folder(folder) as temporary:
        with durable_file(temporary / _DATASETS_FILE) as data, pa.ipc.new_stream(data, schema) as writer:
            for images, by_tap in portions:
                writer.write_batch(pa.RecordBatch.from_arrays(_columns(images, by_tap, schema), schema=schema))
        write_json(temporary / "dataset_info.json", whole)
        write_json(temporary / "state.json", _state(schema, temporary / _DATASETS_FILE))
    return [folder / name for name in (_DATASETS_FILE, "dataset_info.json", "state.json")]


def _state(schema: pa.Schema, data: Path) -> dict[str, Any]:
    """What a set of Hugging Face's says of its files; the fingerprint names results that are kept of it."""
    return {
        "_data_files": [{"filename": data.name}],
        "_fingerprint": sha256_of(f"{schema.to_string()}{data.stat().st_mtime_ns}{data.stat().st_size}".encode())[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }


def write_tensorboard(
    folder: Path, widths: Widths, portions: Iterable[Portion], *, rows: int, pool: DecoderPool
) -> list[Path]:
    """Write a folder for the projector of TensorBoard: a table of numbers per tap, one of names, and small photos.

    Args:
        folder: Missing or empty.
        widths: Number of code values by tap.
        portions: Images and their codes.
        rows: Number of images in all; above 7,225 there are no photos.
        pool: Decodes the small photos.

    Returns:
        What was written.
    """
    files = {tap: "tensors.tsv" if len(widths) == 1 else f"{_in_file_name(tap)}.tsv" for tap in widths}
    side = math.isqrt(max(rows - 1, 0)) + 1
    tiles: list[Path] | None = [] if rows > 0 and side <= MOST_TILES else None
    with durable_folder(folder) as temporary:
        with ExitStack() as stack:
            places = {name: stack.enter_context(durable_file(temporary / name)) for name in (*files.values(), NAMES)}
            opened = {name: stack.enter_context(place.open("w", encoding="utf-8")) for name, place in places.items()}
            opened[NAMES].write("\t".join(ROW_COLUMNS) + "\n")
            for images, by_tap in portions:
                for tap, values in by_tap.items():
                    opened[files[tap]].writelines(_tab_separated(values))
                opened[NAMES].writelines(_named_rows(images))
                if tiles is not None:
                    tiles += [image.path for image in images]
        if tiles is not None:
            _sprite(tiles, side, pool).save(temporary / "sprite.png")
        text = projector_text(widths, files, rows, has_sprite=tiles is not None)
        write_bytes(temporary / "projector_config.pbtxt", text.encode())
    names = [*files.values(), NAMES, *(["sprite.png"] if tiles is not None else []), "projector_config.pbtxt"]
    return [folder / name for name in names]


def projector_text(widths: Widths, files: dict[str, str], rows: int, *, has_sprite: bool) -> str:
    """What the projector shows, as a ``ProjectorConfig`` in protobuf's text form.

    Args:
        widths: Number of code values by tap.
        files: Of each tap.
        rows: Number of images.
        has_sprite: Whether there are small photos.

    Returns:
        The last tap first, which the projector then shows.

    Source:
        tensorboard/plugins/projector/projector_config.proto of https://github.com/tensorflow/tensorboard.
    """
    sprite = f'  sprite {{ image_path: "sprite.png" single_image_dim: {TILE} single_image_dim: {TILE} }}\n'
    return "".join(
        "embeddings {\n"
        f"  tensor_name: {json.dumps(tap)}\n"
        f"  tensor_shape: {rows}\n"
        f"  tensor_shape: {widths[tap]}\n"
        f"  tensor_path: {json.dumps(files[tap])}\n"
        f'  metadata_path: "{NAMES}"\n'
        f"{sprite if has_sprite else ''}"
        "}\n"
        for tap in reversed(widths)
    )


def _in_file_name(tap: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", tap)


def _tab_separated(values: Float32[np.ndarray, "_ _"]) -> Iterator[str]:
    """Lines of numbers; nine digits tell any two of single precision apart."""
    return ("\t".join(f"{value:.9g}" for value in row) + "\n" for row in values.tolist())


def _named_rows(images: Sequence[Image]) -> Iterator[str]:
    """Lines of names, which here can hold neither tabs nor ends of lines."""
    columns = zip(*_row_columns(images), strict=True)
    return ("\t".join(re.sub(r"[\t\r\n]", " ", value) for value in row) + "\n" for row in columns)


def _sprite(paths: Sequence[Path], side: int, pool: DecoderPool) -> PillowImage.Image:
    """Small photos in rows, as the projector cuts them out; white where one can no longer be read."""
    whole = PillowImage.new("RGB", (side * TILE, side * TILE), "white")
    for number, square in enumerate(pool.squares(paths, Geometry(size=TILE, resize=TILE))):
        if not isinstance(square, UnreadableImageError):
            place = (number % side * TILE, number // side * TILE)
            whole.paste(PillowImage.fromarray(centre(square[None], TILE)[0]), place)
    return whole
