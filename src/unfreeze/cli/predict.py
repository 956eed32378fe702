"""``unfreeze predict``: the classes of images, by a model that was written before."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unfreeze.cli.options import AsJson
from unfreeze.cli.output import result_output
from unfreeze.cli.progress import progress_on_stderr
from unfreeze.core.errors import InputError, TooManyBadFilesError
from unfreeze.report.wording import count, percent

if TYPE_CHECKING:
    from unfreeze.strategies.prediction import Predictions

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
    json: AsJson = False,
) -> None:
    """Name classes."""
    with result_output(as_json=json) as output:
        paths = image_files(images)
        from unfreeze.data.decoder_pool import DecoderPool
        from unfreeze.report.table import add_row, plain_table
        from unfreeze.strategies.prediction import predict_images

        progress = progress_on_stderr()
        with DecoderPool() as pool:
            predictions = predict_images(model, paths, pool=pool, progress=progress)
        for item in predictions.set_aside:
            progress.say(f"set aside: {item.name}: {item.reason}")
        if predictions.set_aside and not predictions.names:
            first = predictions.set_aside[0]
            msg = f"None of {count(len(paths), 'file')} can be used; for example {first.name}: {first.reason}."
            raise TooManyBadFilesError(msg)
        document = prediction_document(predictions, top=top)
        output.document(document)
        measure = measure_of(predictions)
        table = plain_table("path", "label", measure, right={measure})
        for row in document["images"]:
            for place, guess in enumerate(row["top"]):
                value = percent(guess[measure]) if measure == "probability" else f"{guess[measure]:.2f}"
                add_row(table, ("" if place else row["path"], guess["label"], value))
        output.table(table)


def measure_of(predictions: "Predictions") -> str:
    """What the model says of a class: a probability, or an SVM's decision score."""
    return "probability" if predictions.gives_probabilities else "score"


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


def prediction_document(predictions: "Predictions", *, top: int) -> dict[str, Any]:
    """What `unfreeze predict --json` prints.

    Args:
        predictions: Of a model.
        top: How many labels to name per image, at most.

    Returns:
        A document ready for JSON.
    """
    rows, measure = [], measure_of(predictions)
    values = predictions.probabilities if predictions.gives_probabilities else predictions.scores
    for name, row in zip(predictions.names, values, strict=True):
        order = (-row).argsort(kind="stable")[:top]
        guesses = [{"label": predictions.class_names[index], measure: round(float(row[index]), 6)} for index in order]
        rows.append({"path": name, **guesses[0], "top": guesses})
    return {
        "schema": "unfreeze.predict/1",
        "classes": list(predictions.class_names),
        "images": rows,
        "set_aside": [{"name": item.name, "reason": item.reason} for item in predictions.set_aside],
    }
