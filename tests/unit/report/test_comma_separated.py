"""Comma-separated values, read again by Python's reader and by pandas."""

import csv
import io
import math

import pandas as pd
import pytest

from unfreeze.core.documents import Guess, PredictedImage, PredictRecord
from unfreeze.core.records import ImageCounts
from unfreeze.report.comma_separated import csv_text, prediction_rows

SURE = PredictedImage(
    path="in/a, b.jpg",
    label="ant",
    probability=0.75,
    score=None,
    top=(Guess(label="ant", probability=0.75), Guess(label="bee", probability=0.25)),
)
OPEN = PredictedImage(
    path="in/c.jpg",
    label=None,
    probability=0.5,
    score=None,
    top=(Guess(label="bee", probability=0.5), Guess(label="ant", probability=0.5)),
)


def record(*images: PredictedImage) -> PredictRecord:
    """What a model of two classes says of images."""
    counts = ImageCounts.of(used=len(images), skipped={})
    return PredictRecord(
        classes=("ant", "bee"), threshold=0.6, files_found=counts, images=images, set_aside=(), skipped={}
    )


def test_any_printable_text_is_read_back() -> None:
    """Commas and quotation marks in names are what a reader gets."""
    rows = [["path", "label"], ['a "b",c d.jpg', "é"], ["", " x "]]

    assert list(csv.reader(io.StringIO(csv_text(rows), newline=""))) == rows


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\uff1d1+1"])
def test_a_name_is_no_formula(name: str) -> None:
    """What a spreadsheet would run (the examples of OWASP's page on CSV injection) is text there."""
    assert csv_text([("path", name)]) == f"path,'{name}\n"


def test_numbers_stay_numbers() -> None:
    """Negative ones too, as text or not; pandas reads a column of them."""
    table = pd.read_csv(io.StringIO(csv_text([("score",), ("-1.500000",), (-0.25,), ("-inf",)])))

    assert table.score.tolist() == [-1.5, -0.25, -math.inf]


def test_what_steers_a_terminal_or_turns_text_around_is_shown() -> None:
    """Escape, line breaks, a right-to-left override and a byte that is no text are written as their code points."""
    name = "a\x1b[2J\r\n\u202egpj.\udce9"

    assert csv_text([(name,)]) == "a\\u001b[2J\\u000d\\u000a\\u202egpj.\\udce9\n"


def test_a_label_that_is_left_open_is_empty() -> None:
    """One column of labels by default; pandas reads an open one as missing, with its probability."""
    table = pd.read_csv(io.StringIO(csv_text(prediction_rows(record(SURE, OPEN), top=1))))

    assert list(table.columns) == ["file", "label", "probability", "runner_up", "runner_up_probability"]
    assert table.label.isna().tolist() == [False, True]
    assert table.probability.tolist() == [0.75, 0.5]


def test_further_labels_have_columns_of_their_own() -> None:
    """With three labels wanted of a model of two classes there are two pairs, the likeliest first."""
    heading, first, second = prediction_rows(record(SURE, OPEN), top=3)

    assert heading[5:] == ("label_1", "probability_1", "label_2", "probability_2")
    assert first[5:] == ("ant", "0.750000", "bee", "0.250000")
    assert second[5:] == ("bee", "0.500000", "ant", "0.500000")


def test_the_runner_up_stands_beside_the_label() -> None:
    """Also where the label is left open."""
    _, first, second = prediction_rows(record(SURE, OPEN), top=1)

    assert first == ("in/a, b.jpg", "ant", "0.750000", "bee", "0.250000")
    assert second == ("in/c.jpg", "", "0.500000", "ant", "0.500000")


def test_a_score_is_called_one() -> None:
    """Of a model with an SVM as its head the column is named score."""
    guesses = (Guess(label="ant", score=1.5), Guess(label="bee", score=-1.0))
    said = PredictedImage(path="a", label="ant", probability=None, score=1.5, top=guesses)

    heading, row = prediction_rows(record(said), top=1)

    assert heading == ("file", "label", "score", "runner_up", "runner_up_score")
    assert row == ("a", "ant", "1.500000", "bee", "-1.000000")
