"""Which files a model learned from: their digests, in the model's folder, so that nobody scores it on them unawares."""

from collections.abc import Iterable
from pathlib import Path

from unfreeze.core.files import write_bytes

FILE = "trained-on.txt"
DIGITS = 16  # of a SHA-256: two of a million files share them with a probability of one in forty million


def write_trained_on(folder: Path, digests: Iterable[str]) -> None:
    """Write the digests into a model's folder.

    Args:
        folder: Of the model.
        digests: SHA-256 of the bytes of every file that trained it, in hexadecimal.

    Raises:
        OSError: They cannot be written.
    """
    shortened = sorted({digest[:DIGITS] for digest in digests})
    write_bytes(folder / FILE, "".join(f"{digest}\n" for digest in shortened).encode())


def trained_on(folder: Path, digests: Iterable[str]) -> tuple[bool, ...]:
    """Which files trained a model.

    Args:
        folder: Of the model.
        digests: SHA-256 of the bytes of some files, in hexadecimal.

    Returns:
        For each file whether the model has learned from it; False for all where the model's folder does not tell.
    """
    try:
        known = frozenset((folder / FILE).read_text(encoding="ascii", errors="replace").split())
    except OSError:
        known = frozenset()
    return tuple(digest[:DIGITS] in known for digest in digests)
