"""Ways to say how strange a photo is, fitted to training photos, and how well each tells strangers from the known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from unfreeze.data.tasks import inner_folds
from unfreeze.metrics.grouping import unit_numbers
from unfreeze.metrics.novelty import CodeCloud, distances, likeness
from unfreeze.probes.clouds import fitted_cloud
from unfreeze.probes.search import held_out_temperature, search_probe
from unfreeze.probes.solver import LinearProbe

DISTANCE, PROBABILITY = "distance", "largest probability"
NEIGHBOURS = 5
NORMAL = 1.959964  # of 95 %


class Photos(NamedTuple):
    """Codes of some photos: at the last tap, which the head reads, and at all taps side by side; groups, if any."""

    last: Float[np.ndarray, "photo code"]
    joined: Float[np.ndarray, "photo wider"]
    groups: Sequence[str]

    def some(self, rows: Int[np.ndarray, " row"]) -> "Photos":
        """Those of some rows."""
        return Photos(self.last[rows], self.joined[rows], [self.groups[row] for row in rows])


class Moments(NamedTuple):
    """Mean and standard deviation."""

    mean: float
    deviation: float

    def standard(self, values: Float[np.ndarray, " photo"]) -> Float[np.ndarray, " photo"]:
        """Values in standard deviations from the mean."""
        return (values - self.mean) / self.deviation


def moments(values: Float[np.ndarray, " photo"]) -> Moments:
    """Of some values, of which at least two differ."""
    return Moments(float(values.mean()), float(values.std()))


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """What was learned from training photos.

    Attributes:
        cloud: As a delivered model has it.
        probe: The softmax on the last codes; its scores are divided by `temperature`.
        temperature: As a delivered model has it.
        held_out: Scores of training photos by classifiers that have not learned from them, divided likewise.
        around: The cloud of all photos as one class.
        shrunk: Mean of each class, and the whole covariance around them, shrunk by Ledoit and Wolf's rule, inverted.
        joined: The cloud of the standardised codes at all taps, with their mean and deviation.
        neighbours: Of codes of length 1.
    """

    cloud: CodeCloud
    probe: LinearProbe
    temperature: float
    held_out: Float[np.ndarray, "photo cls"]
    around: CodeCloud
    shrunk: tuple[Float[np.ndarray, "cls code"], Float[np.ndarray, "code code"]]
    joined: tuple[CodeCloud, Float[np.ndarray, " wider"], Float[np.ndarray, " wider"]]
    neighbours: NearestNeighbors

    def scores(self, photos: Photos) -> Float[np.ndarray, "photo cls"]:
        """Scores of the classifier, of which the softmax are its probabilities."""
        return self.probe.scores(photos.last).astype(np.float64) / self.temperature

    def strangeness(self, photos: Photos) -> dict[str, Float[np.ndarray, " photo"]]:
        """How strange photos are in each of the ways; the larger the stranger."""
        far, scores = distances(self.cloud, photos.last), self.scores(photos)
        logs = moments(np.log(self.cloud.held_out))
        both = {name: (of(self.held_out), of(scores)) for name, of in (("energy", energy), (PROBABILITY, doubt))}
        joined, mean, deviation = self.joined
        nearest, _ = self.neighbours.kneighbors(unit(photos.last))
        return {
            DISTANCE: far,
            PROBABILITY: both[PROBABILITY][1],
            "energy": both["energy"][1],
            "neighbours": nearest.mean(axis=1),
            "distance, Ledoit-Wolf": _whole_distances(photos.last, *self.shrunk),
            "relative distance": far - distances(self.around, photos.last),
            "distance at all taps": distances(joined, (photos.joined - mean) / deviation),
            **{
                f"distance and {name}": logs.standard(np.log(far)) + moments(held_out).standard(values)
                for name, (held_out, values) in both.items()
            },
        }

    def marked(self, photos: Photos, share: float) -> dict[str, int]:
        """How many photos are marked, by the two scores whose held-out values are known."""
        sure, bound = np.sort(doubt(self.held_out)), doubt(self.scores(photos))
        farther = len(sure) - np.searchsorted(sure, bound, side="left")
        by_probability = (1 + farther) / (1 + len(sure))
        by_distance = likeness(self.cloud, photos.last)
        return {DISTANCE: int((by_distance <= share).sum()), PROBABILITY: int((by_probability <= share).sum())}


def fit(photos: Photos, labels: Int[np.ndarray, " photo"], *, seed: int) -> Fitted:
    """Fit all ways to training photos, as a run fits the classifier on the last codes and what it knows of photos."""
    folds = inner_folds(labels, photos.groups, seed=seed)
    found = search_probe(photos.last, labels, folds, loss="softmax", class_count=int(labels.max()) + 1)
    temperature = held_out_temperature(found, labels)
    mean, deviation = photos.joined.mean(axis=0), np.maximum(photos.joined.std(axis=0), 1e-6)
    around = photos.last.astype(np.float64) - _means(photos.last, labels)[labels]
    return Fitted(
        cloud=_cloud(photos.last, labels, seed),
        probe=found.probe,
        temperature=temperature,
        held_out=found.held_out_scores.astype(np.float64) / temperature,
        around=_cloud(photos.last, np.zeros_like(labels), seed),
        shrunk=(_means(photos.last, labels), LedoitWolf(assume_centered=True).fit(around).get_precision()),
        joined=(_cloud((photos.joined - mean) / deviation, labels, seed), mean, deviation),
        neighbours=NearestNeighbors(n_neighbors=NEIGHBOURS).fit(unit(photos.last)),
    )


def _cloud(codes: Float[np.ndarray, "photo code"], labels: Int[np.ndarray, " photo"], seed: int) -> CodeCloud:
    found = fitted_cloud(codes, labels, seed=seed)
    assert found is not None
    return found


def _means(codes: Float[np.ndarray, "photo code"], labels: Int[np.ndarray, " photo"]) -> np.ndarray:
    return np.stack([codes[labels == one].mean(axis=0, dtype=np.float64) for one in np.unique(labels)])


def _whole_distances(codes: np.ndarray, means: np.ndarray, precision: np.ndarray) -> Float[np.ndarray, " photo"]:
    """Squared Mahalanobis distance to the nearest mean, with the covariance whole."""
    apart = (codes.astype(np.float64) - mean for mean in means)
    return np.min([np.einsum("pc,pc->p", one @ precision, one) for one in apart], axis=0)


def unit(codes: Float[np.ndarray, "photo code"]) -> Float[np.ndarray, "photo code"]:
    """Codes of length 1."""
    return codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)


def energy(scores: Float[np.ndarray, "photo cls"]) -> Float[np.ndarray, " photo"]:
    """Free energy of scores (W. Liu, X. Wang, J. Owens & Y. Li, NeurIPS 2020, arXiv:2010.03759)."""
    return -np.logaddexp.reduce(scores, axis=1)


def doubt(scores: Float[np.ndarray, "photo cls"]) -> Float[np.ndarray, " photo"]:
    """Less the logarithm of the largest probability, which orders as it does and never rounds to 1."""
    return np.logaddexp.reduce(scores, axis=1) - scores.max(axis=1)


class Side(NamedTuple):
    """Values of photos of one side, with their groups."""

    values: Float[np.ndarray, " photo"]
    groups: Sequence[str]


def placements(known: Side, strange: Side) -> tuple[Side, Side]:
    """Of each photo the share of the other side's photos from which its value tells it, a tie being half of one.

    The mean of either side is the area under the ROC curve (AUROC).
    """
    above = np.sign(strange.values[:, None] - known.values) / 2 + 0.5
    return Side(above.mean(axis=0), known.groups), Side(above.mean(axis=1), strange.groups)


def estimate(known: Side, strange: Side) -> tuple[float, float]:
    """Mean of placements, or of differences of placements, and its standard error; photos of a group vary together.

    Source:
        E. DeLong, D. DeLong & D. Clarke-Pearson, Biometrics 44, 1988; for groups N. Obuchowski, Biometrics 53, 1997.
    """
    return float(strange.values.mean()), math.sqrt(_variance(known) + _variance(strange))


def _variance(side: Side) -> float:
    """Of the mean, over groups."""
    totals = np.bincount(unit_numbers(side.groups), weights=side.values - side.values.mean())
    number = len(totals)
    return number / (number - 1) * float((totals**2).sum()) / len(side.values) ** 2


def area_interval(area: float, error: float) -> list[float]:
    """95 % interval of an AUROC, by its log-odds, so that it stays inside 0 and 1; of 0 and 1 themselves no more."""
    if not 0 < area < 1:
        return [area, area]
    odds, half = math.log(area / (1 - area)), NORMAL * error / (area * (1 - area))
    return [round(1 / (1 + math.exp(-end)), 4) for end in (odds - half, odds + half)]
