"""What a value in a list means: missing, one label, or several."""

import math
import os
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

# How programs write that there is none; a class may well be called "none", so that a label is compared exactly.
_NO_VALUE = frozenset(("na", "n/a", "#n/a", "<na>", "nan", "null", "none", "nil"))
_NO_LABEL = frozenset(("NA", "N/A", "#N/A", "<NA>", "nan", "NaN", "NAN", "null", "NULL"))
_IS_LIST = re.compile(r"[\[({].*[\])}]", re.DOTALL)
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
    if _IS_LIST.fullmatch(label) and ("'" in label or '"' in label or "," in label):
        return f"label is the list {label}, but an image has one class"
    return ""


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
