"""``unfreeze codes``: the codes of images at every tap, as Parquet or .npy."""

import re
from collections.abc import Callable
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
from unfreeze.cli.reading import Choice, Phases, read_all
from unfreeze.core.errors import OutputError
from unfreeze.report.wording import count, duration

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

    from unfreeze.data.image_set import ImageSet

    TapCodes = dict[str, Float32[np.ndarray, "image code"]]


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
    phases = Phases()
    image_set, card, found = read_all(choice, tap=tap, progress=progress_on_stderr(), phases=phases)
    with phases.timed("write"):
        write = write_parquet if place.suffix.lower() == ".parquet" else write_npy
        files = write(place, image_set, found.by_tap, one=tap is not None)
    return {
        "schema": "unfreeze.codes/1",
        "source": str(choice.source),
        "network": card.name,
        "images": len(found.names),
        "computed": found.computed,
        "reused": found.reused,
        "set_aside": [{"name": item.name, "reason": item.reason} for item in image_set.set_aside],
        "taps": {name: int(values.shape[1]) for name, values in found.by_tap.items()},
        "files": [str(file) for file in files],
        "phases": phases.document(),
    }


def _rows(image_set: "ImageSet") -> dict[str, list[str]]:
    """Columns that name the rows; a byte of a file name that is no text becomes a backslash and its number."""

    def text(value: str) -> str:
        return value.encode("utf-8", "backslashreplace").decode()

    images = image_set.images
    return {
        "path": [text(image.name) for image in images],
        "label": [text(image.label) for image in images],
        "split": [image.split for image in images],
    }


def write_parquet(path: Path, image_set: "ImageSet", by_tap: "TapCodes", *, one: bool = False) -> list[Path]:  # noqa: ARG001
    """Write one Parquet file: path, label, split, and a fixed-size list of float32 per tap.

    Args:
        path: Where.
        image_set: Names the rows.
        by_tap: Codes by tap, a row per image.
        one: Has no meaning here; `write_npy` needs it.

    Returns:
        What was written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from unfreeze.core.files import write_durably

    columns: dict[str, Any] = {name: pa.array(values, pa.string()) for name, values in _rows(image_set).items()}
    for tap, values in by_tap.items():
        columns[tap] = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), pa.float32()), values.shape[1])
    table = pa.table(columns)
    # Of the formats tried with single flipped bits, only Parquet with checksums of its pages noticed every one.
    write_durably(path, lambda temporary: pq.write_table(table, temporary, write_page_checksum=True))
    return [path]


def write_npy(path: Path, image_set: "ImageSet", by_tap: "TapCodes", *, one: bool = False) -> list[Path]:
    """Write one float32 array per tap, and a CSV file that names their rows.

    Args:
        path: ``NAME.npy``; the files are ``NAME.TAP.npy`` and ``NAME.csv``.
        image_set: Names the rows.
        by_tap: Codes by tap, a row per image.
        one: There is one tap, whose array goes to `path` itself.

    Returns:
        What was written.
    """
    import csv
    import io

    import numpy as np

    from unfreeze.core.files import write_bytes

    names = {
        tap: path if one else path.with_name(f"{path.stem}.{re.sub(r'[^A-Za-z0-9._-]', '-', tap)}.npy")
        for tap in by_tap
    }
    rows_file = path.with_suffix(".csv")
    for file in [*names.values(), rows_file]:
        checked_new_file(file)
    for tap, values in by_tap.items():
        stream = io.BytesIO()
        np.save(stream, values, allow_pickle=False)
        write_bytes(names[tap], stream.getvalue())
    text = io.StringIO(newline="")
    rows = _rows(image_set)
    writer = csv.writer(text)
    writer.writerow(rows)
    writer.writerows(zip(*rows.values(), strict=True))
    write_bytes(rows_file, text.getvalue().encode())
    return [*names.values(), rows_file]
