"""TransferClassifier in scikit-learn's own tools, on real digits."""

import pickle
import threading
from pathlib import Path

import joblib
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from unfreeze.core.errors import ImageSetError, InputError
from unfreeze.core.readouts import Readout
from unfreeze.workflows import estimator
from unfreeze.workflows.estimator import TransferClassifier
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.folders import save_model
from unfreeze.zoo.tap_classifier import TapClassifier

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
        ({"resize": "stretch"}, ["a.png"], ["x"], InputError, "Unknown resize 'stretch'. Choose one of auto, crop, "),
        ({}, ["a.png", "b.png"], ["x"], InputError, "equally long"),
        ({}, ["a.png", "b.png"], ["x", "x"], InputError, "at least two classes"),
        ({}, [np.zeros((4, 4)), np.zeros((4, 4))], ["x", "y"], InputError, "uint8 arrays or tensors of shape"),
        ({}, ["no-such-file.png", "b.png"], ["x", "y"], ImageSetError, "Image 0 of X cannot be read"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(
    settings: dict[str, object], images: list[object], labels: list[str], error: type[Exception], text: str
) -> None:
    """The error names what was wanted and what was found."""
    with pytest.raises(error, match=text):
        TransferClassifier().set_params(**settings).fit(images, labels)


def test_the_ends_of_wide_photos_are_seen_where_they_are_not_cut_off(tmp_path: Path) -> None:
    """Classes that differ at both ends of the photo: auto shows the whole photo, in the model's folder too."""
    rng, labels = np.random.default_rng(0), np.repeat(["red", "green"], 30)
    arrays = list(rng.integers(0, 90, (60, 40, 120, 3), dtype=np.uint8))
    for pixels, label in zip(arrays, labels, strict=True):
        pixels[:, [*range(25), *range(95, 120)], int(label == "green")] += 120

    fitted = TransferClassifier(strategy="softmax-last", size=SIZE, resize="auto").fit(arrays, labels)
    cropped = TransferClassifier(strategy="softmax-last", size=SIZE).fit(arrays, labels)
    fitted.save(tmp_path / "model")
    loaded = TransferClassifier.load(tmp_path / "model")

    assert fitted.resize_ in {"squash", "pad"}
    assert cropped.resize_ == "crop"
    assert loaded.resize_ == loaded.resize == fitted.resize_
    assert loaded.score(arrays, labels) > 0.95


@pytest.mark.parametrize("strategy", ["svm-last", "head"])
def test_a_saved_model_is_an_estimator_again(
    digits: tuple[list[np.ndarray], np.ndarray], tmp_path: Path, strategy: str
) -> None:
    """What was loaded says what was fitted, to the last bit, and is saved again as the same weights."""
    arrays, labels = digits
    fitted = TransferClassifier(strategy=strategy, size=SIZE).fit(arrays, labels)
    fitted.save(tmp_path / "one")

    loaded = TransferClassifier.load(tmp_path / "one")
    loaded.save(tmp_path / "two")

    assert loaded.classes_.tolist() == fitted.classes_.tolist()
    assert (loaded.predict(arrays[:9]) == fitted.predict(arrays[:9])).all()
    np.testing.assert_array_equal(loaded.decision_function(arrays[:9]), fitted.decision_function(arrays[:9]))
    np.testing.assert_array_equal(loaded.predict_proba(arrays[:9]), fitted.predict_proba(arrays[:9]))
    for file in ("model.safetensors", "model.pt2"):
        assert (tmp_path / "one" / file).is_file()
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]


def test_a_classifier_on_taps_is_an_estimator(digits: tuple[list[np.ndarray], np.ndarray], tmp_path: Path) -> None:
    """A folder with a network that was cut off predicts as its own module does, and is saved again."""
    arrays, _ = digits
    backbone = load_backbone(size=32)
    tap = backbone.taps[2]
    weight = np.random.default_rng(0).normal(size=(4, tap.channels)).astype(np.float32)
    model = TapClassifier(backbone=backbone, readouts=(Readout(tap.name),), weight=weight, bias=np.zeros(4, np.float32))
    save_model(tmp_path / "one", model, class_names=("four", "one", "seven", "zero"), card_text="# Mine\n")

    loaded = TransferClassifier.load(tmp_path / "one")
    loaded.save(tmp_path / "two")

    size, resize = 32, int(32 / backbone.card.crop_pct)
    edge = round((resize - size) / 2)
    squares = np.stack(
        [
            np.asarray(Image.fromarray(one).convert("RGB").resize((resize, resize), Image.Resampling.BICUBIC))
            for one in arrays[:9]
        ]
    )[:, edge : edge + size, edge : edge + size]
    with torch.no_grad():
        expected = model.module()(torch.from_numpy(squares)).numpy()
    np.testing.assert_allclose(loaded.decision_function(arrays[:9]), expected, rtol=1e-4, atol=1e-4)
    assert (tmp_path / "two" / "README.md").read_text().startswith("# Mine\n\n## How to run it with torch alone")


