"""``unfreeze zoo``: networks of other libraries."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.options import AsJson
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_here
from unfreeze.cli.work import NOTHING_WRITTEN, stoppable
from unfreeze.core.settings import LARGEST_SIZE, SMALLEST_SIZE
from unfreeze.core.wording import count

if TYPE_CHECKING:  # records take a moment to import, and help needs none
    from unfreeze.core.documents import ImportRecord


def import_network(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="An ONNX file; or a network of Caffe's: its prototxt, then its caffemodel.",
            show_default=False,
        ),
    ],
    *,
    preprocessing: Annotated[
        str | None,
        typer.Option(
            "--preprocessing",
            metavar="WORD",
            help="Pixels that an ONNX file's network takes: torch, tf, caffe, unit or pixels.",
            show_default=False,
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            "--mean",
            metavar="X,X,X|FILE",
            help="Subtracted from the pixels, in the network's order, or a mean file.",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            metavar="X",
            help="Factor of what is left; if not given, what the files say, else 1.",
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
            help="Side of its images, if the files do not say.",
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
            help="The folder that is written, new or empty; named after the last FILE if not given.",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Import a network."""
    if out is not None:
        checked_here(out)
    with result_output(as_json=json) as output, stoppable(NOTHING_WRITTEN) as progress:
        from unfreeze.workflows import importing

        settings = importing.ImportSettings(
            files=files,
            out=Path(files[-1].stem) if out is None else out,
            preprocessing=preprocessing,
            mean=mean,
            scale=scale,
            size=size,
            until=until,
            licence=licence,
        )
        record = importing.import_network(settings, progress=progress)
        output.document(record)
        if not output.as_json:
            _show(record, output)


def _show(record: "ImportRecord", out: Output) -> None:
    channels = "red, green, blue" if record.channels == "RGB" else "blue, green, red"
    most = 255 / record.scale
    mean, std = (", ".join(f"{value:.6g}" for value in values) for values in (record.mean, record.std))
    divided = "" if set(record.std) == {1.0} else f", divided by {std}"
    out.line(
        f"{record.folder}: {record.parameters:,} parameters, {count(len(record.blocks), 'block')}, "
        f"{count(record.cuts, 'cut')}"
    )
    out.line(f"takes {record.size} x {record.size} pixels, {channels}, from 0 to {most:g}, less {mean}{divided}")
    out.line(f"taps: {', '.join(f'{name} ({width:,})' for name, width in record.taps.items())}")
    out.line(f"its classifier is {record.head}, of {count(record.classes, 'class')}")
    if record.left_out:
        out.line(f"left out behind it: {', '.join(record.left_out)}")
    out.line()
    out.line(f"unfreeze run photos/ --backbone {record.folder}")
