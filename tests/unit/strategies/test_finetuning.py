"""The strategies that train more than the head: what fits an allowance, what they start from, what they give."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from unfreeze.core.plans import EXACT, LIGHT, NONE, Plan, Rule, Timed, TrainingSettings
from unfreeze.core.strategies import FULL, SCRATCH, unfreeze
from unfreeze.data.tasks import Task
from unfreeze.strategies import finetuning
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import (
    Request,
    TooExpensiveError,
    forecast,
    ready_full,
    ready_scratch,
    ready_unfreeze,
)
from unfreeze.strategies.step_one import StepOne
from unfreeze.training.timing import TooSlowError
from unfreeze.zoo.backbones import Backbone

PLAN = Plan(strategy=unfreeze(2), rules=(Rule(".*", 1e-3),), epochs=20)
IMAGE = 0.01  # seconds of an image in an epoch
MakeTask = Callable[..., Task]
MakeExperiment = Callable[..., Experiment]


@pytest.fixture
def task(make_rows: MakeTask) -> Task:
    """A hundred images, of which a split learns from some 80."""
    return make_rows(100)


def seconds_of(task: Task, epochs: int, splits: int) -> float:
    """By counting: an epoch on everything, and one on the learning side of every split."""
    return epochs * IMAGE * (100 + sum(len(task.split(number).learn) for number in range(splits)))


def test_what_was_asked_for_is_forecast_where_it_fits(task: Task) -> None:
    """Twenty epochs on five splits and on everything, and their seconds."""
    wanted = seconds_of(task, 20, 5)
    found = forecast(task, PLAN, per_image=IMAGE, request=Request(allowance=1.01 * wanted, splits=5))

    assert (found.epochs, found.splits) == (20, 5)
    assert found.seconds == pytest.approx(wanted, rel=0.02)


def test_splits_are_given_up_before_the_second_half_of_the_epochs_is(task: Task) -> None:
    """Several splits have half of the epochs asked for at least, and on a single split four will do."""
    for allowance in range(1, 200, 2):
        found = forecast(task, PLAN, per_image=IMAGE, request=Request(allowance=float(allowance), splits=5))

        assert found.seconds <= allowance or not found.epochs
        assert found.splits < 2 or found.epochs >= 10
        assert found.epochs >= 4 or not found.epochs
        assert found.repeatable == (found.epochs >= 10) or not found.epochs


def test_more_time_never_buys_fewer_splits(task: Task) -> None:
    """And with the same splits never fewer epochs."""
    requests = [Request(allowance=float(allowance), splits=5) for allowance in range(5, 200)]
    found = [forecast(task, PLAN, per_image=IMAGE, request=request) for request in requests]
    bought = [(one.splits, one.epochs) for one in found if one.epochs]

    assert bought == sorted(bought)
    assert {splits for splits, _ in bought} == {1, 2, 3, 4, 5}


def test_a_forecast_tells_what_all_of_it_would_take(task: Task) -> None:
    """Also where nothing fits."""
    for allowance in (1.0, 50.0, 500.0):
        found = forecast(task, PLAN, per_image=IMAGE, request=Request(allowance=allowance, splits=5))

        assert found.seconds_of_all == pytest.approx(seconds_of(task, 20, 5), rel=0.02)


def test_choices_on_a_fold_cost_three_short_trainings_and_a_whole_one(task: Task) -> None:
    """With 20 epochs that is 3 times 5 and 20 again beside the 20, so 2.75 times the seconds."""
    wanted = seconds_of(task, 20, 5)
    found = forecast(task, PLAN, per_image=IMAGE, request=Request(allowance=1.01 * wanted, splits=5))

    assert found.with_choices(PLAN) == pytest.approx(2.75 * found.seconds)


@pytest.fixture
def shared(make_experiment: MakeExperiment) -> StepOne:
    """Forty images of two colours, without augmentation."""
    return StepOne(make_experiment(40, augmentation=NONE))


@pytest.fixture
def at_speed(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Makes all training take so many seconds for an image in an epoch, and what comes before it no time."""

    def set_speed(seconds: float) -> None:
        stopped = time.perf_counter()
        monkeypatch.setattr(time, "perf_counter", lambda: stopped)
        timed = Timed(arithmetic=EXACT, seconds=seconds, cost=seconds)
        monkeypatch.setattr(finetuning, "choose_arithmetic", lambda *_, **__: (timed, (timed,)))

    return set_speed


@pytest.mark.parametrize(
    ("allowance", "expected", "outcome"),
    [
        (1000.0, (20, 2), ("done", "")),
        (68.0, (15, 2), ("shortened", "15 of 20 epochs fit the budget")),
        (22.5, (7, 1), ("shortened", "7 of 20 epochs fit the budget")),
    ],
)
def test_what_does_not_fit_is_shortened_and_says_so(
    shared: StepOne,
    at_speed: Callable[[float], None],
    allowance: float,
    expected: tuple[int, int],
    outcome: tuple[str, str],
) -> None:
    """An epoch on everything and n splits is 40 + 32 n images, of 42 ms each here."""
    at_speed(0.042)
    ready = ready_full(shared, FULL, Request(allowance=allowance, splits=2, epochs=20))

    assert (ready.plan.epochs, ready.expected.splits) == expected
    assert (ready.outcome.status, ready.outcome.note) == outcome
    assert ready.settings.seconds_an_image == 0.042
    assert ready.refit_seconds == pytest.approx(40 * 0.042 * expected[0])