@pytest.mark.parametrize("strategy", ["svm-last", "head"])
def test_what_was_pickled_predicts_to_the_last_bit(
    digits: tuple[list[np.ndarray], np.ndarray], tmp_path: Path, strategy: str
) -> None:
    """By pickle and by joblib: the same scores, settings and attributes, and it is pickled and saved again."""
    arrays, labels = digits
    fitted = TransferClassifier(strategy=strategy, size=SIZE).fit(arrays, labels)
    joblib.dump(fitted, tmp_path / "model.joblib")

    for again in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "model.joblib")):
        twice = pickle.loads(pickle.dumps(again))
        np.testing.assert_array_equal(twice.decision_function(arrays[:9]), fitted.decision_function(arrays[:9]))
        assert again.get_params() == fitted.get_params()
        assert again.classes_.tolist() == fitted.classes_.tolist()
        assert (again.strategy_, again.probabilities_, again.outcomes_) == (
            fitted.strategy_,
            fitted.probabilities_,
            fitted.outcomes_,
        )
    twice.save(tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_one_photo_reads_and_traces_nothing_anew(
    digits: tuple[list[np.ndarray], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `fit`, no call writes, loads or traces a model, and an image alone gets the scores it has among many."""
    arrays, labels = digits
    fitted = TransferClassifier(strategy="softmax-last", size=SIZE).fit(arrays, labels)
    together = fitted.decision_function(arrays)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    for name in ("save_model", "load_model", "load_backbone", "classifier_in_memory"):
        monkeypatch.setattr(estimator, name, refuse)
    monkeypatch.setattr("torch.fx.Tracer.trace", refuse)
    alone = np.concatenate([fitted.decision_function([one]) for one in arrays[:9]])

    np.testing.assert_array_equal(alone, together[:9])


def test_threads_share_an_estimator(digits: tuple[list[np.ndarray], np.ndarray]) -> None:
    """Each thread gets what one alone gets, also of one that was just unpickled."""
    arrays, labels = digits
    fitted = TransferClassifier(strategy="softmax-last", size=SIZE).fit(arrays, labels)
    shared = pickle.loads(pickle.dumps(fitted))
    wanted = [fitted.predict_proba([one]) for one in arrays[:8]]
    found: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        found[number] = shared.predict_proba([arrays[number]])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for number, scores in enumerate(wanted):
        np.testing.assert_array_equal(found[number], scores)


def test_images_are_the_same_however_they_are_given(
    digits: tuple[list[np.ndarray], np.ndarray], tmp_path: Path
) -> None:
    """Paths, Pillow images, arrays and tensors of the same photos get the same scores to the last bit."""
    arrays, labels = digits
    fitted = TransferClassifier(strategy="softmax-last", size=SIZE).fit(arrays, labels)
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for path, pixels in zip(paths, arrays, strict=False):
        Image.fromarray(pixels).save(path)
    wanted = fitted.decision_function(paths)

    opened = [Image.open(path) for path in paths]
    for given in (opened, [image.convert("P") for image in opened], arrays[:6], np.stack(arrays[:6])):
        np.testing.assert_array_equal(fitted.decision_function(given), wanted)
    with pytest.raises(InputError, match="is one image"):
        fitted.predict(opened[0])


def test_the_race_leaves_its_outcomes(digits: tuple[list[np.ndarray], np.ndarray]) -> None:
    """What was measured is there with its accuracy, cheapest first, and what was picked is among it."""
    arrays, labels = digits
    fitted = TransferClassifier(size=SIZE, budget=30).fit(arrays, labels)

    measured = [outcome for outcome in fitted.outcomes_ if outcome.measured]
    assert fitted.strategy_ in {outcome.name for outcome in measured}
    assert all(outcome.accuracy is not None and 0 <= outcome.accuracy <= 1 for outcome in measured)
    assert [o.strategy.rank for o in measured] == sorted(o.strategy.rank for o in measured)


def test_an_unreadable_photo_is_named_by_its_place(digits: tuple[list[np.ndarray], np.ndarray], tmp_path: Path) -> None:
    """Of a path also by its name."""
    arrays, labels = digits
    fitted = TransferClassifier(strategy="softmax-last", size=SIZE).fit(arrays, labels)

    with pytest.raises(ImageSetError, match=r"1 of 2 images cannot be read; the first is image 1 .*none\.png \("):
        fitted.predict([arrays[0], tmp_path / "none.png"])
    with pytest.raises(ImageSetError, match=r"1 of 2 images cannot be read; the first is image 1 \(aspect-ratio"):
        fitted.predict([arrays[0], np.zeros((2, 900), np.uint8)])
