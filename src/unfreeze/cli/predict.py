"""``unfreeze predict``: the classes of images, by a model that was written before."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.options import AsJson, Device, DeviceName
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_model
from unfreeze.cli.work import NOTHING_WRITTEN, working
from unfreeze.core.errors import InputError
from unfreeze.core.wording import percent

if TYPE_CHECKING:  # records take a moment to import, and help needs none
    from unfreeze.core.documents import PredictRecord

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}
)


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The folder of a model.", show_default=False)],
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGES...", help="Files, and folders that are searched for images.", show_default=False
        ),
    ],
    *,
    top: Annotated[int, typer.Option("--top", metavar="K", min=1, help="How many labels to name per image.")] = 1,
    device: DeviceName = Device.auto,
    json: AsJson = False,
) -> None:
    """Name classes."""
    paths = image_files(images)
    checked_model(model)
    with result_output(as_json=json) as output, working(NOTHING_WRITTEN, images=len(paths)) as resources:
        from unfreeze.workflows.prediction import predict as predict_classes

        record = predict_classes(model, paths, top=top, device=device.value, resources=resources)
        output.document(record)
        if not output.as_json:
            _show(record, output)


def _show(record: "PredictRecord", output: Output) -> None:
    from unfreeze.report.table import add_row, plain_table

    measure = "score" if any(image.probability is None for image in record.images) else "probability"
    table = plain_table("path", "label", measure, right={measure})
    for image in record.images:
        for place, guess in enumerate(image.top):
            value = percent(guess.probability) if guess.score is None else f"{guess.score:.2f}"
            add_row(table, ("" if place else image.path, guess.label, value))
    output.table(table)


def image_files(named: Sequence[Path]) -> list[Path]:
    """Files that are named, and images in folders that are named, by name; what a folder hides is passed over.

    Args:
        named: Files and folders.

    Returns:
        Files, each once.

    Raises:
        InputError: There is no such file, or there is no image in any folder.
    """
    files: dict[Path, None] = {}
    for path in named:
        if path.is_dir():
            files.update(dict.fromkeys(_images_below(path)))
        elif path.exists():
            files[path] = None
        else:
            msg = f"There is no file or folder {path}. Check the spelling."
            raise InputError(msg)
    if not files:
        msg = f"There is no image in {', '.join(map(str, named))}. Name images, or folders that hold some."
        raise InputError(msg)
    return list(files)


def _images_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            yield path
