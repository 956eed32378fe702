"""Candidates: the files that may be images, with labels, as a folder or a list names them; nothing is decoded yet."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One file that may be an image.

    Attributes:
        path: Absolute.
        name: Relative to the root, with slashes.
        label: Its class.
        split: ``train``, ``val``, ``test`` or empty.
        group: Its group or empty.
        listed: The user named this very file, so that it cannot just be passed over.
    """

    path: Path
    name: str
    label: str
    split: str = ""
    group: str = ""
    listed: bool = False
