"""How names and numbers are written for people."""

import unicodedata

# Cc: control characters and ANSI escapes; Cf: bidirectional overrides and invisible marks; Cs: bytes of a file name
# that are no text; Zl and Zp: line breaks that are not "\n". The two joiners stay: Persian and emoji need them.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset({"\u200c", "\u200d"})


def printable(text: str) -> str:
    r"""`text` on one line, without anything that could steer a terminal or reorder what a person reads.

    File and class names come from strangers (Boucher & Anderson 2021, arXiv:2111.00169, on bidirectional overrides).

    Args:
        text: A name or a sentence.

    Returns:
        The same text with control, invisible and undecodable characters as ``\uXXXX``.

    Example:
        >>> print(printable("cat\x1b[2J"))
        cat\u001b[2J
    """
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _UNPRINTABLE:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def percent(fraction: float | None) -> str:
    """A fraction as ``93.5 %``; a dash where there is none."""
    return "-" if fraction is None else f"{100 * fraction:.1f} %"


def percent_range(interval: list[float] | tuple[float, float] | None) -> str:
    """An interval of fractions as ``88.9 to 96.2 %``; a dash where there is none."""
    return "-" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def duration(seconds: float) -> str:
    """Seconds as people say them: ``0.4 s``, ``38 s``, ``3 min 20 s``, ``1 h 5 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(number: int, noun: str) -> str:
    """A number and its noun: ``1 image``, ``1,797 images``, ``2 classes``."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def storage(size: int) -> str:
    """Bytes as ``350 MB`` or ``1.4 GB``; a dash where none were measured."""
    if not size:
        return "-"
    return f"{size / 1e9:.1f} GB" if size >= 999_500_000 else f"{size / 1e6:.0f} MB"
