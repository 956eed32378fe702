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
class FindPrice:
    """Find out what a strategy costs.

    Attributes:
        strategy: Which.
        affordable: Seconds that its least training may take for it to be of use.
    """

    strategy: StrategyId
    affordable: float


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Make a strategy ready, or find out that it does not fit.

    Attributes:
        strategy: Which.
        allowance: Seconds that its preparation and its splits may take.
        splits: On how many splits it should be measured.
        enough: Seconds of a budget in which all of it would fit.
    """

    strategy: StrategyId
    allowance: float
    splits: int
    enough: float


@dataclass(frozen=True, kw_only=True)
class Lengthen:
    """Train a strategy for more epochs on every split that it has run on.

    Attributes:
        strategy: Which.
        epochs: More than it had.
        phase: Where that belongs.
    """

    strategy: StrategyId
    epochs: int
    phase: Phase


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Run strategies on splits that they have not run on.

    Attributes:
        strategies: Which; all have run on the splits before.
        split: The first one.
        phase: Where that belongs.
        splits: How many, one after the other or side by side.
    """

    strategies: tuple[StrategyId, ...]
    split: int
    phase: Phase
    splits: int = 1


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
    """Leave a strategy out, for a reason; None where the search for its price gave one."""

    strategy: StrategyId
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Measure a strategy no further."""

    strategy: StrategyId
    note: str


Step = FindPrice | Prepare | Measure | Lengthen | Settle | LeaveOut | Drop


@dataclass(frozen=True)
class StepOne:
    """The linear classifiers and the head.

    Attributes:
        deeper: What trains blocks and comes after them, from cheap to expensive.
        announced: Whether it was said that they are measured.
    """

    deeper: tuple[StrategyId, ...]
    announced: bool = False


@dataclass(frozen=True, kw_only=True)
class Deeper:
    """What trains blocks, from cheap to expensive.

    Attributes:
        waiting: What has not been tried yet.
        postponed: What would not fit beside the others on all splits: it has what time is left in the end.
    """

    waiting: tuple[StrategyId, ...]
    postponed: tuple[StrategyId, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Postponed:
    """What was postponed, when nothing else is left to do.

    Attributes:
        waiting: What has not been tried yet.
    """

    waiting: tuple[StrategyId, ...]


@dataclass(frozen=True, kw_only=True)
class Trying:
    """One strategy that was just made ready, or left out.

    Attributes:
        strategy: Which.
        until: Seconds since the start of the run, by which its splits should be through.
        then: What comes next.
        announced: Whether it was said what it is expected to take.
    """

    strategy: StrategyId
    until: float
    then: Deeper | Postponed
    announced: bool = False


@dataclass(frozen=True, kw_only=True)
class Completing:
    """What has fewer splits than wanted, now that all have been tried.

    Attributes:
        waiting: The cheapest first.
        postponed: What comes in the end, see `Deeper`.
        running: The one that goes on.
        is_last: Whether what was postponed has had its turn.
    """

    waiting: tuple[StrategyId, ...]
    postponed: tuple[StrategyId, ...] = ()
    running: StrategyId | None = None
    is_last: bool = False


@dataclass(frozen=True, kw_only=True)
class Lengthening:
    """More epochs for what has fewer than wanted, while there is time.

    Attributes:
        waiting: The cheapest first.
        postponed: What comes in the end, see `Deeper`.
    """

    waiting: tuple[StrategyId, ...]
    postponed: tuple[StrategyId, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Looking:
    """A look at the answers.

    Attributes:
        postponed: What comes in the end, see `Deeper`.
        look: Its number, from 0.
    """

    postponed: tuple[StrategyId, ...] = ()
    look: int = 0


@dataclass(frozen=True, kw_only=True)
class Repeating:
    """More splits for what is open.

    Attributes:
        postponed: What comes in the end, see `Deeper`.
        look: After which look.
        wanted: What gets them.
        until: Seconds since the start of the run, by which they should be through.
    """

    postponed: tuple[StrategyId, ...] = ()
    look: int
    wanted: tuple[StrategyId, ...]
    until: float


@dataclass(frozen=True, kw_only=True)
class Filling:
    """What is open gets the epochs and splits that still fit, also where a round of them does not.

    Attributes:
        steps: What was open when it was last asked.
    """

    steps: tuple[tuple[StrategyId, StrategyId], ...] = ()


@dataclass(frozen=True)
class TakingUp:
    """What an earlier life of the run measured and this one has not come to: its clock went a little otherwise."""


@dataclass(frozen=True)
class Over:
    """Nothing is left to do."""


Stage = (
    StepOne | Deeper | Trying | Completing | Lengthening | Looking | Repeating | Postponed | Filling | TakingUp | Over
)


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
