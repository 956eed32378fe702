"""``unfreeze compare``: whether two runs differ."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.options import AsJson
from unfreeze.cli.output import Output, result_output
from unfreeze.core.wording import score

if TYPE_CHECKING:  # records take a moment to import, and help needs none
    from unfreeze.core.documents import CompareRecord

RUN = "The folder of a finished run, or its run.json"


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help=f"{RUN}.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="RUN", help=f"{RUN}; this one is asked about.", show_default=False)],
    *,
    json: AsJson = False,
) -> None:
    """Say whether two runs differ."""
    with result_output(as_json=json) as output:
        from unfreeze.workflows.comparing import compare as compare_runs

        record = compare_runs(first, second)
        output.document(record)
        if not output.as_json:
            _show(record, output)


def _show(record: "CompareRecord", output: Output) -> None:
    from unfreeze.core.phrases import compared_on
    from unfreeze.report.table import add_row, plain_table

    table = plain_table("run", "network", "picked", "splits", record.metric, right={"splits", record.metric})
    for one in (record.first, record.second):
        add_row(table, (one.run, one.network, one.picked.plain, str(one.splits), score(one.score, record.metric)))
    output.table(table)
    output.line()
    output.line(record.verdict)
    output.line(compared_on(record))
