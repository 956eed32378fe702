"""The race: what `workflows.policy` decides is done, here or by an executor elsewhere, and noted."""

import math
from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.questions import pairs
from unfreeze.advisor.selection import select_strategy
from unfreeze.core.errors import DidNotTrainError, StoppedError
from unfreeze.core.events import StrategyMeasured
from unfreeze.core.findings import Finding
from unfreeze.core.journal import NO_JOURNAL, Journal
from unfreeze.core.phases import timed
from unfreeze.core.plans import TrainingSettings
from unfreeze.core.progress import Advance, Progress, ignore
from unfreeze.core.records import Outcome, TimeForecast
from unfreeze.core.strategies import SOFTMAX_ON_LAST, StrategyId
from unfreeze.core.trials import Training, Trial
from unfreeze.core.wording import duration
from unfreeze.data.tasks import Task
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES, FOLDS
from unfreeze.strategies.catalogue import Catalogue, LeftOut, TrainedStrategy
from unfreeze.strategies.execution import Executor, InThisProcess
from unfreeze.strategies.finetuning import Price, Request
from unfreeze.strategies.measurement import Measurement
from unfreeze.strategies.predictions import Measured
from unfreeze.strategies.step_one import ProbeStrategy
from unfreeze.strategies.strategy import Strategy
from unfreeze.workflows.clock import RESERVE, Clock
from unfreeze.workflows.policy import decide
from unfreeze.workflows.standing import RaceState, Standing
from unfreeze.workflows.steps import (
    Decision,
    Drop,
    FindPrice,
    LeaveOut,
    Lengthen,
    Measure,
    Over,
    Phase,
    Prepare,
    Settle,
    Stage,
    StepOne,
)

# What costs more than the present pick takes its place only if it is better by a standard error, with a probability of
# 0.84. Further splits of the same images seldom lift a strategy from below this one to that.
MAY_WIN = 0.6

Recorded = Callable[[StrategyId, Training | None], int]


def nothing_recorded(strategy: StrategyId, training: Training | None) -> int:  # noqa: ARG001 - of no strategy
    """No earlier life of the run has measured anything."""
    return 0


