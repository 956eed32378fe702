"""The whole run: inspect, read codes, race the strategies, choose one, train it on everything, answer.

Every choice and the verdict come from splits inside the train part. A test folder of the user's own is read once, after
the choice, and confirms; it decides nothing.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from unfreeze.advisor.confirming import confirmed, earlier_looks, folder_step, other_seeds
from unfreeze.advisor.delivering import deliver
from unfreeze.advisor.evidence import facts_of, gain_forecasts, rule_record, similarity_within
from unfreeze.advisor.forecasts import forecast_sentence
from unfreeze.advisor.race import RESERVE, Clock, Race
from unfreeze.advisor.rules import predicted
from unfreeze.advisor.screening import Scores, choose, screening_sentence, size_hint
from unfreeze.advisor.selection import Selection, select_strategy, winner_of
from unfreeze.advisor.steps import Question, comparable, compare
from unfreeze.advisor.verdict import SOFTMAX_ON_LAST, on_overrun, pairs, verdict
from unfreeze.core.errors import ImageSetError
from unfreeze.core.facts import GainForecast, Prediction, Similarity
from unfreeze.core.files import write_json
from unfreeze.core.interrupts import held_back
from unfreeze.core.phases import timed
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.records import (
    Comparison,
    FolderStep,
    LearningCurves,
    Metric,
    Outcome,
    RunRecord,
    Screened,
    SplitRecord,
    plain,
)
from unfreeze.core.versions import versions
from unfreeze.data.decoder_pool import DecoderPool, usable_cores
from unfreeze.data.geometry import Geometry
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.transforms import RECIPES
from unfreeze.features.extraction import geometry_of
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES, LOOKS, largest_difference
from unfreeze.strategies.candidates import Prepare, load_candidates, measure_candidates, seconds_an_image
from unfreeze.strategies.depth import depth_points
from unfreeze.strategies.entries import Depth, PhotoEntries, depths_for
from unfreeze.strategies.experiment import Experiment, Task, make_task
from unfreeze.strategies.learning_curve import learning_curves
from unfreeze.strategies.measuring import Measurement, units_of
from unfreeze.strategies.preparation import metric_for, prepare
from unfreeze.training.precision import training_device
from unfreeze.zoo.backbones import DEFAULT_BACKBONE, Backbone

CURVE_SHARE, CURVE_SECONDS = 0.03, 5.0  # of the budget, at most, for the learning curve of the probe
SCREENING_SHARE = 1 / 3  # of the budget, at most
MODEL = "model"  # folder
SOON = 20.0  # seconds that an interrupted run may still train, to deliver a model
FEW_GROUPS = 50  # with more of them, none of which holds half of the images, no side of a split is left with one


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What a run is asked to do.

    Attributes:
        source: Folder or list of labelled images.
        backbone: Name of the network; of several, the one is raced whose codes do best.
        weights: File of weights, instead of the network's usual ones; of one network only.
        size: Side of the network's input in pixels, instead of its usual one; of several, or with ``auto`` of up to
            three, the one is raced that does best.
        strategies: What is tried beyond step one: numbers of blocks, all, scratch; None for 1, 2, 4 and all.
        metric: accuracy, balanced accuracy or log-loss; None for balanced accuracy where the classes are strongly
            imbalanced, else accuracy.
        margin: Differences up to this do not matter; percentage points, for log-loss hundredths of a nat.
        budget_seconds: What the run may take.
        seed: Of everything.
        max_bad: Largest share of files that may be unreadable.
        engine: auto, openvino or torch.
        precision: auto, f32, bf16 or int8; of the frozen layers.
        augment: light, standard, strong or none; of training images.
        choose_rate: Choose rate and number of epochs on a fold inside each split, where the budget allows it.
    """

    source: Path
    backbone: str | tuple[str, ...] = DEFAULT_BACKBONE
    weights: Path | None = None
    size: int | tuple[int, ...] | Literal["auto"] | None = None
    strategies: tuple[Depth, ...] | None = None
    metric: Metric | None = None
    margin: float = 1.0
    budget_seconds: float = 900.0
    seed: int = 0
    max_bad: float = 0.01
    engine: str = "auto"
    precision: str = "auto"
    augment: str = "light"
    choose_rate: bool = False