def test_what_does_not_fit_at_all_is_left_out_with_the_numbers(
    shared: StepOne, at_speed: Callable[[float], None], heard: Any
) -> None:
    """Ten epochs on 72 images of a second each are twelve minutes, and of the budget a minute is left."""
    at_speed(1.0)
    with pytest.raises(TooExpensiveError) as caught:
        ready_full(shared, FULL, Request(allowance=60.0, splits=1))

    outcome = caught.value.outcome
    assert outcome.status == "left out"
    assert outcome.note == "10 epochs need about 12 min and 60 s are left for it"
    assert isinstance(outcome.settings, TrainingSettings)
    assert outcome.settings.forecast_seconds == pytest.approx(720)
    assert heard.lines[-1].endswith("10 epochs would take about 12 min: left out")


def test_a_step_that_is_far_too_slow_ends_the_timing(shared: StepOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be afforded is the allowance over the least training of use: four epochs on a split and everything."""
    seen: list[float] = []

    def too_slow(*_: Any, affordable: float, **__: Any) -> None:
        seen.append(affordable)
        raise TooSlowError

    monkeypatch.setattr(finetuning, "choose_arithmetic", too_slow)
    with pytest.raises(TooExpensiveError, match="many times what fits into 60 s"):
        ready_scratch(shared, SCRATCH, Request(allowance=60.0, splits=5))

    assert seen == [pytest.approx(60.0 / (4 * 72), rel=0.01)]


@pytest.mark.parametrize("ready", [ready_unfreeze, ready_full, ready_scratch])
def test_nothing_begins_without_time(
    shared: StepOne, monkeypatch: pytest.MonkeyPatch, ready: Callable[..., object]
) -> None:
    """No activation is computed and no step is timed for what cannot be trained."""
    monkeypatch.setattr(finetuning, "remember", lambda *_, **__: pytest.fail("must not get here"))
    monkeypatch.setattr(finetuning, "choose_arithmetic", lambda *_, **__: pytest.fail("must not get here"))
    strategy = unfreeze(1) if ready is ready_unfreeze else FULL

    with pytest.raises(TooExpensiveError, match="no time was left for it"):
        ready(shared, strategy, Request(allowance=0.0, splits=1))


@pytest.mark.parametrize(("allowance", "chooses"), [(1000.0, True), (25.0, False)])
def test_rates_are_tried_only_where_there_is_time(
    make_experiment: MakeExperiment, at_speed: Callable[[float], None], allowance: float, chooses: bool
) -> None:
    """Asked for, choosing multiplies the forecast, and what does not fit the time is not chosen."""
    at_speed(0.042)
    asked = StepOne(make_experiment(40, augmentation=NONE, chosen_on_fold=True))
    ready = ready_full(asked, FULL, Request(allowance=allowance, splits=1, epochs=8))

    assert ready.expected.epochs == 8
    assert ready.chooses == chooses


def test_a_training_starts_from_a_head_that_has_not_seen_the_test_side(
    shared: StepOne, at_speed: Callable[[float], None]
) -> None:
    """Each split starts from the head of its own learning side, and from scratch from weights of its own."""
    at_speed(1e-6)
    first, second = (shared.experiment.task.split(number) for number in range(2))
    tuned = ready_unfreeze(shared, unfreeze(1), Request(allowance=1000.0, splits=2))
    scratch = ready_scratch(shared, SCRATCH, Request(allowance=1000.0, splits=2))

    def head(backbone: Backbone) -> torch.Tensor:
        return backbone.head_parameters()[0]

    assert torch.equal(head(tuned.start(first, 1)), head(shared.head(first).network))
    assert not torch.equal(head(tuned.start(first, 1)), head(tuned.start(second, 1)))
    sources = [scratch.start(first, seed).card.weights_sha256 for seed in (1, 2, 1)]
    assert sources[0] == sources[2] != sources[1]
    assert shared.experiment.source.card.weights_sha256 not in sources


def test_equal_splits_give_equal_bits_and_other_seeds_others(
    shared: StepOne, at_speed: Callable[[float], None]
) -> None:
    """A fit can be repeated, with a network whose frozen part is the source's."""
    at_speed(1e-6)
    ready = ready_unfreeze(shared, unfreeze(2), Request(allowance=1000.0, splits=2, epochs=2))
    split = shared.experiment.task.split(0)
    first, again, other = ready.fit(split), ready.fit(split), ready.with_seed(1).fit(split)

    np.testing.assert_array_equal(first.scores, again.scores)
    assert not np.array_equal(first.scores, other.scores)
    assert first.audit is not None
    assert first.audit.passed
    assert len(first.curve) == 2
    assert isinstance(first.settings, TrainingSettings)
    assert first.settings.chosen is not None
    assert first.settings.chosen.note.startswith("not asked")


def test_views_are_remembered_only_where_images_vary(
    make_experiment: MakeExperiment, at_speed: Callable[[float], None]
) -> None:
    """With augmentation the plan says how many views there are, and without none are made."""
    at_speed(1e-6)
    request = Request(allowance=1000.0, splits=1)
    plain, varied = (
        ready_unfreeze(StepOne(make_experiment(40, augmentation=recipe)), unfreeze(1), request).plan
        for recipe in (NONE, LIGHT)
    )

    assert (plain.views, varied.views) == (0, 4)
    assert (plain.augmentation, varied.augmentation) == (NONE, LIGHT)
