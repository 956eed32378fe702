"""``unfreeze zoo list``, ``show``, ``pull``, ``verify`` and ``publish``."""

from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.options import AsJson
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.work import NOTHING_WRITTEN, stoppable
from unfreeze.core.errors import WeightsError
from unfreeze.core.wording import count, percent, percent_range, printable

if TYPE_CHECKING:  # records take a moment to import, and help needs none
    from collections.abc import Sequence

    from unfreeze.core.zoo_documents import ZooRow, ZooShowRecord
    from unfreeze.core.zoo_entries import EntryCard, MeasuredScore

Zoo = Annotated[
    str | None,
    typer.Option(
        "--zoo",
        metavar="PLACE",
        help="A folder, https://…, s3://… or hf://OWNER/NAME; what is here and timm's list if not given.",
        show_default=False,
    ),
]
ORIGINS = {"kept": "kept here", "package": "installed", "timm": "timm's list", "zoo": "zoo"}
HASHED = "Nothing was changed."


def list_entries(
    pattern: Annotated[
        str | None,
        typer.Argument(metavar="[PATTERN]", help="A part of the name, or a pattern with * and ?.", show_default=False),
    ] = None,
    *,
    zoo: Zoo = None,
    json: AsJson = False,
) -> None:
    """List networks to begin from."""
    with result_output(as_json=json) as out:
        from unfreeze.workflows.zoo_lists import list_zoo

        record = list_zoo(pattern, zoo=zoo)
        out.document(record)
        if not out.as_json:
            out.text(_table(record.entries))


def _table(rows: "Sequence[ZooRow]") -> str:
    """Plain columns: rich takes a second for timm's whole list."""
    cells = [("name", "classes", "size", "licence", "sell?", "accuracy", "where")]
    cells += [
        (
            printable(row.name),
            f"{row.outputs:,}" if row.outputs else "-",
            str(row.size or "-"),
            printable(row.licence),
            row.may_sell,
            _short(row.measured),
            ORIGINS[row.origin],
        )
        for row in rows
    ]
    widths = [max(len(line[place]) for line in cells) for place in range(len(cells[0]))]
    right = {1, 2}
    lines = [
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return "\n".join([*lines, "", count(len(rows), "network"), ""])


def _size(size: int) -> str:
    from rich.filesize import decimal

    return decimal(size)


def _short(measured: "Sequence[MeasuredScore]") -> str:
    return percent(measured[0].accuracy) if measured else "-"


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of an entry or of a network.", show_default=False)],
    *,
    zoo: Zoo = None,
    json: AsJson = False,
) -> None:
    """Show what is known of an entry."""
    with result_output(as_json=json) as out:
        from unfreeze.workflows.zoo_lists import show_entry

        record = show_entry(name, zoo=zoo)
        out.document(record)
        if not out.as_json:
            _show(record, out)


def _show(record: "ZooShowRecord", out: Output) -> None:
    from unfreeze.core.licences import SALE_SENTENCES

    card = record.card
    what = "a whole network" if card.holds == "network" else "a classifier on earlier taps, which only predicts"
    out.line(f"{card.name}: {card.network}, {what} ({ORIGINS[record.origin]}: {record.where})")
    out.line(f"source: {card.source}")
    out.line(f"licence: {card.licence}")
    out.line(f"may I sell what comes out? {SALE_SENTENCES[card.may_sell]}")
    numbers = [" ".join(f"{one:.6g}" for one in values) for values in (card.mean, card.std)]
    out.line(
        f"takes {card.size} x {card.size} pixels, {card.channels}, divided by {card.scale:g}, mean {numbers[0]}, "
        f"std {numbers[1]}"
    )
    out.line(f"photos are resized by {card.interpolation}, {card.crop_mode}, crop {card.crop_pct:g}")
    if card.parameters:
        out.line(f"{card.parameters:,} parameters; taps: {', '.join(card.taps)}")
    out.line(_classes(card))
    for one in card.measured:
        span = "" if one.low is None or one.high is None else f" ({percent_range((one.low, one.high))})"
        out.line(f"measured: {percent(one.accuracy)} right{span}: {one.protocol}")
    if not card.measured:
        out.line("measured: nothing that the card knows of")
    for file, one_file in card.files.items():
        out.line(f"{one_file.sha256}  {file} ({_size(one_file.size)})")


