"""``unfreeze inspect``."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.options import AsJson, Source
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_source, new_file
from unfreeze.cli.work import CODES_KEPT, NOTHING_WRITTEN, working
from unfreeze.core.errors import OutputError
from unfreeze.core.wording import count, files_found, probability

if TYPE_CHECKING:  # records take a moment to import, and help needs none
    from unfreeze.core.documents import GuessedSeries, InspectRecord

SHOWN = 20  # of a long list; --json has them all


def inspect(
    source: Source,
    *,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Also read the codes of all photos: labels that look wrong, and photos that do."),
    ] = False,
    fix: Annotated[
        Path | None,
        typer.Option(
            "--fix",
            metavar="OUT.csv",
            help="Write a list without what cannot be used, or looks wrong with --deep; unfreeze run takes it.",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Say what is in a folder."""
    checked_source(source)
    kept = CODES_KEPT if deep else NOTHING_WRITTEN
    with result_output(as_json=json) as output, _place(fix), working(kept) as resources:
        from unfreeze.workflows.inspecting import inspect as look

        record = look(source, resources, deep=deep, fix=fix)
        output.document(record)
        if not output.as_json:
            _show(record, output)
            if fix is not None:
                output.line()
                output.line(f"Cleaned list: {fix}. Look through its column left_out, then: unfreeze run {fix}")


def _place(fix: Path | None) -> AbstractContextManager[None]:
    """The place of the cleaned list, kept while the command works."""
    if fix is None:
        return nullcontext()
    if fix.suffix.lower() != ".csv":
        msg = f"--fix must end in .csv; got {fix}."
        raise OutputError(msg)
    return new_file(fix, option="--fix")


def _show(record: "InspectRecord", out: Output) -> None:
    from unfreeze.report.table import add_row, plain_table

    images, splits = record.images, record.splits
    out.line(f"{files_found(images)}; {count(len(record.classes), 'class')}")
    out.line(_sizes(record))
    out.line(_split_sentence(record))
    out.line()
    columns = [split for split in ("train", "val", "test") if split in splits.images]
    table = plain_table("class", "images", *columns, right={"images", *columns})
    for row in record.classes:
        add_row(table, (row.name, f"{row.images:,}", *(f"{getattr(row, split):,}" for split in columns)))
    out.table(table)
    _show_list(out, "Set aside", [f"{item.name}: {item.reason}" for item in record.set_aside])
    duplicates = [f"{item.name} = {item.same_as}: {item.why}" for item in record.duplicates]
    _show_list(out, "Duplicates removed", duplicates)
    copies = [" ~ ".join(same) for same in record.near_copies]
    _show_list(out, "Near copies, each kept on one side of every split", copies)
    if record.series is not None:
        out.line()
        out.line(_series_sentence(record.series))
    _show_list(out, "Skipped", [f"{number:,} {reason}" for reason, number in record.skipped.items()])
    _show_list(out, "Notes", [f"{number:,} {flag}" for flag, number in record.flags.items()])
    _show_list(out, "Labels that look wrong", _suspects(record))
    _show_list(out, "Findings", [f"{finding.code} {finding.text}" for finding in record.findings])


def _suspects(record: "InspectRecord") -> list[str]:
    names = [one.name for one in record.classes]
    return [
        f"{one.image}: given {names[one.given]} ({probability(one.probability)}), called {names[one.called]}"
        for one in (record.label_check.suspects if record.label_check else ())
    ]


def _sizes(record: "InspectRecord") -> str:
    width, height = record.width, record.height
    if width is None or height is None:
        return "no image"
    modes = ", ".join(f"{number:,} {mode}" for mode, number in record.modes.items())
    return (
        f"{width.min} to {width.max} pixels wide (median {width.median:.0f}), "
        f"{height.min} to {height.max} high (median {height.median:.0f}); {modes}"
    )


def _split_sentence(record: "InspectRecord") -> str:
    groups = f"; {count(record.groups, 'group')}" if record.groups else ""
    if not record.splits.given:
        kept = f"{groups}, each kept on one side" if groups else ""
        return f"No split is given: unfreeze run measures on repeated splits, probe and tune keep a test part{kept}"
    parts = ", ".join(f"{number:,} {name}" for name, number in record.splits.images.items())
    return f"The split is given: {parts}{groups}"


def _series_sentence(series: "GuessedSeries") -> str:
    return (
        f"{series.photos:,} photos seem to come in {series.number:,} series, {series.by}; unfreeze run measures "
        "whether that matters, and with --groups guessed keeps each on one side"
    )


def _show_list(out: Output, title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    out.line()
    out.line(f"{title} ({len(lines):,}):")
    for line in lines[:SHOWN]:
        out.line(f"  {line}")
    if len(lines) > SHOWN:
        out.line(f"  and {len(lines) - SHOWN:,} more; --json names them all")