def run_study(settings: StudySettings, *, out: Path, progress: Progress = SILENT) -> RunRecord:
    """Race the strategies within the budget, deliver one model and answer.

    Args:
        settings: What is asked.
        out: An empty folder; `run.json` and `model/` go into it.
        progress: Is told where the work stands.

    Returns:
        The record, as written to `run.json`. After an interrupt (Ctrl-C) it holds what there was by then.

    Raises:
        UnfreezeError: The input cannot be used, the disk is full, or an audit failed.
    """
    clock = Clock((1 - RESERVE) * settings.budget_seconds)
    with DecoderPool() as pool:
        return _conclude(settings, _raced(settings, clock, pool, progress), out=out, pool=pool)


def _raced(settings: StudySettings, clock: Clock, pool: DecoderPool, progress: Progress) -> "_Findings":
    """Everything up to the end of the race; an interrupt of the race ends it."""
    ready = _prepared(settings, pool, progress)
    experiment, question = ready.experiment, ready.question
    kept = _confirming_seconds(experiment, settings.budget_seconds)
    race = ready.race(clock.keeping(kept))
    if kept:
        race.say(f"About {kept:.0f} s of the budget are kept for predicting your own test folder.")
    if clock.left() <= 0:
        race.say(
            f"Inspecting the images and reading their codes took {clock.elapsed():.0f} s, so that nothing is left of "
            "the budget: step one is measured on one split. The codes are kept, and the next run has them at once."
        )
    with race.timed("facts"):
        similarity = similarity_within(experiment, budget=settings.budget_seconds)
        facts = facts_of(experiment, similarity)
        prediction = predicted(facts)
    progress.say(prediction.sentence)
    hint = size_hint(facts.median_side, experiment.source.card.size) if settings.size is None else ""
    for sentence in filter(None, (ready.screened, hint)):
        race.say(sentence)
    interrupted, gains = False, tuple[GainForecast, ...]()
    depths = depths_for(len(experiment.source.blocks), settings.strategies)
    try:
        with race.timed("step one"):  # its probes, of which the first ones are also facts
            blocks = [depth for depth in depths if isinstance(depth, int)]
            gains = gain_forecasts(ready.entries.shared, similarity, blocks, question)
        for forecast in gains:
            race.say(forecast_sentence(forecast))
        race.run(depths)
    except KeyboardInterrupt:
        interrupted = True
        progress.say("Interrupted: keeping what there is so far.")
    race.clock = clock  # what was kept for the test folder may be spent on it
    return _Findings(
        race=race,
        entries=ready.entries,
        metric_because=ready.metric_because,
        similarity=similarity,
        prediction=prediction,
        gain_forecasts=gains,
        screening=ready.screening,
        interrupted=interrupted,
    )


def _confirming_seconds(experiment: Experiment, budget: float) -> float:
    """What the network's passes over a test folder take beyond the reserve, which holds small ones.

    Two: by the trained network, and by the saved one. At most half of the budget, since without a race there is nothing
    to confirm. A GPU takes next to nothing.
    """
    images = len(experiment.task.test_rows)
    if not images or training_device().type != "cpu":
        return 0.0
    passes = 2 * images * seconds_an_image(experiment.source) / usable_cores()
    return float(np.clip(passes - RESERVE * budget, 0, budget / 2))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Prepared:
    """What a race needs.

    Attributes:
        entries: Strategies on the codes of the network that is raced.
        question: Metric, margin and task.
        metric_because: Why its metric decides.
        screening: The networks and sizes that were screened.
        screened: What came of that, in a sentence; empty where nothing was to choose.
        phases: Seconds by phase.
    """

    entries: PhotoEntries
    question: Question
    metric_because: str
    screening: tuple[Screened, ...]
    screened: str
    phases: dict[str, float]

    @property
    def experiment(self) -> Experiment:
        """Before any check of flips."""
        return self.entries.experiment

    def race(self, clock: Clock) -> Race:
        """One that has not begun."""
        return Race(self.question, self.entries, clock, self.experiment.progress, phases=self.phases)


