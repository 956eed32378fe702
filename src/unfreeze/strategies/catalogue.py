"""What may take part in a race: every strategy, made ready to run on the splits of one task.

`core.strategies.KINDS` says what there is; `strategies.finetuning` makes ready what trains blocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, final, runtime_checkable

from unfreeze.core.journal import once
from unfreeze.core.metering import added, metered
from unfreeze.core.records import Outcome
from unfreeze.core.strategies import FULL, Loss, StrategyId, parse_strategies, unfreeze
from unfreeze.core.trials import Training, Trial, TrialOutcome
from unfreeze.data.tasks import Split
from unfreeze.strategies.depth_curve import LOSSES
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import (
    FineTuning,
    Forecast,
    Held,
    Prepared,
    Price,
    Request,
    TooExpensiveError,
    forecast,
    price,
    ready,
    taken_up,
)
from unfreeze.strategies.preparation import with_measured_flips
from unfreeze.strategies.step_one import ProbeStrategy, StepOne, step_one
from unfreeze.strategies.strategy import Strategy
from unfreeze.training.timing import Pace


@runtime_checkable
class TrainedStrategy(Strategy, Protocol):
    """A strategy whose training takes time that matters."""

    @property
    def expected(self) -> Forecast:
        """What was forecast of it."""
        ...

    @property
    def waiting(self) -> Mapping[str, object]:
        """Trainings by split that are in memory and can go on."""
        ...

    def lengthened(self, epochs: int) -> "TrainedStrategy":
        """The same with more epochs."""
        ...


@dataclass(frozen=True)
class LeftOut:
    """A strategy that does not fit.

    Attributes:
        outcome: Its record, with the reason.
    """

    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Priced:
    """The price of a strategy, or its record if it is left out, as plain data."""

    price: Price | None = None
    left_out: Outcome | None = None


@runtime_checkable
class Catalogue(Protocol):
    """Gives strategies that are ready to run; a simulation has one of its own."""

    def step_one(self) -> list[Strategy]:
        """The cheap ones."""
        ...

    def price(self, strategy: StrategyId, *, epochs: int | None, affordable: float) -> Price | LeftOut:
        """What one that trains blocks costs; nothing is prepared for it yet."""
        ...

    def ready(self, price: Price, request: Request) -> TrainedStrategy | LeftOut:
        """The one that has this price, if it fits; its record says what the preparing took."""
        ...

    def strategy(self, trial: Trial) -> Strategy:
        """What carries out a trial."""
        ...

    def share(self, strategies: Sequence[Strategy], split: Split) -> None:
        """Do at once what these need on a split and can take from each other."""
        ...

    def take_note(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Of a trial that was carried out elsewhere."""
        ...


