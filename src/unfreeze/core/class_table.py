"""What a strategy answers class by class, as plain data for the run record."""

from dataclasses import dataclass

from unfreeze.core.records import ClassScores
from unfreeze.core.strategies import StrategyId


@dataclass(frozen=True, kw_only=True)
class ClassTable:
    """What a strategy answered to images that it had not learned from, each image once.

    Attributes:
        strategy: Which.
        predictions: For each of `RunRecord.train_images` the class index that it was given by the first split that
            tested it; None for an image that no split of the strategy tested.
        confusion: How many images by given class (rows) and predicted class (columns).
        classes: A row for each of `RunRecord.classes`.
    """

    strategy: StrategyId
    predictions: tuple[int | None, ...]
    confusion: tuple[tuple[int, ...], ...]
    classes: tuple[ClassScores, ...]