def _prepared(settings: StudySettings, pool: DecoderPool, progress: Progress) -> _Prepared:
    """Load the network, or choose it, inspect the images and read their codes."""
    phases: dict[str, float] = {}
    with timed(phases, "load network"):  # first, since a mistake in its name should not cost an inspection
        sources = load_candidates(settings.backbone, settings.size, weights=settings.weights)
        for source in sources:
            for depth in depths_for(len(source.blocks), settings.strategies):
                if isinstance(depth, int):
                    source.cut_before_blocks(depth)  # refuses what the network does not have
    with timed(phases, "inspect"):
        image_set = _inspected(settings, geometry_of(sources[0].card), pool, progress)
    preparing = partial(
        prepare,
        pool=pool,
        progress=progress,
        engine=settings.engine,
        precision=settings.precision,
        seed=settings.seed,
        augmentation=RECIPES[settings.augment],
    )
    with timed(phases, "screening"):
        source, screening, screened = _screened(settings, sources, image_set, preparing)
    with timed(phases, "codes"):
        experiment = preparing(image_set, source)
    metric, because = metric_for(experiment.task, settings.metric)
    progress.say(because)
    experiment = replace(experiment, metric=metric, chosen_on_fold=settings.choose_rate)
    return _Prepared(
        entries=PhotoEntries(experiment),
        question=Question(task=experiment.task, metric=metric, margin=settings.margin / 100, seed=settings.seed),
        metric_because=because,
        screening=screening,
        screened=screened,
        phases=phases,
    )


def _screened(
    settings: StudySettings, sources: Sequence[Backbone], image_set: ImageSet, preparing: Prepare
) -> tuple[Backbone, tuple[Screened, ...], str]:
    """What is raced, what it was chosen from, and why in a sentence; with one candidate, that one."""
    if len(sources) == 1:
        return sources[0], (), ""
    task = make_task(image_set, seed=settings.seed)
    metric, _ = metric_for(task, settings.metric)
    within = SCREENING_SHARE * settings.budget_seconds
    found = measure_candidates(sources, image_set, preparing, metric=metric, within=within)
    splits = [found.task.split(number) for number in range(FEWEST_FOR_PROBABILITIES)]
    units = [units_of(found.task, split) for split in splits]
    scores = [Scores(row=row, values=values) for row, values in found.candidates]
    place, rows = choose(
        scores,
        units,
        test_fraction=found.task.tested_share(splits),
        largest_difference=largest_difference(metric, found.task.labels[splits[0].test]),
    )
    return found.sources[place], rows, screening_sentence(rows, metric)


def _inspected(settings: StudySettings, geometry: Geometry, pool: DecoderPool, progress: Progress) -> ImageSet:
    image_set = read_image_set(
        settings.source, pool=pool, progress=progress, max_bad=settings.max_bad, geometry=geometry
    )
    for warning in image_set.warnings:
        progress.say(warning)
    counts = image_set.counts
    progress.say(
        f"{counts.found:,} files found: {counts.used:,} used, {counts.set_aside:,} set aside, "
        f"{counts.duplicates_removed:,} duplicates removed; {len(image_set.classes)} classes."
    )
    _check_groups(image_set, settings.seed)
    return image_set


def _check_groups(image_set: ImageSet, seed: int) -> None:
    """Refuse groups that splits and the folds inside them cannot keep whole, before anything is computed."""
    task = make_task(image_set, seed=seed)
    sizes = np.unique(task.units[task.train_rows], return_counts=True)[1]
    groups = len(sizes)
    if groups > FEW_GROUPS and 2 * sizes.max() < sizes.sum():
        return
    try:
        for number in range(LOOKS[-1]):
            task.split(number)
    except ImageSetError as error:
        msg = (
            f"The {groups} groups of the training images are too few, or one of them is too large: every split needs "
            "one to test on and two to learn from. Give more groups, or none."
        )
        raise ImageSetError(msg) from error


@dataclass(frozen=True, eq=False, kw_only=True)
class _Findings:
    """What the measuring gave.

    Attributes:
        race: Everything measured.
        entries: What was raced.
        metric_because: Why its metric decides.
        similarity: To the source.
        prediction: What the rule of thumb said before any training.
        gain_forecasts: What each strategy was expected to gain.
        screening: Networks and sizes that could have been raced.
        interrupted: Whether the user stopped it.
    """

    race: Race
    entries: PhotoEntries
    metric_because: str
    similarity: Similarity
    prediction: Prediction
    gain_forecasts: tuple[GainForecast, ...]
    screening: tuple[Screened, ...]
    interrupted: bool

    @property
    def experiment(self) -> Experiment:
        """What was raced on."""
        return self.entries.experiment

    def candidates(self) -> list[Measurement]:
        """What may be picked: of an interrupted run only what is trained soon."""
        found = self.race.measured
        if not self.interrupted:
            return found
        return [m for m in found if m.strategy is not None and m.refit_seconds <= SOON]

    def passed_over(self) -> str:
        """What was measured and may not be picked, in a sentence; empty if nothing."""
        kept = {m.name for m in self.candidates()}
        out = [m.name for m in self.race.measured if m.splits and m.name not in kept]
        return f"The run was interrupted, and there was no time to train {' or '.join(out)} for it." if out else ""


