"""The whole run: inspect, read codes, race the strategies, choose one, train it on everything, answer.

Every choice and the verdict come from splits inside the train part. A test folder of the user's own is read once, after
the choice, and confirms; it decides nothing.
"""

from pathlib import Path

import numpy as np

from unfreeze.advisor.fact_finding import facts_of
from unfreeze.advisor.forecasts import forecast_sentence
from unfreeze.advisor.rules import predicted, rule_finding
from unfreeze.advisor.screening import size_finding
from unfreeze.core.facts import GainForecast, Similarity
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.run_record import RunRecord
from unfreeze.core.settings import StudySettings
from unfreeze.core.wording import duration
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool, usable_cores
from unfreeze.strategies.catalogue import trained_strategies
from unfreeze.strategies.experiment import Experiment
from unfreeze.workflows.before_training import gain_forecasts, similarity_within
from unfreeze.workflows.clock import RESERVE, Clock
from unfreeze.workflows.conclusion import Raced, conclude
from unfreeze.workflows.race import Race
from unfreeze.workflows.screening import seconds_an_image
from unfreeze.workflows.setup import Setup, set_up


def run_study(settings: StudySettings, *, out: Path, progress: Progress = SILENT) -> RunRecord:
    """Race the strategies within the budget, deliver one model and answer.

    Args:
        settings: What is asked.
        out: An empty folder; `run.json` and `model/` go into it.
        progress: Reports progress.

    Returns:
        The record, as written to `run.json`. After an interrupt (Ctrl-C) it holds what there was by then.

    Raises:
        UnfreezeError: The input cannot be used, the disk is full, or an audit failed.
    """
    with DecoderPool() as pool:
        return study(settings, Resources(pool=pool, progress=progress), out=out)


def study(settings: StudySettings, resources: Resources, *, out: Path) -> RunRecord:
    """As `run_study`, with decoders that are there already."""
    clock = Clock((1 - RESERVE) * settings.budget_seconds)
    return conclude(settings, _raced(settings, clock, resources), resources, out=out)


def _raced(settings: StudySettings, clock: Clock, resources: Resources) -> Raced:
    """Everything up to the end of the race; an interrupt of the race ends it."""
    setup = set_up(settings, resources)
    experiment, card = setup.experiment, setup.experiment.source.card
    kept = _confirming_seconds(experiment, settings.budget_seconds)
    race = setup.race(clock.keeping(kept))
    _say_what_is_kept(race, kept)
    with race.timed("facts"):
        similarity = similarity_within(experiment, budget=settings.budget_seconds)
        facts = facts_of(experiment.task, card.size, similarity)
        prediction = predicted(facts)
    resources.progress.say(prediction.sentence)
    small = size_finding(facts.median_side, card.size) if settings.size is None else None
    for sentence in filter(None, (setup.screened, small.text if small else "")):
        race.say(sentence)
    gains, interrupted = _run(race, setup, similarity, settings)
    race.clock = clock  # what was kept for the test folder may be spent on it
    return Raced(
        race=race,
        setup=setup,
        similarity=similarity,
        prediction=prediction,
        gain_forecasts=gains,
        findings=(*experiment.task.image_set.findings, *filter(None, [small]), rule_finding(prediction)),
        interrupted=interrupted,
    )


def _run(
    race: Race, setup: Setup, similarity: Similarity, settings: StudySettings
) -> tuple[tuple[GainForecast, ...], bool]:
    """Run the race; what was forecast before it, and whether it was interrupted."""
    gains: tuple[GainForecast, ...] = ()
    strategies = trained_strategies(len(setup.experiment.source.blocks), settings.strategies)
    try:
        with race.timed("step one"):  # its probes, of which the first ones are also facts
            gains = gain_forecasts(setup.catalogue.shared, similarity, strategies, setup.question)
        for forecast in gains:
            race.say(forecast_sentence(forecast))
        race.run(strategies)
    except KeyboardInterrupt:
        race.progress.say("Interrupted: keeping what there is so far.")
        return gains, True
    return gains, False


def _say_what_is_kept(race: Race, kept: float) -> None:
    if kept:
        race.say(f"About {duration(kept)} of the budget are kept for predicting your own test folder.")
    if race.clock.left() + kept <= 0:
        race.say(
            f"Inspecting the images and reading their codes took {duration(race.clock.elapsed())}, so that nothing is "
            "left of the budget: step one is measured on one split. The codes are kept, and the next run has them at "
            "once."
        )


def _confirming_seconds(experiment: Experiment, budget: float) -> float:
    """What the network's passes over a test folder take beyond the reserve, which holds small ones.

    Two: by the trained network, and by the saved one. At most half of the budget, since without a race there is nothing
    to confirm. A GPU takes next to nothing.
    """
    images = len(experiment.task.test_rows)
    if not images or not experiment.device.is_cpu:
        return 0.0
    passes = 2 * images * seconds_an_image(experiment.source) / usable_cores()
    return float(np.clip(passes - RESERVE * budget, 0, budget / 2))
