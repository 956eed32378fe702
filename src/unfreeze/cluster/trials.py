"""Trials on the workers of a cluster: each has the run's bench, and finds the codes in the store."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import final

from unfreeze.cluster.connection import Cluster
from unfreeze.cluster.workers import Workers
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.threads import usable_cores
from unfreeze.core.trials import Trial, TrialOutcome
from unfreeze.data.tasks import Task
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.store.places import cache_for_others
from unfreeze.strategies.catalogue import Catalogue
from unfreeze.workflows.bench import Bench, executor_at


@dataclass(frozen=True, eq=False, kw_only=True)
class TrialsJob:
    """What a worker needs to know to carry out trials.

    Attributes:
        bench: Of the run.
        cache: Folder that has the store of the run's codes; what is not there is computed anew.
    """

    bench: Bench
    cache: Path

    @contextmanager
    def ready(self) -> Iterator[Callable[[Sequence[Trial]], list[TrialOutcome]]]:
        """Load the network and the codes.

        Yields:
            What carries out trials of one split.

        Raises:
            InputError: As for `executor_at`.
        """
        with DecoderPool(workers=usable_cores()) as pool:
            executor = executor_at(self.bench, Resources(pool=pool, cache=self.cache))
            yield lambda trials: list(executor.outcomes(trials))


@final
class OnWorkers:
    """Carries out trials on workers; see `strategies.execution.Executor`.

    Args:
        workers: Whose job is a `TrialsJob`.
        catalogue: Is told what came of each.
        task: Of the run.
    """

    def __init__(self, workers: Workers, catalogue: Catalogue, task: Task) -> None:
        self._workers, self._catalogue, self._task = workers, catalogue, task

    def outcomes(self, trials: Sequence[Trial], *, advance: Advance = ignore) -> Iterator[TrialOutcome]:
        """As `Executor.outcomes`."""
        parts = _parts(trials)
        at_a_time = max(1, min(len(parts), self._workers.number))
        found: dict[str, TrialOutcome] = {}
        waiting = deque(trials)
        for part, outcomes in zip(parts, self._workers.each(parts, number=len(parts), tick=advance), strict=True):
            found.update((trial.name, outcome) for trial, outcome in zip(part, outcomes, strict=True))
            while waiting and waiting[0].name in found:
                trial = waiting.popleft()
                yield self._noted(trial, found[trial.name], at_a_time, advance)

    def _noted(self, trial: Trial, outcome: TrialOutcome, at_a_time: int, advance: Advance) -> TrialOutcome:
        """An outcome with its share of the time in which others ran beside it."""
        self._catalogue.take_note(trial, outcome)
        if trial.training is not None and not trial.training.lengthened:
            advance(self._catalogue.strategy(trial).work * len(self._task.named(trial.split).learn))
        return replace(outcome, seconds=round(outcome.seconds / at_a_time, 3))


def _parts(trials: Sequence[Trial]) -> list[list[Trial]]:
    """What one worker does at a time: a training, or all of a split that trains no block and so shares its probes."""
    parts: list[list[Trial]] = []
    for _, of_split in groupby(trials, key=lambda trial: trial.split):
        same = list(of_split)
        cheap = [trial for trial in same if trial.training is None]
        parts += [cheap] if cheap else []
        parts += [[trial] for trial in same if trial.training is not None]
    return parts


@final
@dataclass(frozen=True, kw_only=True)
class TrialsOnCluster:
    """Fills the role of `workflows.setup.TrialsElsewhere`; its workers end with the connection to the cluster.

    Attributes:
        cluster: Where they run.
        most: How many at most; None for as many as there is room for.
    """

    cluster: Cluster
    most: int | None = None

    def executor(self, catalogue: Catalogue, task: Task, bench: Bench, cache: Path | None) -> tuple[OnWorkers, int]:
        """As `TrialsElsewhere.executor`; a worker has as many cores as PyTorch has threads in the run."""
        job = TrialsJob(bench=_with_absolute_paths(bench), cache=cache_for_others(cache))
        workers = Workers(self.cluster, job, threads=bench.threads, most=self.most, gpu=bench.device != "cpu")
        return OnWorkers(workers, catalogue, task), workers.number


def _with_absolute_paths(bench: Bench) -> Bench:
    """For a process that stands in another folder."""
    network = Path(bench.network)
    return replace(
        bench,
        network=str(network.resolve()) if network.is_dir() else bench.network,
        weights=None if bench.weights is None else bench.weights.absolute(),
    )
