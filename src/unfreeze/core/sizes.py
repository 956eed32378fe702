"""Amounts of storage as people type them."""

import re

from unfreeze.core.errors import InputError

_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?)b?|b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str, *, option: str) -> int:
    """Bytes that `text` stands for.

    Args:
        text: ``20GB``, ``1.5 TB``, ``512MiB`` (powers of 1024) or a plain number of bytes; the B may be left out.
        option: What the user typed it for, named in the error.

    Returns:
        Bytes, 0 or more.

    Raises:
        InputError: The text is no amount of storage.

    Example:
        >>> parse_size("20GB", option="--to")
        20000000000
    """
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        msg = f"{option} must be a size such as 20GB, 500MB, 8GiB or a number of bytes; got {text!r}."
        raise InputError(msg)
    number, prefix, binary = match.groups(default="")
    return int(float(number) * (1024 if binary else 1000) ** _POWERS[prefix.lower()])
