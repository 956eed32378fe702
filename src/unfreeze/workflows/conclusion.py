"""What comes after a race: the choice, the model, its confirmation, the record."""

import contextlib
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unfreeze.advisor.baseline import no_better_than_blind
from unfreeze.advisor.class_answers import class_table
from unfreeze.advisor.details import details
from unfreeze.advisor.fact_finding import facts_of
from unfreeze.advisor.folder_check import contradicting_folder
from unfreeze.advisor.questions import measured_strategies, pairs
from unfreeze.advisor.rule_check import rule_record
from unfreeze.advisor.selection import Selection, select_strategy, winner_of
from unfreeze.advisor.verdict import verdict
from unfreeze.core.errors import DidNotTrainError, DiskError, StoppedError
from unfreeze.core.events import Finished
from unfreeze.core.facts import Prediction, Similarity
from unfreeze.core.files import write_json
from unfreeze.core.findings import Finding
from unfreeze.core.interrupts import ignore_interrupts
from unfreeze.core.journal import Journal, once
from unfreeze.core.photo_checks import PhotoCheck
from unfreeze.core.records import CodeCounts, Comparison, Confirmation, FolderStep, LearningCurves, Outcome, SplitRecord
from unfreeze.core.run_folder import MODEL, RunFolder
from unfreeze.core.run_record import RUN_FILE, STOPPED_FILE, RunRecord, RunResults
from unfreeze.core.seeing import CodeMap, Looks
from unfreeze.core.settings import StudySettings
from unfreeze.core.strategies import HEAD, SOFTMAX_ON_LAST, StrategyId
from unfreeze.core.versions import versions
from unfreeze.data.tasks import Task
from unfreeze.features.resources import Resources
from unfreeze.strategies.execution import InThisProcess
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.learning_curve import learning_curves
from unfreeze.strategies.measurement import Measurement
from unfreeze.strategies.predictions import Measured
from unfreeze.workflows.clock import RESERVE
from unfreeze.workflows.confirmation import confirmed, earlier_looks, folder_step, other_seeds
from unfreeze.workflows.delivery import add_program, deliver
from unfreeze.workflows.model_time import with_milliseconds
from unfreeze.workflows.photo_checks import check_photos, check_seconds, held_out_of
from unfreeze.workflows.race import Race
from unfreeze.workflows.reports import write_report
from unfreeze.workflows.seeing import code_map, looks
from unfreeze.workflows.setup import Setup
from unfreeze.workflows.unlike import add_unlike_of
from unfreeze.zoo.backbones import Backbone

CURVE_SHARE, CURVE_SECONDS = 0.03, 5.0  # of the budget, at most, for the learning curve of the probe
# What is looked at in the report may take this much of the budget even if the race has used up all of it, and no more
# than so many seconds of any: once for the map of codes, and once for where the network looks.
SEEING_SHARE, SEEING_SECONDS = 0.03, 10.0
DELIVERED, PROGRAMMED = "delivered", "programmed"  # in the journal
SOON = 1.0  # seconds that a stopped run may still train, to deliver a model: it should end within three


