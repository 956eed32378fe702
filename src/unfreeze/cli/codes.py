"""``unfreeze codes``: the codes of images at every tap, as Parquet or .npy."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unfreeze.cli.options import (
    DEFAULT_BACKBONE,
    AsJson,
    BackboneName,
    Engine,
    EngineName,
    MaxBad,
    Precision,
    PrecisionName,
    Seed,
    Size,
    Source,
    Weights,
)
from unfreeze.cli.output import result_output
from unfreeze.cli.places import checked_new_file, checked_source, fresh_folder
from unfreeze.cli.progress import progress_on_stderr
from unfreeze.cli.reading import Choice, Phases, known_tap, network, say_what_was_found
from unfreeze.core.errors import OutputError
from unfreeze.report.wording import count, duration

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

    from unfreeze.data.image_set import Image
    from unfreeze.data.image_table import ImageTable
    from unfreeze.features.portions import CodesInPortions

    Widths = dict[str, int]
    Portion = tuple[list[Image], dict[str, Float32[np.ndarray, "image code"]]]


def codes(
    source: Source,
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="PLACE", help="FILE.parquet, FILE.npy or a folder.", show_default=False)
    ],
    tap: Annotated[
        str | None,
        typer.Option("--tap", metavar="TAP", help="Only this tap; last is the last one.", show_default=False),
    ] = None,
    backbone: BackboneName = DEFAULT_BACKBONE,
    weights: Weights = None,
    size: Size = None,
    seed: Seed = 0,
    max_bad: MaxBad = 0.01,
    engine: EngineName = Engine.auto,
    precision: PrecisionName = Precision.auto,
    json: AsJson = False,
) -> None:
    """Write codes to a file."""
    choice = Choice(
        source=source,
        backbone=backbone,
        weights=weights,
        size=size,
        seed=seed,
        max_bad=max_bad,
        engine=engine.value,
        precision=precision.value,
    )
    checked_source(source)
    with result_output(as_json=json) as output:
        document = _checked_place(out)(lambda place: _write_codes(choice, place, tap=tap))
        output.document(document)
        written, images = ", ".join(document["files"]), count(document["images"], "image")
        seconds = duration(document["phases"]["whole"])
        output.line(
            f"{images} at {count(len(document['taps']), 'tap')} in {seconds} ({document['reused']:,} reused): {written}"
        )


Work = Callable[[Path], dict[str, Any]]


def _checked_place(out: Path) -> Callable[[Work], dict[str, Any]]:
    """Check that the place can be written, then do the work there."""
    suffix = out.suffix.lower()
    if suffix not in {"", ".parquet", ".npy"} and not out.is_dir():
        msg = f"--out must end in .parquet or .npy, or be a folder; got {out}."
        raise OutputError(msg)

    def work(write: Work) -> dict[str, Any]:
        if suffix in {".parquet", ".npy"} and not out.is_dir():
            checked_new_file(out)
            return write(out)
        with fresh_folder(out, out) as folder:
            return write(folder / "codes.parquet")

    return work


def _write_codes(choice: Choice, place: Path, *, tap: str | None) -> dict[str, Any]:
    """A portion of images at a time, so that memory does not grow with their number."""
    from unfreeze.data.decoder_pool import DecoderPool

    phases, progress = Phases(), progress_on_stderr()
    with ExitStack() as stack:
        pool = stack.enter_context(DecoderPool())
        pool.start()  # before torch is imported, which takes as long
        from unfreeze.data.image_table import State
        from unfreeze.data.inspection import inspected_portions, listed_images
        from unfreeze.data.splits import split_table
        from unfreeze.features.extraction import geometry_of
        from unfreeze.features.portions import codes_of_table

        backbone = network(choice)  # first, since a mistake in its name should not cost an inspection
        widths = {cut.name: cut.channels for cut in backbone.taps}
        widths = {name: widths[name] for name in known_tap(tap, backbone.card.taps)}
        phases.started()
        with phases.timed("decode"):
            table = stack.enter_context(listed_images(choice.source))
        with phases.timed("prefix"):
            inspected = inspected_portions(
                table, pool=pool, progress=progress, max_bad=choice.max_bad, geometry=geometry_of(backbone.card)
            )
            stored = stack.enter_context(
                codes_of_table(
                    table,
                    phases.each("decode", inspected),
                    backbone,
                    pool=pool,
                    progress=progress,
                    engine=choice.engine,
                    precision=choice.precision,
                )
            )
        say_what_was_found(choice.source, table.warnings, table.number_of(State.SET_ASIDE), progress)
        split_table(table, seed=choice.seed)
        counts: Counter[str] = Counter()
        with phases.timed("write"):
            portions = _portions(table, stored, counts, widths)
            if place.suffix.lower() == ".parquet":
                files = write_parquet(place, widths, portions)
            else:
                files = write_npy(place, widths, portions, rows=table.number_of(State.USED), one=tap is not None)
        return {
            "schema": "unfreeze.codes/1",
            "source": str(choice.source),
            "network": backbone.card.name,
            "images": counts["images"],
            "computed": counts["computed"],
            "reused": counts["images"] - counts["computed"],
            "set_aside": [{"name": item.name, "reason": item.reason} for item in table.files_set_aside()],
            "taps": widths,
            "files": [str(file) for file in files],
            "phases": phases.document(),
        }


def _portions(
    table: "ImageTable", stored: "CodesInPortions", counts: Counter[str], widths: "Widths"
) -> Iterator["Portion"]:
    """Images with the codes at the wanted taps; counts how many there are, and how many of them were computed."""
    from unfreeze.data.inspection import PORTION

    images = table.images()
    while some := list(islice(images, PORTION)):
        by_tap, computed = stored.read(some)
        counts.update(images=len(some), computed=computed)
        yield some, {name: by_tap[name] for name in widths}


def _rows(images: Sequence["Image"]) -> dict[str, list[str]]:
    """Columns that name the rows; a byte of a file name that is no text becomes a backslash and its number."""

    def text(value: str) -> str:
        return value.encode("utf-8", "backslashreplace").decode()

    return {
        "path": [text(image.name) for image in images],
        "label": [text(image.label) for image in images],
        "split": [image.split for image in images],
    }


def write_parquet(path: Path, widths: "Widths", portions: Iterable["Portion"]) -> list[Path]:
    """Write one Parquet file: path, label, split, and a fixed-size list of float32 per tap; a row group a portion.

    Args:
        path: Where.
        widths: Number of code values by tap.
        portions: Images and their codes.

    Returns:
        What was written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from unfreeze.core.files import durable_file
    from unfreeze.features.columns import codes_column, text_column

    names = [(name, pa.string()) for name in ("path", "label", "split")]
    schema = pa.schema([*names, *((tap, pa.list_(pa.float32(), width)) for tap, width in widths.items())])
    settings: dict[str, Any] = {
        # Of the formats tried with single flipped bits, only Parquet with checksums of its pages noticed every one.
        "write_page_checksum": True,
        "use_dictionary": ["label", "split"],  # codes are hardly ever the same twice: it would take three times as long
    }
    with durable_file(path) as temporary, pq.ParquetWriter(temporary, schema, **settings) as writer:
        for images, by_tap in portions:
            columns: list[Any] = [text_column(values) for values in _rows(images).values()]
            columns += [codes_column(values, schema.field(tap).type) for tap, values in by_tap.items()]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return [path]


