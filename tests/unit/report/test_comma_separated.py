"""Comma-separated values, read again by Python's reader and by pandas."""

import csv
import io

import pandas as pd

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


def test_any_text_is_read_back() -> None:
    """Commas, quotation marks and line breaks in names are what a reader gets."""
    rows = [["path", "label"], ['a "b",c\nd.jpg', "é"], ["", " x "]]

    assert list(csv.reader(io.StringIO(csv_text(rows), newline=""))) == rows


def test_a_label_that_is_left_open_is_empty() -> None:
    """One column of labels by default; pandas reads an open one as missing, with its probability."""
    table = pd.read_csv(io.StringIO(csv_text(prediction_rows(record(SURE, OPEN), top=1))))

    assert list(table.columns) == ["path", "label", "probability"]
    assert table.label.isna().tolist() == [False, True]
    assert table.probability.tolist() == [0.75, 0.5]


def test_further_labels_have_columns_of_their_own() -> None:
    """With three labels wanted of a model of two classes there are two pairs, the likeliest first."""
    heading, first, second = prediction_rows(record(SURE, OPEN), top=3)

    assert heading == ("path", "label", "probability", "label_1", "probability_1", "label_2", "probability_2")
    assert first[3:] == ("ant", "0.750000", "bee", "0.250000")
    assert second == ("in/c.jpg", "", "0.500000", "bee", "0.500000", "ant", "0.500000")


def test_a_score_is_called_one() -> None:
    """Of a model with an SVM as its head the column is named score."""
    said = PredictedImage(path="a", label="ant", probability=None, score=1.5, top=(Guess(label="ant", score=1.5),))

    assert prediction_rows(record(said), top=1) == [("path", "label", "score"), ("a", "ant", "1.500000")]
