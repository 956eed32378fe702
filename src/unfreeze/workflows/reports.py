"""The report of a run, from its record alone."""

from pathlib import Path

from unfreeze.advisor.verdict import verdict
from unfreeze.core.run_record import RunRecord, read_run
from unfreeze.report.page import write_page

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


def write_report(record: RunRecord, folder: Path) -> Path:
    """Write the report of a run.

    Args:
        record: Of the run.
        folder: Of the run; an older report in it is replaced.

    Returns:
        The report.

    Raises:
        OutputError: It cannot be written.
    """
    write_page(folder / REPORT, record)
    return folder / REPORT


def rewrite_report(run: Path) -> tuple[Path, RunRecord]:
    """Write `report.html` beside a `run.json` again, from that alone.

    Args:
        run: Folder of a finished run, or its `run.json`.

    Returns:
        The report, and the record that it was made from.

    Raises:
        InputError: There is no run, or its record cannot be read.
        OutputError: The report cannot be written.
    """
    record = read_run(run)
    return write_report(record, run if run.is_dir() else run.parent), record
