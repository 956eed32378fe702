"""Times as people type them."""

import re

from unfreeze.core.errors import InputError

_UNITS = {
    r"d(?:ays?)?": 86400.0,
    r"h(?:(?:ou)?rs?)?": 3600.0,
    r"m(?:in(?:ute)?s?)?": 60.0,
    r"(?:s(?:ec(?:ond)?s?)?)?": 1.0,
}
_PATTERN = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in _UNITS), re.IGNORECASE)


def parse_duration(text: str, *, option: str = "--budget") -> float:
    """Seconds that `text` stands for.

    Args:
        text: ``90s``, ``10m``, ``10 minutes``, ``1h30m``, ``30d`` or a plain number of seconds.
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
