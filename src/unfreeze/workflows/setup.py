"""What comes before a race: the network, the images, their codes, the metric."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.metric_choice import metric_for
from unfreeze.advisor.questions import Question
from unfreeze.advisor.screening import Scores, choose, screening_sentence
from unfreeze.core.errors import OutputError
from unfreeze.core.file_names import as_written
from unfreeze.core.files import sha256_of
from unfreeze.core.journal import Journal, once
from unfreeze.core.phases import timed
from unfreeze.core.plans import RECIPES
from unfreeze.core.records import Screened
from unfreeze.core.settings import Metric, StudySettings
from unfreeze.core.wording import count, files_found, passed_over
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import Task, make_task
from unfreeze.features.resources import Resources
from unfreeze.images.geometry import Geometry
from unfreeze.metrics.repeated import FOLDS, largest_outcome
from unfreeze.strategies.catalogue import Catalogue, PhotoCatalogue, trained_strategies
from unfreeze.strategies.execution import Executor, InThisProcess, Keeping
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.preparation import prepare
from unfreeze.workflows.bench import Bench, bench_of
from unfreeze.workflows.clock import Clock
from unfreeze.workflows.race import Race
from unfreeze.workflows.reading import say_what_weights
from unfreeze.workflows.resizing import RESIZING_SHARE, Resizing, resized, screened_resize
from unfreeze.workflows.screening import Prepare, load_candidates, measure_candidates
from unfreeze.workflows.series import in_series, with_groups_measured
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import find_device

SCREENING_SHARE = 1 / 3  # of the budget, at most


@runtime_checkable
class TrialsElsewhere(Protocol):
    """Carries out the trials of a run in other processes."""

    def executor(self, catalogue: Catalogue, task: Task, bench: Bench, cache: Path | None) -> tuple[Executor, int]:
        """What carries out the trials of one run.

        Args:
            catalogue: Is told what came of each.
            task: Of the run.
            bench: What all its trials share.
            cache: Folder that has the store of its codes; the user's cache if None.

        Returns:
            The executor, and how many splits it carries out at a time.
        """
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Setup:
    """What a race needs.

    Attributes:
        catalogue: Strategies on the codes of the network that is raced.
        question: Metric, margin and task.
        metric_because: Why its metric decides.
        screening: The networks and sizes that were screened.
        screened: What came of that, in a sentence; empty where nothing was to choose.
        resizing: How photos become squares, and why.
        phases: Seconds by phase.
    """

    catalogue: PhotoCatalogue
    question: Question
    metric_because: str
    screening: tuple[Screened, ...]
    screened: str
    resizing: Resizing
    phases: dict[str, float]

    @property
    def experiment(self) -> Experiment:
        """Before any check of flips."""
        return self.catalogue.experiment

    def race(self, clock: Clock, settings: StudySettings, elsewhere: TrialsElsewhere | None = None) -> Race:
        """One that has not begun, in which what an earlier life of the run has measured is not measured again."""
        catalogue, journal = self.catalogue, self.experiment.resources.journal
        place: Executor = InThisProcess(catalogue, self.question.task)
        workers = 1
        if elsewhere is not None:
            bench = bench_of(self.experiment, settings)
            place, workers = elsewhere.executor(catalogue, self.question.task, bench, self.experiment.cache)
        executor = Keeping(place, catalogue, journal)
        return Race(
            Comparisons(self.question),
            catalogue,
            clock,
            self.experiment.progress,
            executor=executor,
            workers=workers,
            rounds=settings.rounds,
            epochs=settings.epochs,
            recorded=cache(executor.recorded),
            journal=journal,
            phases=self.phases,
        )


def set_up(settings: StudySettings, resources: Resources) -> Setup:
    """Load the network, or choose it, inspect the images and read their codes.

    Args:
        settings: What is asked.
        resources: Decoders, progress and cache.

    Returns:
        What a race needs.

    Raises:
        InputError: The network or the images cannot be used.
    """
    phases: dict[str, float] = {}
    with timed(phases, "load network"):  # first, since a mistake in its name should not cost an inspection
        sources = _loaded(settings)
    say_what_weights(settings.weights, sources[0].card, resources.progress)
    with timed(phases, "inspect"):
        image_set = _inspected(settings, geometry_of(sources[0].card), resources)
        sources = [source.with_levels(image_set.levels) for source in sources]
    preparing = partial(
        prepare,
        resources=resources,
        request=settings.request,
        seed=settings.seed,
        augmentation=RECIPES[settings.augment],
    )
    _check_same(settings, sources, image_set, resources.journal)
    with timed(phases, "screening"):
        codes_alone = partial(preparing, details=False)
        source, screening, screened = _screened_once(settings, sources, image_set, codes_alone, resources.journal)
    with timed(phases, "codes"):
        usual = preparing(image_set, source)
    metric, because = metric_for(usual.task, settings.metric)
    resources.progress.say(because)
    with timed(phases, "resizing"):
        resizing = _resized_once(settings, usual, image_set, preparing, metric=metric, phases=phases)
    with timed(phases, "codes"):
        experiment = resized(usual, resizing.resize, image_set, preparing)
    with timed(phases, "groups"):
        experiment = with_groups_measured(replace(experiment, metric=metric), budget=settings.budget)
    return Setup(
        catalogue=PhotoCatalogue(experiment),
        question=Question(task=experiment.task, metric=metric, margin=settings.margin / 100, seed=settings.seed),
        metric_because=because,
        screening=screening,
        screened=screened,
        resizing=resizing,
        phases=phases,
    )


def _loaded(settings: StudySettings) -> list[Backbone]:
    """Every network at every size; refuses strategies that one of them does not have, and a device that is not here."""
    find_device(settings.request.device)
    sources = load_candidates(settings.backbone, settings.size, weights=settings.weights)
    if settings.resize != "auto":
        sources = [source.resized_by(settings.resize) for source in sources]
    for source in sources:
        for strategy in trained_strategies(len(source.blocks), settings.strategies):
            if strategy.blocks is not None:
                source.cut_before_blocks(strategy.blocks)
    return sources


def _check_same(settings: StudySettings, sources: Sequence[Backbone], image_set: ImageSet, journal: Journal) -> None:
    """Refuse to continue a run on other images, or with other weights."""
    weights = sha256_of("".join(source.card.weights_sha256 for source in sources).encode())
    for what, of, now in (
        ("images", as_written(settings.source), image_set.digest),
        ("weights", settings.backbone, weights),
    ):
        begun: str | None = journal.kept(what, str)
        if begun is None:
            journal.keep(what, now)
        elif begun != now:
            msg = (
                f"The {what} of {of} are not those that the run was begun with, so it cannot be continued. Choose "
                "another place with --out to begin anew."
            )
            raise OutputError(msg)


@dataclass(frozen=True, kw_only=True)
class _Screening:
    """What came of screening: the place of the network that is raced, all rows, and a sentence."""

    place: int
    rows: tuple[Screened, ...]
    sentence: str


def _screened_once(
    settings: StudySettings, sources: Sequence[Backbone], image_set: ImageSet, preparing: Prepare, journal: Journal
) -> tuple[Backbone, tuple[Screened, ...], str]:
    """What is raced, what it was chosen from, and why in a sentence; with one candidate, that one."""
    if len(sources) == 1:
        return sources[0], (), ""

    def screen() -> _Screening:
        source, rows, sentence = _screened(settings, sources, image_set, preparing)
        return _Screening(place=sources.index(source), rows=rows, sentence=sentence)

    found = once(journal, "screening", _Screening, screen)
    return sources[found.place], found.rows, found.sentence


def _screened(
    settings: StudySettings, sources: Sequence[Backbone], image_set: ImageSet, preparing: Prepare
) -> tuple[Backbone, tuple[Screened, ...], str]:
    """As `_screened_once`, of several candidates."""
    task = make_task(image_set, seed=settings.seed)
    metric, _ = metric_for(task, settings.metric)
    within = SCREENING_SHARE * settings.budget
    found = measure_candidates(sources, image_set, preparing, metric=metric, within=within)
    splits = [found.task.split(number) for number in range(FOLDS)]
    scores = [Scores(row=row, values=values) for row, values in found.candidates]
    place, rows = choose(
        scores,
        found.task.tested(splits, metric),
        largest=largest_outcome(metric, found.task.class_count),
    )
    return found.sources[place], rows, screening_sentence(rows, metric)


def _resized_once(
    settings: StudySettings,
    usual: Experiment,
    image_set: ImageSet,
    preparing: Prepare,
    *,
    metric: Metric,
    phases: dict[str, float],
) -> Resizing:
    """How photos become squares: as was asked, or as a screening says."""
    if settings.resize != "auto":
        return Resizing(resize=settings.resize)

    def screen() -> Resizing:
        return screened_resize(
            usual,
            image_set,
            preparing,
            request=settings.request,
            metric=metric,
            within=RESIZING_SHARE * settings.budget,
            decoding=phases["inspect"],
        )

    return once(usual.resources.journal, "resizing", Resizing, screen)


def _inspected(settings: StudySettings, geometry: Geometry, resources: Resources) -> ImageSet:
    progress = resources.progress
    image_set = read_image_set(
        settings.source,
        pool=resources.pool,
        progress=progress,
        max_bad=settings.max_bad,
        geometry=geometry,
        test=settings.test,
        exclude=settings.exclude,
    )
    if settings.groups == "guessed":
        image_set = in_series(image_set)
    for finding in image_set.findings:
        progress.notice(finding)
    progress.say(f"{files_found(image_set.counts)}; {count(len(image_set.classes), 'class')}.")
    if image_set.skipped:
        progress.say(passed_over(image_set.skipped))
    _ = make_task(image_set, seed=settings.seed).folds  # too few groups are said before anything is computed
    return image_set
