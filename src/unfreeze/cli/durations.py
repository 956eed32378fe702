"""Times as people type them."""

import re

from unfreeze.core.errors import InputError

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_NUMBER = r"(\d+(?:\.\d+)?)"
_PATTERN = re.compile(rf"(?:{_NUMBER}d)?(?:{_NUMBER}h)?(?:{_NUMBER}m(?:in)?)?(?:{_NUMBER}s?)?", re.IGNORECASE)


def parse_duration(text: str, *, option: str = "--budget") -> float:
    """Seconds that `text` stands for.

    Args:
        text: ``90s``, ``10m``, ``1h30m``, ``30d`` or a plain number of seconds.
        option: What the user typed it for, named in the error.

    Returns:
        Seconds, more than 0.

    Raises:
        InputError: The text is no time, or it is 0.

    Example:
        >>> parse_duration("1h30m")
        5400.0
    """
    compact = text.replace(" ", "")
    match = _PATTERN.fullmatch(compact)
    parts = [0.0 if part is None else float(part) for part in match.groups()] if match else []
    seconds = sum(part * unit for part, unit in zip(parts, _UNITS.values(), strict=False))
    if not seconds:
        msg = f"{option} must be a time above zero, such as 90s, 15m, 1h30m, 30d or a number of seconds; got {text!r}."
        raise InputError(msg)
    return seconds
