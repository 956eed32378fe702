"""The strategies that train more than the head: what they cost, what fits, what they start from, what they give."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from unfreeze.core.errors import DidNotTrainError, PlanError, UnfreezeError
from unfreeze.core.plans import EXACT, LIGHT, NONE, Timed, TrainingSettings
from unfreeze.core.records import Outcome, plain
from unfreeze.core.strategies import FULL, SCRATCH, StrategyId, unfreeze
from unfreeze.strategies import finetuning
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import (
    FineTuning,
    Prepared,
    Price,
    Request,
    TooExpensiveError,
    forecast,
    price,
    ready,
    taken_up,
)
from unfreeze.strategies.step_one import StepOne
from unfreeze.strategies.strategy import Fit
from unfreeze.training import examples
from unfreeze.training.examples import Pixels, RecomputedInputs, Remembered
from unfreeze.training.plans import batch_size, full_rate, step_two_rate
from unfreeze.training.timing import Pace, TooSlowError
from unfreeze.zoo.backbones import Backbone

MakeExperiment = Callable[..., Experiment]
PRICE = Price(strategy=unfreeze(2), epochs=20, fewest=4, seconds_an_epoch=0.5, refit_an_epoch=0.625, preparation=5.0)


# --- what fits ------------------------------------------------------------------------------------------------------


def test_what_is_wanted_is_forecast_where_it_fits() -> None:
    """Twenty epochs on five splits at half a second each and five seconds before them are 55; without splits 17.5."""
    for request, epochs, splits, seconds in (
        (Request(allowance=55.0, splits=5), 20, 5, 55.0),
        (Request(allowance=17.5, splits=0), 20, 0, 17.5),
        (Request(allowance=np.inf, splits=5), 20, 5, 55.0),
    ):
        found = forecast(PRICE, request)
        assert (found.epochs, found.wanted, found.splits, found.repeatable) == (epochs, 20, splits, True)
        assert found.seconds == pytest.approx(seconds)
    assert PRICE.seconds(5, 20) == pytest.approx(55.0)
    assert PRICE.refit_seconds(20) == pytest.approx(12.5)


@pytest.mark.parametrize(
    ("allowance", "splits", "epochs"),
    [
        *[(54.9, 5, 19), (30.0, 5, 10), (29.9, 4, 12), (25.0, 4, 10), (24.9, 3, 13), (15.0, 2, 10), (14.9, 1, 19)],
        *[(9.9, 1, 9), (7.0, 1, 4), (6.9, 0, 0), (5.0, 0, 0), (0.0, 0, 0), (-3.0, 0, 0)],
    ],
)
def test_fewer_epochs_then_fewer_splits_then_fewer_epochs_on_one(allowance: float, splits: int, epochs: int) -> None:
    """By hand: several splits have half of the epochs at least, a single one four, or nothing fits."""
    found = forecast(PRICE, Request(allowance=allowance, splits=5))

    assert (found.splits, found.epochs) == (splits, epochs)
    assert found.repeatable == (epochs >= 10) or not epochs


@given(
    epochs=st.integers(1, 30),
    seconds=st.floats(1e-3, 1e3),
    preparation=st.floats(0, 1e3),
    splits=st.integers(0, 20),
    allowances=st.lists(st.floats(-10, 1e6), min_size=2, max_size=9),
)
def test_more_time_never_buys_less(
    epochs: int, seconds: float, preparation: float, splits: int, allowances: list[float]
) -> None:
    """Never fewer splits, nor with as many splits fewer epochs; and what is forecast fits, but for what never does."""
    found = replace(
        PRICE,
        epochs=epochs,
        fewest=min(4, epochs),
        seconds_an_epoch=seconds,
        refit_an_epoch=1.25 * seconds,
        preparation=preparation,
    )
    bought = []
    for allowance in sorted(allowances):
        one = forecast(found, Request(allowance=allowance, splits=splits))
        bought.append((one.splits, one.epochs))
        assert one.seconds <= allowance * (1 + 1e-9) or not one.epochs
        assert not one.epochs or found.fewest <= one.epochs <= epochs
        assert one.splits < 2 or one.epochs >= found.least_epochs

    assert bought == sorted(bought)


# --- what it costs --------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(make_experiment: MakeExperiment) -> StepOne:
    """Forty images of two colours, without augmentation; a split learns from 32."""
    return StepOne(make_experiment(40, augmentation=NONE))


@pytest.fixture
def at_speed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a step take so many seconds an image, a decoded image and an activation as said; the clock stands."""

    def set_speed(seconds: float, *, pixels: float = 0.0, remembering: float = 0.0) -> None:
        stopped = time.perf_counter()
        monkeypatch.setattr(time, "perf_counter", lambda: stopped)
        monkeypatch.setattr(finetuning, "STEADY", 1.0)
        timed = Timed(arithmetic=EXACT, seconds=seconds, cost=seconds)
        pace = Pace(timed=timed, others=(), side_by_side=1, alone=timed, draws=True)
        monkeypatch.setattr(finetuning, "time_training", lambda *_, **__: pace)
        monkeypatch.setattr(finetuning, "seconds_of_pixels", lambda *_: pixels)
        monkeypatch.setattr(finetuning, "seconds_of_remembering", lambda *_, **__: remembering)

    return set_speed


