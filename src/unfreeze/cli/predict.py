"""``unfreeze predict``: the classes of images, by a model that was written before."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.options import AsJson, Device, DeviceName, Unlike
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_images, checked_model
from unfreeze.cli.shares import parse_share
from unfreeze.cli.work import NOTHING_WRITTEN, working
from unfreeze.core.errors import InputError
from unfreeze.core.file_names import LIST_SUFFIXES
from unfreeze.core.wording import percent

if TYPE_CHECKING:  # records take a moment to import, and help needs none
    from unfreeze.core.documents import Guess, PredictedImage, PredictRecord

UNSURE = "unsure"  # in the table, in place of a label that is left open


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The folder of a model.", show_default=False)],
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGES...",
            help="Files, folders, patterns, lists (.txt, .csv, .parquet), tars, addresses, or - for standard input.",
            show_default=False,
        ),
    ],
    *,
    top: Annotated[int, typer.Option("--top", metavar="K", min=1, help="How many labels to name per image.")] = 1,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="P",
            min=0.0,
            max=1.0,
            help="Probability from which a label is given; below it the image is unsure.",
            show_default=False,
        ),
    ] = None,
    unlike: Unlike = None,
    device: DeviceName = Device.auto,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV on standard output, a row per image.")] = False,
    json: AsJson = False,
) -> None:
    """Name classes."""
    if as_csv and json:
        msg = "Standard output is either CSV or JSON: give --csv or --json, not both."
        raise InputError(msg)
    share = None if unlike is None else parse_share(unlike, option="--unlike")
    checked_images(images)
    checked_model(model)
    with result_output(as_json=json) as output, working(NOTHING_WRITTEN, images=_number(images)) as resources:
        from unfreeze.workflows.prediction import predict as predict_classes

        guesses = max(top, 2) if as_csv else top  # CSV names the runner-up
        record = predict_classes(
            model, images, top=guesses, threshold=threshold, unlike=share, device=device.value, resources=resources
        )
        output.document(record)
        if as_csv:
            from unfreeze.report.comma_separated import csv_text, prediction_rows

            output.text(csv_text(prediction_rows(record, top=top)))
        elif not json:
            _show(record, output)


def _number(images: Sequence[Path]) -> int | None:
    """How many images there are, if that is known before folders are searched and lists are read."""
    return len(images) if all(path.is_file() and path.suffix.lower() not in LIST_SUFFIXES for path in images) else None


def _show(record: "PredictRecord", output: Output) -> None:
    from unfreeze.report.table import add_row, plain_table

    marks = [""] if record.unlike is not None else []
    table = plain_table("file", "label", record.measure, *(["unlike"] if marks else []), right={record.measure})
    for image in record.images:
        is_open, marked = image.label is None, [_mark(image)] if marks else []
        add_row(table, (image.path, image.label or UNSURE, _value(image.top[0]), *marked))
        for guess in image.top if is_open and len(image.top) > 1 else image.top[1:]:
            add_row(table, ("", guess.label, _value(guess), *marks))
    output.table(table)


def _mark(image: "PredictedImage") -> str:
    if image.unlike is None:
        return "-"
    return "unlike anything in training" if image.unlike.marked else ""


def _value(guess: "Guess") -> str:
    return percent(guess.probability) if guess.score is None else f"{guess.score:.2f}"