@dataclass(frozen=True, eq=False, kw_only=True)
class Raced:
    """What the measuring gave.

    Attributes:
        race: Everything measured.
        setup: What was raced on.
        similarity: To the source.
        prediction: What the rule of thumb said before any training.
        findings: What was noticed about the images and the task.
        interrupted: Whether the user stopped it.
    """

    race: Race
    setup: Setup
    similarity: Similarity
    prediction: Prediction
    findings: tuple[Finding, ...]
    interrupted: bool

    @property
    def experiment(self) -> Experiment:
        """What was raced on."""
        return self.setup.experiment

    def entry(self, strategy: StrategyId) -> Measurement:
        """A strategy that was raced."""
        return self.race.entry(strategy)

    def candidates(self) -> list[Measured]:
        """What may be picked: of a run that was stopped only what is trained soon, if there is such a thing."""
        soon = [entry.measured for entry in self.race.entered if entry.splits and entry.refit_seconds <= SOON]
        return soon if self.interrupted and soon else self.race.measured

    def findings_on(self, picked: StrategyId | None) -> tuple[Finding, ...]:
        """What was noticed about what is picked."""
        if picked is None:
            return ()
        found = no_better_than_blind(self.entry(picked).measured, self.race.comparisons.question)
        return (found,) if found else ()

    def passed_over(self) -> str:
        """What was measured and may not be picked, in a sentence; empty if nothing."""
        kept = {candidate.strategy for candidate in self.candidates()}
        out = [m.strategy.quoted for m in self.race.measured if m.splits and m.strategy not in kept]
        return f"The run was stopped, and there was no time to train {' or '.join(out)} for it." if out else ""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What came of what was picked, as far as the user let it.

    Attributes:
        outcomes: Of every strategy, with what the user's own test folder says of it.
        model: Name of the model's folder; None without a model.
        folder_step: What was delivered against the feature extractor on that folder.
        photo_check: What is doubtful about the photos.
        code_map: The images by their codes.
        looks: Where the model looks.
        learning_curve: Scores by number of images.
        interrupted: Whether the user stopped it, or a disk that took nothing more.
        failure: What the disk said.
    """

    outcomes: tuple[Outcome, ...]
    model: str | None = None
    folder_step: FolderStep | None = None
    photo_check: PhotoCheck | None = None
    code_map: CodeMap | None = None
    looks: Looks | None = None
    learning_curve: LearningCurves | None = None
    interrupted: bool = False
    failure: DiskError | None = None


def conclude(run: RunFolder, raced: Raced, resources: Resources) -> RunRecord:
    """Choose, train on everything, deliver, confirm, compare, and write.

    Args:
        run: Its folder, and what was asked.
        raced: What the measuring gave.
        resources: Decoders, progress and the run's journal.

    Returns:
        The record, as written.

    Raises:
        DiskError: A disk took nothing more; as far as it took it, what was measured is written as after a stop.
    """
    while True:
        with ignore_interrupts():
            selection = select_strategy(raced.candidates(), raced.race.comparisons)
            delivery = Delivery(outcomes=tuple(m.record(raced.experiment.task) for m in raced.race.measured))
        if selection is None:
            break
        try:
            delivery = _delivered(run, raced, selection, delivery, resources=resources)
            break
        except DidNotTrainError as error:  # on everything, though it did on splits: the next best is delivered
            raced.race.give_up(selection.picked, error)
    with ignore_interrupts():
        results = _results(run, raced, selection, delivery)
        record = RunRecord.of(results, verdict=verdict(results), details=details(results))
        if delivery.failure is not None:
            _write_what_fits(run, record)
            raise delivery.failure
        write_report(record, run.path)
        write_json(run.path / (STOPPED_FILE if record.interrupted else RUN_FILE), record.to_json())
        if not record.interrupted:
            run.finish()
    resources.progress.tell(Finished(picked=record.picked, model=record.model, stopped=record.interrupted))
    return record


def _write_what_fits(run: RunFolder, record: RunRecord) -> None:
    """What was measured, the record first, which is the smallest; the run can be continued once there is room."""
    with contextlib.suppress(DiskError):
        write_json(run.path / STOPPED_FILE, record.to_json())
        write_report(record, run.path)


def _delivered(
    run: RunFolder, raced: Raced, selection: Selection, delivery: Delivery, *, resources: Resources
) -> Delivery:
    """The model, its confirmation and learning curves; a stop or a full disk ends it and keeps what is finished."""
    stages: tuple[Callable[[Delivery], Delivery], ...] = (
        lambda found: _with_model(found, raced, selection, resources, run.path / MODEL),
        lambda found: _timed(found, raced),
        lambda found: _with_program(found, raced, resources, run.path / MODEL),
        lambda found: _with_unlike(found, run, raced, resources),
        lambda found: replace(
            found, outcomes=tuple(_confirmed(o, raced, selection, resources.journal) for o in found.outcomes)
        ),
        lambda found: replace(found, folder_step=_on_folder(raced, found.outcomes, selection, resources.journal)),
        lambda found: replace(found, photo_check=_photo_check(raced, resources.journal)),
        lambda found: _seen(found, run, raced, selection, resources.journal),
        lambda found: replace(found, learning_curve=_learning_curves(run.settings, raced)),
    )
    try:
        for stage in stages:
            delivery = stage(delivery)
    except (StoppedError, KeyboardInterrupt):
        with ignore_interrupts():
            resources.progress.stop.accept()
            resources.progress.say("Stopped: keeping what is finished.")
            if delivery.model is None:
                shutil.rmtree(run.path / MODEL, ignore_errors=True)  # half a model
            return replace(delivery, interrupted=True)
    except DiskError as error:
        if delivery.model is None:
            shutil.rmtree(run.path / MODEL, ignore_errors=True)
        return replace(delivery, interrupted=True, failure=error)
    return delivery


def _with_model(delivery: Delivery, raced: Raced, selection: Selection, resources: Resources, folder: Path) -> Delivery:
    """What was picked, as a model; a run that was stopped does not look at the test folder for it."""
    picked, journal = raced.entry(selection.picked), resources.journal
    if raced.interrupted and picked.refit_seconds > SOON:
        return delivery
    delivered: Outcome | None = None if raced.interrupted else journal.kept(DELIVERED, Outcome)
    if delivered is None or delivered.strategy != selection.picked or not folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed before it could tell what it had
        with raced.race.timed("deliver"):
            delivered = deliver(
                raced.experiment,
                picked,
                selection.because,
                folder,
                warnings=[found.text for found in raced.findings_on(selection.picked)],
                pool=resources.pool,
                confirm=not raced.interrupted,
                margin=raced.setup.question.margin,
            )
        if not raced.interrupted:
            journal.keep(DELIVERED, delivered)
    outcomes = tuple(delivered if o.strategy == delivered.strategy else o for o in delivery.outcomes)
    return replace(delivery, model=MODEL, outcomes=outcomes)


def _timed(delivery: Delivery, raced: Raced) -> Delivery:
    """How long the models of all strategies take for an image; not in a run that was stopped."""
    if raced.interrupted:
        return delivery
    with raced.race.timed("deliver"):
        return replace(delivery, outcomes=tuple(with_milliseconds(o, raced.experiment) for o in delivery.outcomes))


def _with_program(delivery: Delivery, raced: Raced, resources: Resources, folder: Path) -> Delivery:
    """The model as a program of plain torch too; a run that was stopped does without, and so does an odd network."""
    if raced.interrupted or delivery.model is None:
        return delivery
    with raced.race.timed("deliver"), resources.progress.phase("export", total=1, unit="program") as advance:
        lacking = once(resources.journal, PROGRAMMED, str, lambda: add_program(folder))
        if not lacking:
            add_program(folder)  # into a folder that was made anew since
        advance(1)
    if lacking:
        raced.race.say(lacking)
    return delivery


def _with_unlike(delivery: Delivery, run: RunFolder, raced: Raced, resources: Resources) -> Delivery:
    """What the model knows of its training photos; a run that was stopped does without."""
    if raced.interrupted or delivery.model is None:
        return delivery
    with raced.race.timed("deliver"):
        add_unlike_of(run.path / MODEL, raced.experiment, resources.pool, photos=run.settings.photos)
    return delivery


def _confirmed(outcome: Outcome, raced: Raced, selection: Selection, journal: Journal) -> Outcome:
    """A cheap strategy that was not picked, asked about the user's own test folder if there is time to train it."""
    race, experiment, entry = raced.race, raced.experiment, raced.entry(outcome.strategy)
    if outcome.strategy == selection.picked or entry.strategy is None or outcome.strategy.trains_blocks:
        return outcome
    if not entry.splits:  # nothing says how long it takes: an SVM of 136 classes took 24 s of a run of three minutes
        return outcome
    left = race.clock.left() + RESERVE * race.clock.budget
    if raced.interrupted or not len(experiment.task.test_rows) or entry.refit_seconds > left:
        return outcome
    strategy, name = entry.strategy, f"{outcome.strategy.key}-on-the-test-folder"
    return once(journal, name, Outcome, lambda: confirmed(outcome, experiment, strategy, entry.measured))


