"""``unfreeze version``."""

from unfreeze.cli.options import AsJson
from unfreeze.cli.output import result_output
from unfreeze.core.versions import versions
from unfreeze.images.lockdown import locks_in_words


def version(*, json: AsJson = False) -> None:
    """Print versions, and which locks hold decoders of images here."""
    found = {**versions(), "decoder locks": locks_in_words()}
    with result_output(as_json=json) as out:
        out.document(found)
        for name, number in found.items():
            out.line(f"{name} {number}")
