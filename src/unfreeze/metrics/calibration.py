"""Whether probabilities can be believed, and the one number that makes them so: a temperature.

Scores divided by a temperature keep their order, so that no label changes (Guo et al. 2017, "On Calibration of Modern
Neural Networks", arXiv:1706.04599).
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from unfreeze.core.records import Reliability, ReliabilityBin
from unfreeze.metrics.intervals import accuracy_interval

BINS = 10  # of equal width; Guo et al. take 15, for test sets of thousands
_BOUNDS = (1e-3, 1e2)  # of temperatures: of networks 0.7 to 3, of scores near -1 and 1 (ridge classifiers) far less
_FLOOR = math.log(np.finfo(np.float64).eps)  # as scikit-learn's log-loss: a confident mistake costs 36 nats


def fit_temperature(scores: Float[np.ndarray, "image cls"], labels: Int[np.ndarray, " image"]) -> float:
    """The temperature with the least log-loss.

    One image's worth of labels is spread over the wrong classes, as Platt smooths his targets (1999, "Probabilistic
    outputs for support vector machines"): without it, images that are all right would make every answer certain. The
    loss is convex in 1 / T, so that there is one minimum.

    Args:
        scores: Logits of images that trained nothing.
        labels: Class index of each.

    Returns:
        A number from 0.001 to 100; above 1 where the scores are too sure of themselves.

    Example:
        >>> scores, labels = np.array([[3.0, 0.0]] * 100), np.array([0] * 80 + [1] * 20)
        >>> round(fit_temperature(scores, labels), 2)  # 3 / T = log(0.794 / 0.206)
        2.22
    """
    scores = scores.astype(np.float64)
    own, wrong = scores[np.arange(len(labels)), labels], scores.shape[1] - 1
    share = 1 / (len(labels) + 2)
    of_others = (scores.sum(axis=1) - own) / max(1, wrong)
    aimed_at = float(np.mean((1 - share) * own + share * of_others))

    def loss(log_temperature: float) -> float:
        scaled = scores * math.exp(-log_temperature)
        tops = scaled.max(axis=1)
        normalisers = tops + np.log(np.exp(scaled - tops[:, None]).sum(axis=1))
        return float(normalisers.mean() - aimed_at * math.exp(-log_temperature))

    low, high = map(math.log, _BOUNDS)
    return math.exp(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-4}).x)


def fit_apart(
    scores: Float[np.ndarray, "image cls"], labels: Int[np.ndarray, " image"], parts: Int[np.ndarray, " image"]
) -> Float[np.ndarray, " image"]:
    """For each image the temperature that the images of all other parts give.

    Args:
        scores: Logits.
        labels: Class index of each image.
        parts: Part of each image; at least two.

    Returns:
        A temperature an image, the same for all of a part.
    """
    temperatures = np.ones(len(labels))
    for part in np.unique(parts):
        others = parts != part
        temperatures[~others] = fit_temperature(scores[others], labels[others])
    return temperatures


def reliability(
    scores: Float[np.ndarray, "image cls"],
    labels: Int[np.ndarray, " image"],
    temperatures: Float[np.ndarray, " image"] | float = 1.0,
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> Reliability:
    """How far the softmax of scores can be believed, once they are divided by temperatures.

    Args:
        scores: Logits.
        labels: Class index of each image.
        temperatures: Of each image, or of all.
        groups: Group of each image, for the intervals; "" is a group of its own.
        seed: Of the resampling of groups.

    Returns:
        Log-loss, expected calibration error and its bins.
    """
    every = log_probabilities(scores, temperatures)
    own = np.maximum(every[np.arange(len(labels)), labels], _FLOOR)
    bins = _bins(np.exp(every.max(axis=1)), every.argmax(axis=1) == labels, groups or [""] * len(labels), seed)
    gaps = sum(one.images * abs(one.confidence - one.accuracy) for one in bins)
    return Reliability(log_loss=float(-own.mean()), error=gaps / len(labels), bins=bins)


def log_probabilities(
    scores: Float[np.ndarray, "image cls"], temperatures: Float[np.ndarray, " image"] | float = 1.0
) -> Float[np.ndarray, "image cls"]:
    """Logs of the softmax of scores, once they are divided by temperatures: of each image, or of all."""
    divisors = np.broadcast_to(np.asarray(temperatures, np.float64), len(scores))
    found: Float[np.ndarray, "image cls"] = log_softmax(scores.astype(np.float64) / divisors[:, None], axis=1)
    return found


def _bins(
    confidence: Float[np.ndarray, " image"], right: Bool[np.ndarray, " image"], groups: Sequence[str], seed: int
) -> tuple[ReliabilityBin, ...]:
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return tuple(
        ReliabilityBin(
            images=int((places == place).sum()),
            confidence=float(confidence[places == place].mean()),
            accuracy=float(right[places == place].mean()),
            interval=accuracy_interval(
                right[places == place], [groups[row] for row in np.flatnonzero(places == place).tolist()], seed=seed
            ),
        )
        for place in np.unique(places)
    )