def _on_folder(raced: Raced, outcomes: Sequence[Outcome], selection: Selection, journal: Journal) -> FolderStep | None:
    """What was picked against the feature extractor on the user's own test folder, with other seeds if time is left."""
    race, experiment, picked = raced.race, raced.experiment, raced.entry(selection.picked)
    known = {outcome.strategy: outcome for outcome in outcomes}
    asked = not raced.interrupted and len(experiment.task.test_rows) > 0
    if not asked or picked.strategy is None or SOFTMAX_ON_LAST not in known:
        return None
    with race.timed("confirm"):
        others = once(
            journal,
            "other-seeds",
            tuple[Confirmation, ...],
            lambda: other_seeds(experiment, picked, seconds=race.clock.left()),
        )
    return folder_step(raced.setup.question, known[SOFTMAX_ON_LAST], known[selection.picked], others)


def _photo_check(raced: Raced, journal: Journal) -> PhotoCheck | None:
    """What is doubtful about the photos; not in a run that was stopped."""
    if raced.interrupted:
        return None
    race, experiment = raced.race, raced.experiment
    measured = [one for one in race.measured if one.predicted]
    made = partial(
        check_photos,
        experiment.task,
        list(experiment.codes.by_tap.values())[-1],
        [held_out_of(predicted) for one in measured for predicted in one.predicted],
        classifiers=len(measured),
        seed=experiment.seed,
        seconds=check_seconds(race.clock),
    )
    with race.timed("photo check"):
        found = once(journal, "photo-check", PhotoCheck, made)
    for one in found.findings:
        race.notice(one)
    if found.note:
        race.say(found.note)
    return found


