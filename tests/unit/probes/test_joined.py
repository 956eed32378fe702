"""A linear classifier on several readouts: what is chosen, and that it is what scikit-learn fits."""

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from unfreeze.core.errors import InputError
from unfreeze.probes import joined
from unfreeze.probes.joined import PENALTIES, search_joined, spread_rows
from unfreeze.probes.search import search_probe

Folds = list[tuple[np.ndarray, np.ndarray]]


def folds_of(labels: np.ndarray) -> Folds:
    """Three."""
    return list(StratifiedKFold(3, shuffle=True, random_state=0).split(labels[:, None], labels))


def noise(rng: np.random.Generator, rows: int, *widths: int) -> list[np.ndarray]:
    """Readouts that say nothing, none of them centred."""
    return [rng.normal(2.0, 3.0, (rows, width)).astype(np.float32) for width in widths]


def as_scikit_learn_has_it(readouts: Sequence[np.ndarray], labels: np.ndarray, C: float) -> np.ndarray:
    """Decision function of its ridge classifier on the same joined codes: squares + alpha |w|^2, alpha being 1 / 2C."""
    blocks = [StandardScaler().fit_transform(r.astype(np.float64)) / np.sqrt(r.shape[1]) for r in readouts]
    codes = np.concatenate(blocks, axis=1) / np.sqrt(len(blocks))
    found: np.ndarray = RidgeClassifier(alpha=1 / (2 * C)).fit(codes, labels).decision_function(codes)
    return found


@pytest.mark.parametrize("widths", [(5, 20), (50, 200)], ids=["more images", "more codes"])
def test_the_classifier_is_scikit_learns_at_the_chosen_penalty(
    widths: tuple[int, int], rng: np.random.Generator
) -> None:
    """Scores of plain codes, standardisation folded in, are its decision function over the temperature."""
    labels = np.arange(90) % 3
    readouts = noise(rng, 90, *widths)
    readouts[1][:, :3] += 4 * np.eye(3, dtype=np.float32)[labels]

    found = search_joined(readouts, labels, folds_of(labels), groups=[(0, 1)], class_count=3)

    assert found.C in found.Cs
    assert found.Cs == pytest.approx([1 / (2 * penalty) for penalty in PENALTIES], rel=1e-5)
    expected = as_scikit_learn_has_it(readouts, labels, found.C) / found.temperature
    np.testing.assert_allclose(found.scores(readouts), expected, atol=2e-4 * np.abs(expected).max())
    assert found.weight.dtype == found.bias.dtype == np.float32


def test_of_groups_that_are_as_good_the_first_is_taken(rng: np.random.Generator) -> None:
    """Readouts that add nothing are not read; those without which the classes cannot be told apart are."""
    labels = np.arange(120) % 2
    readouts = noise(rng, 120, 10, 10, 10)
    readouts[1][:, 0] += 30 * labels

    def groups_taken(*groups: tuple[int, ...]) -> tuple[int, ...]:
        return search_joined(readouts, labels, folds_of(labels), groups=groups, class_count=2).group

    assert groups_taken((1,), (1, 2), (0, 1, 2)) == (1,)
    assert groups_taken((0,), (0, 1), (0, 1, 2)) == (0, 1)


def test_scores_look_at_what_is_read_of_the_rows_that_are_asked_about(rng: np.random.Generator) -> None:
    """Those of some rows are rows of all scores, and a readout that is not in the group is not looked at."""
    labels = np.arange(90) % 3
    readouts = noise(rng, 90, 6, 8, 5)
    found = search_joined(readouts, labels, folds_of(labels), groups=[(0, 2)], class_count=3)
    absent = np.empty((90, 0), np.float32)
    rows = np.array([80, 3, 3, 41])

    some = found.scores([readouts[0], absent, readouts[2]], rows)

    np.testing.assert_allclose(some, found.scores(readouts)[rows], rtol=1e-4, atol=1e-5)


def test_held_out_accuracy_knows_nothing_of_held_out_labels(rng: np.random.Generator) -> None:
    """With labels by chance, every group is right by chance, though all know their own rows by heart."""
    labels = rng.integers(0, 2, 300)
    readouts = noise(rng, 300, 400, 200)

    found = search_joined(readouts, labels, folds_of(labels), groups=[(0,), (0, 1)], class_count=2)

    assert np.abs(np.subtract(found.of_groups, 0.5)).max() < 0.12
    assert found.temperature > 1, "nothing is sure"


