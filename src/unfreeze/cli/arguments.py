"""What people type, brought into the form that the parser of the command line reads."""

import re
from collections.abc import Sequence
from pathlib import Path

_TIMES = frozenset({"--budget", "--older-than"})
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_TIME_WORD = re.compile(r"(?:d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)", re.IGNORECASE)


def understood(arguments: Sequence[str]) -> list[str]:
    """The same request as the parser wants it.

    ``help COMMAND`` is the help of the command, and a time or a margin may be typed in two words, unless the second one
    is the name of something that is there.

    Args:
        arguments: What stands behind ``unfreeze``.

    Returns:
        Arguments.

    Example:
        >>> understood(["help", "run"]), understood(["run", "x", "--budget", "10", "min"])
        (['run', '--help'], ['run', 'x', '--budget', '10 min'])
    """
    if arguments[:1] == ["help"]:
        return [*arguments[1:], "--help"]
    joined: list[str] = []
    for word in arguments:
        if len(joined) >= 2 and _belongs_to(word, number=joined[-1], option=joined[-2]):
            joined[-1] = f"{joined[-1]} {word}"
        else:
            joined.append(word)
    return joined


def _belongs_to(word: str, *, number: str, option: str) -> bool:
    """Whether a word is the unit of the number before it."""
    if not _NUMBER.fullmatch(number) or Path(word).exists():
        return False
    if option in _TIMES:
        return _TIME_WORD.fullmatch(word) is not None
    return option == "--margin" and word in {"%", "point", "points", "nats"}
