"""Where a race stands: plain numbers, and what its predictions say."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from unfreeze.core.records import Status
from unfreeze.core.strategies import StrategyId
from unfreeze.metrics.repeated import FOLDS
from unfreeze.strategies.finetuning import Forecast, Price


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One strategy of a race.

    Attributes:
        strategy: Which.
        status: Of its record.
        is_ready: Whether it can run; False for one that was left out.
        splits: On how many splits it was measured.
        recorded: On how many of its next splits an earlier life of the run measured it.
        waiting: How many of its trainings are in memory and can go on; the others would begin anew.
        longer: Epochs that an earlier life of the run went on to from those that it has; 0 for none.
        longer_recorded: On how many splits it did.
        seconds_a_split: Mean wall time of a split; before the first what it is guessed to take, or 0.
        side_by_side: How many of its splits run at a time.
        refit_seconds: Forecast of its training on everything.
        may_be_picked: Whether it may still turn out to be what is delivered; then time for that is kept.
        expected: What was forecast of it; None where it trains no blocks.
    """

    strategy: StrategyId
    status: Status = "done"
    is_ready: bool = True
    splits: int = 0
    recorded: int = 0
    waiting: int = 0
    longer: int = 0
    longer_recorded: int = 0
    seconds_a_split: float = 0.0
    side_by_side: int = 1
    refit_seconds: float = 0.0
    may_be_picked: bool = True
    expected: Forecast | None = None

    @property
    def label(self) -> str:
        """What sentences call it."""
        return self.strategy.quoted

    @property
    def is_running(self) -> bool:
        """Whether it was measured and may be measured again."""
        return self.is_ready and self.splits > 0 and self.status != "dropped"

    @property
    def repeatable(self) -> bool:
        """Whether more splits of it would say something of the training that is wanted."""
        return self.expected is None or self.expected.repeatable

    @property
    def epochs_short(self) -> int:
        """How many epochs it has fewer than wanted."""
        return self.expected.wanted - self.expected.epochs if self.expected else 0

    def longer_takes(self, epochs: int) -> float:
        """Seconds until it has so many epochs on all its splits; what an earlier life made of that went on there."""
        had = self.expected.epochs if self.expected else epochs
        going_on = min(self.splits, self.waiting + self.longer_recorded)
        return self.seconds_a_split / had * (self.splits * epochs - going_on * had)

    def takes(self, splits: int) -> float:
        """Seconds that so many more splits take."""
        return max(0, splits) * self.seconds_a_split


@runtime_checkable
class Answers(Protocol):
    """What the predictions of a race say; the same predictions always say the same."""

    def open_steps(self, among: Sequence[StrategyId]) -> Sequence[tuple[StrategyId, StrategyId]]:
        """The steps between some strategies whose answer cannot be told yet."""
        ...

    def best(self, among: Sequence[StrategyId]) -> StrategyId:
        """The one with the best mean score."""
        ...

    def chance(self, strategy: StrategyId, *, against: StrategyId) -> float | None:
        """Probability that it is better than another one; None where the metric that decides does not say so."""
        ...


@dataclass(frozen=True, kw_only=True)
class RaceState:
    """Where a race stands.

    Attributes:
        elapsed: Seconds since the run began.
        budget: Seconds that all may take; infinite without a budget.
        rounds: How many rounds of five splits each strategy gets, whatever comes of them; None to go by the answers.
        standings: Every strategy that was tried or left out, cheapest first.
        answers: What the predictions say.
        prices: Of what trains blocks, as far as they are known; None where a step takes too long for any of it.
        recorded: Strategies that an earlier life of the run measured, with the number of splits.
        workers: How many splits run at a time, of whatever strategy; one where trials run in this process.
    """

    elapsed: float
    budget: float
    rounds: int | None
    standings: tuple[Standing, ...]
    answers: Answers
    prices: Mapping[StrategyId, Price | None] = field(default_factory=dict)
    recorded: Mapping[StrategyId, int] = field(default_factory=dict)
    workers: int = 1

    @property
    def left(self) -> float:
        """Seconds of the budget."""
        return self.budget - self.elapsed

    @property
    def is_timed(self) -> bool:
        """Whether there is a budget."""
        return math.isfinite(self.budget)

    @property
    def first_splits(self) -> int:
        """On how many splits every strategy is measured before any question is asked."""
        return FOLDS * (self.rounds or 1)

    @property
    def refit_seconds(self) -> float:
        """Of the costliest strategy that may be picked."""
        among = (one for one in self.standings if one.is_ready and one.status != "dropped" and one.may_be_picked)
        return max((one.refit_seconds for one in among), default=0.0)

    def of(self, strategy: StrategyId) -> Standing:
        """Of one strategy."""
        return next(one for one in self.standings if one.strategy == strategy)

    def fits(self, ones: Sequence[Standing], until: float) -> bool:
        """Whether the next split of some strategies ends in time.

        What an earlier life of the run measured has no right of way: the clock is turned to when it was made, so that
        the same is decided as then. Where it is not, it comes in the end (`steps.TakingUp`).
        """
        return self.elapsed + sum(one.takes(1) for one in ones) <= until
