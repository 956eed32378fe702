"""``unfreeze sample``."""

from pathlib import Path
from typing import Annotated

import typer

from unfreeze.cli.options import AsJson
from unfreeze.cli.output import result_output
from unfreeze.cli.progress import progress_on_stderr
from unfreeze.report.wording import count


def sample(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The data set, in upper or lower case.", show_default=False)
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.", show_default=False)],
    *,
    json: AsJson = False,
) -> None:
    """Write a sample data set."""
    with result_output(as_json=json) as out:
        from unfreeze.data.samples import write_sample

        images = write_sample(name, folder, progress=progress_on_stderr())
        out.document({"schema": "unfreeze.sample/1", "name": name, "folder": str(folder), "images": images})
        out.line(f"{count(images, 'image')} written to {folder}")
