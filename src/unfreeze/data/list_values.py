"""What a value in a list means: missing, one label, or several."""

import math
import os
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

# How programs write that there is none; a class may well be called "none", so that a label is compared exactly.
_NO_VALUE = frozenset(("na", "n/a", "#n/a", "<na>", "nan", "null", "none", "nil"))
_NO_LABEL = frozenset(("NA", "N/A", "n/a", "#N/A", "<NA>", "<na>", "nan", "NaN", "NAN", "null", "NULL"))
# Errors of spreadsheets, of Excel and of LibreOffice.
_ERRORS = re.compile(r"#(DIV/0!|NAME\?|NULL!|NUM!|REF!|VALUE!|SPILL!|CALC!|GETTING_DATA)|Err:\d{3}")
_SOUND_MISSING = frozenset(("?", "??", "???", "-", "--", "none", "nil", "unlabeled", "unlabelled", "-1", "-1.0", "."))
_IS_LIST = re.compile(r"[\[({].*[\])}]", re.DOTALL)
_WHOLE = re.compile(r"(-?\d+)(?:[.,]0*)?")
_SEPARATORS = "|;,"


def text_of(value: Any) -> str:
    """A value of a column as text.

    Args:
        value: As Arrow gives it.

    Returns:
        The text without spaces around it; empty for what is missing, which a column of numbers has as NaN.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return (os.fsdecode(value) if isinstance(value, bytes) else str(value)).strip()


def without_missing(text: str) -> str:
    """A split or group; empty if it says that there is none, as R and pandas write it.

    Args:
        text: The value.

    Returns:
        The value, or nothing.

    Example:
        >>> [without_missing(text) for text in ("NA", "nan", "Nancy")]
        ['', '', 'Nancy']
    """
    return "" if text.casefold() in _NO_VALUE else text


def fault_of_label(label: str) -> str:
    """What is wrong with a label in itself.

    Args:
        label: Not empty.

    Returns:
        Half a sentence; nothing for a label that can be used.
    """
    if label in _NO_LABEL:
        return f"label is {label!r}, which programs write for a missing value: fill it in, or rename the class"
    if _ERRORS.fullmatch(label):
        return f"label is {label}, an error of the spreadsheet: mend its formula"
    if _IS_LIST.fullmatch(label) and ("'" in label or '"' in label or "," in label):
        return f"label is the list {label}, but an image has one class"
    return ""


def sounds_missing(labels: Iterable[str]) -> list[str]:
    """Labels that may stand for images without one; a class may well be called so.

    Args:
        labels: All labels of a list.

    Returns:
        Those labels, sorted.

    Example:
        >>> sounds_missing(["cat", "None", "?"])
        ['?', 'None']
    """
    return sorted(label for label in labels if label.casefold() in _SOUND_MISSING)


def same_number(labels: Iterable[str]) -> tuple[str, ...]:
    """Labels that are one whole number in two spellings, as programs write it when a column has gaps.

    Args:
        labels: All labels of a list.

    Returns:
        The first such labels; nothing if there are none.

    Example:
        >>> same_number(["0", "1", "1.0"])
        ('1', '1.0')
        >>> same_number(["1.0", "1.5", "v1"])
        ()
    """
    spelled: dict[str, str] = {}
    for label in sorted(labels):
        number = _WHOLE.fullmatch(label)
        if number and spelled.setdefault(number[1], label) != label:
            return spelled[number[1]], label
    return ()


def label_of_several(labels: Iterable[str]) -> str:
    """A label that seems to be several: all of its parts occur in other labels, too.

    Args:
        labels: All labels of a list.

    Returns:
        One such label, the first by name; nothing if there is none.

    Example:
        >>> label_of_several(["cat", "dog", "cat|dog"])
        'cat|dog'
        >>> label_of_several(["great white shark, white shark", "tiger shark, shark"])
        ''
    """
    known = sorted(set(labels))
    for separator in _SEPARATORS:
        parts = {label: {part.strip() for part in label.split(separator)} - {""} for label in known}
        labels_with = Counter(part for some in parts.values() for part in some)
        for label, some in parts.items():
            if len(some) > 1 and all(labels_with[part] > 1 for part in some):
                return label
    return ""
