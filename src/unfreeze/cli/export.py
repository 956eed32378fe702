"""``unfreeze export``: a model as a file that other runtimes run, from a decoded photo to probabilities."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.options import AsJson
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_empty, checked_images, checked_model
from unfreeze.cli.work import NOTHING_WRITTEN, working
from unfreeze.core.export_settings import ExportSettings
from unfreeze.core.wording import megabytes, percent

if TYPE_CHECKING:  # records take a moment to import, and help needs none
    from unfreeze.core.documents import ExportRecord


class Target(StrEnum):
    """What runs the exported model."""

    onnx = "onnx"
    openvino = "openvino"
    torch_export = "torch-export"
    coreml = "coreml"


class ExportResize(StrEnum):
    """Who resizes photos in the exported model."""

    exact = "exact"
    fast = "fast"


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The folder of a model.", show_default=False)],
    *,
    to: Annotated[Target, typer.Option("--to", help="What will run it.", show_default=False)],
    resize: Annotated[
        ExportResize | None,
        typer.Option(
            "--resize",
            help="exact: as unfreeze resizes, to the last bit; fast: as the runtime does. [default: exact]",
            show_default=False,
        ),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Weights and activations in int8, and what that costs (onnx, openvino).")
    ] = False,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="Photos to compare on; those of the model's run if not given.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="The folder that is written, new or empty; named after MODEL if not given.",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Export a model."""
    checked_model(model)
    checked_images([images] if images else [])
    place = Path(f"{model.resolve().name}-{to.value}") if out is None else out
    checked_empty(place)
    settings = ExportSettings(
        model=model,
        target=to.value,
        out=place,
        asked_resize=resize.value if resize else None,
        int8=int8,
        images=images,
    )
    settings.check()
    with result_output(as_json=json) as output, working(NOTHING_WRITTEN) as resources:
        from unfreeze.workflows.exporting import export_model

        record = export_model(settings, resources=resources)
        output.document(record)
        if not json:
            _show(record, output)


def _show(record: "ExportRecord", out: Output) -> None:
    out.line(f"{record.folder}: {', '.join(record.files)} ({megabytes(record.megabytes)})")
    out.line(f"takes {record.takes}")
    out.line(f"gives {record.gives}")
    if record.note:
        out.line(record.note)
    _show_parity(record, out)


def _show_parity(record: "ExportRecord", out: Output) -> None:
    from unfreeze.report.export_card import DECODINGS, int8_text, parity_sentences
    from unfreeze.report.table import add_row, plain_table

    if not record.parity:
        return
    more = () if record.unlike is None else ("of likeness",)
    headings = ("photos decoded", "photos", "same class", "largest difference", *more)
    table = plain_table(*headings, right={*headings[1:]})
    for row in record.parity:
        like = () if row.likeness_difference is None else (f"{row.likeness_difference:.1e}",)
        same = percent(row.same_top / row.photos)
        add_row(table, (DECODINGS[row.decoding], f"{row.photos:,}", same, f"{row.largest_difference:.1e}", *like))
    out.line()
    out.line("Against unfreeze predict, on your photos:")
    out.table(table)
    for sentence in parity_sentences(record):
        out.line(sentence)
    if record.int8_cost is not None:
        out.line(int8_text(record.int8_cost))