def _seen(delivery: Delivery, run: RunFolder, raced: Raced, selection: Selection, journal: Journal) -> Delivery:
    """With what the report shows of codes and of the model; not in a run that was stopped."""
    if raced.interrupted or delivery.model is None:
        return delivery
    race, experiment = raced.race, raced.experiment
    picked = next(outcome for outcome in delivery.outcomes if outcome.strategy == selection.picked)
    with race.timed("map of codes"):
        seconds = _seeing_seconds(race)
        delivery = replace(
            delivery,
            code_map=once(journal, "code-map", CodeMap, lambda: code_map(experiment, picked, seconds=seconds)),
        )
    if not run.settings.photos:
        return delivery
    with race.timed("where it looks"):
        seconds = _seeing_seconds(race)
        frozen = _frozen_head(raced, selection.picked, seconds)
        made = partial(looks, experiment, picked, run.path / MODEL, frozen=frozen, seconds=seconds)
        return replace(delivery, looks=once(journal, "looks", Looks, made))


def _seeing_seconds(race: Race) -> float:
    """What one of the things to look at may take."""
    budget = race.clock.budget
    if math.isinf(budget):
        return SEEING_SECONDS
    return min(SEEING_SECONDS, max(SEEING_SHARE * budget, race.clock.left() + RESERVE * budget))


def _frozen_head(raced: Raced, picked: StrategyId, seconds: float) -> Callable[[], Backbone] | None:
    """What gives the head on the frozen network; None where that was picked, or takes longer than there is."""
    head = next((entry for entry in raced.race.entered if entry.outcome.strategy == HEAD), None)
    if not picked.trains_blocks or head is None or head.strategy is None or head.refit_seconds > seconds:
        return None
    return lambda: raced.setup.catalogue.shared.head(raced.experiment.task.everything()).network


def _learning_curves(settings: StudySettings, raced: Raced) -> LearningCurves | None:
    """In the time that is left at the end; without a budget, all of them."""
    race, budget = raced.race, settings.budget
    if raced.interrupted:
        return None
    left = race.clock.left()
    at_most = math.inf if math.isinf(budget) else min(CURVE_SECONDS, CURVE_SHARE * budget, left + RESERVE * budget)
    with race.timed("learning curve"):
        executor = race.executor or InThisProcess(race.catalogue, race.task)
        return learning_curves(
            raced.setup.catalogue.shared,
            race.entered,
            executor,
            metric=raced.setup.question.metric,
            probe_seconds=at_most,
            seconds=left if math.isinf(left) else left - at_most,
        )


def _compared(raced: Raced, outcomes: Sequence[Outcome]) -> tuple[Comparison, ...]:
    """The steps that the verdict speaks of."""
    comparisons = raced.race.comparisons
    known = {measured.strategy: measured for measured in raced.race.measured}
    sides = [(known[first], known[second]) for first, second in pairs(measured_strategies(outcomes))]
    return tuple(
        comparisons.compare(first, second)
        for first, second in sides
        if comparisons.has_metric(first) and comparisons.has_metric(second)
    )


