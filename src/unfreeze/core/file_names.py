"""What stands for photos on a command line: lists by their names, patterns, and ``-`` for standard input.

Programs see patterns where a shell does not know ``**``, where nothing matches, and where they were put into quotes.
"""

import glob
from pathlib import Path

LIST_SUFFIXES = (".csv", ".parquet", ".tsv", ".txt")
STANDARD_INPUT = Path("-")


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
