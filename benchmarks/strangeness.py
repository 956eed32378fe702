"""Ways to say how strange a photo is, fitted to training photos, and how well each tells strangers from the known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.neighbors import NearestNeighbors

from unfreeze.data.tasks import inner_folds
from unfreeze.metrics.grouping import unit_numbers
from unfreeze.metrics.neighbours import directions
from unfreeze.metrics.novelty import CodeCloud, distances, likeness
from unfreeze.probes.clouds import cloud_of, fitted_cloud
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
        probe: The softmax on the last codes; its scores are divided by `temperature`.
        temperature: As a delivered model has it.
        held_out: Scores of training photos by classifiers that have not learned from them, divided likewise.
        cloud: As a delivered model has it.
        plain: That of codes of any length.
        around: The same, of all photos as one class.
        joined: That of the standardised codes at all taps, with their mean and standard deviation.
        neighbours: Of codes of length 1.
    """

    probe: LinearProbe
    temperature: float
    held_out: Float[np.ndarray, "photo cls"]
    cloud: CodeCloud
    plain: CodeCloud
    around: CodeCloud
    joined: tuple[CodeCloud, Float[np.ndarray, " wider"], Float[np.ndarray, " wider"]]
    neighbours: NearestNeighbors

    def scores(self, photos: Photos) -> Float[np.ndarray, "photo cls"]:
        """Scores of the classifier, of which the softmax are its probabilities."""
        return self.probe.scores(photos.last).astype(np.float64) / self.temperature

    def strangeness(self, photos: Photos) -> dict[str, Float[np.ndarray, " photo"]]:
        """How strange photos are in each of the ways; the larger the stranger."""
        scores, unit = self.scores(photos), directions(photos.last)
        far, plain = distances(self.cloud, unit), distances(self.plain, photos.last)
        joined, mean, deviation = self.joined
        near, _ = self.neighbours.kneighbors(unit)
        of_training, _ = self.neighbours.kneighbors()
        by_neighbours = f"{NEIGHBOURS} neighbours"
        energies = moments(energy(self.held_out)).standard(energy(scores))
        logs = {
            DISTANCE: moments(np.log(self.cloud.held_out)).standard(np.log(far)),
            by_neighbours: moments(np.log(of_training.mean(axis=1))).standard(np.log(near.mean(axis=1))),
        }
        return {
            DISTANCE: far,
            PROBABILITY: doubt(scores),
            "energy": energy(scores),
            f"{DISTANCE}, codes of any length": plain,
            f"{DISTANCE}, less that from all": plain - distances(self.around, photos.last),
            f"{DISTANCE} at all taps": distances(joined, (photos.joined - mean) / deviation),
            "nearest neighbour": near[:, 0],
            by_neighbours: near.mean(axis=1),
            **{f"{name} and energy": values + energies for name, values in logs.items()},
        }

    def marked(self, photos: Photos, share: float) -> dict[str, int]:
        """How many photos are marked, by the two scores whose held-out values are known."""
        sure, bound = np.sort(doubt(self.held_out)), doubt(self.scores(photos))
        farther = len(sure) - np.searchsorted(sure, bound, side="left")
        shares = {DISTANCE: likeness(self.cloud, photos.last), PROBABILITY: (1 + farther) / (1 + len(sure))}
        return {name: int((each <= share).sum()) for name, each in shares.items()}


def fit(photos: Photos, labels: Int[np.ndarray, " photo"], *, seed: int) -> Fitted:
    """Fit all ways to training photos, as a run fits the classifier on the last codes and what it knows of photos."""
    folds = inner_folds(labels, photos.groups, seed=seed)
    found = search_probe(photos.last, labels, folds, loss="softmax", class_count=int(labels.max()) + 1)
    temperature = held_out_temperature(found, labels)
    cloud = fitted_cloud(photos.last, labels, seed=seed)
    assert cloud is not None
    mean, deviation = photos.joined.mean(axis=0), np.maximum(photos.joined.std(axis=0), 1e-6)
    return Fitted(
        probe=found.probe,
        temperature=temperature,
        held_out=found.held_out_scores.astype(np.float64) / temperature,
        cloud=cloud,
        plain=cloud_of(photos.last, labels, seed=seed),
        around=cloud_of(photos.last, np.zeros_like(labels), seed=seed),
        joined=(cloud_of((photos.joined - mean) / deviation, labels, seed=seed), mean, deviation),
        neighbours=NearestNeighbors(n_neighbors=NEIGHBOURS).fit(directions(photos.last)),
    )


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
