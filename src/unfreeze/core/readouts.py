"""What is read at a tap: the mean of its activations over places, and other statistics of them."""

from dataclasses import dataclass
from typing import Literal, get_args

Statistic = Literal["mean", "deviation", "maximum", "grid"]
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)
GRID = 2  # places to a side of the coarse grid


@dataclass(frozen=True)
class Readout:
    """A statistic of the activations at a tap.

    Attributes:
        tap: Where.
        statistic: mean: over all places, the codes of the tap. deviation: the standard deviation over places (divided
            by their number). maximum: over places. grid: means over the quarters of the map, row by row.
    """

    tap: str
    statistic: Statistic = "mean"

    @property
    def name(self) -> str:
        """``blocks.2`` for the codes themselves, else ``blocks.2/deviation``."""
        return self.tap if self.statistic == "mean" else f"{self.tap}/{self.statistic}"