@dataclass(eq=False)
class Race:
    """What a race has measured so far; a stop leaves it as it is.

    Attributes:
        comparisons: Metric, margin and task, and every step that was estimated.
        catalogue: Gives the strategies, ready to run.
        clock: The budget.
        progress: Is told what happens.
        executor: Carries out trials; in this process if None.
        workers: How many splits it carries out at a time, of whatever strategy.
        rounds: How many rounds of five splits each strategy gets; None to go by the answers.
        epochs: Of every training of blocks; None for the plan's own number, or what fits.
        recorded: On how many splits an earlier life of the run measured a strategy that trains like this.
        journal: Keeps up to how many epochs trainings went on.
        entered: Every strategy that was tried or left out, cheapest first.
        story: Why each was tried, repeated, dropped or left out, in the order of time.
        forecasts: What was forecast before each training, and what it took.
        phases: Seconds by phase.
    """

    comparisons: Comparisons
    catalogue: Catalogue
    clock: Clock
    progress: Progress
    executor: Executor | None = None
    workers: int = 1
    rounds: int | None = None
    epochs: int | None = None
    recorded: Recorded = nothing_recorded
    journal: Journal = NO_JOURNAL
    entered: list[Measurement] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    forecasts: list[TimeForecast] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    _enough: dict[StrategyId, float] = field(default_factory=dict)  # seconds of a budget that would hold a training
    _prices: dict[StrategyId, Price | LeftOut] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """Rows and splits."""
        return self.comparisons.question.task

    @property
    def measured(self) -> list[Measured]:
        """What every strategy gave, cheapest first."""
        return [entry.measured for entry in self.entered]

    def entry(self, strategy: StrategyId) -> Measurement:
        """One that was tried or left out."""
        return next(entry for entry in self.entered if entry.outcome.strategy == strategy)

    def say(self, sentence: str) -> None:
        """Into the story, and to whoever watches."""
        self.story.append(sentence)
        self.progress.say(sentence)

    def notice(self, finding: Finding) -> None:
        """The same for a finding."""
        self.story.append(finding.text)
        self.progress.notice(finding)

    def timed(self, phase: str) -> AbstractContextManager[None]:
        """Add what the block takes to a phase."""
        return timed(self.phases, phase)

    def run(self, strategies: Sequence[StrategyId]) -> None:
        """Try step one and every deeper strategy, then repeat what is open.

        Args:
            strategies: What trains blocks, from cheap to expensive.

        Raises:
            StoppedError: Somebody wants the work to stop.
        """
        self.entered += [Measurement(strategy, Measured(strategy.outcome)) for strategy in self.catalogue.step_one()]
        stage: Stage = StepOne(tuple(strategies))
        with _Phases(self) as phases:
            while not isinstance(stage, Over):
                decision = decide(stage, self.state(strategies))
                for sentence in decision.say:
                    self.say(sentence)
                self._do(decision, phases)
                stage = decision.stage

    def state(self, deeper: Sequence[StrategyId] = ()) -> RaceState:
        """Where it stands.

        Args:
            deeper: Strategies that are still to be entered.

        Returns:
            Plain numbers, and what the predictions say.
        """
        return RaceState(
            elapsed=self.clock.elapsed(),
            budget=self.clock.budget,
            rounds=self.rounds,
            standings=self._standings(),
            answers=_Answers(self.comparisons, self.measured),
            prices={one: price if isinstance(price, Price) else None for one, price in self._prices.items()},
            recorded={strategy: self.recorded(strategy, None) for strategy in deeper},
            workers=self.workers,
        )

    def _standings(self) -> tuple[Standing, ...]:
        unlikely = self._unlikely_picks()
        found = map(self._standing, self.entered)
        return tuple(replace(one, may_be_picked=one.strategy not in unlikely) for one in found)

    def _unlikely_picks(self) -> set[StrategyId]:
        """What costs more than the present pick and has, on a whole round of splits, hardly more to show for it."""
        selection = select_strategy(self.measured, self.comparisons)
        if selection is None:
            return set()
        picked, comparisons = self.entry(selection.picked).measured, self.comparisons
        costlier = [one for one in self.measured if one.strategy.rank > picked.strategy.rank]
        asked = [one for one in costlier if one.splits >= FOLDS and comparisons.has_metric(one)]
        chances = ((one.strategy, comparisons.estimate(picked, one, margin=0.0).better) for one in asked)
        return {strategy for strategy, better in chances if better is not None and better < MAY_WIN}

    def _standing(self, entry: Measurement) -> Standing:
        strategy = entry.strategy
        standing = Standing(
            strategy=entry.outcome.strategy,
            status=entry.outcome.status,
            is_ready=strategy is not None,
            splits=entry.splits,
            recorded=max(0, self._recorded(entry) - entry.splits),
            seconds_a_split=entry.seconds_a_split or _guess(entry, self.entered),
            side_by_side=strategy.training.side_by_side if strategy and strategy.training else 1,
            refit_seconds=entry.refit_seconds,
        )
        if not isinstance(strategy, TrainedStrategy):
            return standing
        longer, recorded = self._went_on_to(strategy)
        waiting, expected = len(strategy.waiting), strategy.expected
        return replace(standing, expected=expected, waiting=waiting, longer=longer, longer_recorded=recorded)

    def _went_on_to(self, strategy: TrainedStrategy) -> tuple[int, int]:
        """Epochs that an earlier life of the run went on to from those that a strategy has, and on how many splits."""
        had, wanted = strategy.expected.epochs, strategy.expected.wanted
        found = (epochs for epochs in range(had + 1, wanted + 1) if self.journal.knows(_name_of(strategy, epochs)))
        epochs = next(found, 0)
        if not epochs:
            return 0, 0
        return epochs, self.recorded(strategy.outcome.strategy, strategy.lengthened(epochs).training)

    def _recorded(self, entry: Measurement) -> int:
        training = entry.strategy.training if entry.strategy else None
        return self.recorded(entry.outcome.strategy, training)

    # --- steps ------------------------------------------------------------------------------------------------------

    def _do(self, decision: Decision, phases: "_Phases") -> None:
        step = decision.step
        if isinstance(step, Measure):
            self._measure(step, phases.within(step.phase))
            return
        phases.end()
        if isinstance(step, FindPrice):
            self._find_price(step)
        elif isinstance(step, Prepare):
            self._prepare(step)
        elif isinstance(step, Lengthen):
            self._lengthen(step)
        elif isinstance(step, Settle):
            self._settle(step)
        elif isinstance(step, LeaveOut):
            self._leave_out(step)
        elif isinstance(step, Drop):
            entry = self.entry(step.strategy)
            note = "; ".join(filter(None, (entry.outcome.note, step.note)))
            entry.note(replace(entry.outcome, status="dropped", note=note))
            self._note_forecast(entry)

    def _measure(self, step: Measure, advance: Advance) -> None:
        """Run strategies on their next splits."""
        entries = [self.entry(strategy) for strategy in step.strategies]
        names = [self.task.split(step.split + number).name for number in range(step.splits)]
        work = [(entry, self._trial(entry, name)) for name in names for entry in entries]
        executor = self.executor or InThisProcess(self.catalogue, self.task)
        trains = _trains(self, step.phase)
        outcomes = executor.outcomes(
            [trial for _, trial in work], advance=advance if trains else self.progress.checkpoint
        )
        for (entry, trial), outcome in zip(work, outcomes, strict=True):
            if entry.strategy is None:  # it did not train on a split before this one
                continue
            if outcome.failure:
                self._give_up(entry, outcome.failure, outcome.curve)
                continue
            entry.add(self.task, trial, outcome)
            self.progress.tell(self._event(entry))
            if not trains:
                advance(1)

    def _trial(self, entry: Measurement, split: str, strategy: Strategy | None = None) -> Trial:
        strategy = strategy or entry.strategy
        assert strategy is not None, entry.label  # noqa: S101 - nobody measures what was left out
        question, training = self.comparisons.question, strategy.training
        return Trial(strategy=entry.outcome.strategy, split=split, seed=question.seed, training=training)

    def _event(self, entry: Measurement) -> StrategyMeasured:
        metric = self.comparisons.question.metric
        score = entry.measured.score(metric, self.task)
        score = -score if metric == "log-loss" else score
        return StrategyMeasured(
            strategy=entry.outcome.strategy,
            name=entry.label,
            splits=entry.splits,
            metric=metric,
            score=score if math.isfinite(score) else None,
        )

    def give_up(self, strategy: StrategyId, error: DidNotTrainError) -> None:
        """A training that ended worse than it began is no result, and what it gave elsewhere is none either."""
        self._give_up(self.entry(strategy), str(error), error.curve)

    def _give_up(self, entry: Measurement, failure: str, curve: tuple[float, ...]) -> None:
        entry.give_up(failure, curve)
        self.comparisons.forget(entry.outcome.strategy)
        self.say(f"Left out: {entry.outcome.strategy.quoted}; {failure}.")
        self._note_forecast(entry)

    def _find_price(self, step: FindPrice) -> None:
        with self.timed(step.strategy.kind):
            price = self.catalogue.price(step.strategy, epochs=self.epochs, affordable=step.affordable)
        self._prices[step.strategy] = price

    def _prepare(self, step: Prepare) -> None:
        """Make a strategy ready, or leave it out."""
        price = self._prices[step.strategy]
        assert isinstance(price, Price), step.strategy  # noqa: S101 - else it would have been left out
        request = Request(allowance=step.allowance, splits=step.splits, beside=tuple(self._prices))
        with self.timed(step.strategy.kind):
            ready = self.catalogue.ready(price, request)
        if isinstance(ready, LeftOut):
            self._enter_left_out(ready.outcome)
            return
        self._enough[step.strategy] = step.enough
        self._are_prepared(ready.training.activations.together if ready.training else ())
        self._add(Measurement(ready, Measured(ready.outcome)))

    def _are_prepared(self, strategies: Sequence[StrategyId]) -> None:
        """Nothing more has to be made for these before they train."""
        for strategy in strategies:
            price = self._prices.get(strategy)
            if isinstance(price, Price):
                self._prices[strategy] = replace(price, preparation=0.0)

    def _lengthen(self, step: Lengthen) -> None:
        """Train for more epochs on the splits that there are; what was measured stays until all of it is there."""
        entry = self.entry(step.strategy)
        before = entry.strategy
        assert isinstance(before, TrainedStrategy), entry.label  # noqa: S101 - it has epochs
        longer = before.lengthened(step.epochs)
        if not self.journal.knows(_name_of(before, step.epochs)):
            self.journal.keep(_name_of(before, step.epochs), step.epochs)
        trials = [self._trial(entry, self.task.split(number).name, longer) for number in range(entry.splits)]
        work = (longer.work - before.work) * len(self.task.split(0).learn) * len(trials)
        executor = self.executor or InThisProcess(self.catalogue, self.task)
        phase = self.progress.phase(step.phase.name, total=work, unit="image")
        with self.timed(step.phase.clock), phase as advance:
            found = []
            for trial, outcome in zip(trials, executor.outcomes(trials, advance=advance), strict=True):
                if outcome.failure:
                    self._give_up(entry, outcome.failure, outcome.curve)
                    return
                found.append((trial, outcome))
        entry.lengthen(longer, self.task, found)
        self._note_what_is_missing(entry)
        self.comparisons.forget(step.strategy)
        self.progress.tell(self._event(entry))

    def _leave_out(self, step: LeaveOut) -> None:
        price = self._prices.get(step.strategy)
        if step.note is None and isinstance(price, LeftOut):
            self._enter_left_out(price.outcome)
            return
        note = step.note or ""
        outcome = Outcome(strategy=step.strategy, description="", status="left out", note=note)
        self._add(Measurement(None, Measured(outcome)))
        self.say(f"Left out: {outcome.strategy.quoted}; {note}.")

    def _enter_left_out(self, outcome: Outcome) -> None:
        entry = Measurement(None, Measured(outcome))
        self._add(entry)
        self.say(f"Left out: {entry.outcome.strategy.quoted}; {entry.outcome.note}.")
        self._note_forecast(entry)

    def _add(self, entry: Measurement) -> None:
        """In its place: shallow to deep, whatever is tried or left out first."""
        insort(self.entered, entry, key=lambda one: one.outcome.strategy.rank)

    def _settle(self, step: Settle) -> None:
        for entry in map(self.entry, step.strategies):
            if entry.strategy is None:
                continue
            self._note_what_is_missing(entry)
            if not step.forecast:
                continue
            self._note_forecast(entry)
            if entry.splits < FEWEST_FOR_PROBABILITIES:
                self.say(f"{entry.outcome.strategy.quoted}: {entry.outcome.note}. One split gives no probabilities.")

    def _note_what_is_missing(self, entry: Measurement) -> None:
        """Of what has fewer epochs or splits than wanted: that, and the budget that would hold all of a training."""
        assert entry.strategy is not None, entry.label  # noqa: S101 - it was measured
        status, notes = entry.strategy.outcome.status, [entry.strategy.outcome.note]
        if not entry.splits:  # a slow probe, which the others went before
            status = "left out"
            notes.append("no time was left")
        elif entry.splits < FOLDS:
            status = "shortened"
            notes.append(f"{entry.splits} of {FOLDS} splits fit the budget")
        enough = self._enough.get(entry.outcome.strategy, 0.0)
        if status == "shortened" and enough > self.clock.budget:
            given = (enough + self.clock.kept) / (1 - RESERVE)
            notes.append(f"all would need a budget of about {duration(60 * math.ceil(given / 60))}")
        entry.note(replace(entry.outcome, status=status, note="; ".join(filter(None, notes))))

    def _note_forecast(self, entry: Measurement) -> None:
        """Once, when it has what it was given at first; later splits and epochs were not forecast."""
        outcome = entry.outcome
        if not outcome.strategy.trains_blocks or outcome.strategy in {known.strategy for known in self.forecasts}:
            return
        settings = outcome.settings if isinstance(outcome.settings, TrainingSettings) else None
        self.forecasts.append(
            TimeForecast(
                strategy=outcome.strategy,
                forecast_seconds=settings.forecast_seconds if settings else None,
                seconds=outcome.cost.seconds,
                status=outcome.status,
            )
        )


