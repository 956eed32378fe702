"""Splits: which images train and which measure; stratified by class, never through a group, fixed by the seed."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from unfreeze.core.errors import ImageSetError
from unfreeze.core.seeding import generator
from unfreeze.data.image_set import ImageSet
from unfreeze.data.image_table import ImageTable

_Counts = NDArray[np.int64]
_PerImage = Int[np.ndarray, " image"]
_TO_SPLIT = ("", "train")


def split_image_set(image_set: ImageSet, *, seed: int, test_fraction: float = 0.2) -> ImageSet:
    """Give every image a split; a test part that was given stays as it is.

    Without a test part one is split off: from all images where no split was given, from ``train`` where only ``train``
    (and ``val``) were. ``val`` always stays what it is: it may select, it never reports.

    Args:
        image_set: With `split` as given or empty.
        seed: The run's seed.
        test_fraction: Share of the images (of each class as nearly as groups allow) that goes to the test part.

    Returns:
        The same images, each with a split.

    Raises:
        ImageSetError: All images lie in one group, so that nothing can be held out.
    """
    images = image_set.images
    if any(image.split == "test" for image in images):
        return image_set
    places = [place for place, image in enumerate(images) if image.split in _TO_SPLIT]
    numbers = _group_numbers([images[place].group for place in places])
    sides = _test_sides(image_set.labels()[places], numbers, seed=seed, test_fraction=test_fraction)
    names = dict(zip(places, sides, strict=True))
    return replace(
        image_set,
        images=tuple(replace(image, split=names.get(place, image.split)) for place, image in enumerate(images)),
        class_names=image_set.classes,
    )


def split_table(table: ImageTable, *, seed: int, test_fraction: float = 0.2) -> None:
    """Give every used image of a table the split that `split_image_set` gives it; 40 bytes of memory an image.

    Args:
        table: Of inspected images; their splits are changed.
        seed: The run's seed.
        test_fraction: Share of the images that goes to the test part.

    Raises:
        ImageSetError: All images lie in one group, so that nothing can be held out.
    """
    if table.sizes("test"):
        return
    labels, numbers = table.class_indices(*_TO_SPLIT), table.first_places(*_TO_SPLIT)
    table.assign_splits(_TO_SPLIT, _test_sides(labels, numbers, seed=seed, test_fraction=test_fraction))


def _test_sides(labels: _PerImage, numbers: _PerImage, *, seed: int, test_fraction: float) -> Iterator[str]:
    sides = _deal(labels, numbers, shares=(1 - test_fraction, test_fraction), rng=generator(seed, "test split"))
    return ("test" if side else "train" for side in sides)


def folds(
    labels: _PerImage, groups: Sequence[str], *, count: int, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Stratified, grouped folds.

    Args:
        labels: Class index of each image.
        groups: Group of each image; images with an empty one are each their own group.
        count: Number of folds that is wanted; fewer where the rarest class has fewer groups, never below two.
        seed: The run's seed.

    Returns:
        For each fold the indices that train and those that are held out, both ascending. A class of two groups
        or more is in every training side, unless the groups make that impossible.

    Raises:
        ImageSetError: All images lie in one group.
    """
    members = _groups_per_class(labels, _group_numbers(groups))
    count = max(2, min(count, int(members.min())))
    sides = assign_sides(labels, groups, shares=(1 / count,) * count, rng=generator(seed, "folds"))
    return [(np.flatnonzero(sides != fold), np.flatnonzero(sides == fold)) for fold in range(count)]


def whole_round(labels: _PerImage, groups: Sequence[str], *, count: int, rng: np.random.Generator) -> _PerImage:
    """Deal images to folds of equal share, as `assign_sides` does; no fold stays empty.

    Args:
        labels: Class index of each image.
        groups: Group of each image; images with an empty one are each their own group.
        count: Number of folds; at least as many groups.
        rng: Breaks ties and shuffles.

    Returns:
        The fold that tests each image, from 0.

    Raises:
        ImageSetError: All images lie in one group.
    """
    number = _group_numbers(groups)
    sides = _deal(labels, number, shares=(1 / count,) * count, rng=rng)
    for empty in np.setdiff1d(np.arange(count), sides):
        # the smallest group of the fold with most groups
        held = [np.unique(number[sides == fold], return_counts=True) for fold in range(count)]
        names, sizes = max(held, key=lambda of_fold: len(of_fold[0]))
        sides[number == names[np.argmin(sizes)]] = empty
    return sides


def assign_sides(
    labels: _PerImage, groups: Sequence[str], *, shares: Sequence[float], rng: np.random.Generator
) -> _PerImage:
    """Deal images to sides so that each class is spread by `shares` and no group is cut.

    Real groups go first, the largest ahead, each to the side that lacks its classes most; single images then even out
    what is left, class by class. A class with two groups or more ends up on at least two sides where that is possible.

    Args:
        labels: Class index of each image.
        groups: Group of each image; images with an empty one are each their own group.
        shares: Fraction of each side; they sum to one.
        rng: Breaks ties and shuffles.

    Returns:
        Side of each image, an index into `shares`.

    Raises:
        ImageSetError: All images lie in one group.
    """
    return _deal(labels, _group_numbers(groups), shares=shares, rng=rng)