@dataclass(kw_only=True)
class _Delivery:
    """What came of what was picked, as far as the user let it.

    Attributes:
        outcomes: Of every strategy, with what the user's own test folder says of it.
        model: Name of the model's folder; None without a model.
        folder_step: What was delivered against the feature extractor on that folder.
        learning_curve: Scores by number of images.
        interrupted: Whether the user stopped it.
    """

    outcomes: list[Outcome]
    model: str | None = None
    folder_step: FolderStep | None = None
    learning_curve: LearningCurves | None = None
    interrupted: bool = False


def _conclude(settings: StudySettings, findings: _Findings, *, out: Path, pool: DecoderPool) -> RunRecord:
    """Choose, train on everything, deliver, confirm, compare, and write."""
    with held_back():
        selection = select_strategy(findings.candidates(), findings.race.question)
        delivery = _Delivery(outcomes=[m.record(findings.experiment.task) for m in findings.race.measured])
    if selection is not None:
        _deliver(settings, findings, selection, delivery, out=out, pool=pool)
    with held_back():
        record = _concluded(settings, findings, selection, delivery, out=out)
        write_json(out / "run.json", record.to_json())
    return record


def _concluded(
    settings: StudySettings, findings: _Findings, selection: Selection | None, delivery: _Delivery, *, out: Path
) -> RunRecord:
    """The whole record, from all that was measured and delivered."""
    race, question = findings.race, findings.race.question
    by_name = {m.name: m for m in race.measured}
    steps = [(by_name[first.name], by_name[second.name]) for first, second in pairs(delivery.outcomes)]
    comparisons = [compare(question, *sides) for sides in steps if all(comparable(question, m, m) for m in sides)]
    record = _record(settings, findings, delivery.outcomes, comparisons)
    picked = next((o for o in delivery.outcomes if selection and o.name == selection.picked.name), None)
    record = replace(
        record,
        interrupted=findings.interrupted or delivery.interrupted,
        picked=picked.name if picked else None,
        picked_because=" ".join(filter(None, (selection.because, findings.passed_over()))) if selection else "",
        model=delivery.model,
        winner=winner_of(question, findings.candidates()),
        test_looks=earlier_looks(out, record.test_images) + 1 if any(o.confirmation for o in record.strategies) else 0,
        folder_step=delivery.folder_step,
        learning_curve=delivery.learning_curve,
    )
    return replace(record, verdict=verdict_of(record, picked), seconds=round(race.clock.elapsed(), 3))


def _deliver(
    settings: StudySettings,
    findings: _Findings,
    selection: Selection,
    found: _Delivery,
    *,
    out: Path,
    pool: DecoderPool,
) -> None:
    """The model, then its confirmation and learning curves, into `found`; Ctrl-C ends it and keeps what is finished."""
    race, experiment = findings.race, findings.experiment
    try:
        with race.timed("deliver"):
            delivered = deliver(experiment, selection, out / MODEL, pool=pool)
        found.model = MODEL
        found.outcomes = [delivered if o.name == delivered.name else o for o in found.outcomes]
        found.outcomes = [o if o.name == delivered.name else _confirmed(o, findings) for o in found.outcomes]
        found.folder_step = _on_folder(findings, found.outcomes, selection)
        found.learning_curve = _learning_curves(settings, findings)
    except KeyboardInterrupt:
        with held_back():
            race.progress.say("Interrupted: keeping what is finished.")
            found.interrupted = True
            if found.model is None:
                shutil.rmtree(out / MODEL, ignore_errors=True)  # half a model


def _learning_curves(settings: StudySettings, findings: _Findings) -> LearningCurves | None:
    """In the time that is left at the end."""
    race, budget = findings.race, settings.budget_seconds
    if findings.interrupted:
        return None
    left = race.clock.left()
    at_most = min(CURVE_SECONDS, CURVE_SHARE * budget, left + RESERVE * budget)
    with race.timed("learning curve"):
        return learning_curves(
            findings.entries.shared,
            race.measured,
            metric=race.question.metric,
            probe_seconds=at_most,
            seconds=left - at_most,
        )


