"""Carrying out trials: in this process, or wherever an executor sends them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, groupby, takewhile
from threading import Lock
from typing import Protocol, final, runtime_checkable

from unfreeze.core.errors import DidNotTrainError
from unfreeze.core.journal import Journal
from unfreeze.core.metering import Usage, metered
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.strategies import StrategyId
from unfreeze.core.trials import Training, Trial, TrialOutcome
from unfreeze.data.tasks import Task
from unfreeze.strategies.catalogue import Catalogue
from unfreeze.strategies.finetuning import FineTuning
from unfreeze.strategies.predictions import predicted_of
from unfreeze.strategies.strategy import Strategy


@runtime_checkable
class Executor(Protocol):
    """Carries out trials, here or elsewhere."""

    def outcomes(self, trials: Sequence[Trial], *, advance: Advance = ignore) -> Iterator[TrialOutcome]:
        """Carry out trials.

        Args:
            trials: Those of one split may share work.
            advance: Reports progress per image that a training passes over, where trials run in this process.

        Yields:
            An outcome per trial, in their order, each as soon as it is there.

        Raises:
            AuditError: A training broke its promise.
            StoppedError: Somebody wants the work to stop.
        """
        ...


@final
class InThisProcess:
    """Carries out trials here, one after the other.

    Args:
        catalogue: Strategies by trial.
        task: Rows by name of split.
    """

    def __init__(self, catalogue: Catalogue, task: Task) -> None:
        self._catalogue, self._task = catalogue, task

    def outcomes(self, trials: Sequence[Trial], *, advance: Advance = ignore) -> Iterator[TrialOutcome]:
        """As `Executor.outcomes`."""
        beside = [trial for trial in trials if trial.training is not None and trial.training.side_by_side > 1]
        trained = self._side_by_side(beside, advance) if len(beside) > 1 else {}
        for name, of_split in groupby(trials, key=lambda trial: trial.split):
            same = list(of_split)
            strategies = [self._catalogue.strategy(trial) for trial in same]
            self._catalogue.share(strategies, self._task.named(name))
            for trial, strategy in zip(same, strategies, strict=True):
                told = advance if strategy.work else ignore
                yield trained.get(trial.name) or outcome_on(strategy, self._task, name, advance=told)

    def _side_by_side(self, trials: Sequence[Trial], advance: Advance) -> dict[str, TrialOutcome]:
        """Trainings that draw no random numbers of torch's, each on a core of its own; by name of trial."""
        strategies = [self._catalogue.strategy(trial) for trial in trials]
        for trial, strategy in zip(trials, strategies, strict=True):
            if isinstance(strategy, FineTuning):
                strategy.begin(self._task.named(trial.split))
        one_at_a_time = Lock()

        def tell(images: int) -> None:
            with one_at_a_time:
                advance(images)

        def run(trial: Trial, strategy: Strategy) -> TrialOutcome:
            return outcome_on(strategy, self._task, trial.split, advance=tell)

        beside = min(trial.training.side_by_side for trial in trials if trial.training)
        with metered() as usage, ThreadPoolExecutor(beside) as pool:
            found = list(pool.map(run, trials, strategies))
        return {trial.name: _with_share(outcome, found, usage) for trial, outcome in zip(trials, found, strict=True)}


def _with_share(outcome: TrialOutcome, of: Sequence[TrialOutcome], usage: Usage) -> TrialOutcome:
    """With its part of the time that all of them took together, by what each took."""
    share = outcome.seconds / max(1e-9, sum(other.seconds for other in of))
    return replace(outcome, seconds=round(share * usage.seconds, 3), cpu_seconds=round(share * usage.cpu_seconds, 3))


@dataclass(frozen=True, kw_only=True)
class KeptTrial:
    """A trial, and what it gave."""

    trial: Trial
    outcome: TrialOutcome


@final
class Keeping:
    """Carries out every trial once: what the journal knows is read back.

    Args:
        executor: Carries out what it does not know.
        catalogue: Is told of what is read back.
        journal: Of the run.
    """

    def __init__(self, executor: Executor, catalogue: Catalogue, journal: Journal) -> None:
        self._executor, self._catalogue, self._journal = executor, catalogue, journal

    def outcomes(self, trials: Sequence[Trial], *, advance: Advance = ignore) -> Iterator[TrialOutcome]:
        """As `Executor.outcomes`; what is read back does not advance."""
        known = [self._kept(trial) for trial in trials]
        lacking = [trial for trial, kept in zip(trials, known, strict=True) if kept is None]
        fresh = self._executor.outcomes(lacking, advance=advance)
        for trial, kept in zip(trials, known, strict=True):
            if kept is not None:
                self._catalogue.take_note(trial, kept)
                yield kept
                continue
            outcome = next(fresh)
            self._journal.keep(trial.name, KeptTrial(trial=trial, outcome=outcome))
            yield outcome

    def _kept(self, trial: Trial) -> TrialOutcome | None:
        """What the journal knows of exactly this trial."""
        kept: KeptTrial | None = self._journal.kept(trial.name, KeptTrial)
        return kept.outcome if kept is not None and kept.trial == trial else None

    def recorded(self, strategy: StrategyId, training: Training | None) -> int:
        """On how many of the first splits an earlier life of the run measured a strategy that trains like this."""
        trial = Trial(strategy=strategy, split="", seed=0, training=training)
        names = (replace(trial, split=f"split {number}").name for number in count())
        return sum(1 for _ in takewhile(self._journal.knows, names))


def outcome_on(strategy: Strategy, task: Task, split_name: str, *, advance: Advance = ignore) -> TrialOutcome:
    """Run a strategy on a split, and say what it gave and took.

    Args:
        strategy: Ready to run.
        task: Labels, and rows by name of split.
        split_name: Which.
        advance: Reports progress per image.

    Returns:
        The outcome.
    """
    split = task.named(split_name)
    failed: DidNotTrainError | None = None
    with metered() as usage:
        try:
            fit = strategy.fit(split, advance=advance)
        except DidNotTrainError as error:
            failed = error
    if failed is not None:
        return TrialOutcome(
            predictions=(),
            log_likelihoods=None,
            curve=failed.curve,
            failure=str(failed),
            seconds=usage.seconds,
            cpu_seconds=usage.cpu_seconds,
            peak_bytes=usage.peak_bytes,
        )
    if fit.shared_usage is not None:
        usage.seconds, usage.cpu_seconds = (round(seconds, 3) for seconds in fit.shared_usage)
    kept = predicted_of(fit.scores, task, split, probabilities=fit.probabilities)
    return TrialOutcome(
        predictions=tuple(kept.predictions.tolist()),
        log_likelihoods=None if kept.log_likelihoods is None else tuple(kept.log_likelihoods.tolist()),
        scores=None if kept.scores is None else tuple(map(tuple, kept.scores.tolist())),
        temperature=fit.temperature,
        settings=fit.settings,
        tap=fit.tap,
        description=fit.description,
        audit=fit.audit,
        curve=fit.curve,
        probes=fit.probes,
        model_cost=fit.model_cost,
        seconds=usage.seconds,
        cpu_seconds=usage.cpu_seconds,
        peak_bytes=usage.peak_bytes,
    )