def _results(run: RunFolder, raced: Raced, selection: Selection | None, delivery: Delivery) -> RunResults:
    """Everything that was measured and delivered."""
    settings, race, setup, experiment = run.settings, raced.race, raced.setup, raced.experiment
    task, comparisons = experiment.task, raced.race.comparisons
    curve = setup.catalogue.shared.depth_curve()
    test_images = task.names(task.test_rows)
    looked = any(outcome.confirmation for outcome in delivery.outcomes)
    because = (selection.because, raced.passed_over()) if selection else ()
    return RunResults(
        command=settings,
        versions=versions(),
        **_image_fields(task),
        **_setup_fields(setup),
        splits=_splits(task, race),
        findings=_findings(raced, selection, delivery, setup.question.margin),
        test_looks=earlier_looks(run.path, test_images) + 1 if looked else 0,
        folder_step=delivery.folder_step,
        facts=facts_of(task, experiment.source.card.size, raced.similarity, curve),
        rule=rule_record(raced.prediction, race.measured, comparisons),
        depth_curve=curve,
        strategies=delivery.outcomes,
        comparisons=_compared(raced, delivery.outcomes),
        winner=winner_of(raced.candidates(), comparisons),
        race=tuple(race.story),
        picked=selection.picked if selection else None,
        picked_because=" ".join(filter(None, because)),
        model=delivery.model,
        phases=dict(race.phases),
        forecasts=tuple(race.forecasts),
        seconds=round(race.clock.elapsed(), 3),
        seed=settings.seed,
        budget_seconds=settings.budget_seconds,
        interrupted=raced.interrupted or delivery.interrupted,
        resumed=run.lives - 1,
        label_check=delivery.photo_check.labels if delivery.photo_check else None,
        code_map=delivery.code_map,
        looks=delivery.looks,
        learning_curve=delivery.learning_curve,
        by_class=class_table(raced.entry(selection.picked).measured, task) if selection else None,
    )


def _findings(raced: Raced, selection: Selection | None, delivery: Delivery, margin: float) -> tuple[Finding, ...]:
    """What was noticed, what concerns the answer first."""
    picked = selection.picked if selection else None
    delivered = next((outcome for outcome in delivery.outcomes if outcome.strategy == picked), None)
    alarm = contradicting_folder(delivered, margin=margin)
    of_photos = delivery.photo_check.findings if delivery.photo_check else ()
    return (*raced.findings_on(picked), *filter(None, [alarm]), *of_photos, *raced.findings)


def _setup_fields(setup: Setup) -> dict[str, Any]:
    """What a record says of what came before the race, by field."""
    codes = setup.experiment.codes
    return {
        "metric": setup.question.metric,
        "metric_because": setup.metric_because,
        "margin": setup.question.margin,
        "network": setup.experiment.source.card,
        "codes": CodeCounts(computed=codes.computed, reused=codes.reused),
        "screening": setup.screening,
        "resizing": setup.resizing.rows,
    }


def _image_fields(task: Task) -> dict[str, Any]:
    """What a record says of the images, by field."""
    image_set, train, test = task.image_set, task.train_rows, task.test_rows
    return {
        "images": image_set.counts,
        "classes": image_set.classes,
        "set_aside": image_set.set_aside,
        "duplicates": image_set.duplicates,
        "skipped": dict(image_set.skipped),
        "train_images": task.names(train),
        "train_labels": tuple(task.labels[train].tolist()),
        "train_groups": tuple(task.groups[row] for row in train),
        "test_images": task.names(test),
        "test_labels": tuple(task.labels[test].tolist()),
        "test_groups": tuple(task.groups[row] for row in test),
    }


def _splits(task: Task, race: Race) -> tuple[SplitRecord, ...]:
    """Those that a strategy was measured on."""
    used = range(max((measured.splits for measured in race.measured), default=0))
    places = [np.searchsorted(task.train_rows, task.split(number).test) for number in used]
    return tuple(SplitRecord(number=number, test=tuple(test.tolist())) for number, test in enumerate(places))
