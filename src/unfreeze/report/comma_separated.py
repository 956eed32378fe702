"""Tables as comma-separated values, which spreadsheets and programs read."""

import csv
import io
from collections.abc import Iterable, Sequence

from unfreeze.core.documents import Guess, PredictRecord


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV (RFC 4180, with a line feed at the end of each line).

    Args:
        rows: The first one holds the headings. What has a comma, a quotation mark or a line break in it is quoted.

    Returns:
        The text.

    Example:
        >>> print(csv_text([("path", "label"), ("a, b.jpg", "ant")]), end="")
        path,label
        "a, b.jpg",ant
    """
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def prediction_rows(record: PredictRecord, *, top: int) -> list[tuple[str, ...]]:
    """What a model says of images, a row each.

    Args:
        record: What it says.
        top: How many labels were asked for.

    Returns:
        The columns path, label (empty where it is left open) and probability (score with an SVM as the head); of more
        than one label also label_1, probability_1 and so on, the likeliest first.
    """
    measure = record.measure
    places = range(1, min(top, len(record.classes)) + 1) if top > 1 else ()
    further = [name for place in places for name in (f"label_{place}", f"{measure}_{place}")]
    rows = [("path", "label", measure, *further)]
    for image in record.images:
        guesses = [cell for guess in image.top for cell in (guess.label, _value(guess))] if places else []
        rows.append((image.path, image.label or "", _value(image.top[0]), *guesses))
    return rows


def _value(guess: Guess) -> str:
    return f"{guess.probability if guess.score is None else guess.score:.6f}"
