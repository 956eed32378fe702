"""What happens while work goes on, as plain data: for a terminal, a file, a browser, a test."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from unfreeze.core.findings import Finding
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import StrategyId


@dataclass(frozen=True, kw_only=True)
class PhaseBegun:
    """A phase began.

    Attributes:
        phase: Its number; the first phase of a work is 1. Phases may lie inside each other.
        name: For people.
        total: Units that it has; 0 if that is not known.
        unit: What is counted, in the singular.
    """

    phase: int
    name: str
    total: int
    unit: str


@dataclass(frozen=True, kw_only=True)
class PhaseAdvanced:
    """Some of a phase is done.

    Attributes:
        phase: Its number.
        done: Units done since it began.
    """

    phase: int
    done: int


@dataclass(frozen=True, kw_only=True)
class PhaseEnded:
    """A phase ended.

    Attributes:
        phase: Its number.
        done: Units done since it began.
        completed: Whether it came to its end; an error or a stop ends it, too.
    """

    phase: int
    done: int
    completed: bool


@dataclass(frozen=True, kw_only=True)
class StrategyMeasured:
    """A strategy was measured on one more split.

    Attributes:
        strategy: Which.
        name: What tables call it.
        splits: On how many it has been measured by now.
        metric: What decides.
        score: That metric over all images that those splits tested; of log-loss in nats, less being better. None where
            it has none.
    """

    strategy: StrategyId
    name: str
    splits: int
    metric: Metric
    score: float | None


@dataclass(frozen=True, kw_only=True)
class Said:
    """A sentence for whoever watches."""

    sentence: str


@dataclass(frozen=True, kw_only=True)
class Noticed:
    """Something was found out about the images or the task."""

    finding: Finding


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run is over.

    Attributes:
        picked: The strategy that was picked; None if none was measured.
        model: Folder of the model, relative to that of the run; None without one.
        stopped: Whether somebody stopped it; then it can be continued.
    """

    picked: StrategyId | None
    model: str | None
    stopped: bool


Event = PhaseBegun | PhaseAdvanced | PhaseEnded | StrategyMeasured | Said | Noticed | Finished
Listener = Callable[[Event], None]

KINDS: MappingProxyType[type, str] = MappingProxyType(
    {
        PhaseBegun: "phase begun",
        PhaseAdvanced: "phase advanced",
        PhaseEnded: "phase ended",
        StrategyMeasured: "strategy measured",
        Said: "said",
        Noticed: "noticed",
        Finished: "finished",
    }
)
