"""The whole run: inspect, read codes, race the strategies, choose one, train it on everything, answer.

Every choice and the verdict come from splits inside the train part. A test folder of the user's own is read once, after
the choice, and confirms; it decides nothing.
"""

import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from unfreeze.advisor.fact_finding import facts_of
from unfreeze.advisor.rules import predicted, rule_finding
from unfreeze.advisor.screening import size_finding
from unfreeze.core.errors import InputError, StoppedError, TooManyBadFilesError
from unfreeze.core.event_log import EventLog
from unfreeze.core.facts import Similarity
from unfreeze.core.journal import once
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.room import REPORT_BYTES, check_room, model_bytes
from unfreeze.core.run_folder import RunFolder, owned_run
from unfreeze.core.run_record import RunRecord
from unfreeze.core.settings import StudySettings
from unfreeze.core.strategies import StrategyId
from unfreeze.core.threads import limit_threads, usable_cores
from unfreeze.core.wording import duration
from unfreeze.features.engines import openvino_is_installed
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.catalogue import trained_strategies
from unfreeze.strategies.experiment import Experiment
from unfreeze.training.pace import seconds_an_image
from unfreeze.workflows.before_training import similarity_within
from unfreeze.workflows.clock import RESERVE, Clock
from unfreeze.workflows.conclusion import Raced, conclude
from unfreeze.workflows.race import Race
from unfreeze.workflows.setup import Setup, TrialsElsewhere, set_up
from unfreeze.workflows.unlike import MOST_PHOTOS

# Of the seconds of plain torch on as many cores, what a pass of the delivered model takes by either engine, with
# decoding and small pictures; and of those of the pass that read codes, which other programs slowed down as much.
BY_TORCH, BY_OPENVINO, AS_CODES = 1.3, 0.6, 1.9
CONVERTING_SECONDS = 7.0  # of the delivered model to OpenVINO, and what is made of its codes
EXPORT_SECONDS = 4.0  # 2 to 2.5 s of processor time for EfficientNet-Lite0, twice that where another program runs


def run_study(settings: StudySettings, *, out: Path, progress: Progress = SILENT) -> RunRecord:
    """Race the strategies within the budget, deliver one model and answer.

    A number of threads limits the whole process, and what comes after in it, too.

    Args:
        settings: What is asked.
        out: New, empty, or the folder of a run with the same settings that was stopped or killed: that is continued.
            `run.json`, `report.html` and `model/` go into it, and `events.jsonl` as it goes on.
        progress: Is told what happens, and can be told to stop.

    Returns:
        The record, as written to `run.json`. After a stop it holds what there was by then, and is in `stopped.json`.

    Raises:
        StoppedError: Somebody stopped it before anything was measured.
        UnfreezeError: The input cannot be used, the folder is not for this run, the disk is full, or an audit failed.
    """
    limit_threads(settings.threads)
    with owned_run(out, settings) as run, DecoderPool() as pool:
        return study(run, Resources(pool=pool, progress=progress))


def study(
    run: RunFolder, resources: Resources, elsewhere: TrialsElsewhere | None = None, *, began: float | None = None
) -> RunRecord:
    """As `run_study`, in a folder that is ours, with decoders that are there already; trials may run elsewhere.

    Args:
        run: Its folder.
        resources: Decoders and progress.
        elsewhere: Carries out trials; in this process if None.
        began: When what the budget is of began, by `time.perf_counter`: a command takes seconds to import PyTorch. Now
            if None.

    Returns:
        The record.
    """
    clock = Clock(time.perf_counter, (1 - RESERVE) * run.settings.budget)
    if began is not None:
        clock.turn_to(time.perf_counter() - began)
    journal = run.journal(elapsed=clock.elapsed, turn_to=clock.turn_to)
    torch.set_num_threads(once(journal, "threads", int, lambda: run.settings.threads or torch.get_num_threads()))
    with closing(EventLog(run.path)) as log:
        resources = replace(resources, progress=resources.progress.also(log), journal=journal)
        try:
            setup = set_up(run.settings, resources)
        except (InputError, TooManyBadFilesError):
            if run.lives == 1:  # nothing was begun that could be continued
                run.discard()
            raise
        parameters = setup.experiment.source.card.parameters
        check_room(run.path, model_bytes(parameters) + REPORT_BYTES, "the model and the report")
        return conclude(run, _raced(run.settings, setup, clock, resources, elsewhere), resources)


