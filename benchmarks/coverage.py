"""Does the interval of a step keep its promise? Simulated studies, of which the truth is known.

    python benchmarks/coverage.py --data-sets 1000

A data set is drawn from two Gaussian classes. Two linear classifiers (least squares, which for two classes is linear
discriminant analysis) see some features in common and some alone; how many of their mistakes are the same and how much
better the second one is are set beforehand. Both are fitted anew on every split, as a study does it. The truth is
the mean difference over 4,000 fresh training sets of the size of a split, each with its exact accuracy (a normal
distribution function), as if on endless fresh images.

Rows are appended to `results.jsonl` beside this file; a level that is there already (same number of data sets and
version of the code) is not simulated again.
"""

import argparse
import itertools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from panel import code_version, keep, rows
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student

from unfreeze.metrics.repeated import StepEstimate, compare_splits, inflation

MEASURE = "coverage"
IMAGES = (100, 300, 1000)
SHARED = (0.3, 0.6, 0.9)
MARGIN = 0.01
GAINS = (0.0, MARGIN - 0.002, MARGIN + 0.002, 0.08)  # true, of the second over the first
SPLITS = (5, 10, 20)
TEST_FRACTION = 0.2
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


class Truth:
    """What is true at the training size of a split, from the same fresh training sets for every world."""

    def __init__(self, images: int, rng: np.random.Generator, *, training_sets: int = 4000) -> None:
        labels = balanced(round(images * (1 - TEST_FRACTION)))
        noise = rng.standard_normal((training_sets, len(labels), FEATURES), dtype=np.float32)
        ones = np.broadcast_to(np.stack([np.ones(len(labels)), labels], 1), (training_sets, len(labels), 2))
        both = np.concatenate([ones, noise], axis=2, dtype=np.float32)
        self._moments = (both.transpose(0, 2, 1) @ both).astype(np.float64)
        self._fresh = rng.standard_normal((4000, FEATURES))

    def _fits(self, of: World) -> list[tuple[np.ndarray, np.ndarray]]:
        to_world = np.eye(2 + FEATURES)
        to_world[1, 2:] = of.mean
        moments = to_world.T @ self._moments @ to_world
        return [fit(moments, seen) for seen in (FIRST, SECOND)]

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


def stratified_splits(number: int, rng: np.random.Generator) -> np.ndarray:
    """Images of the test parts of 20 splits with as many of either class, one row a split."""
    half = number // 2
    taken = round(half * TEST_FRACTION)
    ranks = np.argsort(rng.random((max(SPLITS), 2, half)), axis=2)[:, :, :taken]
    return np.concatenate([2 * ranks[:, 0], 2 * ranks[:, 1] + 1], axis=1)


def study(of: World, images: int, rng: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Which test images are right with the first and the second, on every split, and the images."""
    labels = balanced(images)
    every = np.column_stack([np.ones(images), labels, of.draw(labels, rng)])
    tests = stratified_splits(images, rng)
    held_out = every[tests]
    moments = every.T @ every - held_out.transpose(0, 2, 1) @ held_out
    right = []
    for seen in (FIRST, SECOND):
        weights, offsets = fit(moments, seen)
        scores = np.einsum("kif,kf->ki", held_out[:, :, 2 + seen], weights) + offsets[:, None]
        right.append(list((scores * held_out[:, :, 1] > 0).astype(np.float64)))
    return right[0], right[1], tests


def is_wrong(estimate: StepEstimate, gain: float) -> bool:
    """Whether a definite answer contradicts the truth."""
    return {
        "worth it": gain <= MARGIN,
        "not worth it": gain > MARGIN,
        "equivalent": abs(gain) > MARGIN,
        "cannot tell": False,
    }[estimate.answer]


def simulate(truth: Truth, *, images: int, shared: float, gain: float, data_sets: int) -> list[dict[str, Any]]:
    """One level: a row for 5, 10 and 20 splits of the same data sets."""
    of = world_with(truth, shared=shared, gain=gain)
    true = truth.gain(of)
    rng = np.random.default_rng([images, round(1000 * shared), round(1000 * gain)])
    estimates: dict[int, list[StepEstimate]] = {splits: [] for splits in SPLITS}
    plain: dict[int, list[float]] = {splits: [] for splits in SPLITS}
    for _ in range(data_sets):
        first, second, tests = study(of, images, rng)
        for splits in SPLITS:
            estimates[splits].append(
                compare_splits(
                    first[:splits], second[:splits], units=list(tests[:splits]),
                    test_fraction=TEST_FRACTION, margin=MARGIN,
                )
            )  # fmt: skip
            means = np.mean(second[:splits], axis=1) - np.mean(first[:splits], axis=1)
            plain[splits].append(float(means.var(ddof=1)))
    return [
        {"splits": splits, "truth": round(true, 5), "measured_shared_error": round(truth.shared_error(of), 3)}
        | summary(estimates[splits], plain[splits], true)
        for splits in SPLITS
    ]


def summary(estimates: list[StepEstimate], variances: list[float], true: float) -> dict[str, Any]:
    """Coverage and answers of many studies.

    Args:
        estimates: What `compare_splits` said.
        variances: Between the splits, as they are, for the intervals that others would give.
        true: The true gain.
    """
    splits = estimates[0].splits
    quantile = float(student.ppf(0.975, splits - 1))
    differences = np.array([e.difference for e in estimates])
    halves = np.array([(e.interval.high - e.interval.low) / 2 for e in estimates if e.interval is not None])
    spread = np.sqrt(variances)
    covered = [e.interval is not None and e.interval.low <= true <= e.interval.high for e in estimates]
    answers = [e.answer for e in estimates]
    rate = float(np.mean(covered))

    def covering(factor: float) -> float:
        return round(float(np.mean(np.abs(differences - true) <= quantile * spread * factor**0.5)), 4)

    return {
        "covered": round(rate, 4),
        "monte_carlo_error": round((rate * (1 - rate) / len(estimates)) ** 0.5, 4),
        "covered_without_lower_bound": covering(inflation(splits, TEST_FRACTION)),
        "covered_as_one_cross_validation": covering(1 / splits + 1 / (splits - 1)),
        "covered_uncorrected": covering(1 / splits),
        "half_width": round(float(halves.mean()), 4),
        "half_width_over_normal": round(float(halves.mean() / (1.96 * differences.std(ddof=1))), 2),
        "wrong": round(float(np.mean([is_wrong(e, true) for e in estimates])), 4),
        **{answer.replace(" ", "_"): round(answers.count(answer) / len(answers), 4)
           for answer in ("worth it", "not worth it", "equivalent", "cannot tell")},
    }  # fmt: skip


def main() -> None:
    """Simulate what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=1000, help="of each level")
    asked = parser.parse_args()
    code, found = code_version(), rows()
    for images in IMAGES:
        truth: Truth | None = None
        for shared, gain in itertools.product(SHARED, GAINS):
            key = {"measure": MEASURE, "images": images, "shared_error": shared, "gain": gain, "code": code}
            key |= {"data_sets": asked.data_sets}
            if any(key.items() <= row.items() for row in found):
                continue
            truth = truth or Truth(images, np.random.default_rng(images))
            started = time.perf_counter()
            level = simulate(truth, images=images, shared=shared, gain=gain, data_sets=asked.data_sets)
            seconds = round(time.perf_counter() - started, 1)
            for row in level:
                keep({**key, **row, "seconds": seconds})


if __name__ == "__main__":
    main()
