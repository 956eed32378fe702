"""What may take part in a race, made ready to run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from unfreeze.core.errors import InputError, PlanError
from unfreeze.core.plans import EXACT, LIGHT, Timed
from unfreeze.core.strategies import FULL, KINDS, unfreeze
from unfreeze.strategies import catalogue, finetuning, step_one
from unfreeze.strategies.catalogue import READY, LeftOut, PhotoCatalogue, trained_strategies
from unfreeze.strategies.depth_curve import fit_tap_probes
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import FineTuning, Request
from unfreeze.strategies.preparation import without_flips

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


def test_every_kind_that_trains_blocks_can_be_made_ready() -> None:
    """Whatever has a share of the remaining time has a function of its own."""
    assert set(READY) == {kind for kind, row in KINDS.items() if row.weight > 0}


def test_what_has_no_time_is_left_out_and_no_question_is_asked_for_it(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record says why, and no mirrored image runs through the network."""
    monkeypatch.setattr(catalogue, "with_measured_flips", lambda *_, **__: pytest.fail("must not get here"))

    found = PhotoCatalogue(make_experiment(20)).ready(FULL, Request(allowance=0.0, splits=1))

    assert isinstance(found, LeftOut)
    assert (found.outcome.strategy, found.outcome.status) == (FULL, "left out")


def test_more_blocks_than_there_are_is_an_error(make_experiment: MakeExperiment) -> None:
    """It is a mistake in what was asked, not a strategy that does not fit."""
    with pytest.raises(PlanError, match="has 7"):
        PhotoCatalogue(make_experiment(20, augmentation=replace(LIGHT, flip=0.0))).ready(
            unfreeze(8), Request(allowance=100.0, splits=1)
        )


def test_flips_are_checked_once_and_hold_for_all_that_is_trained(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first training asks, every training and the heads that it starts from go by the answer."""
    asked: list[float] = []

    def no_flips(experiment: Experiment, *, C: float) -> Experiment:
        asked.append(C)
        return replace(experiment, augmentation=without_flips(experiment.augmentation))

    timed = Timed(arithmetic=EXACT, seconds=1e-6, cost=1e-6)
    monkeypatch.setattr(catalogue, "with_measured_flips", no_flips)
    monkeypatch.setattr(finetuning, "choose_arithmetic", lambda *_, **__: (timed, (timed,)))
    found = PhotoCatalogue(make_experiment(20))
    ready = [found.ready(strategy, Request(allowance=100.0, splits=1)) for strategy in (unfreeze(1), FULL)]

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
