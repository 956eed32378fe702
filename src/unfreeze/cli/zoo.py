"""``unfreeze zoo``: networks of other libraries."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.options import AsJson
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.work import NOTHING_WRITTEN, stoppable
from unfreeze.core.settings import LARGEST_SIZE, SMALLEST_SIZE
from unfreeze.core.wording import count

if TYPE_CHECKING:  # records take a moment to import, and help needs none
    from unfreeze.core.documents import ImportRecord


def import_network(
    prototxt: Annotated[
        Path, typer.Argument(metavar="PROTOTXT", help="The network, such as deploy.prototxt.", show_default=False)
    ],
    caffemodel: Annotated[
        Path, typer.Argument(metavar="CAFFEMODEL", help="Its weights, a .caffemodel.", show_default=False)
    ],
    *,
    mean: Annotated[
        str | None,
        typer.Option(
            "--mean",
            metavar="B,G,R|FILE",
            help="Subtracted from the pixels: blue, green, red, or a mean file; what the prototxt says if not given.",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            metavar="X",
            help="Factor of what is left; what the prototxt says, else 1, if not given.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="PX",
            min=SMALLEST_SIZE,
            max=LARGEST_SIZE,
            help="Side of its images, if the prototxt does not say.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="LAYER", help="Import the trunk that ends in this layer.", show_default=False),
    ] = None,
    licence: Annotated[
        str, typer.Option("--licence", metavar="NAME", help="Of the weights, for the cards.")
    ] = "unknown",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="The folder that is written, new or empty; named after CAFFEMODEL if not given.",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Import a network of Caffe's."""
    with result_output(as_json=json) as output, stoppable(NOTHING_WRITTEN) as progress:
        from unfreeze.workflows.importing import ImportSettings, import_caffe

        settings = ImportSettings(
            prototxt=prototxt,
            caffemodel=caffemodel,
            out=Path(caffemodel.stem) if out is None else out,
            mean=mean,
            scale=scale,
            size=size,
            until=until,
            licence=licence,
        )
        record = import_caffe(settings, progress=progress)
        output.document(record)
        if not output.as_json:
            _show(record, output)


def _show(record: "ImportRecord", out: Output) -> None:
    mean = ", ".join(f"{value:.6g}" for value in record.mean)
    scaled = "" if record.scale == 1 else f", times {record.scale:.6g}"
    out.line(
        f"{record.folder}: {record.parameters:,} parameters, {count(len(record.blocks), 'block')}, "
        f"{count(record.cuts, 'cut')}"
    )
    out.line(f"takes {record.size} x {record.size} pixels, blue, green, red, from 0 to 255, less {mean}{scaled}")
    out.line(f"taps: {', '.join(f'{name} ({width:,})' for name, width in record.taps.items())}")
    out.line(f"its classifier is {record.head}, of {count(record.classes, 'class')}")
    if record.left_out:
        out.line(f"left out behind it: {', '.join(record.left_out)}")
    out.line()
    out.line(f"unfreeze run photos/ --backbone {record.folder}")