def _deal(
    labels: _PerImage,
    number: _PerImage,
    *,
    shares: Sequence[float],
    rng: np.random.Generator,
) -> _PerImage:
    """As `assign_sides`; groups are numbers that ascend with the place of the group's first image."""
    sizes = np.bincount(number)
    if np.count_nonzero(sizes) < 2:
        msg = "All images lie in one group, so that none can be held out. Give at least two groups, or none."
        raise ImageSetError(msg)
    counts = np.bincount(labels)
    labels = (np.cumsum(counts > 0, dtype=np.int32) - 1)[labels]
    share = np.asarray(shares, dtype=np.float64)
    wanted = share[:, None] * counts[counts > 0]
    sides = np.full(len(labels), -1, dtype=np.int16)
    _deal_groups(sides, labels, number, wanted, rng)
    _deal_singles(sides, labels, wanted, rng)
    _mend(sides, labels, number)
    return sides


def _group_numbers(groups: Sequence[str]) -> _PerImage:
    """Place of the first image of each image's group; images without one are each their own."""
    first: dict[str, int] = {}
    places = (first.setdefault(group, place) if group else place for place, group in enumerate(groups))
    return np.fromiter(places, np.int32, len(groups))


def _groups_per_class(labels: _PerImage, number: _PerImage) -> _Counts:
    """Number of groups in which each class that occurs lies."""
    pairs = np.unique(np.stack([labels, number]), axis=1)
    counts: _Counts = np.unique(pairs[0], return_counts=True)[1]
    return counts


def _deal_groups(
    sides: _PerImage,
    labels: _PerImage,
    number: _PerImage,
    wanted: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Give every group of two images or more to the side that lacks its classes most."""
    sizes = np.bincount(number)
    real = np.flatnonzero(sizes > 1)
    if not len(real):
        return
    order = rng.permutation(real)
    order = order[np.argsort(-sizes[order], kind="stable")]
    by_group = np.argsort(number, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)])
    have = np.zeros_like(wanted)
    for group in order:
        images = by_group[starts[group] : starts[group + 1]]
        present, counts = np.unique(labels[images], return_counts=True)
        lack = (wanted[:, present] - have[:, present]) / wanted[:, present]
        # Each class weighs the same, by how much of it the group holds; the emptiest side wins among equals.
        score = (lack * (counts / wanted.sum(axis=0)[present])).sum(axis=1)
        whole = 1 - have.sum(axis=1) / wanted.sum(axis=1)
        # The first group finds all sides empty: chance decides, but where only the larger side has room for it.
        excess = np.maximum(0, sizes[group] - (wanted - have).sum(axis=1))
        best = int(np.lexsort((rng.permutation(len(score)), excess, -whole, -np.round(score, 9)))[0])
        sides[images] = best
        have[best, present] += counts


def _deal_singles(
    sides: _PerImage,
    labels: _PerImage,
    wanted: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Deal the images that are still without a side, class by class, to where the class is lacking."""
    free_of = [np.flatnonzero((labels == label) & (sides < 0)) for label in range(wanted.shape[1])]
    have_of = [
        np.bincount(sides[(labels == label) & (sides >= 0)], minlength=len(wanted)) for label in range(len(free_of))
    ]
    # What a side has beyond its share, so that sides stay of equal size: of the classes that groups have dealt wholly,
    # then of each class that was dealt before.
    surplus = np.zeros(len(wanted))
    for label, free in enumerate(free_of):
        if not len(free):
            surplus += have_of[label] - wanted[:, label]
    for label, (free, have) in enumerate(zip(free_of, have_of, strict=True)):
        if not len(free):
            continue
        quota = _whole_quota(wanted[:, label] - have, len(free), surplus, alone=not have.any())
        surplus += have + quota - wanted[:, label]
        sides[rng.permutation(free)] = np.repeat(np.arange(len(wanted)), quota)


def _whole_quota(
    lack: NDArray[np.float64], count: int, surplus: NDArray[np.float64], *, alone: bool
) -> NDArray[np.int64]:
    """Whole numbers near `lack` that sum to `count`; remainders go to the sides with the smallest surplus so far."""
    lack = np.maximum(lack, 0)
    exact = lack * count / lack.sum() if lack.sum() else np.full(len(lack), count / len(lack))
    quota = np.floor(exact + 1e-9).astype(np.int64)
    order = np.lexsort((surplus, -np.round(exact - quota, 9)))
    quota[order[: count - quota.sum()]] += 1
    if alone and len(quota) == 2 and count >= 2 and not quota.all():  # both sides of one split need the class
        quota += np.where(quota == 0, 1, -1)
    return quota


def _mend(sides: _PerImage, labels: _PerImage, number: _PerImage) -> None:
    """Move a group where a class of two groups or more lies on one side only, if no other class loses by it."""
    for label in np.unique(labels):
        mine = labels == label
        groups = np.unique(number[mine])
        if len(groups) < 2 or len(np.unique(sides[mine])) > 1:
            continue
        here = int(sides[mine][0])
        count = int(sides.max()) + 1
        totals = np.bincount(sides, minlength=max(count, 2))
        target = int(np.argmin(np.where(np.arange(len(totals)) == here, np.inf, totals)))
        sizes = np.array([np.count_nonzero(number == group) for group in groups])
        for group in groups[np.argsort(sizes, kind="stable")]:
            if _may_leave(int(group), sides, labels, number):
                sides[number == group] = target
                break


def _may_leave(group: int, sides: _PerImage, labels: _PerImage, number: _PerImage) -> bool:
    """Whether each class of a group has another group on the side that it would leave."""
    mine = number == group
    side = sides[mine][0]
    stay = set(labels[(sides == side) & ~mine].tolist())
    return all(label in stay for label in np.unique(labels[mine]).tolist())