def _raced(
    settings: StudySettings, setup: Setup, clock: Clock, resources: Resources, elsewhere: TrialsElsewhere | None
) -> Raced:
    """Everything up to the end of the race; a stop of the race ends it."""
    experiment, card = setup.experiment, setup.experiment.source.card
    kept = _delivering_seconds(experiment, settings.budget)
    clock.keep(kept + _exporting_seconds(settings.budget))
    race = setup.race(clock, settings, elsewhere)
    _say_what_is_kept(race, kept, tests=bool(len(experiment.task.test_rows)))
    with race.timed("facts"):
        similarity = once(
            resources.journal, "similarity", Similarity, lambda: similarity_within(experiment, budget=settings.budget)
        )
        facts = facts_of(experiment.task, card.size, similarity)
        prediction = predicted(facts)
    resources.progress.notice(rule := rule_finding(prediction))
    small = size_finding(facts.median_side, card.size) if settings.size is None else None
    for sentence in filter(None, (setup.screened, setup.resizing.sentence)):
        race.say(sentence)
    if small is not None:
        race.notice(small)
    stopped = _run(race, trained_strategies(len(experiment.source.blocks), settings.strategies))
    clock.give_back()  # what was kept for the test folder and the model's program may be spent on them
    return Raced(
        race=race,
        setup=setup,
        similarity=similarity,
        prediction=prediction,
        findings=(*experiment.task.image_set.findings, *filter(None, [small]), rule),
        interrupted=stopped,
    )


def _run(race: Race, strategies: Sequence[StrategyId]) -> bool:
    """Run the race; whether it was stopped."""
    try:
        race.run(strategies)
    except (StoppedError, KeyboardInterrupt):
        if not any(measured.splits for measured in race.measured):
            raise
        race.progress.stop.accept()
        race.progress.say("Stopped: keeping what there is so far.")
        return True
    return False


def _say_what_is_kept(race: Race, kept: float, *, tests: bool) -> None:
    if kept:
        folder = " and predicting your own test folder" if tests else ""
        race.say(f"About {duration(kept)} of the budget is kept for delivering the model{folder}.")
    if race.clock.left() + race.clock.kept <= 0:
        race.say(
            f"Inspecting the images and reading their codes took {duration(race.clock.elapsed())}, so that nothing is "
            "left of the budget: step one is measured on one split. The codes are kept, and the next run has them at "
            "once."
        )


def _exporting_seconds(budget: float) -> float:
    """What the model's program takes beyond the reserve, which of a long budget holds it."""
    reserve = RESERVE * budget
    return 0.0 if math.isinf(budget) else min(reserve, max(0.0, EXPORT_SECONDS - reserve))


def _delivering_seconds(experiment: Experiment, budget: float) -> float:
    """What the network's passes after the race take beyond the reserve, which holds small ones.

    Two over a test folder, by the trained network and by the saved one, and one over the training photos of which it
    learns what photos look like. At most half of the budget, since without a race there is nothing to deliver. A GPU
    takes next to nothing.
    """
    if math.isinf(budget) or not experiment.device.is_cpu:
        return 0.0
    images = 2 * len(experiment.task.test_rows) + min(MOST_PHOTOS, len(experiment.task.train_rows))
    share, once_only = (BY_OPENVINO, CONVERTING_SECONDS) if openvino_is_installed() else (BY_TORCH, 0.0)
    an_image = share * seconds_an_image(experiment.source) / usable_cores()
    passes = once_only + images * max(an_image, AS_CODES * (experiment.codes.seconds_an_image or 0.0))
    return float(np.clip(passes - RESERVE * budget, 0, budget / 2))
