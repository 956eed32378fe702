"""What may take part in a race, made ready to run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unfreeze.core.errors import InputError, PlanError
from unfreeze.core.journal import NO_JOURNAL, FileJournal, Journal
from unfreeze.core.plans import EXACT, LIGHT, Timed, TrainingSettings
from unfreeze.core.progress import ignore
from unfreeze.core.strategies import FULL, KINDS, SCRATCH, StrategyId, unfreeze
from unfreeze.core.trials import Trial, TrialOutcome
from unfreeze.strategies import catalogue, finetuning, step_one
from unfreeze.strategies.catalogue import LeftOut, PhotoCatalogue, priced_and_ready, trained_strategies
from unfreeze.strategies.depth_curve import fit_tap_probes
from unfreeze.strategies.execution import InThisProcess
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import FineTuning, Price, Request, taken_up, wanted
from unfreeze.strategies.preparation import without_flips
from unfreeze.training import examples
from unfreeze.training.timing import Pace, TooSlowError

MakeExperiment = Callable[..., Experiment]


@pytest.mark.parametrize(
    ("blocks", "keys"),
    [
        (1, ["full"]),
        (2, ["unfreeze-1", "full"]),
        (4, ["unfreeze-1", "unfreeze-2", "full"]),
        (5, ["unfreeze-1", "unfreeze-2", "unfreeze-4", "full"]),
    ],
)
def test_without_asking_only_what_the_network_has_is_trained(blocks: int, keys: list[str]) -> None:
    """One, two and four blocks, as long as they are not all of them, and then the whole network."""
    assert [strategy.key for strategy in trained_strategies(blocks, None)] == keys


def test_what_was_asked_for_is_trained_from_cheap_to_expensive() -> None:
    """Each comes once in the order of cost, and what trains no blocks belongs to step one, which is there anyway."""
    found = trained_strategies(5, ["scratch", "full", 3, "all", "unfreeze-3", "head", "softmax-last"])

    assert [strategy.key for strategy in found] == ["unfreeze-3", "full", "scratch"]
    assert trained_strategies(5, []) == []


def test_a_word_that_stands_for_nothing_is_refused() -> None:
    """The error names the word."""
    with pytest.raises(InputError, match="'sideways'"):
        trained_strategies(5, ["sideways"])


def test_every_kind_that_trains_blocks_has_a_plan(make_experiment: MakeExperiment) -> None:
    """Whatever has a share of the remaining time can be priced and made ready."""
    shared = PhotoCatalogue(make_experiment(20)).shared
    strategies = (unfreeze(2), FULL, SCRATCH)

    assert {strategy.kind for strategy in strategies} == {kind for kind, row in KINDS.items() if row.trains_blocks}
    assert [wanted(shared, strategy).plan.strategy for strategy in strategies] == list(strategies)


def pace_of(timed: Timed) -> Pace:
    """One training after the other."""
    return Pace(timed=timed, others=(), side_by_side=1, alone=timed, draws=True)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """All training takes a moment, as far as prices know."""
    timed = Timed(arithmetic=EXACT, seconds=1e-6, cost=1e-6)
    monkeypatch.setattr(finetuning, "time_training", lambda *_, **__: pace_of(timed))
    monkeypatch.setattr(finetuning, "seconds_of_pixels", lambda *_: 0.0)
    monkeypatch.setattr(finetuning, "seconds_of_remembering", lambda *_, **__: 0.0)
    monkeypatch.setattr(finetuning, "_least_seconds", lambda *_: 0.0)


@pytest.mark.usefixtures("quick")
def test_what_has_no_time_is_left_out_and_no_question_is_asked_for_it(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record says why, and no mirrored image runs through the network."""
    monkeypatch.setattr(catalogue, "with_measured_flips", lambda *_, **__: pytest.fail("must not get here"))
    found = PhotoCatalogue(make_experiment(20))
    price = found.price(FULL, epochs=None, affordable=100.0)
    assert isinstance(price, Price)
    ready = found.ready(price, Request(allowance=0.0, splits=1))

    assert isinstance(ready, LeftOut)
    assert (ready.outcome.strategy, ready.outcome.status) == (FULL, "left out")


