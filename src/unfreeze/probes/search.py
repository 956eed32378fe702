"""The regularisation of a probe, chosen by cross-validation on the training part."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from numpy.typing import NDArray

from unfreeze.core.errors import InputError
from unfreeze.metrics.calibration import fit_temperature
from unfreeze.metrics.imbalance import balanced_weights, log_shares
from unfreeze.probes.coordinates import CodeBlocks
from unfreeze.probes.cores import side_by_side
from unfreeze.probes.losses import Loss as ProbeLoss
from unfreeze.probes.losses import Targets, loss_on
from unfreeze.probes.newton import Problem, Solution, at_weights, minimise, nothing
from unfreeze.probes.rows import Rows, Weights
from unfreeze.probes.solver import (
    BLOCK,
    FIT_TOLERANCE,
    Coordinates,
    LinearProbe,
    Loss,
    check_training_rows,
    fit_in_memory,
    fitted,
    fitted_in_blocks,
    softmax,
    targets_of,
)

# Against every half decade from 1e-5 to 30, cross-validated on the train parts of three sets (240 to 2,100 images,
# 2 to 136 classes, taps 40 to 1,280 wide, both losses), these eight lose 0.04 points on average and 0.6 at most.
DEFAULT_CS: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.3, 3.0)

# Relative to the objective. Held-out accuracy moves by whole images, so the folds need no more; the refit converges.
_PATH_TOLERANCE = 1e-4
# Standard errors by which held-out accuracy must have fallen before weaker penalties are not tried any more.
_CLEARLY_BEHIND = 2.0
# Scores of folds that are fitted together (64 MiB in float32, several times over), and their weight vectors: with fewer
# the products wait for memory, more gain nothing, and what is not fitted together can be fitted side by side.
_MOST_AT_ONCE, _MOST_OUTPUTS = 2**24, 256
MOST_SAMPLED = 2**25  # numbers by which C is chosen where codes do not fit in memory: 128 MiB, several times over
_DRAWN_AT_ONCE = 256  # rows; around each of them the system maps many pages, which count until they are let go
MOST_TEMPERED = 2000  # rows that give a temperature, one number

Folds = Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True, eq=False)
class ProbeSearch:
    """A probe and how its C was found.

    Attributes:
        probe: Refitted on all rows at the chosen C.
        Cs: What was tried, ascending; the largest ones are missing where smaller ones were clearly better.
        cv_accuracies: Accuracy over all held-out rows, pooled, of each C; where asked for, balanced accuracy.
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
    balanced: bool = False,
    block_rows: int | None = None,
) -> ProbeSearch:
    """Choose C on the folds and fit the probe on all rows.

    Folds share one standardisation, that of all rows given, which knows no labels; see `choose` for near ties, and
    `is_past` for where the search ends.

    Args:
        codes: One row per training image.
        labels: Class index of each.
        folds: Pairs of row numbers (train, held out).
        loss: "softmax" or "svm".
        Cs: What to try.
        class_count: Number of classes.
        balanced: Make all classes count the same, however many images each has. A softmax is fitted as ever, and the
            logarithms of the classes' shares are taken off its scores (`metrics.imbalance.log_shares`); the images of
            an SVM are weighted (`balanced_weights`). C is chosen with weighted images.
        block_rows: Rows of codes read at a time, in every pass, for codes that do not fit in memory (a memory map). If
            None, all are held in memory up to 512 MiB. Beyond, C is chosen on rows drawn from all of them, as many as
            fit into 128 MiB, and the fit on all reads 8,192 at a time.

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
    used = [fold for fold in folds if len(fold[1])]
    asked = _Asked(loss, class_count, balanced)
    if block_rows is None and not fit_in_memory(codes.size):
        return _search_by_sample(codes, labels, used, ordered, asked)
    ready = fitted(codes) if block_rows is None else fitted_in_blocks(CodeBlocks(codes, None, block_rows))
    return _search(ready, labels, used, ordered, asked)


@dataclass(frozen=True)
class _Asked:
    """Which probe: its loss, how many classes it tells apart, and whether all of them count the same."""

    loss: Loss
    class_count: int
    balanced: bool


def _search_by_sample(
    codes: Float[np.ndarray, "image code"],
    labels: Int[np.ndarray, " image"],
    folds: Folds,
    Cs: tuple[float, ...],
    asked: _Asked,
) -> ProbeSearch:
    """Choose C on some rows, and go on from their probe to that of all: a pass over all takes seconds a million rows.

    More images want the same C or a larger one, and the effect of C fades as images become many.
    """
    rows = _spread(len(codes), MOST_SAMPLED // codes.shape[1])
    number = np.full(len(codes), -1)
    number[rows] = np.arange(len(rows))
    within = [(number[train], number[held_out]) for train, held_out in folds]
    within = [(train[train >= 0], held_out[held_out >= 0]) for train, held_out in within]
    drawn = np.concatenate([block for _, block in CodeBlocks(codes, rows, _DRAWN_AT_ONCE)])
    found = _search(fitted(drawn), labels[rows], within, Cs, asked)
    coordinates, in_blocks = fitted_in_blocks(CodeBlocks(codes, None, BLOCK))
    problem = _problem(in_blocks, labels, found.C, asked)
    start = at_weights(in_blocks, problem.loss, problem.loss.per_output(coordinates.weights(found.probe)[None]))
    scores = np.full((len(codes), asked.class_count), np.nan, np.float32)
    scores[rows] = found.held_out_scores
    return replace(found, probe=_refit(problem, start, coordinates, labels, asked), held_out_scores=scores)


def _spread(count: int, most: int) -> Int[np.ndarray, " row"]:
    """So many rows drawn from all, ascending; always the same ones."""
    rows: Int[np.ndarray, " row"] = np.sort(np.random.default_rng(0).choice(count, min(count, most), replace=False))
    return rows


def _problem(rows: Rows, labels: Int[np.ndarray, " image"], C: float, asked: _Asked) -> Problem:
    """The fit on all rows."""
    return Problem(rows, loss_on(asked.loss, _targets(labels, [np.arange(len(labels))], asked)), C)


def _targets(labels: Int[np.ndarray, " image"], parts: Sequence[NDArray[np.int64]], asked: _Asked) -> Targets:
    """Of parts, each the numbers of its rows."""
    weights = np.zeros((len(parts), len(labels)))
    for of_part, rows in zip(weights, parts, strict=True):
        of_part[rows] = balanced_weights(labels[rows]) if asked.balanced and asked.loss == "svm" else 1
    return targets_of(labels, asked.class_count, weights=weights)


def _refit(
    problem: Problem, start: Solution, coordinates: Coordinates, labels: Int[np.ndarray, " image"], asked: _Asked
) -> LinearProbe:
    """The probe of all rows, converged."""
    found = minimise(problem, start, tolerance=FIT_TOLERANCE)
    probe = coordinates.probe(problem.loss.per_class(found.weights)[0], loss=asked.loss, C=problem.C)
    if asked.balanced and asked.loss == "softmax":
        return replace(probe, bias=probe.bias - log_shares(labels, asked.class_count).astype(np.float32))
    return probe


def _search(
    ready: tuple[Coordinates, Rows],
    labels: Int[np.ndarray, " image"],
    folds: Folds,
    Cs: tuple[float, ...],
    asked: _Asked,
) -> ProbeSearch:
    coordinates, rows = ready
    scores, weights = _path(rows, labels, folds, Cs, asked)
    Cs = Cs[: len(weights)]
    seen = np.flatnonzero(np.isfinite(scores[0]).all(axis=1))
    correct, lost, weight = _held_out(scores, labels, seen, loss=asked.loss, balanced=asked.balanced)
    chosen = choose(correct, lost, weight)
    problem = _problem(rows, labels, Cs[chosen], asked)
    near = weights[chosen].mean(axis=0, keepdims=True)
    probe = _refit(problem, at_weights(rows, problem.loss, near), coordinates, labels, asked)
    accuracies = tuple(float(mean) for mean in np.average(correct, axis=1, weights=weight))
    return ProbeSearch(probe, Cs, accuracies, Cs[chosen], accuracies[chosen], scores[chosen])


def _path(
    rows: Rows, labels: Int[np.ndarray, " image"], folds: Folds, Cs: tuple[float, ...], asked: _Asked
) -> tuple[Float32[np.ndarray, "C image cls"], list[Weights]]:
    """Held-out scores and weights of the folds at every C until the best one is passed.

    Each fit starts from the one before. Tried: starts further on, along the line through the last two solutions. They
    gain little, and overshoot for SVMs.
    """
    scores = np.full((len(Cs), len(labels), asked.class_count), np.nan, np.float32)
    seen = np.concatenate([held_out for _, held_out in folds])
    batches = _batches(folds, len(labels), asked)
    losses = [loss_on(asked.loss, _targets(labels, [train for train, _ in batch], asked)) for batch in batches]
    here, weights = [nothing(rows, loss) for loss in losses], []
    right, lost = [], []
    for at_C, C in zip(scores, Cs, strict=True):
        here = _gone_on(rows, losses, C, here)
        for batch, loss, found in zip(batches, losses, here, strict=True):
            _note_held_out(at_C, batch, loss.per_class(found.scores), labels, asked)
        weights.append(np.concatenate([found.weights for found in here]))
        correct, losses_at_C, weight = _held_out(at_C[None], labels, seen, loss=asked.loss, balanced=asked.balanced)
        right.append(correct)
        lost.append(losses_at_C)
        if is_past(np.concatenate(right), np.concatenate(lost), weight):
            break
    return scores[: len(weights)], weights


def _batches(folds: Folds, images: int, asked: _Asked) -> list[Folds]:
    """Folds that are fitted together."""
    together = max(1, min(_MOST_AT_ONCE // (images * asked.class_count), _MOST_OUTPUTS // asked.class_count))
    number = -(-len(folds) // together)
    return [folds[place::number] for place in range(number)]


def _gone_on(rows: Rows, losses: Sequence[ProbeLoss], C: float, here: Sequence[Solution]) -> list[Solution]:
    """The solutions of all batches at the next C."""

    def go_on(place: int) -> Solution:
        return minimise(Problem(rows, losses[place], C), here[place], tolerance=_PATH_TOLERANCE)

    if len(losses) == 1:
        return [go_on(0)]
    return side_by_side(go_on, range(len(losses)), size=lambda place: -place)


def _note_held_out(
    at_C: Float32[np.ndarray, "image cls"],
    folds: Folds,
    scores: Float32[np.ndarray, "part cls image"],
    labels: Int[np.ndarray, " image"],
    asked: _Asked,
) -> None:
    """Write the scores of rows by the probe of the fold that holds them out."""
    for (train, held_out), of_part in zip(folds, scores, strict=True):
        at_C[held_out] = of_part[:, held_out].T
        if asked.balanced and asked.loss == "softmax":
            at_C[held_out] -= log_shares(labels[train], asked.class_count).astype(np.float32)


def _held_out(
    scores: Float32[np.ndarray, "C image cls"],
    labels: Int[np.ndarray, " image"],
    seen: Int[np.ndarray, " held"],
    *,
    loss: Loss,
    balanced: bool,
) -> tuple[Bool[np.ndarray, "C held"], Float[np.ndarray, " C"], Float[np.ndarray, " held"] | None]:
    """Of rows that were held out: which are right at each C, the mean loss, and their weights."""
    scores, labels = scores[:, seen], labels[seen]
    weight = balanced_weights(labels) if balanced else None
    return scores.argmax(axis=2) == labels, held_out_losses(scores, labels, loss, weight), weight


def held_out_temperature(found: ProbeSearch, labels: Int[np.ndarray, " image"]) -> float:
    """By what the scores of a softmax should be divided, as rows say that their fold's probe had not learned from.

    The smaller C, the smaller are all scores: with it they compare between probes of different C.

    Args:
        found: A softmax.
        labels: Class index of each row.

    Returns:
        The temperature; of `MOST_TEMPERED` rows at most.
    """
    seen = np.flatnonzero(np.isfinite(found.held_out_scores).all(axis=1))
    seen = seen[:: -(-len(seen) // MOST_TEMPERED)]
    return fit_temperature(found.held_out_scores[seen], labels[seen])


def held_out_losses(
    scores: Float32[np.ndarray, "C image cls"],
    labels: Int[np.ndarray, " image"],
    loss: Loss,
    weight: Float[np.ndarray, " image"] | None = None,
) -> Float[np.ndarray, " C"]:
    """Mean loss of the held-out images at each C: what the probe itself minimises, without the penalty.

    Args:
        scores: At each C.
        labels: Class index of each image.
        loss: softmax or svm.
        weight: Of each image, mean 1; all alike if None.
    """
    if loss == "softmax":
        true = (softmax(at_C)[np.arange(len(labels)), labels] for at_C in scores)
        lost = (-np.log(np.maximum(given, 1e-7), dtype=np.float64) for given in true)
        return np.array([np.average(of_images, weights=weight) for of_images in lost])
    signs = np.full(scores.shape[1:], -1, np.float32)
    signs[np.arange(len(labels)), labels] = 1
    missed = (np.square(np.maximum(1 - signs * at_C, 0)).sum(axis=1) for at_C in scores)
    return np.array([np.average(of_images, weights=weight) for of_images in missed])


def choose(
    correct: Bool[np.ndarray, "C image"],
    held_out_losses: Float[np.ndarray, " C"],
    weight: Float[np.ndarray, " image"] | None = None,
) -> int:
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
        weight: Of each image, mean 1; all alike if None.

    Returns:
        The index; of equals the most regular.
    """
    behind, noise = behind_best(correct, weight)
    near = np.flatnonzero(behind <= noise)
    return int(near[np.argmin(held_out_losses[near])])


