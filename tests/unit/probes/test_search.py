"""The choice of C on folds."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from unfreeze.core.errors import InputError
from unfreeze.metrics.accuracy import balanced_accuracy
from unfreeze.probes.coordinates import CodeBlocks
from unfreeze.probes.search import DEFAULT_CS, choose, held_out_losses, is_past, search_probe
from unfreeze.probes.solver import Loss, fit_probe


def few_digits() -> tuple:
    """Four hundred digits, their labels and five folds."""
    codes, labels = load_digits(return_X_y=True)
    codes, labels = codes[:400].astype(np.float32), labels[:400].astype(np.int64)
    return codes, labels, list(StratifiedKFold(5, shuffle=True, random_state=0).split(codes, labels))


def test_curve_is_that_of_scikit_learn() -> None:
    """The cross-validated accuracy of every C is scikit-learn's within three images, standardised in each fold."""
    codes, labels, folds = few_digits()

    search = search_probe(codes, labels, folds, loss="softmax", Cs=(0.3, 1e-3, 0.01), class_count=10)

    for C, ours in zip(search.Cs, search.cv_accuracies, strict=True):
        pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
        theirs = np.mean(cross_val_predict(pipeline, codes.astype(np.float64), labels, cv=folds) == labels)
        assert abs(ours - theirs) <= 3 / 400
    assert search.Cs == (1e-3, 0.01, 0.3)


