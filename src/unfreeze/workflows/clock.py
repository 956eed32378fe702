"""What is left of a budget."""

import math
from collections.abc import Callable
from typing import final

RESERVE = 0.05  # of what the user gives, not in the race's own budget: for saving, predicting and writing


@final
class Clock:
    """What is left of a budget.

    Args:
        now: Seconds, increasing.
        budget: Seconds; infinite without one.

    Attributes:
        budget: Seconds that the race may use.
        kept: Seconds more that are kept for what follows the race.
    """

    def __init__(self, now: Callable[[], float], budget: float = math.inf) -> None:
        self._now = now
        self._began = now()
        self.budget = budget
        self.kept = 0.0

    def keep(self, seconds: float) -> None:
        """Keep so much of the budget for what follows the race."""
        self.budget -= seconds
        self.kept += seconds

    def give_back(self) -> None:
        """What was kept may be used now."""
        self.budget += self.kept
        self.kept = 0.0

    def elapsed(self) -> float:
        """Seconds since the run began, without those in which nobody worked at it."""
        return self._now() - self._began

    def left(self) -> float:
        """Seconds of the budget that are left; negative when it is overrun."""
        return self.budget - self.elapsed()

    def turn_to(self, elapsed: float) -> None:
        """Go on from a moment that an earlier life of the run has seen."""
        self._began = self._now() - elapsed
