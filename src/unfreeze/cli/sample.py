"""``unfreeze sample``."""

from pathlib import Path
from typing import Annotated

import typer

from unfreeze.cli.options import AsJson
from unfreeze.cli.output import result_output
from unfreeze.cli.places import checked_here
from unfreeze.cli.work import NOTHING_WRITTEN, stoppable
from unfreeze.core.wording import count


def sample(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The data set, in upper or lower case.", show_default=False)
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.", show_default=False)],
    *,
    json: AsJson = False,
) -> None:
    """Write a sample data set."""
    checked_here(folder, option="DIR")
    with result_output(as_json=json) as out, stoppable(NOTHING_WRITTEN) as progress:
        from unfreeze.workflows.sampling import sample as write

        progress.stop.check()
        record = write(name, folder, progress=progress)
        out.document(record)
        out.line(f"{count(record.images, 'image')} written to {record.folder}")
