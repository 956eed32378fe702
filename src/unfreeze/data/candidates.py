"""Candidates: the files that may be images, with labels, as a folder or a list names them; nothing is decoded yet."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


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


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What a source names.

    Attributes:
        root: The folder that names are relative to.
        files: Ordered by name.
        skipped: Number of files that are no candidates, by reason.
        blocked: Name and reason of folders and files that could not even be looked at.
        empty_labels: Class folders (label, split) without any candidate.
        warnings: What the user should know, in sentences.
    """

    root: Path
    files: tuple[Candidate, ...]
    skipped: Counter[str]
    blocked: tuple[tuple[str, str], ...] = ()
    empty_labels: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