@final
class PhotoCatalogue:
    """Strategies on photos.

    Attributes:
        experiment: Task, network, codes; its augmentation does without flips once a check has said so.
        shared: Probes and heads of every split.
    """

    def __init__(self, experiment: Experiment, losses: tuple[Loss, ...] = LOSSES) -> None:
        self.experiment = experiment
        self.shared, self._cheap = step_one(experiment, losses)
        self._trained: dict[StrategyId, FineTuning] = {}
        self._pace: Pace | None = None  # of the first strategy that was timed
        self._held: Held = {}  # for what is made ready next
        self._flips_checked = False

    def step_one(self) -> list[Strategy]:
        """Every loss on the last codes and on the best tap, the classifier on all taps, and the head."""
        return self._cheap

    def price(self, strategy: StrategyId, *, epochs: int | None, affordable: float) -> Price | LeftOut:
        """As it was found out in an earlier life of the run, if it was."""

        def find() -> Priced:
            found = price(self.shared, strategy, epochs=epochs, affordable=affordable, like=self._pace)
            return Priced(price=found) if isinstance(found, Price) else Priced(left_out=found)

        priced = once(self.experiment.resources.journal, f"{strategy.key}-price", Priced, find)
        if priced.price is None:
            assert priced.left_out is not None, strategy.label  # noqa: S101 - one of the two
            return LeftOut(priced.left_out)
        self._pace = self._pace or priced.price.pace
        return priced.price

    def ready(self, price: Price, request: Request) -> TrainedStrategy | LeftOut:
        """Some blocks, all, or from scratch; as they were prepared in an earlier life of the run, if they were."""
        strategy = price.strategy
        made: list[FineTuning] = []

        def prepare() -> Prepared:
            with metered() as usage:
                found = self._ready(price, request)
            if isinstance(found, LeftOut):
                return Prepared(outcome=found.outcome)
            cost = added(found.outcome.cost, usage)
            cost = replace(cost, preparation_seconds=usage.seconds)
            made.append(replace(found, outcome=replace(found.outcome, cost=cost)))
            return made[0].prepared

        journal = self.experiment.resources.journal
        prepared = once(journal, f"{strategy.key}-ready-for-{request.splits}", Prepared, prepare)
        self._held.pop(strategy, None)  # of what is left out
        if prepared.training is None:
            return LeftOut(prepared.outcome)
        self._trained[strategy] = made[0] if made else taken_up(self.shared, prepared)
        return self._trained[strategy]

    def _ready(self, price: Price, request: Request) -> FineTuning | LeftOut:
        if forecast(price, request).epochs:
            self._check_flips()
        return readied(self.shared, price, request, self._held)

    def strategy(self, trial: Trial) -> Strategy:
        """What is ready, or what the trial alone says, where it comes from another process."""
        if trial.training is None:
            return next(one for one in self._cheap if one.outcome.strategy == trial.strategy)
        known = self._known(trial.strategy, trial.training)
        self._trained[trial.strategy] = known
        return known if trial.seed == self.experiment.seed else known.with_seed(trial.seed)

    def _known(self, strategy: StrategyId, training: Training) -> FineTuning:
        """What is ready; that for more epochs, whose trainings go on; or what the training alone says."""
        known = self._trained.get(strategy)
        if known is not None and known.training == training:
            return known
        longer = known.lengthened(training.settings.plan.epochs) if known is not None else None
        if longer is not None and longer.training == training:
            return longer
        nothing = Forecast(epochs=0, wanted=0, splits=0, seconds=0.0)
        outcome = Outcome(strategy=strategy, description="")
        return taken_up(self.shared, Prepared(outcome=outcome, training=training, expected=nothing))

    def share(self, strategies: Sequence[Strategy], split: Split) -> None:
        """Fit all their probes side by side: one by one they would take one core each."""
        probes = [strategy for strategy in strategies if isinstance(strategy, ProbeStrategy)]
        self.shared.fit(split, [probe for strategy in probes for probe in strategy.probes])

    def take_note(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Of its probes, for the depth curve."""
        self.shared.take_note(trial.split, outcome.probes)

    def _check_flips(self) -> None:
        """Once, before the first training that augments."""
        if self._flips_checked:
            return
        C = self.shared.on_last(self.experiment.task.split(0), "softmax").C
        self.experiment = with_measured_flips(self.experiment, C=C)
        self.shared = replace(self.shared, experiment=self.experiment)
        self._flips_checked = True


def priced_and_ready(
    catalogue: Catalogue, strategy: StrategyId, request: Request, *, epochs: int | None = None
) -> TrainedStrategy | LeftOut:
    """One strategy alone: what it costs, and ready to run if it fits.

    Args:
        catalogue: Gives it.
        strategy: Which.
        request: Time and splits.
        epochs: Passes over the images; the plan's own number, or what fits, if None.

    Returns:
        The strategy, or what it would have been.
    """
    price = catalogue.price(strategy, epochs=epochs, affordable=request.allowance)
    return price if isinstance(price, LeftOut) else catalogue.ready(price, request)


def readied(shared: StepOne, found: Price, request: Request, held: Held | None = None) -> FineTuning | LeftOut:
    """A strategy that trains blocks, ready to run.

    Args:
        shared: Trains the heads that it starts from.
        found: What it costs.
        request: Time and splits.
        held: As for `finetuning.ready`.

    Returns:
        The strategy; what it would have been, with the reason, if it does not fit.
    """
    try:
        return ready(shared, found, request, held)
    except TooExpensiveError as error:
        return LeftOut(error.outcome)


def trained_strategies(blocks: int, words: Sequence[str | int] | None) -> list[StrategyId]:
    """What is trained beyond step one, from cheap to expensive.

    Args:
        blocks: How many the network has.
        words: What was asked for, as `core.strategies.parse_strategy` reads it; None for 1, 2, 4 blocks and full.

    Returns:
        The strategies that train blocks; without asking, only those that the network has.

    Raises:
        InputError: A word stands for no strategy.

    Example:
        >>> [strategy.label for strategy in trained_strategies(3, None)]
        ['unfreeze 1', 'unfreeze 2', 'full']
    """
    if words is None:
        return [*(unfreeze(number) for number in (1, 2, 4) if number < blocks), FULL]
    return [strategy for strategy in parse_strategies(words) if strategy.trains_blocks]
