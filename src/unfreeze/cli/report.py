"""``unfreeze report``: the page of a run, written again."""

from pathlib import Path
from typing import Annotated

import typer

from unfreeze.cli.browser import open_page
from unfreeze.cli.options import AsJson, NoPhotos, Open, ReportFormat
from unfreeze.cli.output import result_output


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a finished run, or its run.json.", show_default=False)
    ],
    *,
    format: Annotated[  # noqa: A002 - the option's name
        ReportFormat,
        typer.Option("--format", help="html writes the page; md and json are printed."),
    ] = ReportFormat.html,
    no_photos: NoPhotos = False,
    show: Open = False,
    json: AsJson = False,
) -> None:
    """Write the report again."""
    with result_output(as_json=json or format == ReportFormat.json) as output:
        from unfreeze.core.run_record import read_run
        from unfreeze.report.markdown import markdown
        from unfreeze.workflows.reports import rewrite_report

        if format == ReportFormat.html:
            path, record = rewrite_report(run, photos=not no_photos)
            output.line(f"report  {path}")
            if show:
                open_page(path)
        else:
            record = read_run(run)
        output.document(record.to_json())
        if format == ReportFormat.md and not output.as_json:
            output.text(markdown(record, paths=not no_photos))