def is_past(
    correct: Bool[np.ndarray, "C image"],
    held_out_losses: Float[np.ndarray, " C"],
    weight: Float[np.ndarray, " image"] | None = None,
) -> bool:
    """Whether the last C is so far beyond the best one that weaker penalties need not be tried.

    They would not be chosen, and they are expensive: of an SVM of 136 classes on 1,280 codes (omniglot) the two
    largest of eight take two thirds of the time. On samples of 120 to 1,500 images of five sets (train parts, six taps,
    both losses, all classes counting the same or not) a whole search chose the same C in 576 of 576. Arguments as for
    `choose`.

    Returns:
        True where the accuracy has fallen by two standard errors of the paired difference, and the loss has risen.
    """
    behind, noise = behind_best(correct, weight)
    return bool(behind[-1] > _CLEARLY_BEHIND * noise[-1] and held_out_losses[-1] > held_out_losses.min())


def behind_best(
    correct: Bool[np.ndarray, "C image"], weight: Float[np.ndarray, " image"] | None
) -> tuple[Float[np.ndarray, " C"], Float[np.ndarray, " C"]]:
    """By how much each C, or whatever was tried, is behind the most accurate; and the standard error of that.

    Args:
        correct: Which held-out images were right.
        weight: Of each image, mean 1; all alike if None.

    Returns:
        Differences of accuracy, from 0 up, and the standard error of the paired difference.
    """
    counted = correct * (1.0 if weight is None else weight)
    behind = counted[int(counted.sum(axis=1).argmax())] - counted
    return behind.mean(axis=1), behind.std(axis=1) / np.sqrt(correct.shape[1])
