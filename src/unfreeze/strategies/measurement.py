"""What a strategy gave and took so far, and its training on everything."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from unfreeze.core.metering import Usage, added, metered
from unfreeze.core.records import Outcome
from unfreeze.core.trials import Trial, TrialOutcome
from unfreeze.data.tasks import TEST_FRACTION, Task
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.predictions import Measured, predicted_in
from unfreeze.strategies.strategy import Fit, Strategy


@dataclass(eq=False)
class Measurement:
    """A strategy that is ready to run, or was left out, and what it gave so far.

    Attributes:
        strategy: Ready to run; None if it was left out.
        measured: What it gave.
    """

    strategy: Strategy | None
    measured: Measured

    @property
    def outcome(self) -> Outcome:
        """Its record, without what is made of predictions."""
        return self.measured.outcome

    @property
    def label(self) -> str:
        """What tables call it."""
        return self.outcome.name

    @property
    def splits(self) -> int:
        """On how many it was measured: always the first ones."""
        return self.measured.splits

    @property
    def work(self) -> int:
        """Of its strategy: 0 where nothing trains a network."""
        return self.strategy.work if self.strategy else 0

    @property
    def seconds_a_split(self) -> float:
        """Mean wall time of a split; 0 before the first."""
        return self.measured.seconds_a_split

    @property
    def refit_seconds(self) -> float:
        """Forecast of a fit on everything: a training's own, and no less than what splits took, which are smaller.

        What trains no network has one core then: its processor time counts, of which side by side less time passed.
        """
        own, cost = self.strategy.refit_seconds if self.strategy else 0.0, self.outcome.cost
        on_one_core = 0.0 if self.work or not self.splits else cost.cpu_seconds / self.splits
        return max(own, max(self.seconds_a_split, on_one_core) / (1 - TEST_FRACTION))

    def note(self, outcome: Outcome) -> None:
        """Replace the record; what was predicted stays."""
        self.measured = replace(self.measured, outcome=outcome)

    def give_up(self, why: str, curve: tuple[float, ...]) -> None:
        """It did not train: what it gave on other splits says nothing, and is forgotten."""
        self.strategy = None
        numbers = tuple(takewhile(math.isfinite, curve))  # JSON has no others
        self.measured = Measured(replace(self.outcome, status="left out", note=why, curve=numbers))

    def lengthen(self, strategy: Strategy, task: Task, found: Sequence[tuple[Trial, TrialOutcome]]) -> None:
        """Put longer trainings in the place of those that they went on from, on all splits."""
        before = self.outcome.cost
        longer = Measurement(strategy, Measured(replace(strategy.outcome, cost=replace(before, split_seconds=()))))
        for trial, outcome in found:
            longer.add(task, trial, outcome)
        cost = longer.outcome.cost
        seconds = tuple(map(sum, zip(before.split_seconds, cost.split_seconds, strict=True)))
        longer.note(replace(longer.outcome, cost=replace(cost, split_seconds=seconds)))
        self.strategy, self.measured = strategy, longer.measured

    def add(self, task: Task, trial: Trial, found: TrialOutcome) -> None:
        """Note what the strategy gave and took on the next split."""
        outcome = with_fit(self.outcome, found)
        cost = added(outcome.cost, Usage(found.seconds, found.cpu_seconds, found.peak_bytes))
        outcome = replace(outcome, cost=replace(cost, split_seconds=(*cost.split_seconds, found.seconds)))
        kept = predicted_in(found, task.named(trial.split))
        self.measured = Measured(outcome, (*self.measured.predicted, kept))


def with_fit(outcome: Outcome, fit: Fit | TrialOutcome) -> Outcome:
    """The record with what the latest fit says of itself; a failed audit is never overwritten."""
    audit = outcome.audit if outcome.audit and not outcome.audit.passed else fit.audit
    return replace(
        outcome,
        settings=fit.settings or outcome.settings,
        tap=fit.tap or outcome.tap,
        description=fit.description or outcome.description,
        audit=audit,
        curve=fit.curve,
        model_cost=fit.model_cost or outcome.model_cost,
    )


def fit_everything(experiment: Experiment, strategy: Strategy) -> tuple[Outcome, Fit]:
    """Train a strategy on the whole train part; its test part, if there is one, is predicted."""
    everything, outcome = experiment.task.everything(), strategy.outcome
    total = strategy.work * len(everything.learn)
    phase = experiment.progress.phase(outcome.strategy.plain, total=total or 1, unit="image" if total else "fit")
    with metered() as usage, phase as advance:
        fit = strategy.fit(everything, advance=advance if total else experiment.progress.checkpoint)
        if not total:
            advance(1)
    cost = replace(added(outcome.cost, usage), refit_seconds=usage.seconds)
    return replace(with_fit(outcome, fit), cost=cost), fit
