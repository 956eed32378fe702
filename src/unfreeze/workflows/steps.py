"""What a race can do next, and in which stage it is: plain data that `workflows.policy` gives and takes."""

from dataclasses import dataclass

from unfreeze.core.strategies import StrategyId


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Measuring that belongs together.

    Attributes:
        name: For people.
        strategies: What is measured in it.
        to: Number of splits that each should have.
        clock: Under which name its seconds are noted.
    """

    name: str
    strategies: tuple[StrategyId, ...]
    to: int
    clock: str


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Make a strategy ready, or find out that it does not fit.

    Attributes:
        strategy: Which.
        allowance: Seconds that it may take, its training on everything included.
        splits: On how many splits it should be measured.
        share_if_all: Of the time from now on, what it would get if there were time for all; None where it is prepared
            only to see whether it fits.
    """

    strategy: StrategyId
    allowance: float
    splits: int
    share_if_all: float | None = None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Run strategies on a split that they have not run on."""

    strategies: tuple[StrategyId, ...]
    split: int
    phase: Phase


@dataclass(frozen=True, kw_only=True)
class Settle:
    """Note of some strategies what they lack, now that others come first.

    Attributes:
        strategies: Which.
        forecast: Whether to note what was forecast of them, and what it took.
    """

    strategies: tuple[StrategyId, ...]
    forecast: bool = False


@dataclass(frozen=True, kw_only=True)
class LeaveOut:
    """Leave a strategy out, for a reason; None where it was seen not to fit."""

    strategy: StrategyId
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Measure a strategy no further."""

    strategy: StrategyId
    note: str


Step = Prepare | Measure | Settle | LeaveOut | Drop


@dataclass(frozen=True)
class StepOne:
    """The linear classifiers and the head.

    Attributes:
        deeper: What trains blocks and comes after them, from cheap to expensive.
        announced: Whether it was said that they are measured.
    """

    deeper: tuple[StrategyId, ...]
    announced: bool = False


@dataclass(frozen=True)
class Choosing:
    """Which of the strategies that train blocks are tried."""

    strategies: tuple[StrategyId, ...]


@dataclass(frozen=True, kw_only=True)
class Deeper:
    """What trains blocks, one after the other.

    Attributes:
        chosen: What has not been tried yet.
        if_room: Of those, what is tried only where the one before leaves room.
        to_see: Of those, what has not been asked yet whether it fits at all.
        too_expensive: What does not.
    """

    chosen: tuple[StrategyId, ...]
    if_room: tuple[StrategyId, ...] = ()
    to_see: tuple[StrategyId, ...] = ()
    too_expensive: tuple[StrategyId, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trying:
    """One strategy that was just made ready, or left out.

    Attributes:
        strategy: Which.
        until: Seconds since the start of the run, by which it should be through with its training on everything.
        then: What comes next.
        announced: Whether it was said what it is expected to take.
    """

    strategy: StrategyId
    until: float
    then: Deeper
    announced: bool = False


@dataclass(frozen=True, kw_only=True)
class Completing:
    """What has fewer splits than wanted, now that all have been tried.

    Attributes:
        waiting: The cheapest first.
        running: The one that goes on.
    """

    waiting: tuple[StrategyId, ...]
    running: StrategyId | None = None


@dataclass(frozen=True, kw_only=True)
class Looking:
    """A look at the answers: the number of the look, from 0."""

    look: int = 0


@dataclass(frozen=True, kw_only=True)
class Repeating:
    """More splits for what is open, after the look of that number."""

    look: int
    wanted: tuple[StrategyId, ...]
    until: float


@dataclass(frozen=True)
class TakingUp:
    """What an earlier life of the run measured and this one has not come to: its clock went a little otherwise."""


@dataclass(frozen=True)
class Over:
    """Nothing is left to do."""


Stage = StepOne | Choosing | Deeper | Trying | Completing | Looking | Repeating | TakingUp | Over


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do, where that leads, and what to say before.

    Attributes:
        stage: To decide from, once the step is done.
        step: None where only the stage changes.
        say: Sentences.
    """

    stage: Stage
    step: Step | None = None
    say: tuple[str, ...] = ()