def verdict_of(record: RunRecord, picked: Outcome | None) -> tuple[str, ...]:
    """The sentences of a verdict, from everything else that a record holds."""
    return verdict(
        record.strategies,
        record.comparisons,
        picked=picked,
        winner=record.winner,
        depth_curve=record.depth_curve,
        metric=record.metric,
        margin=record.margin,
        train_size=len(record.train_images),
        splits=len(record.splits),
        test_size=len(record.test_images),
        rule=record.rule,
        interrupted=record.interrupted,
        delivered=record.model is not None,
        test_looks=record.test_looks,
        folder_step=record.folder_step,
        learning_curve=record.learning_curve,
        overrun=on_overrun(record.seconds, record.budget_seconds, record.phases),
    )


def _confirmed(outcome: Outcome, findings: _Findings) -> Outcome:
    """A cheap strategy that was not picked, asked about the user's own test folder if there is time to train it."""
    race, experiment = findings.race, findings.experiment
    measured = next(m for m in race.measured if m.name == outcome.name)
    if measured.strategy is None or outcome.kind not in {"probe", "head"} or not len(experiment.task.test_rows):
        return outcome
    if measured.refit_seconds > race.clock.left() + RESERVE * race.clock.budget:
        return outcome
    return confirmed(outcome, experiment, measured.strategy)


def _on_folder(findings: _Findings, outcomes: Sequence[Outcome], selection: Selection) -> FolderStep | None:
    """What was picked against the feature extractor on the user's own test folder, with other seeds if time is left."""
    race, experiment, strategy = findings.race, findings.experiment, selection.picked.strategy
    by_name = {outcome.name: outcome for outcome in outcomes}
    again = selection.picked.refit_seconds
    if not len(experiment.task.test_rows) or strategy is None or SOFTMAX_ON_LAST not in by_name:
        return None
    with race.timed("confirm"):
        others = [] if findings.interrupted else other_seeds(experiment, strategy, again, seconds=race.clock.left())
    return folder_step(race.question, by_name[SOFTMAX_ON_LAST], by_name[strategy.outcome.name], others)


def _record(
    settings: StudySettings,
    findings: _Findings,
    outcomes: Sequence[Outcome],
    comparisons: Sequence[Comparison],
) -> RunRecord:
    """Everything but the choice and the verdict."""
    race, experiment = findings.race, findings.experiment
    task, image_set = experiment.task, experiment.task.image_set
    names = [image.name for image in image_set.images]
    used = range(max([m.splits for m in race.measured], default=0))
    fitted = findings.entries.shared.fitted()
    curve = depth_points(fitted, task) if fitted else ()
    return RunRecord(
        command={key: plain(str(value) if isinstance(value, Path) else value) for key, value in vars(settings).items()},
        versions=versions(),
        images=image_set.counts,
        classes=image_set.classes,
        set_aside=tuple({"name": s.name, "reason": s.reason} for s in image_set.set_aside),
        duplicates=tuple({"name": d.name, "same_as": d.same_as, "why": d.why} for d in image_set.duplicates),
        warnings=image_set.warnings,
        train_images=tuple(names[row] for row in task.train_rows),
        train_labels=tuple(task.labels[task.train_rows].tolist()),
        train_groups=tuple(task.groups[row] for row in task.train_rows),
        test_images=tuple(names[row] for row in task.test_rows),
        test_labels=tuple(task.labels[task.test_rows].tolist()),
        test_groups=tuple(task.groups[row] for row in task.test_rows),
        splits=tuple(_split_record(task, number) for number in used),
        metric=race.question.metric,
        metric_because=findings.metric_because,
        margin=race.question.margin,
        facts=plain(facts_of(experiment, findings.similarity, curve)),
        rule=rule_record(findings.prediction, race.question, race.measured),
        network=plain(experiment.source.card),
        depth_curve=curve,
        strategies=tuple(outcomes),
        comparisons=tuple(comparisons),
        winner=None,
        race=tuple(race.story),
        picked=None,
        picked_because="",
        verdict=(),
        model=None,
        codes={"computed": experiment.codes.computed, "reused": experiment.codes.reused},
        phases=race.phases,
        forecasts=tuple(race.forecasts),
        gain_forecasts=findings.gain_forecasts,
        seconds=race.clock.elapsed(),
        seed=settings.seed,
        budget_seconds=settings.budget_seconds,
        interrupted=findings.interrupted,
        screening=findings.screening,
    )


def _split_record(task: Task, number: int) -> SplitRecord:
    places = np.searchsorted(task.train_rows, task.split(number).test)
    return SplitRecord(number=number, test=tuple(places.tolist()))
