"""TransferClassifier in scikit-learn's own tools, on real digits."""

from pathlib import Path

import numpy as np
import pytest
import timm
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from unfreeze.core.errors import ImageSetError, InputError
from unfreeze.workflows.estimator import TransferClassifier

pytestmark = pytest.mark.slow

SIZE = 64


@pytest.fixture(scope="module")
def digits() -> tuple[list[np.ndarray], np.ndarray]:
    """Forty images each of the digits 0, 1, 4 and 7 as grey arrays, with words as labels."""
    images, labels = load_digits(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(labels == digit)[:40] for digit in (0, 1, 4, 7)])
    arrays = [np.kron(images[row].reshape(8, 8) * 15.9, np.ones((4, 4))).astype(np.uint8) for row in rows]
    words = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven"])
    return arrays, words[labels[rows]]


def test_cross_validation_over_arrays(digits: tuple[list[np.ndarray], np.ndarray]) -> None:
    """`cross_val_score` clones, fits, predicts and scores; four digits are easy."""
    scores = cross_val_score(TransferClassifier(strategy="codes", size=SIZE), *digits, cv=2)

    assert scores.min() > 0.85


def test_grid_search_chooses_a_strategy(digits: tuple[list[np.ndarray], np.ndarray]) -> None:
    """Strategies are parameters like any other."""
    search = GridSearchCV(TransferClassifier(size=SIZE), {"strategy": ["codes", "head"]}, cv=2).fit(*digits)

    assert search.best_params_["strategy"] in {"codes", "head"}
    assert search.best_score_ > 0.85


def test_probabilities_classes_and_the_saved_folder(
    digits: tuple[list[np.ndarray], np.ndarray], tmp_path: Path
) -> None:
    """Classes are sorted labels, probabilities agree with predictions, and timm loads what is saved."""
    arrays, labels = digits
    model = TransferClassifier(strategy=2, size=SIZE, budget=60).fit(arrays, labels)
    model.save(tmp_path / "model")
    loaded = timm.create_model(f"local-dir:{tmp_path / 'model'}", pretrained=True)
    probabilities = model.predict_proba(arrays[:9])

    assert model.classes_.tolist() == ["four", "one", "seven", "zero"]
    assert model.strategy_ == "unfreeze 2"
    assert model.score(arrays, labels) > 0.9
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(arrays[:9])).all()
    assert loaded.pretrained_cfg["label_names"] == model.classes_.tolist()


def test_a_clone_has_the_settings_and_nothing_learned() -> None:
    """Constructors only store."""
    original = TransferClassifier("resnet18", strategy=3, budget=5.0, size=32, random_state=7)
    twin = clone(original)

    assert twin.get_params() == original.get_params()
    with pytest.raises(NotFittedError, match=r"Call fit\(paths_or_arrays, labels\) first"):
        twin.predict(["x.png"])


@pytest.mark.parametrize(
    ("settings", "images", "labels", "error", "text"),
    [
        (
            {"strategy": "most"},
            ["a.png"],
            ["x"],
            InputError,
            r"one word\) takes head, a number of blocks",
        ),
        (
            {"strategy": -1},
            ["a.png"],
            ["x"],
            InputError,
            r"one word\) takes head, a number of blocks",
        ),
        ({}, ["a.png", "b.png"], ["x"], InputError, "equally long"),
        ({}, ["a.png", "b.png"], ["x", "x"], InputError, "at least two classes"),
        ({}, [np.zeros((4, 4)), np.zeros((4, 4))], ["x", "y"], InputError, "uint8 arrays of shape"),
        ({}, ["no-such-file.png", "b.png"], ["x", "y"], ImageSetError, "Image 0 of X cannot be read"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(
    settings: dict[str, object], images: list[object], labels: list[str], error: type[Exception], text: str
) -> None:
    """The error names what was wanted and what was found."""
    with pytest.raises(error, match=text):
        TransferClassifier().set_params(**settings).fit(images, labels)
