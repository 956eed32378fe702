"""What is left of a budget."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

RESERVE = 0.05  # of what the user gives, not in the race's own budget: for saving, predicting and writing


@dataclass(frozen=True)
class Clock:
    """What is left of a budget.

    Attributes:
        budget: Seconds.
        started: When the run began, as `now` has it.
        kept: Seconds more that are kept for what follows the race.
        now: Seconds, increasing.
    """

    budget: float
    started: float = field(default_factory=time.perf_counter)
    kept: float = 0.0
    now: Callable[[], float] = time.perf_counter

    def keeping(self, seconds: float) -> "Clock":
        """The same with so much of the budget kept for what follows."""
        return replace(self, budget=self.budget - seconds, kept=self.kept + seconds)

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self.now() - self.started

    def left(self) -> float:
        """Seconds of the budget that are left; negative when it is overrun."""
        return self.budget - self.elapsed()
