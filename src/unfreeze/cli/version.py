"""``unfreeze version``."""

from unfreeze.cli.options import AsJson
from unfreeze.cli.output import result_output
from unfreeze.core.versions import versions


def version(*, json: AsJson = False) -> None:
    """Print versions."""
    found = versions()
    with result_output(as_json=json) as out:
        out.document(found)
        for name, number in found.items():
            out.line(f"{name} {number}")