def _guess(entry: Measurement, entered: Sequence[Measurement]) -> float:
    """Seconds of the first split of a probe, from those of the softmax on the last codes: that many times its probes.

    An SVM takes about as long; a probe at the best tap fits one at every tap. 0 where nothing is known.
    """
    known = next((one.seconds_a_split for one in entered if one.outcome.strategy == SOFTMAX_ON_LAST), 0.0)
    return known * len(entry.strategy.probes) if isinstance(entry.strategy, ProbeStrategy) else 0.0


class _Answers:
    """What the predictions of a race say; see `standing.Answers`."""

    def __init__(self, comparisons: Comparisons, measured: Sequence[Measured]) -> None:
        self._comparisons = comparisons
        self._known = {one.strategy: one for one in measured}

    def open_steps(self, among: Sequence[StrategyId]) -> list[tuple[StrategyId, StrategyId]]:
        """Steps that cannot be told yet."""
        found = []
        for first, second in pairs(among):
            sides = self._known[first], self._known[second]
            if not all(map(self._comparisons.has_metric, sides)):
                continue
            if self._comparisons.is_open(*sides):
                found.append((first, second))
        return found

    def best(self, among: Sequence[StrategyId]) -> StrategyId:
        """Of those that have the metric."""
        usable = [self._known[strategy] for strategy in among if self._comparisons.has_metric(self._known[strategy])]
        return max(usable, key=self._comparisons.mean_score).strategy

    def chance(self, strategy: StrategyId, *, against: StrategyId) -> float | None:
        """Probability that it is better."""
        one = self._known[strategy]
        if not self._comparisons.has_metric(one):
            return None
        return self._comparisons.estimate(self._known[against], one, margin=0.0).better