def test_all_classes_count_the_same_where_asked(rng: np.random.Generator) -> None:
    """Of a hundred common images and eight rare ones that overlap, the rare are found as often as the common."""
    labels = np.repeat([0, 1], [200, 16])
    readouts = noise(rng, len(labels), 4)
    readouts[0][:, 0] = rng.normal(2.0 * labels, 1.0)

    def found_rare(*, balanced: bool) -> float:
        found = search_joined(readouts, labels, folds_of(labels), groups=[(0,)], class_count=2, balanced=balanced)
        return float(np.mean(found.scores(readouts).argmax(axis=1)[labels == 1]))

    assert found_rare(balanced=True) > 0.6 > found_rare(balanced=False)


@pytest.mark.parametrize("tells", [0, 1])
def test_where_classes_count_the_same_it_is_the_softmax_of_the_better_group(
    tells: int, rng: np.random.Generator
) -> None:
    """Of the first group and the one in the middle: what `search_probe` fits on its codes, balanced."""
    labels = np.repeat([0, 1], [150, 30])
    readouts = noise(rng, len(labels), 4, 6, 3)
    readouts[tells][:, 0] = rng.normal(3.0 * labels, 1.0)
    folds, groups = folds_of(labels), [(0,), (0, 1), (0, 1, 2)]

    found = search_joined(readouts, labels, folds, groups=groups, class_count=2, balanced=True)
    codes = np.concatenate([readouts[place] for place in found.group], axis=1)
    expected = search_probe(codes, labels, folds, loss="softmax", class_count=2, balanced=True)

    assert (found.group, found.loss) == (groups[tells], "softmax")
    np.testing.assert_allclose(found.scores(readouts), expected.probe.scores(codes), atol=1e-5)
    assert (found.C, found.Cs, found.cv_accuracy) == (expected.C, expected.Cs, expected.cv_accuracy)


def test_half_precision_changes_scores_by_its_rounding(rng: np.random.Generator) -> None:
    """Codes in float16 are fitted in float32: scores stay within the eleven bits of what is read."""
    labels = np.arange(90) % 3
    readouts = noise(rng, 90, 30, 60)
    readouts[0][:, :3] += 4 * np.eye(3, dtype=np.float32)[labels]
    halves = [codes.astype(np.float16) for codes in readouts]

    whole, half = (
        search_joined(codes, labels, folds_of(labels), groups=[(0, 1)], class_count=3) for codes in (readouts, halves)
    )

    assert half.C == whole.C
    np.testing.assert_allclose(half.scores(halves), whole.scores(readouts), atol=0.02)


def test_a_code_that_never_varies_counts_nothing(rng: np.random.Generator) -> None:
    """It has no weight, and everything stays finite."""
    labels = np.arange(60) % 2
    readouts = [*noise(rng, 60, 8), np.full((60, 3), 7.0, np.float32)]

    found = search_joined(readouts, labels, folds_of(labels), groups=[(0, 1)], class_count=2)

    assert (found.weight[:, 8:] == 0).all()
    assert np.isfinite(found.scores(readouts)).all()


def test_many_rows_are_chosen_on_some_and_fitted_all(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The classifier is that of all rows at the chosen penalty, however few the choice was made on."""
    monkeypatch.setattr(joined, "_MOST_CHOSEN_ON", 60)
    labels = np.arange(150) % 3
    readouts = noise(rng, 150, 10, 10)
    readouts[1][:, :3] += 4 * np.eye(3, dtype=np.float32)[labels]

    found = search_joined(readouts, labels, folds_of(labels), groups=[(0, 1)], class_count=3)

    expected = as_scikit_learn_has_it(readouts, labels, found.C) / found.temperature
    np.testing.assert_allclose(found.scores(readouts), expected, atol=2e-4 * np.abs(expected).max())


def test_rows_are_spread_over_the_classes(rng: np.random.Generator) -> None:
    """Each class keeps its share, to within an image; few rows are all taken."""
    labels = rng.permutation(np.repeat([0, 1, 2], [600, 300, 100]))

    rows = spread_rows(labels, 100)

    assert (np.diff(rows) > 0).all()
    np.testing.assert_allclose(np.bincount(labels[rows]), [60, 30, 10], atol=1)
    assert (spread_rows(labels, 1000) == np.arange(1000)).all()


def test_without_anything_to_choose_by_it_says_so(rng: np.random.Generator) -> None:
    """Folds that hold no row out are refused in a sentence."""
    with pytest.raises(InputError, match="A choice needs groups of readouts and folds that hold rows out"):
        search_joined(noise(rng, 10, 4), np.arange(10) % 2, [], groups=[(0,)], class_count=2)
