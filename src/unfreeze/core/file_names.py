"""What stands for photos on a command line: lists by their names, patterns, addresses, and ``-`` for standard input.

Programs see patterns where a shell does not know ``**``, where nothing matches, and where they were put into quotes.
"""

import glob
import re
from pathlib import Path

from unfreeze.core.errors import InputError

LIST_SUFFIXES = (".csv", ".parquet", ".tsv", ".txt")
SHARD_SUFFIXES = (".parquet", ".tar")  # of files that may hold photos
STANDARD_INPUT = Path("-")
WEB = frozenset({"http", "https"})  # addresses that begin with one have no folders and no patterns


def is_pattern(path: Path) -> bool:
    """Whether a path is meant as a pattern: it has ``*``, ``?`` or ``[`` in it, and there is nothing of that very name.

    Args:
        path: As it was given.
    """
    text = str(path)
    return glob.escape(text) != text and not path.exists()


def matches(pattern: Path) -> list[Path]:
    """What a pattern matches, by name; nothing that is hidden.

    Args:
        pattern: In which ``**`` stands for any number of folders. A folder is a match only where there is no ``**``,
            which matches what lies in it as well.

    Returns:
        Files and folders.
    """
    pattern = pattern.expanduser()
    found = sorted(map(Path, glob.glob(str(pattern), recursive=True)))  # noqa: PTH207 - of absolute patterns, too
    return [path for path in found if "**" not in pattern.parts or not path.is_dir()]


# Of two letters at least: one alone is a drive of Windows.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(?=[^/])", re.IGNORECASE)
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_NAMES = 100_000


def scheme_of(path: Path) -> str:
    """What an address begins with, in small letters: ``https``, ``s3``; nothing for what lies on this machine."""
    found = _ADDRESS.match(path.as_posix())
    return found[1].lower() if found else ""


def has_marks(text: str) -> bool:
    """Whether there is a mark of patterns in a text."""
    return any(mark in text for mark in "*?[")


def as_written(path: Path) -> str:
    """A path as people write it: of ``s3://bucket/photos``, a path keeps one of the two slashes.

    Args:
        path: Also of an address.

    Returns:
        Text.

    Example:
        >>> as_written(Path("s3://bucket/photos"))
        's3://bucket/photos'
    """
    return _ADDRESS.sub(r"\1://", path.as_posix(), count=1) if scheme_of(path) else str(path)


def absolute(path: Path) -> Path:
    """Where something is, without links and from wherever it is looked at; an address is that already."""
    return path if scheme_of(path) else path.expanduser().resolve()


def lies_in_shard(name: str) -> bool:
    """Whether the name of a photo says that a tar or a Parquet file holds it: ``train-0.tar/cat/1.jpg``."""
    return any(f"{suffix}/" in name.lower() for suffix in SHARD_SUFFIXES)


def is_range(path: Path) -> bool:
    """Whether a path stands for several by the numbers in it (``{000..009}``), and there is nothing of that very name.

    Args:
        path: As it was given.
    """
    return _RANGE.search(str(path)) is not None and not path.exists()


def spelled_out(text: str) -> list[str]:
    """All names that a range of numbers stands for, as in a shell.

    Args:
        text: A path or an address.

    Returns:
        The names in the order of the numbers, which are as long as the first one; of text without a range, the text.

    Raises:
        InputError: There are more than a hundred thousand.

    Example:
        >>> spelled_out("shard-{08..10}.tar")
        ['shard-08.tar', 'shard-09.tar', 'shard-10.tar']
    """
    found = _RANGE.search(text)
    if found is None:
        return [text]
    first, last = int(found[1]), int(found[2])
    after = spelled_out(text[found.end() :])
    if (abs(last - first) + 1) * len(after) > _MOST_NAMES:
        msg = f"{text} stands for more than {_MOST_NAMES:,} files. Name fewer at a time."
        raise InputError(msg)
    numbers = range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return [f"{text[: found.start()]}{number:0{len(found[1])}}{rest}" for number in numbers for rest in after]