class _Phases:
    """At most one phase of a race at a time: measuring that belongs together has one bar and one sum of seconds."""

    def __init__(self, race: Race) -> None:
        self._race = race
        self._open = ExitStack()
        self._current: Phase | None = None
        self._advance: Advance = ignore

    def __enter__(self) -> "_Phases":
        return self

    def __exit__(self, *of_error: object) -> None:
        self._open.__exit__(*of_error)  # type: ignore[arg-type]

    def within(self, phase: Phase) -> Advance:
        """Reports progress in this phase, which is opened if it is not the one that is open."""
        if phase != self._current:
            self.end()
            race, entries = self._race, [self._race.entry(strategy) for strategy in phase.strategies]
            trains, learning = _trains(race, phase), len(race.task.split(0).learn)
            if trains:  # what an earlier life measured passes over no image
                had = [max(entry.splits, race._recorded(entry)) for entry in entries]
            else:
                had = [entry.splits for entry in entries]
            work = [entry.work * learning if trains else 1 for entry in entries]
            total = sum(units * max(0, phase.to - splits) for units, splits in zip(work, had, strict=True))
            self._open.enter_context(race.timed(phase.clock))
            unit = "image" if trains else "fit"
            self._advance = self._open.enter_context(race.progress.phase(phase.name, total=total, unit=unit))
            self._open.enter_context(_noting_stops(entries, phase.to))
            self._current = phase
        return self._advance

    def end(self) -> None:
        """Close the phase that is open."""
        self._open.close()
        self._current = None


def _name_of(strategy: TrainedStrategy, epochs: int) -> str:
    """Of going on from the epochs that a strategy has to so many, in a journal."""
    return f"{strategy.outcome.strategy.key}-from-{strategy.expected.epochs}-to-{epochs}-epochs"


def _trains(race: Race, phase: Phase) -> bool:
    """Whether anything in a phase trains a network; then what is cheap does not count beside it."""
    return any(race.entry(strategy).work for strategy in phase.strategies)


@contextmanager
def _noting_stops(entries: Sequence[Measurement], to: int) -> Iterator[None]:
    """What a stop ends says so."""
    try:
        yield
    except (StoppedError, KeyboardInterrupt):
        for stopped in (entry for entry in entries if entry.splits < to):
            notes = [stopped.outcome.note, f"{stopped.splits} of {to} splits were finished"]
            note = "; ".join(filter(None, notes))
            stopped.note(replace(stopped.outcome, status="interrupted", note=note))
        raise