def priced(shared: StepOne, strategy: StrategyId, *, epochs: int | None = None, affordable: float = 1000.0) -> Price:
    """What it costs, where a step is not too slow."""
    found = price(shared, strategy, epochs=epochs, affordable=affordable)
    assert isinstance(found, Price)
    return found


def readied(
    shared: StepOne, strategy: StrategyId, *, allowance: float = 1000.0, splits: int = 2, epochs: int | None = None
) -> FineTuning:
    """Ready to run."""
    return ready(shared, priced(shared, strategy, epochs=epochs), Request(allowance=allowance, splits=splits))


def test_the_price_of_blocks_is_their_steps_and_what_is_remembered(
    make_experiment: MakeExperiment, at_speed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 40 images at 10 ms an epoch on a split has 32; before it, 40 images and four views of each take 20 ms.

    To augment one takes 8 ms of one of two cores.
    """
    monkeypatch.setattr(finetuning, "usable_cores", lambda: 2)
    at_speed(0.01, pixels=0.008, remembering=0.02)
    found = priced(StepOne(make_experiment(40, augmentation=LIGHT)), unfreeze(2))

    assert (found.strategy, found.epochs, found.fewest, found.least_epochs) == (unfreeze(2), 20, 4, 10)
    assert (found.seconds_an_epoch, found.refit_an_epoch) == pytest.approx((0.32, 0.4))
    assert found.preparation == pytest.approx(5 * 40 * 0.024)


@pytest.mark.parametrize(
    ("strategy", "seconds", "needed"),
    [(unfreeze(2), 0.5, "20 s"), (FULL, 0.05, "14 s")],  # 40 passes; 4 * (32 + 40)
)
def test_what_codes_took_says_what_is_not_worth_timing(
    shared: StepOne, monkeypatch: pytest.MonkeyPatch, strategy: StrategyId, seconds: float, needed: str
) -> None:
    """Ten seconds do not hold the passes over 40 images that a training cannot do without."""
    monkeypatch.setattr(finetuning, "time_training", lambda *_, **__: pytest.fail("must not get here"))
    experiment = shared.experiment
    codes = replace(experiment.codes, seconds_an_image=seconds)
    found = price(replace(shared, experiment=replace(experiment, codes=codes)), strategy, epochs=None, affordable=10.0)

    assert isinstance(found, Outcome)
    assert found.status == "left out"
    assert found.note == f"the network's passes over the images need about {needed} for it and 10 s are left"


def test_a_training_takes_longer_than_its_fastest_steps(
    shared: StepOne, at_speed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarter longer, if trainings were seen to; not what makes its images."""
    at_speed(0.01, pixels=0.005)
    monkeypatch.setattr(finetuning, "STEADY", 1.25)

    assert priced(shared, unfreeze(2)).seconds_an_epoch == pytest.approx(32 * 0.0125)
    assert priced(shared, FULL).seconds_an_epoch == pytest.approx(32 * 0.0175)


@pytest.mark.parametrize("strategy", [FULL, SCRATCH])
def test_the_price_of_the_whole_network_is_its_steps_and_their_images(
    make_experiment: MakeExperiment, at_speed: Callable[..., None], strategy: StrategyId
) -> None:
    """Ten ms of a step and five to augment an image, in every epoch; nothing comes before them."""
    at_speed(0.01, pixels=0.005, remembering=9.0)
    found = priced(StepOne(make_experiment(40, augmentation=LIGHT)), strategy, epochs=3)

    assert (found.epochs, found.fewest) == (3, 3)
    assert (found.seconds_an_epoch, found.refit_an_epoch) == pytest.approx((32 * 0.015, 40 * 0.015))
    assert found.preparation == 0.0


def test_as_many_blocks_as_there_are_begin_at_the_pixels(
    make_experiment: MakeExperiment, at_speed: Callable[..., None]
) -> None:
    """Nothing lies before the first block, so nothing is remembered: it costs and reads what the whole network does."""
    at_speed(0.01, pixels=0.005, remembering=9.0)
    shared = StepOne(make_experiment(40, augmentation=LIGHT))
    every = unfreeze(len(shared.experiment.source.blocks))
    found = priced(shared, every, epochs=1)

    assert found.preparation == 0.0
    assert found.seconds_an_epoch == priced(shared, FULL, epochs=1).seconds_an_epoch
    tuned = readied(shared, every, epochs=1)
    assert isinstance(tuned.feed().examples, Pixels)
    assert tuned.plan.views == 0
    fit = tuned.fit(shared.experiment.task.split(0))
    assert fit.audit is not None
    assert fit.audit.passed
    assert isinstance(taken_up(shared, tuned.prepared).feed().examples, Pixels)


def test_a_price_prepares_nothing(make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """With real steps, and activations of a few images alone."""
    shared = StepOne(make_experiment(40, augmentation=LIGHT))
    shared.head(shared.experiment.task.everything())
    monkeypatch.setattr(finetuning, "remember", lambda *_, **__: pytest.fail("must not get here"))
    found = priced(shared, unfreeze(1))
    whole = price(shared, FULL, epochs=None, affordable=1000.0, like=found.pace)

    assert isinstance(whole, Price)
    assert min(found.seconds_an_epoch, found.refit_an_epoch, found.preparation, whole.seconds_an_epoch) > 0


def test_a_step_that_is_far_too_slow_ends_the_timing(shared: StepOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be afforded is what is left over the least training of use: four epochs on a split and everything."""
    seen: list[float] = []

    def too_slow(*_: Any, affordable: float, **__: Any) -> None:
        seen.append(affordable)
        raise TooSlowError

    monkeypatch.setattr(finetuning, "time_training", too_slow)
    found = price(shared, SCRATCH, epochs=None, affordable=60.0)

    assert isinstance(found, Outcome)
    assert (found.status, found.note) == ("left out", "a step of it took many times what fits into 60 s")
    assert seen == [pytest.approx(60.0 / (4 * 72))]


def test_more_blocks_than_there_are_have_no_price(shared: StepOne) -> None:
    """It is a mistake in what was asked, not a strategy that does not fit."""
    with pytest.raises(PlanError, match="has 7"):
        price(shared, unfreeze(8), epochs=None, affordable=1000.0)


# --- ready to run ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowance", "expected", "outcome"),
    [
        (1000.0, (20, 2), ("done", "")),
        (48.0, (15, 2), ("shortened", "15 of 20 epochs fit the budget")),
        (22.5, (14, 1), ("shortened", "14 of 20 epochs fit the budget")),
    ],
)
def test_what_does_not_fit_is_shortened_and_says_so(
    shared: StepOne,
    at_speed: Callable[..., None],
    allowance: float,
    expected: tuple[int, int],
    outcome: tuple[str, str],
) -> None:
    """An epoch on a split is 32 images, of 48 ms each here; of images and steps together."""
    at_speed(0.042, pixels=0.006)
    found = readied(shared, FULL, allowance=allowance, epochs=20)

    assert (found.plan.epochs, found.expected.splits) == expected
    assert (found.outcome.status, found.outcome.note) == outcome
    assert found.settings.seconds_an_image == pytest.approx(0.048)
    assert found.settings.forecast_seconds == pytest.approx(32 * 0.048 * expected[0] * expected[1])
    assert found.refit_seconds == pytest.approx(40 * 0.048 * expected[0])


def test_what_does_not_fit_at_all_is_left_out_with_the_numbers(shared: StepOne, at_speed: Callable[..., None]) -> None:
    """Four epochs on 32 images of a second each are 128 s, and of the budget a minute is left."""
    at_speed(1.0)
    with pytest.raises(TooExpensiveError) as caught:
        readied(shared, FULL, allowance=60.0, splits=1)

    outcome = caught.value.outcome
    assert outcome.status == "left out"
    assert outcome.note == "4 epochs of it need about 2 min 8 s and 60 s are left for it"
    assert isinstance(outcome.settings, TrainingSettings)
    assert outcome.settings.forecast_seconds == pytest.approx(128)


@pytest.mark.parametrize("strategy", [unfreeze(1), FULL, SCRATCH])
@pytest.mark.parametrize("allowance", [-5.0, 0.0, 3.0])
def test_nothing_is_prepared_for_what_does_not_fit(
    shared: StepOne,
    at_speed: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    strategy: StrategyId,
    allowance: float,
) -> None:
    """No activation is computed and no image read for what cannot end."""
    at_speed(0.042)
    found = priced(shared, strategy)
    monkeypatch.setattr(finetuning, "remember", lambda *_, **__: pytest.fail("must not get here"))
    monkeypatch.setattr(Pixels, "batches", lambda *_, **__: pytest.fail("must not get here"))

    with pytest.raises(TooExpensiveError, match=f"and {max(0.0, allowance)} s are left for it"):
        ready(shared, found, Request(allowance=allowance, splits=1))


@pytest.mark.parametrize(("took", "epochs"), [(0.0, 20), (30.0, 9), (60.0, None)])
def test_what_the_preparing_took_is_off_the_allowance(
    shared: StepOne, at_speed: Callable[..., None], monkeypatch: pytest.MonkeyPatch, took: float, epochs: int | None
) -> None:
    """Of 48 seconds 18 are left for epochs of two seconds, or fewer than the least training needs."""
    at_speed(0.0625)
    found = priced(shared, unfreeze(1), epochs=20)
    now, remember = [0.0], examples.remember

    def slowly(*given: Any, **more: Any) -> Any:
        now[0] += took
        return remember(*given, **more)

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(finetuning, "remember", slowly)
    request = Request(allowance=48.0, splits=1)
    if epochs is None:
        with pytest.raises(TooExpensiveError):
            ready(shared, found, request)
        return

    assert ready(shared, found, request).plan.epochs == epochs


def test_a_training_starts_from_a_head_that_has_not_seen_the_test_side(
    shared: StepOne, at_speed: Callable[..., None]
) -> None:
    """Each split starts from the head of its own learning side, and from scratch from weights of its own."""
    at_speed(1e-6)
    first, second = (shared.experiment.task.split(number) for number in range(2))
    tuned, scratch = readied(shared, unfreeze(1)), readied(shared, SCRATCH)

    def head(backbone: Backbone) -> torch.Tensor:
        return backbone.head_parameters()[0]

    assert torch.equal(head(tuned.start(first, 1)), head(shared.head(first).network))
    assert not torch.equal(head(tuned.start(first, 1)), head(tuned.start(second, 1)))
    sources = [scratch.start(first, seed).card.weights_sha256 for seed in (1, 2, 1)]
    assert sources[0] == sources[2] != sources[1]
    assert shared.experiment.source.card.weights_sha256 not in sources


def test_equal_splits_give_equal_bits_and_other_seeds_others(shared: StepOne, at_speed: Callable[..., None]) -> None:
    """A fit can be repeated, with a network whose frozen part is the source's."""
    at_speed(1e-6)
    found = readied(shared, unfreeze(2), epochs=2)
    split = shared.experiment.task.split(0)
    first, again, other = found.fit(split), found.fit(split), found.with_seed(1).fit(split)

    np.testing.assert_array_equal(first.scores, again.scores)
    assert not np.array_equal(first.scores, other.scores)
    assert first.audit is not None
    assert first.audit.passed
    assert len(first.curve) == 2
    assert first.settings == found.settings


def test_a_plan_goes_by_what_a_split_learns_from(
    make_experiment: MakeExperiment, at_speed: Callable[..., None]
) -> None:
    """Batches that give its 32 images eight steps as far as eight images make one; views where images vary; rates."""
    at_speed(1e-6)
    plain_, varied = (
        readied(StepOne(make_experiment(40, augmentation=recipe)), unfreeze(1)).plan for recipe in (NONE, LIGHT)
    )
    whole = readied(StepOne(make_experiment(40, augmentation=LIGHT)), FULL).plan

    assert (plain_.views, varied.views, whole.views) == (0, 4, 0)
    assert (plain_.augmentation, varied.augmentation) == (NONE, LIGHT)
    assert plain_.batch_size == varied.batch_size == whole.batch_size == batch_size(32) == 8
    assert [max(rule.rate or 0.0 for rule in plan.rules) for plan in (plain_, whole)] == [
        step_two_rate(32),
        full_rate(32),
    ]


def test_a_training_whose_loss_rises_ends_the_fit_and_halvings_are_noted(
    shared: StepOne, at_speed: Callable[..., None]
) -> None:
    """At rates a million times too high there is no fit; at a sane rate the settings say that none was halved."""
    at_speed(1e-6)
    found, split = readied(shared, unfreeze(2), epochs=3), shared.experiment.task.split(0)
    plan = replace(found.plan.with_rates_times(1e6), warmup=4)
    absurd = replace(found, training=replace(found.training, settings=replace(found.settings, plan=plan)))
    with pytest.raises(DidNotTrainError):
        absurd.fit(split)

    settings = found.fit(split).settings
    assert isinstance(settings, TrainingSettings)
    assert settings.halvings == 0


# --- going on -------------------------------------------------------------------------------------------------------

GOING_ON = pytest.mark.parametrize("strategy", [unfreeze(2), FULL, SCRATCH])


def shortened(shared: StepOne, strategy: StrategyId, *, epochs: int = 4, wanted: int = 6) -> FineTuning:
    """Ready for fewer epochs than wanted, on one split; an epoch on it takes 32 seconds by the clock of `at_speed`."""
    return readied(shared, strategy, allowance=32.0 * (epochs + 0.5), splits=1, epochs=wanted)


def fit(strategy: FineTuning, split: Any) -> tuple[Fit, int]:
    """A fit, and how many images it passed over."""
    done: list[int] = []
    return strategy.fit(split, advance=done.append), sum(done)


def assert_equal(one: Fit, other: Fit) -> None:
    """Bit for bit, the network too."""
    np.testing.assert_array_equal(one.scores, other.scores)
    assert (one.curve, one.audit) == (other.curve, other.audit)
    assert isinstance(one.model, Backbone)
    assert isinstance(other.model, Backbone)
    assert all(map(torch.equal, one.model.network.state_dict().values(), other.model.network.state_dict().values()))


@GOING_ON
@pytest.mark.parametrize("held", [True, False])
def test_a_longer_training_goes_on_to_the_bits_of_one_go(
    make_experiment: MakeExperiment,
    at_speed: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    strategy: StrategyId,
    held: bool,
) -> None:
    """Two more epochs are made where memory holds what waits, or all six anew; both are as six that were wanted."""
    at_speed(1.0)
    monkeypatch.setattr(finetuning, "WAITING_SHARE", finetuning.WAITING_SHARE if held else 0.0)
    shared = StepOne(make_experiment(40, augmentation=replace(LIGHT, flip=0.0)))
    split = shared.experiment.task.split(0)
    before = shortened(shared, strategy)
    short, first = fit(before, split)
    long, more = fit(before.lengthened(6), split)
    at_once, whole = fit(readied(shared, strategy, allowance=1e6, splits=1, epochs=6), split)

    assert (first, whole) == (4 * 32, 6 * 32)
    assert more == (2 * 32 if held else 6 * 32)
    assert_equal(long, at_once)
    assert long.curve[:4] == short.curve
    assert not np.array_equal(long.scores, short.scores)


def test_what_goes_on_says_that_it_has_more_epochs(shared: StepOne, at_speed: Callable[..., None]) -> None:
    """Its record, its forecasts and its trials; not all that was wanted is still shortened."""
    at_speed(1.0)
    before = shortened(shared, FULL, epochs=4, wanted=10)
    longer, whole = before.lengthened(7), before.lengthened(7).lengthened(10)

    assert not before.expected.repeatable
    assert longer.expected.repeatable
    assert (before.work, longer.work, whole.work) == (4, 7, 10)
    assert (before.refit_seconds, longer.refit_seconds) == pytest.approx((4 * 40.0, 7 * 40.0))
    assert [one.training.lengthened for one in (before, longer, whole)] == [0, 1, 2]
    assert (longer.outcome.status, longer.outcome.note) == ("shortened", "7 of 10 epochs fit the budget")
    assert (whole.outcome.status, whole.outcome.note) == ("done", "")


def test_a_training_may_go_on_more_than_once(shared: StepOne, at_speed: Callable[..., None]) -> None:
    """An epoch at a time, on two splits in turn: each makes one epoch, to the bits of all at once."""
    at_speed(1.0)
    found = shortened(shared, unfreeze(1), epochs=4, wanted=7)
    splits = [shared.experiment.task.split(number) for number in range(2)]
    passed = [[fit(found, split)[1] for split in splits]]
    for epochs in (5, 6, 7):
        found = found.lengthened(epochs)
        fits = [fit(found, split) for split in splits]
        passed.append([images for _, images in fits])

    assert passed == [[4 * 32] * 2, *[[32] * 2] * 3]
    at_once = readied(shared, unfreeze(1), splits=2, epochs=7, allowance=1e6)
    for split, (last, _) in zip(splits, fits, strict=True):
        assert_equal(last, at_once.fit(split))
    assert found.waiting == {}  # nothing can go on any more


def test_only_splits_of_a_shortened_training_wait(shared: StepOne, at_speed: Callable[..., None]) -> None:
    """Not what has all its epochs, the training on everything, a part of a split, nor another seed's."""
    at_speed(1.0)
    task = shared.experiment.task
    split = task.split(0)
    whole = readied(shared, unfreeze(1), allowance=1e6, splits=1, epochs=4)
    whole.fit(split)
    found = shortened(shared, unfreeze(1), epochs=4, wanted=8)
    for one in (task.everything(), task.half(split)):
        found.fit(one)
    found.with_seed(5).fit(split)
    assert (whole.waiting, found.waiting) == ({}, {})
    found.fit(split)

    assert list(found.waiting) == ["split 0"]
    assert_equal(
        found.lengthened(6).fit(task.everything()),
        readied(shared, unfreeze(1), epochs=6, splits=0).fit(task.everything()),
    )


def test_a_shorter_training_takes_nothing_of_a_longer_one(shared: StepOne, at_speed: Callable[..., None]) -> None:
    """What waits has more epochs than it wants: it begins anew, and gives what it gave."""
    at_speed(1.0)
    found, split = shortened(shared, unfreeze(1), epochs=4, wanted=8), shared.experiment.task.split(0)
    first, _ = fit(found, split)
    found.lengthened(6).fit(split)
    again, images = fit(found, split)

    assert images == 4 * 32
    assert_equal(again, first)


# --- taken up as it was prepared before -----------------------------------------------------------------------------


def prepared_before(found: FineTuning) -> Prepared:
    """What was found out, as a journal on disk or another process has it."""
    back: Prepared = TypeAdapter(Prepared).validate_json(json.dumps(plain(found.prepared)))
    return back


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, nothing may be timed or chosen."""

    def decide() -> None:
        for name in ("time_training", "seconds_of_pixels", "seconds_of_remembering", "forecast"):
            monkeypatch.setattr(finetuning, name, lambda *_, **__: pytest.fail("must not get here"))

    return decide


@GOING_ON
def test_what_was_prepared_before_trains_to_the_same_bits(
    make_experiment: MakeExperiment,
    at_speed: Callable[..., None],
    decided: Callable[[], None],
    strategy: StrategyId,
) -> None:
    """In another process, with its own heads and activations; images vary as the plan says, whatever is asked now."""
    at_speed(1.0)
    before = shortened(StepOne(make_experiment(40)), strategy)
    prepared = prepared_before(before)
    decided()
    after = taken_up(StepOne(make_experiment(40, augmentation=NONE)), prepared)
    split = after.experiment.task.split(1)
    first, second = before.fit(before.experiment.task.split(1)), after.fit(split)

    assert prepared == before.prepared == after.prepared
    assert (after.work, after.refit_seconds, after.outcome) == (before.work, before.refit_seconds, before.outcome)
    assert_equal(first, second)
    assert first.settings == second.settings
    # What waits is of one process; in the other one the longer training is made from the start.
    longer = taken_up(StepOne(make_experiment(40)), prepared).lengthened(6)
    assert_equal(before.lengthened(6).fit(before.experiment.task.split(1)), longer.fit(split))


def test_activations_of_what_was_prepared_before_are_made_once_and_only_to_train(
    shared: StepOne, at_speed: Callable[..., None], decided: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is, and what it and a longer one will take, is known without them; all splits and seeds have the same."""
    at_speed(1.0)
    before = shortened(shared, unfreeze(1))
    decided()
    made: list[int] = []
    remember = examples.remember
    monkeypatch.setattr(finetuning, "remember", lambda *given, **more: (made.append(1), remember(*given, **more))[1])
    after = taken_up(shared, prepared_before(before))
    longer, other = after.lengthened(5), after.with_seed(1)
    assert after.outcome == before.outcome
    assert (after.work, after.training) == (4, before.training)
    assert longer.work == 5
    assert made == []

    split = shared.experiment.task.split(0)
    for one in (after, after, longer, other, longer.lengthened(6)):
        one.fit(split)

    assert made == [1]


@pytest.mark.parametrize("views", [-1, 0, 3])
def test_memory_that_does_not_hold_what_was_remembered_is_one_sentence(
    make_experiment: MakeExperiment,
    at_speed: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    views: int,
) -> None:
    """Neither the plain activations, nor those alone, nor three of four views: another training would come of it."""
    at_speed(1e-6)
    shared = StepOne(make_experiment(40, augmentation=LIGHT))
    before = readied(shared, unfreeze(2), splits=1, epochs=1)
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
    make_experiment: MakeExperiment, at_speed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every epoch as before, so that the same training comes of it."""
    at_speed(1e-6)
    shared = StepOne(make_experiment(40, augmentation=LIGHT))
    with monkeypatch.context() as full:
        full.setattr(examples, "fits_in_memory", lambda _: False)
        before = readied(shared, unfreeze(1), splits=1, epochs=2)
    assert not before.training.activations.remembered
    after = taken_up(shared, prepared_before(before))
    split = shared.experiment.task.split(0)

    assert isinstance(after.inputs.examples, RecomputedInputs)
    np.testing.assert_array_equal(before.fit(split).scores, after.fit(split).scores)


def test_fewer_views_than_the_plan_had_are_remembered_again_as_many(
    make_experiment: MakeExperiment, at_speed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory held two of four views; with more of it now there are two again."""
    at_speed(1e-6)
    shared = StepOne(make_experiment(40, augmentation=LIGHT))
    one_view = 4 * 40 * int(np.prod(shared.experiment.source.cut_before_blocks(1).shape))
    with monkeypatch.context() as little:
        little.setattr(examples, "fits_in_memory", lambda size: size <= 3 * one_view)
        before = readied(shared, unfreeze(1), splits=1, epochs=2)
    after = taken_up(shared, prepared_before(before))

    assert before.plan.views == after.plan.views == 2
    assert isinstance(after.inputs.examples, Remembered)
    assert isinstance(before.inputs.examples, Remembered)
    np.testing.assert_array_equal(after.inputs.examples.views, before.inputs.examples.views)


def test_trainings_from_scratch_begin_alike_side_by_side(shared: StepOne, at_speed: Callable[..., None]) -> None:
    """Their random weights come from torch's one source of numbers: what was begun before trains to the same bits."""
    at_speed(1e-6)
    cost = priced(shared, SCRATCH, epochs=1)
    one, other = (ready(shared, cost, Request(allowance=1000.0, splits=2)) for _ in range(2))
    splits = [shared.experiment.task.split(number) for number in range(2)]
    for split in splits:
        other.begin(split)
    with ThreadPoolExecutor(2) as pool:
        beside = list(pool.map(other.fit, splits))

    for alone, found in zip(map(one.fit, splits), beside, strict=True):
        np.testing.assert_array_equal(alone.scores, found.scores)
    assert other.waiting == {}