@pytest.mark.parametrize("loss", ["softmax", "svm"])
@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("width", [64, pytest.param(640, marks=pytest.mark.slow)])
def test_choice_is_that_of_converged_fits_one_by_one(loss: Loss, classes: int, width: int) -> None:
    """Folds that share products and scaling, and stop early, choose the C of a converged fit per fold and C.

    Their curves are the same within three images.
    """
    codes, labels, folds = few_digits()
    codes = np.concatenate([codes + shift for shift in range(width // 64)], axis=1)
    # One code varies in a single fold's held-out rows only: in that fold it is constant, and so part of the intercept.
    codes[folds[0][1], 0] = np.arange(len(folds[0][1]))
    labels = np.minimum(labels, classes - 1)

    search = search_probe(codes, labels, folds, loss=loss, class_count=classes)

    scores = np.zeros((len(DEFAULT_CS), len(codes), classes), np.float32)
    for C, at_C in zip(DEFAULT_CS, scores, strict=True):
        for train, held_out in folds:
            probe = fit_probe(codes[train], labels[train], loss=loss, C=C, class_count=classes)
            at_C[held_out] = probe.scores(codes[held_out])
    correct = scores.argmax(axis=2) == labels
    assert np.abs(correct.mean(axis=1) - search.cv_accuracies).max() <= 3 / len(codes)
    assert DEFAULT_CS.index(search.C) == choose(correct, held_out_losses(scores, labels, loss))


@pytest.mark.parametrize("loss", ["softmax", "svm"])
def test_codes_read_in_blocks_give_the_same_search(tmp_path: Path, loss: Loss) -> None:
    """A memory map read 37 rows at a time gives the curve, the choice and the scores of codes in memory."""
    codes, labels, folds = few_digits()
    np.save(tmp_path / "codes.npy", codes)

    whole = search_probe(codes, labels, folds, loss=loss, class_count=10)
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    blocks = search_probe(mapped, labels, folds, loss=loss, class_count=10, block_rows=37)

    assert blocks.C == whole.C
    assert np.abs(np.subtract(blocks.cv_accuracies, whole.cv_accuracies)).max() <= 1 / len(codes)
    np.testing.assert_allclose(blocks.probe.scores(codes), whole.probe.scores(codes), atol=2e-3)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize(("loss", "classes"), [("softmax", 2), ("softmax", 10), ("svm", 2), ("svm", 10)])
def test_codes_larger_than_memory_are_fitted_on_all_at_a_penalty_chosen_on_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: Loss, classes: int, *, balanced: bool
) -> None:
    """The probe is scikit-learn's fit on all rows at the chosen C; only rows that were drawn have held-out scores."""
    codes, labels, folds = few_digits()
    labels = np.minimum(labels, classes - 1)
    np.save(tmp_path / "codes.npy", codes)
    monkeypatch.setattr("unfreeze.probes.solver._MOST_IN_MEMORY", codes.size - 1)
    monkeypatch.setattr("unfreeze.probes.search.MOST_SAMPLED", 250 * codes.shape[1])

    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    found = search_probe(mapped, labels, folds, loss=loss, class_count=classes, balanced=balanced)

    weight = "balanced" if balanced and loss == "svm" else None
    if loss == "softmax":  # two classes have one row of weights there: see `fit_probe`
        theirs = LogisticRegression(C=found.C * (2 if classes == 2 else 1), max_iter=10_000, tol=1e-8)
    else:
        theirs = LinearSVC(C=found.C, class_weight=weight, tol=1e-8, max_iter=100_000, intercept_scaling=100)
    pipeline = make_pipeline(StandardScaler(), theirs).fit(codes.astype(np.float64), labels)
    if not (balanced and loss == "softmax"):  # whose scores are shifted by the classes' shares
        assert (found.probe.predict(codes) == pipeline.predict(codes)).mean() >= 0.99
    weights = found.probe.weight * np.where(codes.std(axis=0) > 0, codes.std(axis=0), 0)
    assert np.corrcoef(weights[-1], theirs.coef_[-1])[0, 1] > 0.999
    assert np.isfinite(found.held_out_scores).all(axis=1).sum() == 250


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs what Linux says of a process's memory")
def test_pages_of_a_memory_map_are_let_go(tmp_path: Path) -> None:
    """After a pass over 32 MiB in blocks of 1 MiB, less than two blocks of the file count as this process's memory."""
    np.save(tmp_path / "codes.npy", np.ones((8192, 1024), np.float32))
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")

    total = sum(float(codes.sum()) for _, codes in CodeBlocks(mapped, None, 256))

    lines = Path("/proc/self/smaps").read_text().splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.endswith(str(tmp_path / "codes.npy"))]
    resident = next(line for line in lines[place:] if line.startswith("Rss:"))
    assert total == 8192 * 1024
    assert int(resident.split()[1]) < 2048  # KiB


def test_folds_too_large_to_be_fitted_together_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many folds share a product changes no score by more than the tolerance of the folds."""
    codes, labels, folds = few_digits()

    together = search_probe(codes, labels, folds, loss="softmax", class_count=10)
    monkeypatch.setattr("unfreeze.probes.search._MOST_AT_ONCE", 1)
    alone = search_probe(codes, labels, folds, loss="softmax", class_count=10)

    assert alone.C == together.C
    np.testing.assert_allclose(alone.held_out_scores, together.held_out_scores, atol=0.05)


@pytest.mark.parametrize("loss", ["softmax", "svm"])
@pytest.mark.parametrize("width", [64, pytest.param(640, marks=pytest.mark.slow)])
def test_probe_is_the_fit_on_all_rows_at_the_chosen_c(loss: Loss, width: int) -> None:
    """The delivered probe is the converged fit on all rows, also where codes outnumber images."""
    codes, labels, folds = few_digits()
    codes = np.concatenate([codes + shift for shift in range(width // 64)], axis=1)

    search = search_probe(codes, labels, folds, loss=loss, class_count=10)

    assert search.Cs == DEFAULT_CS
    assert search.C in DEFAULT_CS
    assert search.cv_accuracy == search.cv_accuracies[DEFAULT_CS.index(search.C)]
    alone = fit_probe(codes, labels, loss=loss, C=search.C, class_count=10)
    np.testing.assert_allclose(alone.scores(codes), search.probe.scores(codes), atol=0.01)


def test_held_out_scores_come_from_probes_that_did_not_see_the_row() -> None:
    """With random labels held-out scores are right by chance only, while the probe knows its own rows by heart."""
    rng = np.random.default_rng(0)
    codes, labels = rng.normal(size=(200, 300)).astype(np.float32), rng.integers(0, 2, 200)
    folds = list(StratifiedKFold(4, shuffle=True, random_state=0).split(codes, labels))

    search = search_probe(codes, labels, folds, loss="softmax", Cs=(0.1,), class_count=2)

    assert np.mean(search.probe.predict(codes) == labels) > 0.95
    assert abs(np.mean(search.held_out_scores.argmax(axis=1) == labels) - 0.5) < 0.15


def test_rows_that_no_fold_holds_out_have_no_scores() -> None:
    """A row in no fold counts nowhere: its scores are NaN and the accuracies leave it out."""
    codes, labels, folds = few_digits()

    search = search_probe(codes, labels, folds[:2], loss="softmax", Cs=(0.01,), class_count=10)

    held_out = np.concatenate([held for _, held in folds[:2]])
    seen = np.isfinite(search.held_out_scores).all(axis=1)
    assert set(np.flatnonzero(seen)) == set(held_out)
    assert search.cv_accuracy == np.mean(search.held_out_scores[seen].argmax(axis=1) == labels[seen])


def test_clearly_more_accurate_wins_over_a_lower_loss() -> None:
    """The loss decides only where accuracies are within noise of each other."""
    correct = np.zeros((2, 100), bool)
    correct[0, :50] = correct[1, :80] = True

    assert choose(correct, np.array([0.1, 9.0])) == 1


def test_equally_accurate_values_are_told_apart_by_their_loss() -> None:
    """Among equals the lower held-out loss wins; among equals in both the more regular."""
    correct = np.ones((3, 100), bool)

    assert choose(correct, np.array([0.3, 0.2, 0.4])) == 1
    assert choose(correct, np.array([0.2, 0.2, 0.2])) == 0


def test_search_ends_where_weaker_penalties_are_clearly_worse() -> None:
    """Accuracy two standard errors below the best and a loss above the lowest; either alone is not enough."""
    correct = np.zeros((2, 100), bool)
    correct[0, :80] = correct[1, :50] = True
    close = correct.copy()
    close[1, :79] = True

    assert is_past(correct, np.array([0.3, 0.4]))
    assert not is_past(correct, np.array([0.4, 0.3]))
    assert not is_past(close, np.array([0.3, 0.4]))
    assert not is_past(correct[:1], np.array([0.3]))


@pytest.mark.parametrize("loss", ["softmax", "svm"])
@pytest.mark.parametrize("together", [1, 5])
def test_search_that_ends_early_chooses_what_a_whole_one_does(
    monkeypatch: pytest.MonkeyPatch, loss: Loss, together: int
) -> None:
    """Digits with a third of the labels wrong, where weak penalties overfit; folds fitted together or one by one."""
    codes, labels, folds = few_digits()
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(len(labels)) < 1 / 3, rng.integers(0, 10, len(labels)), labels)
    monkeypatch.setattr("unfreeze.probes.search._MOST_AT_ONCE", together * codes.size)
    ended = search_probe(codes, labels, folds, loss=loss, class_count=10)
    monkeypatch.setattr("unfreeze.probes.search.is_past", lambda *_: False)
    whole = search_probe(codes, labels, folds, loss=loss, class_count=10)

    assert len(ended.Cs) < len(whole.Cs) == len(DEFAULT_CS)
    assert ended.C == whole.C
    np.testing.assert_array_equal(ended.held_out_scores, whole.held_out_scores)


@pytest.mark.parametrize(("Cs", "folds"), [((), 5), ((0.0, 1.0), 5), ((1.0,), 0)])
def test_nothing_to_choose_by_is_refused(Cs: tuple[float, ...], folds: int) -> None:
    """No folds, no values or a C of zero: one sentence says what is wanted."""
    codes, labels, made = few_digits()

    with pytest.raises(InputError, match="values above 0 and folds"):
        search_probe(codes, labels, made[:folds], loss="softmax", Cs=Cs, class_count=10)


def test_a_fold_s_probe_is_that_of_scikit_learn_on_codes_standardised_once() -> None:
    """Also with dead channels beside some that hardly vary within the fold, as small inputs give them."""
    rng = np.random.default_rng(0)
    codes, labels = rng.normal(size=(40, 120)).astype(np.float32), np.arange(40) % 3
    codes[:32, :10] *= 1e-2
    codes[:32, 10:115] = 0.3
    train, held_out = np.arange(32), np.arange(32, 40)

    search = search_probe(codes, labels, [(train, held_out)], loss="softmax", class_count=3, Cs=(1e-2,))

    standardised = StandardScaler().fit_transform(codes.astype(np.float64))
    theirs = LogisticRegression(C=1e-2, tol=1e-8, max_iter=1000).fit(standardised[train], labels[train])
    wanted = theirs.decision_function(standardised[held_out])
    found = search.held_out_scores[held_out]
    np.testing.assert_allclose(found - found.mean(axis=1, keepdims=True), wanted, rtol=0.01, atol=0.01)


def unequal(rng: np.random.Generator, counts: tuple[int, int] = (380, 20)) -> tuple:
    """Two Gaussian classes in two dimensions, one apart each way from the middle."""
    labels = np.repeat([0, 1], counts)
    return (rng.normal(size=(len(labels), 2)) + (2 * labels - 1)[:, None]).astype(np.float32), labels


@pytest.mark.parametrize("loss", ["softmax", "svm"])
def test_balanced_probes_find_the_rare_class(loss: Loss, rng: np.random.Generator) -> None:
    """On equally many fresh images, balanced accuracy is nearly the best possible, and above the plain one's."""
    codes, labels = unequal(rng)
    fresh, of_fresh = unequal(rng, (4000, 4000))
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(codes, labels))
    plain, balanced = (
        search_probe(codes, labels, folds, loss=loss, class_count=2, balanced=wanted).probe.predict(fresh)
        for wanted in (False, True)
    )

    assert balanced_accuracy(of_fresh, balanced) > 0.91  # the best is the normal distribution at sqrt(2): 92.1 %
    assert balanced_accuracy(of_fresh, balanced) > balanced_accuracy(of_fresh, plain) + 0.05


def test_a_balanced_svm_is_that_of_scikit_learn(rng: np.random.Generator) -> None:
    """The weights of images are ``class_weight="balanced"``: predictions agree on all but a few of 8,000."""
    codes, labels = unequal(rng)
    fresh, _ = unequal(rng, (4000, 4000))
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(codes, labels))
    search = search_probe(codes, labels, folds, loss="svm", class_count=2, balanced=True)
    scaler = StandardScaler().fit(codes)
    theirs = LinearSVC(C=search.C, class_weight="balanced", max_iter=100_000, tol=1e-8, intercept_scaling=100)
    theirs.fit(scaler.transform(codes), labels)

    assert (search.probe.predict(fresh) != theirs.predict(scaler.transform(fresh))).sum() <= 8
