"""Shares as people type them."""

from unfreeze.core.errors import InputError


def parse_share(text: str, *, option: str) -> float:
    """The share that `text` stands for.

    Args:
        text: ``1%``, ``0.5 %`` or a fraction such as ``0.01``.
        option: What the user typed it for, named in the error.

    Returns:
        Above 0 and below 1.

    Raises:
        InputError: The text is no such share.

    Example:
        >>> parse_share("1%", option="--unlike")
        0.01
    """
    compact = text.replace(" ", "")
    try:
        share = float(compact.removesuffix("%")) / (100 if compact.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        msg = f"{option} must be a share above 0 and below all, such as 1% or 0.01; got {text!r}."
        raise InputError(msg)
    return share
