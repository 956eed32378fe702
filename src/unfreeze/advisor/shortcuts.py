"""What gives classes away without being their content: size, blur, darkness, and the frame of the photos."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from unfreeze.core.findings import Finding, finding
from unfreeze.core.records import Interval
from unfreeze.core.seeding import generator
from unfreeze.core.wording import listed, percent, points
from unfreeze.data.image_set import Glances
from unfreeze.data.splits import whole_round
from unfreeze.metrics.grouping import unit_numbers
from unfreeze.probes.held_out import held_out_scores, with_products

FEWEST = 60  # images, below which nothing is claimed
FOLDS = 5
WIDER = 2.575829  # standard errors of a 99 % interval: one false alarm of a hundred sets is enough
# Of the way from always naming one class to always being right. Sizes are never content; darkness and blur may be.
CLOSED_BY_SIZE, CLOSED_BY_ALL, CLOSED_BY_FRAME = 0.2, 0.5, 0.25
FRAME_BETTER = 0.02  # by which the frame must be the better half of the photo
PARTS = {"size and shape": (0, 1), "blur": (2,), "darkness": (3,)}  # columns of `Glances.numbers`


@dataclass(frozen=True, eq=False, kw_only=True)
class _Held:
    """What a classifier reaches on images that it has not learned from."""

    right: Bool[np.ndarray, " image"]
    surely: Float[np.ndarray, " image"]  # by how much the class that it names is ahead of the next

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


def shortcuts(glances: Glances | None, *, seed: int) -> tuple[Finding, ...]:
    """What gives classes away: classifiers on four numbers, and on the frame alone, by folds.

    Args:
        glances: At images outside of the test part.
        seed: Of the folds.

    Returns:
        UF127 and UF128, as far as they hold.
    """
    if glances is None or len(glances.names) < FEWEST:
        return ()
    classes, labels = np.unique(glances.labels, return_inverse=True)
    unit_of = unit_numbers(glances.groups)
    folds = min(FOLDS, len(np.unique(unit_of)))
    if len(classes) < 2 or folds < 2:
        return ()
    sides = whole_round(labels, glances.groups, count=folds, rng=generator(seed, "shortcuts"))
    return tuple(
        filter(None, (_by_numbers(glances, labels, sides, unit_of), _by_frame(glances, labels, sides, unit_of)))
    )


def _held(
    features: Float[np.ndarray, "image feature"], labels: Int[np.ndarray, " image"], sides: Int[np.ndarray, " image"]
) -> _Held:
    scores = held_out_scores(features, labels, sides, class_count=int(labels.max()) + 1)
    ordered = np.sort(scores, axis=1)
    return _Held(right=scores.argmax(axis=1) == labels, surely=ordered[:, -1] - ordered[:, -2])


def _by_numbers(
    glances: Glances, labels: Int[np.ndarray, " image"], sides: Int[np.ndarray, " image"], unit_of: Int[np.ndarray, "_"]
) -> Finding | None:
    """UF127: size, blur and darkness separate the classes."""
    blind = labels == np.bincount(labels).argmax()
    whole = _held(with_products(glances.numbers), labels, sides)
    parts = {
        name: _held(with_products(glances.numbers[:, list(columns)]), labels, sides) for name, columns in PARTS.items()
    }
    by_size = parts["size and shape"]
    found = whole if _closed(whole, blind, unit_of) > CLOSED_BY_ALL else by_size
    if found is by_size and _closed(by_size, blind, unit_of) <= CLOSED_BY_SIZE:
        return None
    alone = listed([f"{name} alone {percent(part.accuracy)}" for name, part in parts.items()])
    sentence = (
        "Without a look at what is in them, size, shape, blur and darkness name the class of "
        f"{percent(whole.accuracy)} of the photos ({alone}), where always naming one class is right on "
        f"{percent(float(blind.mean()))}."
    )
    advice = (
        "Unless classes differ in just that, a model learns how photos were taken: mix cameras, places and light in "
        "each class, or bring photos to one size and quality before."
    )
    return finding("UF127", sentence, advice, images=_surest(found, glances.names, labels))


def _by_frame(
    glances: Glances, labels: Int[np.ndarray, " image"], sides: Int[np.ndarray, " image"], unit_of: Int[np.ndarray, "_"]
) -> Finding | None:
    """UF128: the outer 10 % say more of the class than as much of the middle does."""
    blind = labels == np.bincount(labels).argmax()
    frame, middle = (_held(cells.astype(np.float32), labels, sides) for cells in (glances.frames, glances.middles))
    better = paired(middle.right, frame.right, unit_of, wider=WIDER)
    if better.low <= FRAME_BETTER or _closed(frame, blind, unit_of) <= CLOSED_BY_FRAME:
        return None
    sentence = (
        f"The frame gives classes away: from the outer 10 % of the photos alone, at {glances.frames.shape[1] // 3} "
        f"points, {percent(frame.accuracy)} are named right, from as many points of their middle "
        f"{percent(middle.accuracy)} ({points(better.low)} to {points(better.high)} points, at 99 %); always naming "
        f"one class is right on {percent(float(blind.mean()))}."
    )
    advice = "Look for borders, watermarks, stamps and backgrounds that come with a class, and cut them off."
    return finding("UF128", sentence, advice, images=_surest(frame, glances.names, labels))


def paired(
    before: Bool[np.ndarray, " image"],
    after: Bool[np.ndarray, " image"],
    unit_of: Int[np.ndarray, " image"],
    *,
    wider: float,
) -> Interval:
    """Interval of the second accuracy less the first, on the same images.

    Args:
        before: Whether the first is right on each.
        after: Whether the second is.
        unit_of: Number of the group of each; images of one group are right and wrong together.
        wider: Standard errors on each side.

    Returns:
        Of the mean difference, by the variance between groups.
    """
    gains = after.astype(np.float64) - before
    mean = float(gains.mean())
    sums = np.bincount(unit_of, weights=gains - mean)
    half = wider * float(np.sqrt(np.square(sums).sum())) / len(gains)
    return Interval(mean - half, mean + half)


def _closed(held: _Held, blind: Bool[np.ndarray, " image"], unit_of: Int[np.ndarray, " image"]) -> float:
    """The share of the way from always naming one class to always being right, at least."""
    rest = 1 - float(blind.mean())
    return paired(blind, held.right, unit_of, wider=WIDER).low / rest if rest else 0.0


def _surest(held: _Held, names: Sequence[str], labels: Int[np.ndarray, " image"]) -> list[str]:
    """Images that it names right, the surest of each class in turn."""
    right = np.flatnonzero(held.right)
    ordered = right[np.argsort(-held.surely[right], kind="stable")]
    rank = np.zeros(len(ordered), np.int64)
    for one in np.unique(labels[ordered]):
        places = labels[ordered] == one
        rank[places] = np.arange(int(places.sum()))
    return [names[row] for row in ordered[np.lexsort((labels[ordered], rank))]]
