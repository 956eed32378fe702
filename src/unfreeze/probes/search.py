"""The regularisation of a probe, chosen by cross-validation on the training part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from numpy.typing import NDArray

from unfreeze.core.errors import InputError
from unfreeze.probes.coordinates import Basis
from unfreeze.probes.solver import Coordinates, LinearProbe, Loss, check_training_rows, fit_path, softmax

# Against every half decade from 1e-5 to 30, cross-validated on the train parts of three sets (240 to 2,100 images,
# 2 to 136 classes, taps 40 to 1,280 wide, both losses), these eight lose 0.04 points on average and 0.6 at most.
DEFAULT_CS: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.3, 3.0)

# Held-out accuracy moves by whole images, so half-converged fits choose the same C; the refit converges.
_PATH_TOLERANCE = 3e-4

Folds = Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True, eq=False)
class ProbeSearch:
    """A probe and how its C was found.

    Attributes:
        probe: Refitted on all rows at the chosen C.
        Cs: What was tried, ascending.
        cv_accuracies: Accuracy over all held-out rows, pooled, of each C.
        C: The chosen one.
        cv_accuracy: Its accuracy.
        held_out_scores: Scores of each row from the probe of the fold that held it out, at the chosen C; NaN where no
            fold held the row out.
    """

    probe: LinearProbe
    Cs: tuple[float, ...]
    cv_accuracies: tuple[float, ...]
    C: float
    cv_accuracy: float
    held_out_scores: Float32[np.ndarray, "image cls"]


def search_probe(
    codes: Float[np.ndarray, "image code"],
    labels: Int[np.ndarray, " image"],
    folds: Folds,
    *,
    loss: Loss,
    Cs: Sequence[float] = DEFAULT_CS,
    class_count: int,
) -> ProbeSearch:
    """Choose C on the folds and fit the probe on all rows.

    Standardisation, too, is learned on each fold's own training rows. See `choose` for near ties.

    Args:
        codes: One row per training image.
        labels: Class index of each.
        folds: Pairs of row numbers (train, held out).
        loss: "softmax" or "svm".
        Cs: What to try.
        class_count: Number of classes.

    Returns:
        The probe, the curve over C and the held-out scores.

    Raises:
        InputError: The codes or labels cannot be fitted, or there is nothing to choose by; the text says why.
    """
    check_training_rows(codes, labels, class_count)
    ordered = tuple(sorted(float(C) for C in Cs))
    if not ordered or ordered[0] <= 0 or not any(len(held_out) for _, held_out in folds):
        msg = f"Choosing C needs values above 0 and folds that hold rows out; got {ordered} and {len(folds)} folds."
        raise InputError(msg)
    whole = Coordinates.of(codes)
    # The axes of all rows nearly fit each fold. They must be complete for that: a span would leave the fold's out.
    shared = whole.basis if whole.basis.shape[0] == whole.basis.shape[1] else None
    scores = _held_out_scores(codes, labels, folds, Cs=ordered, loss=loss, class_count=class_count, basis=shared)
    seen = np.flatnonzero(np.isfinite(scores[0]).all(axis=1))
    correct = scores[:, seen].argmax(axis=2) == labels[seen]
    chosen = choose(correct, _held_out_losses(scores[:, seen], labels[seen], loss))
    C = ordered[chosen]
    probe = next(fit_path(whole, labels, (C,), loss=loss, class_count=class_count))
    accuracies = tuple(float(mean) for mean in correct.mean(axis=1))
    return ProbeSearch(probe, ordered, accuracies, C, accuracies[chosen], scores[chosen])


def _held_out_scores(
    codes: np.ndarray,
    labels: np.ndarray,
    folds: Folds,
    *,
    Cs: tuple[float, ...],
    loss: Loss,
    class_count: int,
    basis: Basis | None,
) -> Float32[np.ndarray, "C image cls"]:
    scores = np.full((len(Cs), len(codes), class_count), np.nan, np.float32)
    for train, held_out in folds:
        coordinates = Coordinates.of(codes[train], basis)
        path = fit_path(coordinates, labels[train], Cs, loss=loss, class_count=class_count, tolerance=_PATH_TOLERANCE)
        for index, probe in enumerate(path):
            scores[index, held_out] = probe.scores(codes[held_out])
    return scores


def _held_out_losses(
    scores: Float32[np.ndarray, "C image cls"], labels: Int[np.ndarray, " image"], loss: Loss
) -> Float[np.ndarray, " C"]:
    """Mean loss of the held-out images at each C: what the probe itself minimises, without the penalty."""
    if loss == "softmax":
        true = (softmax(at_C)[np.arange(len(labels)), labels] for at_C in scores)
        return np.array([-np.log(np.maximum(given, 1e-7), dtype=np.float64).mean() for given in true])
    signs = np.full(scores.shape[1:], -1, np.float32)
    signs[np.arange(len(labels)), labels] = 1
    return np.array([np.square(np.maximum(1 - signs * at_C, 0)).sum(axis=1).mean() for at_C in scores])


def choose(correct: Bool[np.ndarray, "C image"], held_out_losses: Float[np.ndarray, " C"]) -> int:
    """Index of the C to use: of those whose accuracy is within noise of the best, the one with the lowest loss.

    Held-out accuracy counts whole images, so on small data many values of C are as good as equal, and the first of them
    is chosen by luck. The loss has less noise. "Within noise" is one standard error of the paired difference from the
    most accurate C. Tried on subsets (5 to 60 images a class) of the train parts of three sets at three taps, points of
    accuracy on the rest of the train part lost against the best C in hindsight (softmax, SVM): most accurate and most
    regular 1.28, 1.17; most regular within one standard error 1.71, 1.50; lowest loss among the most accurate 0.92,
    1.07; this rule 0.87, 1.02.

    Args:
        correct: Which held-out images were right at each C, ascending.
        held_out_losses: Mean held-out loss at each C.

    Returns:
        The index; of equals the most regular.
    """
    best = correct[int(correct.sum(axis=1).argmax())].astype(np.float64)
    behind = best - correct
    noise = behind.std(axis=1) / np.sqrt(correct.shape[1])
    near = np.flatnonzero(behind.mean(axis=1) <= noise)
    return int(near[np.argmin(held_out_losses[near])])
