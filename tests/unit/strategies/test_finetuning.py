"""The strategies that train more than the head: what fits an allowance, what they start from, what they give."""

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from unfreeze.core.errors import UnfreezeError
from unfreeze.core.plans import EXACT, LIGHT, NONE, Plan, Rule, Timed, TrainingSettings
from unfreeze.core.records import plain
from unfreeze.core.strategies import FULL, SCRATCH, StrategyId, unfreeze
from unfreeze.data.tasks import Task
from unfreeze.strategies import finetuning
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import (
    FineTuning,
    Prepared,
    Request,
    TooExpensiveError,
    forecast,
    ready_full,
    ready_scratch,
    ready_unfreeze,
    taken_up,
)
from unfreeze.strategies.step_one import StepOne
from unfreeze.training import examples
from unfreeze.training.examples import RecomputedInputs, Remembered
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
    assert outcome.note == "10 epochs need about 12 min, and only 60 s remained"
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

    with pytest.raises(TooExpensiveError, match="no time was left"):
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


# --- taken up as it was prepared before -----------------------------------------------------------------------------


def prepared_before(ready: FineTuning) -> Prepared:
    """What was found out, as a journal on disk or another process has it."""
    found: Prepared = TypeAdapter(Prepared).validate_json(json.dumps(plain(ready.prepared)))
    return found


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, nothing may be timed or chosen."""

    def decide() -> None:
        monkeypatch.setattr(finetuning, "choose_arithmetic", lambda *_, **__: pytest.fail("must not get here"))
        monkeypatch.setattr(finetuning, "forecast", lambda *_, **__: pytest.fail("must not get here"))

    return decide


@pytest.mark.parametrize(
    ("ready", "strategy"), [(ready_unfreeze, unfreeze(2)), (ready_full, FULL), (ready_scratch, SCRATCH)]
)
def test_what_was_prepared_before_trains_to_the_same_bits(
    make_experiment: MakeExperiment,
    at_speed: Callable[[float], None],
    decided: Callable[[], None],
    ready: Callable[[StepOne, StrategyId, Request], FineTuning],
    strategy: StrategyId,
) -> None:
    """In another process, with its own heads and activations; images vary as the plan says, whatever is asked now."""
    at_speed(1e-6)
    before = ready(StepOne(make_experiment(40)), strategy, Request(allowance=1000.0, splits=2, epochs=2))
    prepared = prepared_before(before)
    decided()
    after = taken_up(StepOne(make_experiment(40, augmentation=NONE)), prepared)
    split = after.experiment.task.split(1)
    first, second = before.fit(before.experiment.task.split(1)), after.fit(split)

    assert prepared == before.prepared == after.prepared
    assert (after.work, after.refit_seconds, after.outcome) == (before.work, before.refit_seconds, before.outcome)
    np.testing.assert_array_equal(first.scores, second.scores)
    assert (first.curve, first.settings, first.audit) == (second.curve, second.settings, second.audit)
    one, two = (list(fit.network.network.parameters()) for fit in (first, second))
    assert all(map(torch.equal, one, two))


def test_activations_of_what_was_prepared_before_are_made_once_and_only_to_train(
    shared: StepOne, at_speed: Callable[[float], None], decided: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is, and what it will take, is known without them; all splits and seeds have the same ones."""
    at_speed(1e-6)
    before = ready_unfreeze(shared, unfreeze(1), Request(allowance=1000.0, splits=2, epochs=1))
    decided()
    made: list[int] = []
    remember = examples.remember
    monkeypatch.setattr(finetuning, "remember", lambda *given, **more: (made.append(1), remember(*given, **more))[1])
    after = taken_up(shared, prepared_before(before))
    assert after.outcome == before.outcome
    assert (after.work, after.training) == (1, before.training)
    assert made == []

    split = shared.experiment.task.split(0)
    for one in (after, after, after.with_seed(1)):
        one.fit(split)

    assert made == [1]


@pytest.mark.parametrize("views", [-1, 0, 3])
def test_memory_that_does_not_hold_what_was_remembered_is_one_sentence(
    make_experiment: MakeExperiment,
    at_speed: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
    views: int,
) -> None:
    """Neither the plain activations, nor those alone, nor three of four views: another training would come of it."""
    at_speed(1e-6)
    shared = StepOne(make_experiment(40, augmentation=LIGHT))
    before = ready_unfreeze(shared, unfreeze(2), Request(allowance=1000.0, splits=1, epochs=1))
    assert (before.plan.views, before.training.activations.remembered) == (4, True)
    cut = shared.experiment.source.cut_before_blocks(2)
    one_view = 4 * 40 * int(np.prod(cut.shape))
    monkeypatch.setattr(examples, "fits_in_memory", lambda size: size <= (1 + views) * one_view)
    after = taken_up(shared, prepared_before(before))

    with pytest.raises(UnfreezeError) as caught:
        after.fit(shared.experiment.task.split(0))

    assert str(caught.value) == (
        f"The activations before {cut.name} were in memory when unfreeze 2 was prepared, with 4 augmented views of "
        "each image, and memory does not hold them now. Free some, or begin anew."
    )


def test_what_memory_did_not_hold_is_computed_again_also_where_it_would_now(
    make_experiment: MakeExperiment, at_speed: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every epoch as before, so that the same training comes of it."""
    at_speed(1e-6)
    shared = StepOne(make_experiment(40, augmentation=LIGHT))
    with monkeypatch.context() as full:
        full.setattr(examples, "fits_in_memory", lambda _: False)
        before = ready_unfreeze(shared, unfreeze(1), Request(allowance=1000.0, splits=1, epochs=2))
    assert not before.training.activations.remembered
    after = taken_up(shared, prepared_before(before))
    split = shared.experiment.task.split(0)

    assert isinstance(after.inputs.examples, RecomputedInputs)
    np.testing.assert_array_equal(before.fit(split).scores, after.fit(split).scores)


def test_fewer_views_than_the_plan_had_are_remembered_again_as_many(
    make_experiment: MakeExperiment, at_speed: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory held two of four views; with more of it now there are two again."""
    at_speed(1e-6)
    shared = StepOne(make_experiment(40, augmentation=LIGHT))
    one_view = 4 * 40 * int(np.prod(shared.experiment.source.cut_before_blocks(1).shape))
    with monkeypatch.context() as little:
        little.setattr(examples, "fits_in_memory", lambda size: size <= 3 * one_view)
        before = ready_unfreeze(shared, unfreeze(1), Request(allowance=1000.0, splits=1, epochs=2))
    after = taken_up(shared, prepared_before(before))

    assert before.plan.views == after.plan.views == 2
    assert isinstance(after.inputs.examples, Remembered)
    assert isinstance(before.inputs.examples, Remembered)
    np.testing.assert_array_equal(after.inputs.examples.views, before.inputs.examples.views)
