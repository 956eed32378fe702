"""Which labels are classes, as scikit-learn has it."""

import numpy as np
import pandas as pd
import pytest

from unfreeze.core.errors import InputError
from unfreeze.workflows.given_labels import class_labels

WORDS = ["ant", "bee", "ant", "bee"]


@pytest.mark.parametrize(
    "y",
    [
        WORDS,
        tuple(WORDS),
        np.array(WORDS),
        np.array(WORDS, dtype=object),
        np.array(WORDS)[:, None],
        pd.Series(WORDS, index=[4, 3, 2, 1]),
        pd.Series(WORDS, dtype="category"),
        pd.Series(WORDS, dtype="string"),
        pd.DataFrame({"label": WORDS}),
    ],
)
def test_words_in_any_list(y: object) -> None:
    """The same flat labels."""
    assert class_labels(y, images=4).tolist() == WORDS


@pytest.mark.parametrize(
    "y", [[0, 1, 1, 2], [False, True, True, False], np.array([0.0, 1, 1, 0]), np.array([1, 2, 3, 1], np.int8)]
)
def test_whole_numbers_and_truth_values_keep_their_type(y: object) -> None:
    """`classes_` are what the caller's own labels are."""
    found = class_labels(y, images=4)

    assert found.tolist() == np.asarray(y).tolist()
    assert found.dtype == np.asarray(y).dtype


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (None, "requires y to be passed, but the target y is None"),
        ("abcd", "y must be a list with a label for each image. Got 'abcd'"),
        (["a", "b"], "equally long. Got 4 images and 2 labels."),
        (["a", None, "b", None], "2 labels of 4 are missing, the first at position 1"),
        (["a", np.nan, "b", "b"], "1 label of 4 is missing, the first at position 1"),
        (pd.Series([1, 2, None, 1], dtype="Int64"), "1 label of 4 is missing, the first at position 2"),
        (np.array([0, 1, np.nan, 1]), "1 label of 4 is missing, the first at position 2"),
        ([0.5, 1.5, 2.5, 0.1], r"y must hold classes. Got continuous numbers \(0.5, 1.5, 2.5, 0.1"),
        ([0, 1, 1, np.inf], "y must hold classes: words or whole numbers"),
        (["a", 1, "b", 1], "y must hold labels of one kind. Got 'a' and 1"),
        ([["a"], ["a", "b"], ["b"], ["b"]], r"Got \['a'\] at position 0: an image has one class"),
        (np.eye(4), "Got a one-hot table of 4 x 4: give y.argmax"),
        (np.eye(4).tolist(), "Got a one-hot table of 4 x 4: give y.argmax"),
        (np.array([[1, 1], [0, 1], [1, 0], [1, 0]]), r"several labels an image \(multi-label\)"),
        (pd.DataFrame({"a": WORDS, "b": WORDS}), "Got a table of 4 x 2: give one column"),
        ([b"a", b"b", b"a", b"b"], "y must hold classes: words or whole numbers"),
        (["a"] * 4, r"at least two classes. Got 1 class: \['a'\]"),
    ],
)
def test_what_is_no_class_is_refused(y: object, text: str) -> None:
    """One sentence says what was wanted and what was found."""
    with pytest.raises(InputError, match=text):
        class_labels(y, images=4)
