"""Does the interval of a step keep its promise? Simulated studies, of which the truth is known.

    python benchmarks/coverage.py --data-sets 1000

A data set is drawn from two Gaussian classes. Two linear classifiers (least squares, which for two classes is linear
discriminant analysis) see some features in common and some alone; how many of their mistakes are the same and how much
better the second one is are set beforehand. Both are fitted anew on every fold, as a study does it; the second also
with noise on its weights that every fit draws anew, as trainings have it. The truth is the mean difference over 4,000
fresh training sets of the size of four folds, each with its exact accuracy (a normal distribution function), as if on
endless fresh images. The race's rule of stopping is applied to the same studies: the first definite answer after one,
two or four rounds counts.

Rows are appended to `results.jsonl` beside this file; a level that is there already (same number of data sets) is not
simulated again.
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from panel import code_version, keep, rows
from scipy.optimize import brentq
from scipy.stats import norm

from unfreeze.metrics.repeated import FOLDS, LOOKS, StepEstimate, Tested, compare_folds

MEASURE = "coverage of folds"
IMAGES = (100, 300, 1000)
SHARED = (0.3, 0.6, 0.9)
MARGIN = 0.01
GAINS = (0.0, 0.8 * MARGIN, MARGIN, 1.2 * MARGIN, 0.08)  # true, of the second over the first
NOISE = {"stable": 0.0, "noisy": 0.3}  # on the second's weights, by their length
SEPARATION = 1.1  # of the first's classes: half the distance of their means, in standard deviations; 86 % right

# Features: 0 in common, 1 the first's, 2 the second's, then noise in common and one more of noise each.
FIRST = np.array([0, 1, 3, 4, 5, 6, 7])
SECOND = np.array([0, 2, 3, 4, 5, 6, 8])
FEATURES = 9


@dataclass(frozen=True)
class World:
    """Where data sets come from: the mean of class +1 (class -1 has its negative); unit covariance."""

    mean: np.ndarray

    def draw(self, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Features of images with these labels."""
        return labels[:, None] * self.mean + rng.standard_normal((len(labels), FEATURES))


def world(share: float, second_own: float) -> World:
    """`share` of the first's squared separation is in common; the second's own feature separates by `second_own`."""
    mean = np.zeros(FEATURES)
    mean[:3] = SEPARATION * share**0.5, SEPARATION * (1 - share) ** 0.5, second_own
    return World(mean)


