"""Tables as comma-separated values, which spreadsheets and programs read."""

import csv
import io
from collections.abc import Iterable

from unfreeze.core.documents import Guess, PredictedImage, PredictRecord
from unfreeze.core.wording import printable

# What a spreadsheet takes for the beginning of a formula, also in the wide form of East Asian keyboards.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    r"""Rows as CSV (RFC 4180, with a line feed at the end of each line).

    File and class names come from strangers: what is no printable character is written as ``\uXXXX``, as on a
    terminal, and what a spreadsheet would run as a formula gets an apostrophe in front (OWASP, CSV injection).

    Args:
        rows: Text and numbers; the first row holds the headings. What has a comma or a quotation mark in it is quoted.

    Returns:
        The text, which UTF-8 can hold; None is an empty cell.

    Example:
        >>> print(csv_text([("path", "label"), ("a, b.jpg", "=ant"), ("c.jpg", -0.5)]), end="")
        path,label
        "a, b.jpg",'=ant
        c.jpg,-0.5
    """
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def prediction_rows(record: PredictRecord, *, top: int) -> list[tuple[str, ...]]:
    """What a model says of images, a row each.

    Args:
        record: What it says, with two labels an image or more.
        top: How many labels were asked for.

    Returns:
        The columns file, label (empty where it is left open), probability (score with an SVM as the head), runner_up
        and its probability; of more than one label also label_1, probability_1 and so on, the likeliest first; likeness
        and unlike, if they were asked for.
    """
    measure = record.measure
    places = range(1, min(top, len(record.classes)) + 1) if top > 1 else ()
    further = [name for place in places for name in (f"label_{place}", f"{measure}_{place}")]
    marks = ("likeness", "unlike") if record.unlike is not None else ()
    rows = [("file", "label", measure, "runner_up", f"runner_up_{measure}", *further, *marks)]
    for image in record.images:
        second = (image.top[1].label, _value(image.top[1]))
        guesses = [cell for guess in image.top if places for cell in (guess.label, _value(guess))]
        marked = _marked(image) if marks else ()
        rows.append((image.path, image.label or "", _value(image.top[0]), *second, *guesses, *marked))
    return rows


def _marked(image: PredictedImage) -> tuple[str, str]:
    """Likeness and mark; empty cells where the model does not know."""
    if image.unlike is None:
        return "", ""
    return f"{image.unlike.likeness:.6f}", "unlike" if image.unlike.marked else ""


def _value(guess: Guess) -> str:
    return f"{guess.probability if guess.score is None else guess.score:.6f}"
