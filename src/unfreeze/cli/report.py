"""``unfreeze report``: the page of a run, written again."""

from pathlib import Path
from typing import Annotated

import typer

from unfreeze.cli.options import AsJson, NoPhotos
from unfreeze.cli.output import result_output


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a finished run, or its run.json.", show_default=False)
    ],
    *,
    no_photos: NoPhotos = False,
    json: AsJson = False,
) -> None:
    """Write the report again."""
    with result_output(as_json=json) as output:
        from unfreeze.workflows.reports import rewrite_report

        path, record = rewrite_report(run, photos=not no_photos)
        output.document(record.to_json())
        output.line(f"report  {path}")