def fit(moments: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares on the features that are seen, for many training sets at once.

    Args:
        moments: X'X of X = (one, label, features), a matrix a training set.
        seen: Which features.

    Returns:
        Weights and offsets.
    """
    number = moments[:, 0, 0]
    columns = 2 + seen
    mean, middle = moments[:, 0, columns] / number[:, None], moments[:, 0, 1] / number
    squares = moments[:, columns[:, None], columns] - number[:, None, None] * mean[:, :, None] * mean[:, None, :]
    products = moments[:, columns, 1] - number[:, None] * mean * middle[:, None]
    weights = np.linalg.solve(squares, products[..., None])[..., 0]
    return weights, middle - np.sum(weights * mean, axis=1)


def accuracy(weights: np.ndarray, offsets: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Exact, on endless fresh images of balanced classes."""
    length, centre = np.linalg.norm(weights, axis=1), weights @ mean
    return (norm.cdf((centre + offsets) / length) + norm.cdf((centre - offsets) / length)) / 2


def noisy(weights: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Weights of many fits, each with noise of its own: as long as the weights, times `noise`."""
    length = np.linalg.norm(weights, axis=1, keepdims=True)
    return weights + noise * length / weights.shape[1] ** 0.5 * rng.standard_normal(weights.shape)


class Truth:
    """What is true at the training size of a fold, from the same fresh training sets for every world."""

    def __init__(self, images: int, noise: float, rng: np.random.Generator, *, training_sets: int = 4000) -> None:
        labels = balanced(images - images // FOLDS)
        draws = rng.standard_normal((training_sets, len(labels), FEATURES), dtype=np.float32)
        ones = np.broadcast_to(np.stack([np.ones(len(labels)), labels], 1), (training_sets, len(labels), 2))
        both = np.concatenate([ones, draws], axis=2, dtype=np.float32)
        self._moments = (both.transpose(0, 2, 1) @ both).astype(np.float64)
        self._fresh = rng.standard_normal((4000, FEATURES))
        self._noise, self._seed = noise, int(rng.integers(2**31))

    def _fits(self, of: World) -> list[tuple[np.ndarray, np.ndarray]]:
        to_world = np.eye(2 + FEATURES)
        to_world[1, 2:] = of.mean
        moments = to_world.T @ self._moments @ to_world
        first, (weights, offsets) = (fit(moments, seen) for seen in (FIRST, SECOND))
        return [first, (noisy(weights, self._noise, np.random.default_rng(self._seed)), offsets)]

    def gain(self, of: World) -> float:
        """Expected accuracy of the second minus that of the first."""
        first, second = self._fits(of)
        return float(np.mean(accuracy(*second, of.mean[SECOND]) - accuracy(*first, of.mean[FIRST])))

    def shared_error(self, of: World) -> float:
        """Mistakes of both, as a part of the mistakes of the one that makes fewer; on fresh images of class +1."""
        wrong = []
        for seen, (weights, offsets) in zip((FIRST, SECOND), self._fits(of), strict=True):
            scores = (self._fresh[:, seen] + of.mean[seen]) @ weights[:200].T + offsets[:200]
            wrong.append(scores <= 0)
        return float(np.mean(wrong[0] & wrong[1]) / min(np.mean(side) for side in wrong))


def balanced(number: int) -> np.ndarray:
    """Labels of as many images of class +1 as of -1."""
    return np.where(np.arange(number) % 2 == 0, 1.0, -1.0)


def world_with(truth: Truth, *, shared: float, gain: float) -> World:
    """The world with this share of common mistakes (as near as it can be, at no gain) and this true gain."""

    def even(share: float) -> World:
        return world(share, SEPARATION * (1 - share) ** 0.5)

    def too_few(share: float) -> float:
        return truth.shared_error(even(share)) - shared

    share = 0.999 if too_few(0.999) < 0 else 0.0 if too_few(0.0) > 0 else brentq(too_few, 0.0, 0.999, xtol=1e-3)
    own = brentq(lambda own: truth.gain(world(share, own)) - gain, 0.0, 4.0, xtol=1e-6)
    return world(share, own)


def rounds_of_folds(number: int, rng: np.random.Generator) -> np.ndarray:
    """Images of the folds of four rounds, with as many of either class, one row a fold."""
    half = number // 2
    ranks = np.argsort(rng.random((max(LOOKS) // FOLDS, 2, half)), axis=2)
    folds = ranks.reshape(-1, 2, FOLDS, half // FOLDS).transpose(0, 2, 1, 3).reshape(max(LOOKS), 2, half // FOLDS)
    return np.concatenate([2 * folds[:, 0], 2 * folds[:, 1] + 1], axis=1)


def study(
    of: World, images: int, noise: float, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Which test images are right with the first and the second, on every fold, and the images."""
    labels = balanced(images)
    every = np.column_stack([np.ones(images), labels, of.draw(labels, rng)])
    tests = rounds_of_folds(images, rng)
    held_out = every[tests]
    moments = every.T @ every - held_out.transpose(0, 2, 1) @ held_out
    right = []
    for seen, own in ((FIRST, 0.0), (SECOND, noise)):
        weights, offsets = fit(moments, seen)
        scores = np.einsum("kif,kf->ki", held_out[:, :, 2 + seen], noisy(weights, own, rng)) + offsets[:, None]
        right.append(list((scores * held_out[:, :, 1] > 0).astype(np.float64)))
    return right[0], right[1], tests


def contradicts(answer: str, gain: float) -> bool:
    """Whether an answer contradicts the truth."""
    return {
        "worth it": gain <= MARGIN,
        "not worth it": gain > MARGIN,
        "equivalent": abs(gain) > MARGIN,
        "cannot tell": False,
    }[answer]


def simulate(truth: Truth, *, images: int, fits: str, shared: float, gain: float, data_sets: int) -> dict[str, Any]:
    """One level: what was said after one, two and four rounds of each data set, and at the first definite answer."""
    of = world_with(truth, shared=shared, gain=gain)
    true = truth.gain(of)
    known = gain if gain == MARGIN else true  # a gain that is the margin but for rounding is none above it
    rng = np.random.default_rng([images, round(1000 * shared), round(10000 * gain), len(fits)])
    estimates: dict[int, list[StepEstimate]] = {splits: [] for splits in LOOKS}
    for _ in range(data_sets):
        first, second, tests = study(of, images, NOISE[fits], rng)
        for splits in LOOKS:
            tested = Tested(units=list(tests[:splits]))
            estimates[splits].append(compare_folds(first[:splits], second[:splits], tested, margin=MARGIN))
    stopped = [first_definite(looks) for looks in zip(*estimates.values(), strict=True)]
    return {
        "truth": round(true, 5),
        "measured_shared_error": round(truth.shared_error(of), 3),
        "by_splits": {str(splits): summary(found, known) for splits, found in estimates.items()},
        "stopping": said(stopped, known),
    }


def first_definite(looks: Sequence[StepEstimate]) -> StepEstimate:
    """What a race says that stops as soon as it can tell."""
    return next((one for one in looks if one.answer != "cannot tell"), looks[-1])


def said(estimates: list[StepEstimate], true: float) -> dict[str, float]:
    """Shares of the answers, and of those that contradict the truth."""
    answers = [e.answer for e in estimates]
    return {
        "wrong": round(float(np.mean([contradicts(e.answer, true) for e in estimates])), 4),
        **{answer.replace(" ", "_"): round(answers.count(answer) / len(answers), 4)
           for answer in ("worth it", "not worth it", "equivalent", "cannot tell")},
    }  # fmt: skip


def summary(estimates: list[StepEstimate], true: float) -> dict[str, float]:
    """Coverage, width and answers of many studies.

    Args:
        estimates: What `compare_folds` said.
        true: The true gain.
    """
    differences = np.array([e.difference for e in estimates])
    halves = np.array([(e.interval.high - e.interval.low) / 2 for e in estimates if e.interval is not None])
    deviation = float(differences.std(ddof=1))
    images_alone = 1.96 * np.sqrt([e.image_variance for e in estimates])
    away = np.abs(differences - true)
    return {
        "covered": round(float(np.mean(away <= halves)), 4),
        "covered_by_images_alone": round(float(np.mean(away <= images_alone)), 4),
        "half_width": round(float(halves.mean()), 4),
        "half_width_over_ideal": round(float(halves.mean() / (1.96 * deviation)), 3),
        "worth_it_at_best": round(float(np.mean(differences - MARGIN >= 1.96 * deviation)), 4),
        **said(estimates, true),
    }


def main() -> None:
    """Simulate what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=1000, help="of each level")
    asked = parser.parse_args()
    code, found = code_version(), rows()
    for images, fits in itertools.product(IMAGES, NOISE):
        truth: Truth | None = None
        for shared, gain in itertools.product(SHARED, GAINS):
            key = {"measure": MEASURE, "images": images, "fits": fits, "shared_error": shared, "gain": gain}
            key |= {"data_sets": asked.data_sets}
            if any(key.items() <= row.items() for row in found):
                continue
            truth = truth or Truth(images, NOISE[fits], np.random.default_rng(images))
            started = time.perf_counter()
            level = simulate(truth, images=images, fits=fits, shared=shared, gain=gain, data_sets=asked.data_sets)
            keep({**key, "code": code, **level, "seconds": round(time.perf_counter() - started, 1)})


if __name__ == "__main__":
    main()
