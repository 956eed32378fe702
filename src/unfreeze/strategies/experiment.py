"""What every strategy of a run shares: the task, the source network, its codes, the pixels."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from unfreeze.core.progress import Progress
from unfreeze.data.image_set import ImageSet
from unfreeze.data.splits import folds
from unfreeze.data.transforms import LIGHT, Augmentation
from unfreeze.features.engines import Engine
from unfreeze.features.extraction import Codes
from unfreeze.training.examples import Pixels, Squares
from unfreeze.zoo.backbones import Backbone

FOLDS = 5

Fold = tuple[Int[np.ndarray, "_"], Int[np.ndarray, "_"]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """Labelled rows, and which of them may be used for what. A row is the place of an image in the image set.

    Attributes:
        image_set: Split images.
        labels: Class index of every row.
        groups: Group of every row; empty strings where none was given.
        train_rows: Rows that the final training uses: all but the test part.
        test_rows: Rows that report.
        folds: Pairs of rows (learn, select) inside the train part; one pair if a val part was given.
    """

    image_set: ImageSet
    labels: Int[np.ndarray, " image"]
    groups: tuple[str, ...]
    train_rows: Int[np.ndarray, " train"]
    test_rows: Int[np.ndarray, " test"]
    folds: tuple[Fold, ...]

    @property
    def class_count(self) -> int:
        """Number of classes."""
        return len(self.image_set.classes)

    @property
    def folds_in_train(self) -> list[Fold]:
        """The folds as places in `train_rows`."""
        place = np.full(len(self.labels), -1, dtype=np.int64)
        place[self.train_rows] = np.arange(len(self.train_rows))
        return [(place[learn], place[select]) for learn, select in self.folds]


def make_task(image_set: ImageSet, *, seed: int) -> Task:
    """Lay out rows and folds.

    Args:
        image_set: Every image has a split. If there is a val part, it selects, and the final training uses it too.
        seed: Of the folds.

    Returns:
        The task.
    """
    split = np.array([image.split for image in image_set.images])
    labels = image_set.labels()
    groups = tuple(image.group for image in image_set.images)
    train_rows = np.flatnonzero(split != "test")
    if (split == "val").any():
        pairs = [(np.flatnonzero(split == "train"), np.flatnonzero(split == "val"))]
    else:
        inside = folds(labels[train_rows], [groups[row] for row in train_rows], count=FOLDS, seed=seed)
        pairs = [(train_rows[learn], train_rows[select]) for learn, select in inside]
    return Task(
        image_set=image_set,
        labels=labels,
        groups=groups,
        train_rows=train_rows,
        test_rows=np.flatnonzero(split == "test"),
        folds=tuple(pairs),
    )


def with_codes_only(image_set: ImageSet, codes: Codes) -> ImageSet:
    """The image set without the images that could not be decoded when the codes were read."""
    if not codes.set_aside:
        return image_set
    kept = set(codes.names)
    return replace(
        image_set,
        images=tuple(image for image in image_set.images if image.name in kept),
        set_aside=(*image_set.set_aside, *codes.set_aside),
        class_names=image_set.classes,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Experiment:
    """One task, one source network, and what is shared between all strategies on them.

    Attributes:
        task: Rows and folds.
        source: The pretrained network with its own head.
        codes: Of every row, at every tap of `source`.
        squares: Decoded images.
        augmentation: Of training images.
        balanced: Train and fit so that all classes count the same, however many images each has.
        chosen_on_fold: Choose rates and the epoch to stop after on the first fold, as `strategies.rates` does.
        seed: The run's seed.
        progress: Is told where the work stands.
        cache: Folder of what is kept between runs; the user's cache if None.
    """

    task: Task
    source: Backbone
    codes: Codes
    squares: Squares
    augmentation: Augmentation = LIGHT
    balanced: bool = False
    chosen_on_fold: bool = False
    seed: int
    progress: Progress
    cache: Path | None = None

    @property
    def engine(self) -> Engine:
        """What runs frozen layers in this experiment: what the codes came from."""
        return self.codes.engine

    @property
    def pixels(self) -> Pixels:
        """The images as the network's input."""
        return Pixels(self.squares, self.source.card, self.augmentation, self.seed)