def test_what_is_far_too_slow_has_no_price(make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left out before it is made ready, with its plan in its record."""

    def too_slow(*_: Any, **__: Any) -> None:
        raise TooSlowError

    monkeypatch.setattr(finetuning, "time_training", too_slow)
    found = PhotoCatalogue(make_experiment(20))
    for left_out in (
        found.price(FULL, epochs=None, affordable=60.0),
        priced_and_ready(found, FULL, Request(allowance=60.0, splits=1)),
    ):
        assert isinstance(left_out, LeftOut)
        assert left_out.outcome.note == "a step of it took many times what fits into 60 s"
        assert isinstance(left_out.outcome.settings, TrainingSettings)


def test_the_first_price_tells_how_many_threads_are_best_alone(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It times them, and the others are found out like it."""
    likes: list[Pace | None] = []
    pace = pace_of(Timed(arithmetic=replace(EXACT, threads=1), seconds=1e-6, cost=1e-6))

    def note(*_: Any, like: Pace | None, **__: Any) -> Pace:
        likes.append(like)
        return pace

    monkeypatch.setattr(finetuning, "time_training", note)
    found = PhotoCatalogue(make_experiment(20))
    for strategy in (unfreeze(1), unfreeze(2), FULL):
        found.price(strategy, epochs=None, affordable=100.0)

    assert likes == [None, pace, pace]


def test_more_blocks_than_there_are_is_an_error(make_experiment: MakeExperiment) -> None:
    """It is a mistake in what was asked, not a strategy that does not fit."""
    with pytest.raises(PlanError, match="has 7"):
        PhotoCatalogue(make_experiment(20)).price(unfreeze(8), epochs=None, affordable=100.0)


@pytest.mark.usefixtures("quick")
def test_flips_are_checked_once_and_hold_for_all_that_is_trained(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first training asks, every training and the heads that it starts from go by the answer."""
    asked: list[float] = []

    def no_flips(experiment: Experiment, *, C: float) -> Experiment:
        asked.append(C)
        return replace(experiment, augmentation=without_flips(experiment.augmentation))

    monkeypatch.setattr(catalogue, "with_measured_flips", no_flips)
    found = PhotoCatalogue(make_experiment(20))
    request = Request(allowance=100.0, splits=1)
    ready = [priced_and_ready(found, strategy, request) for strategy in (unfreeze(1), FULL)]

    assert asked == [found.shared.on_last(found.experiment.task.split(0), "softmax").C]
    for one in ready:
        assert isinstance(one, FineTuning)
        assert one.plan.augmentation.flip == 0.0
    assert found.experiment.augmentation.flip == found.shared.experiment.augmentation.flip == 0.0


def test_probes_of_several_strategies_are_fitted_at_once(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call fits every tap and loss once, and the strategies then find theirs."""
    calls: list[int] = []

    def counted(*given: Any, **settings: Any) -> Any:
        calls.append(len(given[2]))
        return fit_tap_probes(*given, **settings)

    monkeypatch.setattr(step_one, "fit_tap_probes", counted)
    found = PhotoCatalogue(make_experiment(30))
    split = found.experiment.task.split(0)
    found.share(found.step_one(), split)
    for strategy in found.step_one():
        strategy.fit(split, advance=lambda _: None)

    assert calls == [2 * len(found.experiment.source.taps)]


# --- once in the life of a run, and for trials from elsewhere -------------------------------------------------------

QUICK = Request(allowance=100.0, splits=1)
PLAIN = replace(LIGHT, flip=0.0)


def made_ready(of: PhotoCatalogue, strategy: StrategyId, request: Request = QUICK) -> FineTuning:
    """For an epoch."""
    found = priced_and_ready(of, strategy, request, epochs=1)
    assert isinstance(found, FineTuning)
    return found


@pytest.fixture
def with_journal(make_experiment: MakeExperiment) -> Callable[[Journal], PhotoCatalogue]:
    """Makes catalogues of equal experiments, as the lives of one run have them; a split learns from two batches."""

    def make(journal: Journal) -> PhotoCatalogue:
        experiment = make_experiment(60, augmentation=PLAIN)
        return PhotoCatalogue(replace(experiment, resources=replace(experiment.resources, journal=journal)))

    return make


def on_disk(folder: Path) -> FileJournal:
    """A journal whose clock stands."""
    return FileJournal(folder / "journal", elapsed=lambda: 0.0, turn_to=lambda _: None)


def nothing_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on nothing may be prepared, timed or measured."""
    for module, name in (
        (catalogue, "price"),
        (catalogue, "ready"),
        (catalogue, "with_measured_flips"),
        (finetuning, "time_training"),
    ):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("must not get here"))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("strategy", [unfreeze(1), FULL])
def test_a_strategy_is_prepared_once_in_the_life_of_a_run(
    with_journal: Callable[[Journal], PhotoCatalogue],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    strategy: StrategyId,
) -> None:
    """Another life takes it up: the same record with what the preparing took then, and the same bits of a training."""
    first = made_ready(with_journal(on_disk(tmp_path)), strategy)
    nothing_is_decided(monkeypatch)
    second = made_ready(with_journal(on_disk(tmp_path)), strategy, replace(QUICK, allowance=1.0))

    assert second.prepared == first.prepared
    assert second.outcome.cost.seconds == second.outcome.cost.preparation_seconds
    split = first.experiment.task.split(0)
    np.testing.assert_array_equal(first.fit(split).scores, second.fit(second.experiment.task.split(0)).scores)


@pytest.mark.usefixtures("quick")
def test_what_was_left_out_is_left_out_in_the_next_life_too(
    with_journal: Callable[[Journal], PhotoCatalogue], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the same reason, however much time there would be now; for other splits it is asked anew."""
    first = priced_and_ready(with_journal(on_disk(tmp_path)), FULL, replace(QUICK, allowance=0.0))
    with monkeypatch.context() as decided:
        nothing_is_decided(decided)
        second = priced_and_ready(with_journal(on_disk(tmp_path)), FULL, QUICK)
    other = priced_and_ready(with_journal(on_disk(tmp_path)), FULL, Request(allowance=0.0, splits=5))

    assert isinstance(first, LeftOut)
    assert second == first
    assert isinstance(other, LeftOut)
    assert [on_disk(tmp_path).knows(f"full-ready-for-{splits}") for splits in (1, 2, 5)] == [True, False, True]


@pytest.mark.usefixtures("quick")
def test_a_trial_from_elsewhere_says_all_that_is_needed(
    with_journal: Callable[[Journal], PhotoCatalogue], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was made ready here, and the scores are those of the process that decided; with another seed others."""
    there = with_journal(NO_JOURNAL)
    ready = made_ready(there, unfreeze(1))
    trial = Trial(strategy=unfreeze(1), split="split 0", seed=there.experiment.seed, training=ready.training)
    nothing_is_decided(monkeypatch)
    here = with_journal(NO_JOURNAL)
    split = here.experiment.task.split(0)

    found = here.strategy(trial)
    assert found.training == ready.training
    assert here.strategy(replace(trial, split="split 1")) is found
    same, other = (
        here.strategy(one).fit(split, advance=ignore).scores for one in (trial, replace(trial, seed=trial.seed + 1))
    )
    np.testing.assert_array_equal(same, ready.fit(there.experiment.task.split(0)).scores)
    assert not np.array_equal(same, other)


@pytest.mark.usefixtures("quick")
def test_a_trial_of_what_is_ready_here_is_carried_out_by_it(
    with_journal: Callable[[Journal], PhotoCatalogue],
) -> None:
    """The activations are there already; a trial with another plan has another strategy."""
    here = with_journal(NO_JOURNAL)
    ready = made_ready(here, FULL)
    trial = Trial(strategy=FULL, split="split 0", seed=here.experiment.seed, training=ready.training)
    plan = replace(ready.plan, epochs=3)
    longer = replace(ready.training, settings=replace(ready.settings, plan=plan))

    assert here.strategy(trial) is ready
    assert here.strategy(replace(trial, training=longer)).work == 3


@pytest.mark.parametrize("strategy", [unfreeze(1), FULL])
def test_a_trial_with_more_epochs_goes_on_where_it_stopped(
    with_journal: Callable[[Journal], PhotoCatalogue], monkeypatch: pytest.MonkeyPatch, strategy: StrategyId
) -> None:
    """Here two more of six epochs are made, and elsewhere all, to the same bits; nothing is remembered twice."""
    timed = Timed(arithmetic=EXACT, seconds=1.0, cost=1.0)
    monkeypatch.setattr(finetuning, "time_training", lambda *_, **__: pace_of(timed))
    monkeypatch.setattr(finetuning, "seconds_of_pixels", lambda *_: 0.0)
    monkeypatch.setattr(finetuning, "seconds_of_remembering", lambda *_, **__: 0.0)
    made: list[int] = []
    here, elsewhere = with_journal(NO_JOURNAL), with_journal(NO_JOURNAL)
    split = here.experiment.task.split(0)
    images = len(split.learn)
    short = priced_and_ready(here, strategy, Request(allowance=4.9 * images, splits=1), epochs=6)
    assert isinstance(short, FineTuning)
    assert short.work == 4
    monkeypatch.setattr(catalogue, "taken_up", lambda *given: (made.append(1), taken_up(*given))[1])
    trials = [
        Trial(strategy=strategy, split="split 0", seed=here.experiment.seed, training=training)
        for training in (short.training, short.lengthened(6).training)
    ]
    passed, outcomes = list[int](), list[TrialOutcome]()
    for at, trial in ((here, trials[0]), (here, trials[1]), (here, trials[1]), (elsewhere, trials[1])):
        done: list[int] = []
        outcomes += InThisProcess(at, at.experiment.task).outcomes([trial], advance=done.append)
        passed.append(sum(done) // images)

    assert passed == [4, 2, 6, 6]
    assert made == [1]  # elsewhere alone
    first, *others = outcomes
    assert [one.curve[:4] for one in others] == [first.curve] * 3
    assert others[0].log_likelihoods == others[1].log_likelihoods == others[2].log_likelihoods


@pytest.mark.usefixtures("quick")
def test_a_price_is_found_out_once_in_the_life_of_a_run(
    with_journal: Callable[[Journal], PhotoCatalogue], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another life has the same, whatever is affordable now: so the race walks the same way."""
    first = with_journal(on_disk(tmp_path)).price(unfreeze(1), epochs=None, affordable=100.0)
    nothing_is_decided(monkeypatch)

    assert isinstance(first, Price)
    assert with_journal(on_disk(tmp_path)).price(unfreeze(1), epochs=None, affordable=1.0) == first


def test_a_trial_without_training_is_of_step_one(with_journal: Callable[[Journal], PhotoCatalogue]) -> None:
    """Each of the cheap strategies carries out its own trials."""
    here = with_journal(NO_JOURNAL)
    for one in here.step_one():
        assert here.strategy(Trial(strategy=one.outcome.strategy, split="split 0", seed=0)) is one


def test_probes_that_were_fitted_elsewhere_are_in_the_depth_curve(
    with_journal: Callable[[Journal], PhotoCatalogue],
) -> None:
    """Two splits there and none here: after taking note both know the same curve, and here no probe was fitted."""
    there, here = with_journal(NO_JOURNAL), with_journal(NO_JOURNAL)
    trials = [
        Trial(strategy=one.outcome.strategy, split=f"split {number}", seed=0)
        for number in range(2)
        for one in there.step_one()
    ]
    task = there.experiment.task
    for trial, outcome in zip(trials, InThisProcess(there, task).outcomes(trials), strict=True):
        here.take_note(trial, outcome)

    assert there.shared.depth_curve()
    assert here.shared.depth_curve() == there.shared.depth_curve()


@pytest.mark.usefixtures("quick")
def test_one_pass_over_the_images_serves_all_depths(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made ready next has its activations already; in another life the same passes make the same of it."""
    passes: list[int] = []
    remember = finetuning.remember

    def counted(source: Any, cuts: Any, *given: Any, **more: Any) -> Any:
        passes.append(len(cuts))
        return remember(source, cuts, *given, **more)

    monkeypatch.setattr(finetuning, "remember", counted)
    found, alone = (PhotoCatalogue(make_experiment(20, augmentation=LIGHT)) for _ in range(2))
    prices = [found.price(strategy, epochs=None, affordable=100.0) for strategy in (unfreeze(1), unfreeze(2))]
    request = Request(allowance=100.0, splits=1)
    request = replace(request, beside=(unfreeze(1), unfreeze(2), FULL))
    first, second = (found.ready(price, request) for price in prices)
    again = taken_up(alone.shared, second.prepared)

    assert passes == [2]
    assert {one.training.activations.together for one in (first, second, again)} == {(unfreeze(1), unfreeze(2))}
    assert second.plan.views == 4
    assert np.array_equal(again.inputs.examples.views, second.inputs.examples.views)
    assert passes == [2, 2]


@pytest.mark.usefixtures("quick")
def test_depths_share_no_pass_where_memory_would_hold_fewer_views(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each remembers its own then."""
    experiment = make_experiment(20, augmentation=LIGHT)
    cuts = [experiment.source.cut_before_blocks(number) for number in (1, 2)]
    one_of_both = sum(4 * int(np.prod(cut.shape)) for cut in cuts)
    monkeypatch.setattr(examples, "fits_in_memory", lambda size: size < one_of_both * (20 + 4 * 20))
    found = PhotoCatalogue(experiment)
    price = found.price(unfreeze(1), epochs=None, affordable=100.0)
    ready = found.ready(price, Request(allowance=100.0, splits=1, beside=(unfreeze(2),)))

    assert (ready.training.activations.together, ready.plan.views) == ((unfreeze(1),), 4)