def write_npy(
    path: Path, widths: "Widths", portions: Iterable["Portion"], *, rows: int, one: bool = False
) -> list[Path]:
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
    import csv

    import numpy as np

    from unfreeze.core.files import durable_file

    names = {
        tap: path if one else path.with_name(f"{path.stem}.{re.sub(r'[^A-Za-z0-9._-]', '-', tap)}.npy")
        for tap in widths
    }
    rows_file = path.with_suffix(".csv")
    for file in [*names.values(), rows_file]:
        checked_new_file(file)
    with ExitStack() as stack:
        arrays = {tap: stack.enter_context(stack.enter_context(durable_file(names[tap])).open("wb")) for tap in widths}
        for tap, array in arrays.items():
            shape = (rows, widths[tap])
            np.lib.format.write_array_header_1_0(array, {"descr": "<f4", "fortran_order": False, "shape": shape})
        text = stack.enter_context(stack.enter_context(durable_file(rows_file)).open("w", encoding="utf-8", newline=""))
        writer = csv.writer(text)
        writer.writerow(_rows([]))
        for images, by_tap in portions:
            for tap, values in by_tap.items():
                arrays[tap].write(values.astype("<f4", copy=False).tobytes())
            writer.writerows(zip(*_rows(images).values(), strict=True))
    return [*names.values(), rows_file]
