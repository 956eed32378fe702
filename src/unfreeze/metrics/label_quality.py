"""How probable the given label of each image is to classifiers that have not learned from it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

# A larger one finds more, and fewer of them rightly: benchmarks/flipped_labels.py measures both.
IMPROBABLE = 0.05
VOTERS = 10  # nearest images that vote
_AT_ONCE = 1024  # rows of likenesses in memory


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOut:
    """What one classifier says of images that it has not learned from.

    Attributes:
        rows: Of the images.
        called: Class index that each is called.
        probability: Of the given class, from 0 to 1; None of a classifier without probabilities, which only has a vote.
    """

    rows: Int[np.ndarray, " image"]
    called: Int[np.ndarray, " image"]
    probability: Float[np.ndarray, " image"] | None


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelQuality:
    """What all classifiers say, a row an image.

    Attributes:
        probability: Mean of the given class's: the self-confidence. nan where none was held out.
        called: Class index that most call it; of equally many the given one, else the first. -1 where nobody was asked.
        agree: Share of the classifiers that call it so.
    """

    probability: Float[np.ndarray, " image"]
    called: Int[np.ndarray, " image"]
    agree: Float[np.ndarray, " image"]

    def ranked(self) -> Int[np.ndarray, " image"]:
        """Rows by self-confidence, the least first; those without any are left out.

        Source:
            The score that ranks label errors best or nearly so in J. Kuan & J. Mueller, "Model-agnostic label quality
            scoring to detect real-world label errors", ICML DataPerf 2022; cleanlab's ``self_confidence``.
        """
        known = np.flatnonzero(np.isfinite(self.probability))
        ranked: Int[np.ndarray, " image"] = known[np.argsort(self.probability[known], kind="stable")]
        return ranked


def label_quality(held_out: Iterable[HeldOut], labels: Int[np.ndarray, " image"], *, class_count: int) -> LabelQuality:
    """Put together what classifiers say.

    Args:
        held_out: Of each classifier, on each split.
        labels: Class index of every image.
        class_count: Number of classes.

    Returns:
        Probability and vote of each image.
    """
    votes = np.zeros((len(labels), class_count))
    total, number = np.zeros(len(labels)), np.zeros(len(labels))
    for one in held_out:
        np.add.at(votes, (one.rows, one.called), 1)
        if one.probability is not None:
            np.add.at(total, one.rows, one.probability)
            np.add.at(number, one.rows, 1)
    asked = votes.sum(axis=1)
    # A tie is no reason to doubt a label.
    towards_given = votes + 0.5 * (labels[:, None] == np.arange(class_count))
    called = towards_given.argmax(axis=1)
    return LabelQuality(
        probability=np.where(number > 0, total / np.maximum(number, 1), np.nan),
        called=np.where(asked > 0, called, -1),
        agree=votes[np.arange(len(labels)), called] / np.maximum(asked, 1),
    )


def doubted(quality: LabelQuality, labels: Int[np.ndarray, " image"]) -> Bool[np.ndarray, " image"]:
    """Whether each label looks wrong.

    Args:
        quality: Of every image.
        labels: Class index of every image.

    Returns:
        Those of images that are mostly called something else, and whose label is less probable than `IMPROBABLE`.
    """
    is_doubted: Bool[np.ndarray, " image"] = (
        (quality.called >= 0) & (quality.called != labels) & (quality.probability < IMPROBABLE)
    )
    return is_doubted


def neighbour_votes(
    unit_codes: Float[np.ndarray, "image code"],
    labels: Int[np.ndarray, " image"],
    unit_of: Int[np.ndarray, " image"],
    *,
    class_count: int,
) -> Float[np.ndarray, "image cls"]:
    """Shares of the classes among the nearest images of other groups: a classifier that never learns from its image.

    Args:
        unit_codes: Of length 1.
        labels: Class index of each image.
        unit_of: Number of each image's group.
        class_count: Number of classes.

    Returns:
        Shares, which add up to 1.
    """
    shares = np.zeros((len(labels), class_count))
    number = min(VOTERS, len(labels) - 1)
    for start in range(0, len(labels), _AT_ONCE):
        likeness = unit_codes[start : start + _AT_ONCE] @ unit_codes.T
        likeness[unit_of[start : start + _AT_ONCE, None] == unit_of] = -np.inf
        nearest = np.argpartition(-likeness, number - 1, axis=1)[:, :number]
        rows = np.arange(start, start + len(likeness))
        np.add.at(shares, (rows[:, None], labels[nearest]), 1 / number)
    return shares