def _classes(card: "EntryCard") -> str:
    if not card.outputs:
        return "it is published without a classifier"
    shown = ", ".join(card.classes[:10])
    more = f" and {len(card.classes) - 10:,} more" if len(card.classes) > 10 else ""
    return count(card.outputs, "class") + (f": {shown}{more}" if shown else "")


def pull(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Of an entry, of a network of timm's, or hf-hub:OWNER/NAME.", show_default=False
        ),
    ],
    *,
    zoo: Annotated[
        str | None,
        typer.Option(
            "--zoo",
            metavar="PLACE",
            help="Where the entry is: a folder, https://…, s3://… or hf://OWNER/NAME.",
            show_default=False,
        ),
    ] = None,
    called: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="What it is called here.", show_default=False),
    ] = None,
    json: AsJson = False,
) -> None:
    """Bring an entry to this machine."""
    with result_output(as_json=json) as out, stoppable(NOTHING_WRITTEN) as progress:
        from unfreeze.workflows.zoo_transfers import pull as pulled

        record = pulled(name, zoo=zoo, rename=called, progress=progress)
        out.document(record)
        if out.as_json:
            return
        is_there = "is kept in" if record.new else "was kept already in"
        out.line(f"{record.name} {is_there} {record.folder}; {count(len(record.card.files), 'file')} hashed")
        out.line(f"licence: {record.card.licence}")
        out.line()
        if record.card.holds == "network":
            out.line(f"unfreeze run photos/ --backbone {record.name}")
        else:
            out.line(f"unfreeze predict {record.folder} photos/")


def verify(*, json: AsJson = False) -> None:
    """Hash all that is kept."""
    with result_output(as_json=json) as out, stoppable(HASHED) as progress:
        from unfreeze.workflows.zoo_lists import verify_zoo

        record = verify_zoo(progress=progress)
        out.document(record)
        checked = f"{count(len(record.entries), 'network')}, {count(record.files, 'file')}, {_size(record.bytes)}"
        out.line(f"{checked} hashed, {len(record.damaged):,} damaged; kept in {record.folder}")
        for one in record.damaged:
            out.line(f"  {one.reason}")
    if record.damaged:
        names = ", ".join(one.name for one in record.damaged)
        msg = f"The zoo of this machine is damaged ({names}). Bring what is named anew."
        raise WeightsError(msg)


def publish(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Folder of a model or of an imported network, or a kept entry.", show_default=False
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="A zoo: a folder, s3://… or hf://OWNER/NAME.", show_default=False),
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="Of the entry; that of the folder if not given.", show_default=False
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence", metavar="NAME", help="Of the weights; what the model says if not given.", show_default=False
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="TEXT",
            help="Where the weights came from; what the model says if not given.",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Make a model an entry of a zoo."""
    with result_output(as_json=json) as out, stoppable("What was sent stays; the same command goes on.") as progress:
        from unfreeze.workflows.zoo_transfers import PublishSettings
        from unfreeze.workflows.zoo_transfers import publish as published

        settings = PublishSettings(model=model, target=target, name=name, licence=licence, source=source)
        record = published(settings, progress=progress)
        out.document(record)
        if out.as_json:
            return
        out.line(f"{record.card.name} {'is' if record.new else 'was already'} in {record.zoo}")
        for file, one in record.card.files.items():
            out.line(f"{one.sha256}  {file} ({_size(one.size)})")
        out.line(f"licence: {record.card.licence}")
        out.line()
        out.line(f"unfreeze zoo pull {record.card.name} --zoo {record.zoo}")
