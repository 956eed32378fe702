"""Labelled rows, and which of them may be used for what: splits and folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from jaxtyping import Int

from unfreeze.core.errors import ImageSetError
from unfreeze.core.seeding import generator
from unfreeze.core.settings import Metric
from unfreeze.core.wording import count
from unfreeze.data.image_set import ImageSet
from unfreeze.data.splits import assign_sides, folds, whole_round
from unfreeze.metrics.grouping import unit_numbers
from unfreeze.metrics.repeated import FOLDS, Tested

INNER_FOLDS = 5


FEWER_INNER_FOLDS = 3


MANY_ROWS = 1000  # beyond, three inner folds choose C as well as five: each then holds out more than 300 rows


TEST_FRACTION = 1 / FOLDS  # of a split


_FEWEST_UNITS = 3


Fold = tuple[Int[np.ndarray, "_"], Int[np.ndarray, "_"]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """Rows that one training may use, and rows that measure it.

    Attributes:
        name: ``split 3``, or ``everything``; the stream of its random numbers.
        learn: Rows that train.
        test: Rows that are only predicted.
        folds: Pairs of rows (learn, select) inside `learn`: what C and tap are chosen on.
    """

    name: str
    learn: Int[np.ndarray, " learn"]
    test: Int[np.ndarray, " test"]
    folds: tuple[Fold, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it is one of the numbered splits, not a part of one and not everything."""
        return self.name.startswith("split ") and "," not in self.name

    @property
    def folds_in_learn(self) -> list[Fold]:
        """The folds as places in `learn`."""
        return [
            (np.searchsorted(self.learn, learn), np.searchsorted(self.learn, select)) for learn, select in self.folds
        ]


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """Labelled rows, and which of them may be used for what. A row is the place of an image in the image set.

    Attributes:
        image_set: The images.
        labels: Class index of every row.
        groups: Group of every row; empty strings where none was given.
        train_rows: Rows that splits are made of and that the delivered model trains on: all but the test part.
        test_rows: Rows of the test part; may be empty.
        seed: Of splits and folds.
    """

    image_set: ImageSet
    labels: Int[np.ndarray, " image"]
    groups: tuple[str, ...]
    train_rows: Int[np.ndarray, " train"]
    test_rows: Int[np.ndarray, " test"]
    seed: int

    @property
    def class_count(self) -> int:
        """Number of classes."""
        return len(self.image_set.classes)

    @cached_property
    def units(self) -> Int[np.ndarray, " image"]:
        """Number of the independent unit of every row: its group, or the row itself."""
        return unit_numbers(self.groups)

    def names(self, rows: Int[np.ndarray, " row"]) -> tuple[str, ...]:
        """Names of the images of some rows."""
        return tuple(self.image_set.images[row].name for row in rows)

    @cached_property
    def folds(self) -> int:
        """How many make a round: fewer than five only where there are fewer units.

        Raises:
            ImageSetError: There are two groups or fewer: besides the one that is tested, choosing C needs two.
        """
        units = len(np.unique(self.units[self.train_rows]))
        if units < _FEWEST_UNITS:
            msg = (
                f"A run tests on one group and chooses on two others, so it needs at least {_FEWEST_UNITS} in the train"
                f" part; there {'is' if units == 1 else 'are'} {count(units, 'group')}. Give more groups, or none."
            )
            raise ImageSetError(msg)
        return min(FOLDS, units)

    @cache  # noqa: B019 - a task lives as long as its run
    def split(self, number: int) -> Split:
        """Split `number` of the train part, the same for every strategy.

        Splits come in rounds of complete folds: each round tests every row once. Folds are stratified, and no group
        is on both sides.
        """
        of_round, fold = divmod(number, self.folds)
        sides = self._sides(of_round)
        learn, test = self.train_rows[sides != fold], self.train_rows[sides == fold]
        return Split(name=f"split {number}", learn=learn, test=test, folds=self._folds(learn))

    @cache  # noqa: B019 - a task lives as long as its run
    def _sides(self, number: int) -> Int[np.ndarray, " train"]:
        """The fold of a round that tests each row of the train part."""
        return whole_round(
            self.labels[self.train_rows],
            [self.groups[row] for row in self.train_rows],
            count=self.folds,
            rng=generator(self.seed, "round", number),
        )

    def in_first_round(self, split: Split) -> bool:
        """Whether a split is one of the first that together test every row once."""
        return split.name in {f"split {number}" for number in range(self.folds)}

    def tested(self, splits: Sequence[Split], metric: Metric) -> Tested:
        """What some splits tested, for comparisons by a metric: the first ones, in their order."""
        classes = [self.labels[split.test] for split in splits] if metric == "balanced accuracy" else None
        return Tested(units=[self.units[split.test] for split in splits], classes=classes, folds=self.folds)

    def named(self, name: str) -> Split:
        """The split of this name: ``everything``, ``split 3``, and ``split 3, half`` of it.

        Args:
            name: `Split.name` of a split of an equal task.

        Returns:
            The split, equal to the one that had the name.
        """
        whole, *parts = name.split(", ")
        split = self.everything() if whole == "everything" else self.split(int(whole.removeprefix("split ")))
        for _ in parts:
            split = self.half(split)
        return split

    @cache  # noqa: B019 - a task lives as long as its run
    def everything(self) -> Split:
        """The whole train part, and the test part as what is only predicted."""
        return Split(name="everything", learn=self.train_rows, test=self.test_rows, folds=self._folds(self.train_rows))

    def half(self, split: Split) -> Split:
        """A split that learns from half of what a split learns from: stratified, whole groups; tested alike."""
        name = f"{split.name}, half"
        sides = assign_sides(
            self.labels[split.learn],
            [self.groups[row] for row in split.learn],
            shares=(0.5, 0.5),
            rng=generator(self.seed, name),
        )
        learn = split.learn[sides == 0]
        return Split(name=name, learn=learn, test=split.test, folds=self._folds(learn))

    def _folds(self, rows: Int[np.ndarray, " row"]) -> tuple[Fold, ...]:
        inside = inner_folds(self.labels[rows], [self.groups[row] for row in rows], seed=self.seed)
        return tuple((rows[learn], rows[select]) for learn, select in inside)


def inner_folds(labels: Int[np.ndarray, " row"], groups: Sequence[str], *, seed: int) -> list[Fold]:
    """Folds that C is chosen on, inside rows that one training may use.

    Args:
        labels: Class index of each row.
        groups: Group of each; empty for none.
        seed: Of the run.

    Returns:
        Pairs of places (learn, select).
    """
    most = INNER_FOLDS if len(labels) <= MANY_ROWS else FEWER_INNER_FOLDS
    return folds(labels, groups, count=most, seed=seed)


def make_task(image_set: ImageSet, *, seed: int) -> Task:
    """Lay out rows.

    Args:
        image_set: Images of the part ``test`` are only predicted; all others train, those of a val part too, since
            repeated splits select better than one fixed part.
        seed: Of splits and folds.

    Returns:
        The task.
    """
    is_test = np.array([image.split == "test" for image in image_set.images])
    return Task(
        image_set=image_set,
        labels=image_set.labels(),
        groups=tuple(image.group for image in image_set.images),
        train_rows=np.flatnonzero(~is_test),
        test_rows=np.flatnonzero(is_test),
        seed=seed,
    )
