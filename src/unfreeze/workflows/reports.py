"""The report of a run and its tables, from its record, and from its photos as far as they are still there."""

from pathlib import Path

from unfreeze.advisor.verdict import verdict
from unfreeze.core.run_record import RunRecord, read_run
from unfreeze.report.class_files import write_class_files
from unfreeze.report.code_map import map_chart
from unfreeze.report.gallery import Gallery, Pictures, gallery
from unfreeze.report.page import write_page
from unfreeze.workflows.heat_pictures import with_heat
from unfreeze.workflows.thumbnails import thumbnails

REPORT = "report.html"


def answer(record: RunRecord, folder: Path) -> tuple[str, ...]:
    """The sentences of a run's answer, for whoever stands outside of its folder.

    Args:
        record: Of the run.
        folder: Of the run, as its user would type it.

    Returns:
        See `advisor.verdict.verdict`.
    """
    return verdict(record, place=str(folder / record.model) if record.model else "")


def write_report(record: RunRecord, folder: Path, *, photos: bool = True) -> Path:
    """Write the report of a run, `classes.csv` and `confusion.csv`.

    Args:
        record: Of the run.
        folder: Of the run; an older report in it is replaced.
        photos: Whether photos are shown and their files named; not where the run was told not to.

    Returns:
        The report.

    Raises:
        OutputError: It cannot be written.
    """
    shown = gallery(record)
    pictures = _pictures(record, shown) if photos and record.command.photos else None
    write_page(folder / REPORT, record, pictures, shown)
    write_class_files(folder, record)
    return folder / REPORT


def _pictures(record: RunRecord, shown: Gallery) -> Pictures:
    """Of all photos that the page shows."""
    chart = map_chart(record)
    names = (*shown.names, *(chart.names if chart else ()))
    return with_heat(thumbnails(record.command.source, names), record)


def rewrite_report(run: Path, *, photos: bool = True) -> tuple[Path, RunRecord]:
    """Write `report.html`, `classes.csv` and `confusion.csv` beside a `run.json` again.

    Args:
        run: Folder of a finished run, or its `run.json`.
        photos: As for `write_report`.

    Returns:
        The report, and the record that it was made from.

    Raises:
        InputError: There is no run, or its record cannot be read.
        OutputError: The report cannot be written.
    """
    record = read_run(run)
    return write_report(record, run if run.is_dir() else run.parent, photos=photos), record
