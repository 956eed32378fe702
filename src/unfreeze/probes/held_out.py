"""Scores of rows by ridge classifiers that have not learned from them: quick questions to codes and to few numbers."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from unfreeze.probes.ridge import ridge_in_primal, ridge_targets

# Of which the one with the smallest squared error on the first fold is taken, times the number of rows that are learned
# from. One of so few, chosen on one fold and by another measure than the one that is reported, flatters little.
PENALTIES = (0.003, 0.03, 0.3)


def held_out_scores(
    features: Float[np.ndarray, "row feature"],
    labels: Int[np.ndarray, " row"],
    sides: Int[np.ndarray, " row"],
    *,
    class_count: int,
    penalties: Sequence[float] = PENALTIES,
) -> Float[np.ndarray, "row cls"]:
    """Score every row by a classifier of the other folds.

    Args:
        features: Of any scale.
        labels: Class indices; a negative one is not learned from, but scored.
        sides: The fold that tests each row.
        class_count: Number of classes.
        penalties: To choose from, per row that is learned from.

    Returns:
        Near 1 for the class that is named, near -1 for others.
    """
    standard = standardised(features)
    targets = ridge_targets(labels, class_count)
    known = labels >= 0

    def scored(fold: int, penalty: float) -> Float[np.ndarray, "row cls"]:
        learn = known & (sides != fold)
        ridge = ridge_in_primal(standard[learn], targets[learn], penalty * int(learn.sum()))
        return ridge.scores(standard[sides == fold])

    first, *others = np.unique(sides).tolist()
    tried = [scored(first, penalty) for penalty in penalties]
    tested = known[sides == first]
    wanted = targets[sides == first][tested]
    best = int(np.argmin([float(np.square(scores[tested] - wanted).mean()) for scores in tried]))
    found = np.zeros((len(labels), class_count), np.float32)
    found[sides == first] = tried[best]
    for fold in others:
        found[sides == fold] = scored(fold, penalties[best])
    return found


def standardised(features: Float[np.ndarray, "row feature"]) -> Float[np.ndarray, "row feature"]:
    """Features of mean 0 and deviation 1, float32; one that does not vary stays 0."""
    values = features.astype(np.float32)
    values = values - values.mean(axis=0)
    spread = values.std(axis=0)
    scaled: Float[np.ndarray, "row feature"] = values / np.where(spread > 1e-6, spread, 1)
    return scaled


def with_products(features: Float[np.ndarray, "row feature"]) -> Float[np.ndarray, "row wider"]:
    """Few features with their squares and products, so that a linear classifier bounds a class on both sides."""
    values = standardised(features)
    first, second = np.triu_indices(values.shape[1])
    wider: Float[np.ndarray, "row wider"] = np.concatenate([values, values[:, first] * values[:, second]], axis=1)
    return wider
